"""Tables of measured rows as inputs of a page: drawn, fitted and predicted."""

from __future__ import annotations

import hashlib
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from perfmodel.errors import PerfmodelError
from perfmodel.hardware.gpu import find_gpu
from perfmodel.report.documents import Document, Source, base_name, recognise
from perfmodel.runs.gather import Gathered, gather_runs
from perfmodel.runs.schema import missing_columns

if TYPE_CHECKING:
    from perfmodel.runs.rows import Runs

#: Times that a table may hold, milliseconds; the first one it has is drawn.
_MEASURES = ("step_ms", "image_ms", "data_ms")


def table_documents(
    tables: Sequence[tuple[str | Path, bytes]], *, known: Mapping[str, object] | None, salvage: bool
) -> list[Document]:
    """Documents that tables of measured rows stand for: the rows, a fit of their times, scores of their predictions.

    Parameters
    ----------
    tables : sequence of (path, bytes)
        As they were given, and what was read.
    known, salvage
        See `perfmodel.runs.gather.gather_runs`.

    Raises
    ------
    TableError
        When a file is no table of measured rows. A fit or a prediction that the rows do not allow is no error: the
        page says why there is none.
    """
    sources = tuple(Source(base_name(one), hashlib.sha256(raw).hexdigest()) for one, raw in tables)
    gathered = _gathered(tables, known, salvage)
    notes: list[str] = []
    documents = [*_fit(gathered.runs, sources, notes), *_validation(gathered.runs, sources, notes)]
    return [_rows(gathered, sources, notes), *documents]


def _gathered(
    tables: Sequence[tuple[str | Path, bytes]], known: Mapping[str, object] | None, salvage: bool
) -> Gathered:
    with tempfile.TemporaryDirectory() as folder:
        paths = [_on_disk(one, raw, Path(folder)) for one, raw in tables]
        return gather_runs(paths, known=known, salvage=salvage)


def _on_disk(source: str | Path, raw: bytes, folder: Path) -> str | Path:
    if str(source) != "-":
        return source
    path = folder / "standard input"
    path.write_bytes(raw)
    return path


def _rows(gathered: Gathered, sources: tuple[Source, ...], notes: list[str]) -> Document:
    frame = _times(gathered.runs)
    value = next((name for name in _MEASURES if np.isfinite(frame[name]).any()), _MEASURES[0])
    left_out = [f"left out: {problem}" for problem in gathered.problems]
    content = {
        "schema_version": 1,
        "kind": "runs",
        "rows": len(gathered.runs),
        "value": value,
        "works": _works(gathered.runs),
        "shared": _shared(gathered.runs, frame, value),
        "boxes": list(_boxes(frame, value)),
        "notes": [*gathered.notes, *left_out, *notes],
    }
    return recognise(content, *sources, beside={"frame": frame})


def _times(runs: Runs) -> dict[str, Any]:
    """Times in ms, cards and data pairs of the rows that are not cold."""
    warm = runs.text("cold") != "1"
    columns = {"step_ms": 1e3 * runs.step_s, "image_ms": runs.number("image_ms"), "data_ms": runs.number("data_ms")}
    names = {text: _card(text) for text in set(runs.text("gpu"))}
    cards = np.array([names[text] for text in runs.text("gpu")], dtype=object)
    return {
        **{name: values[warm] for name, values in columns.items()},
        "gpu": cards[warm],
        "data_pair": runs.text("data_pair")[warm],
    }


_WORK = ("model", "phase", "precision", "batch", "blocks", "image_size", "seq_len", "n_gpu")


def _works(runs: Runs) -> int:
    """How many different pieces of work the rows measure: times of different work cannot be compared."""
    return len(set(zip(*(runs.text(name) for name in _WORK), strict=True)))


def _shared(runs: Runs, frame: Mapping[str, Any], value: str) -> dict[str, Any]:
    """Cards compared on the work that all of them ran: how many pieces, and each card's time over the fastest card's.

    Of each piece the medians count, of all pieces the geometric mean of their ratios.
    """
    warm = runs.text("cold") != "1"
    work = list(zip(*(runs.text(name)[warm] for name in (*_WORK, "data_pair")), strict=True))
    times: dict[tuple[str, ...], dict[str, list[float]]] = {}
    for key, card, time in zip(work, frame["gpu"], frame[value], strict=True):
        if np.isfinite(time):
            times.setdefault(key, {}).setdefault(card, []).append(time)
    cards = sorted({card for found in times.values() for card in found})
    common = [found for found in times.values() if len(found) == len(cards)]
    if len(cards) < 2 or not common:
        return {"works": 0, "cards": {}}
    logs = np.log([[np.median(found[card]) for card in cards] for found in common])
    mean = logs.mean(axis=0)
    best = int(np.argmin(mean))
    wins = int((logs.argmin(axis=1) == best).sum())
    ratio = {cards[at]: float(np.exp(mean[at] - mean[best])) for at in np.argsort(mean)}
    return {"works": len(common), "wins": wins, "cards": ratio}


def _card(text: str) -> str:
    try:
        return find_gpu(text).name
    except PerfmodelError:
        return text or "-"


def _boxes(frame: Mapping[str, Any], value: str) -> Iterator[dict[str, Any]]:
    times = frame[value]
    keys = sorted({(gpu, pair) for gpu, pair in zip(frame["gpu"], frame["data_pair"], strict=True)})
    for gpu, pair in keys:
        own = times[(frame["gpu"] == gpu) & (frame["data_pair"] == pair) & np.isfinite(times)]
        if len(own):
            quartiles = [float(one) for one in np.percentile(own, [25, 50, 75])]
            yield {"gpu": gpu, "data_pair": pair, "n": len(own), "quartiles_ms": quartiles}


def _fit(runs: Runs, sources: tuple[Source, ...], notes: list[str]) -> list[Document]:
    from perfmodel.regression.fitting import fit

    try:
        found = fit(runs)
    except PerfmodelError as error:
        notes.append(f"no law is fitted: {error}")
        return []
    unseen = None
    try:
        unseen = found.cross_validate("gpu")
    except PerfmodelError as error:
        notes.append(f"the law is not tried on cards that it has not seen: {error}")
    return [recognise(found.to_dict(cross_validation=unseen), *sources, beside={"fit": found})]


def _validation(runs: Runs, sources: tuple[Source, ...], notes: list[str]) -> list[Document]:
    from perfmodel.report.plots.points import validation_points
    from perfmodel.validation.report import validate

    lacks = missing_columns(set(runs.columns))
    if lacks:
        notes.append(f"the rows are not predicted: they lack {', '.join(lacks)}")
        return []
    found = validate(runs)
    points = validation_points(found.predictions, runs) if found.resolved else None
    return [recognise(found.to_dict(), *sources, beside={"points": points})]
