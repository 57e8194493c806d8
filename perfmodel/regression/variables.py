"""The variables of measured rows: what the table says, and the specification of each row's card joined by its name."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any

import numpy as np
import numpy.typing as npt

from perfmodel.errors import InputError, PerfmodelError, PrecisionError
from perfmodel.hardware.gpu import find_gpu
from perfmodel.hardware.names import normalise
from perfmodel.hardware.precision import canonical_precision, resolve_precision
from perfmodel.hardware.spec import Gpu
from perfmodel.regression.networks import network_columns
from perfmodel.regression.vocabulary import BY_NAME, VARIABLES, canonical_variable
from perfmodel.runs.rows import Runs
from perfmodel.runs.schema import canonical_column

Floats = npt.NDArray[np.float64]

_MEASURED = ("blocks", "image_size", "seq_len", "batch", "workers", "host_cores", "epoch", "cold")
_WORDS = ("data_pair", "source", "framework", "file")


def variables(runs: Runs) -> Any:
    """Return the variables of measured rows.

    Parameters
    ----------
    runs : Runs
        n rows.

    Returns
    -------
    pandas.DataFrame
        n rows, index = row in the table; the columns of `vocabulary.VARIABLES` (float64, NaN where unknown; text, empty
        where unknown), then the table's other columns. Where a table states a card's figure (``bandwidth``), its own
        counts; else it is that of the card of that name. `step_ms` is the time of a step however the table says it
        (`Runs.step_s`), and `image_ms` times `batch` where only that is known.
    """
    import pandas

    cards = tuple(_card(name) for name in runs.text("gpu"))
    columns: dict[str, Any] = {**_times(runs), **_specification(runs, cards), **_settings(runs)}
    columns |= network_columns(runs)
    columns |= _labels(runs, cards)
    for name in list(columns):
        columns[name] = _own(runs, name, columns[name])
    ordered = {v.name: columns[v.name] for v in VARIABLES}
    return pandas.DataFrame(ordered | _others(runs, set(ordered)), index=pandas.RangeIndex(len(runs)))


def frame_of(rows: Any) -> Any:
    """Return the variables of rows given as `runs_of` takes them, or of a frame that `variables` made, as it is."""
    names = getattr(rows, "columns", None)
    if names is not None and not isinstance(rows, Runs) and set(BY_NAME) <= set(names):
        return rows
    return variables(runs_of(rows))


def runs_of(rows: Any) -> Runs:
    """Return rows given as Runs, a DataFrame, or a mapping of names to values or sequences of values.

    Names are read in any spelling that a table's header may have; a scalar counts for every row.
    """
    if isinstance(rows, Runs):
        return rows
    if isinstance(rows, str) or not hasattr(rows, "__iter__"):
        raise InputError(f"{rows!r} holds no rows", "give a mapping of names to values, a DataFrame, or Runs")
    if isinstance(rows, Sequence) and not isinstance(rows, str):
        names = list(dict.fromkeys(name for row in rows for name in row))
        rows = {name: [row.get(name, "") for row in rows] for name in names}
    items = {str(name): rows[name] for name in rows}
    lengths = [len(v) for v in items.values() if _is_column(v)]
    count = lengths[0] if lengths else int(bool(items))
    columns = {canonical_column(name): _cells(values, count) for name, values in items.items()}
    return Runs(columns, getattr(rows, "path", ""))


def with_known(table: Runs, known: Mapping[str, Any]) -> Runs:
    """Return rows with given values in columns that are missing or empty."""
    columns = dict(table.columns)
    for name, value in runs_of(known).columns.items() if known else ():
        cells = table.text(name).copy()
        cells[cells == ""] = value[0]
        columns[name] = cells
    return Runs(columns, table.path)


def _is_column(values: Any) -> bool:
    return hasattr(values, "__len__") and not isinstance(values, str)


def _cells(values: Any, count: int) -> npt.NDArray[np.object_]:
    """Cells as text that reads back as the same number."""
    found = np.empty(count, dtype=object)
    found[:] = [_cell(v) for v in (values if _is_column(values) else [values] * count)]
    return found


def _cell(value: Any) -> str:
    if value is None or value != value or str(value) == "<NA>":
        return ""
    if isinstance(value, bool | np.bool_):
        return str(int(value))
    return repr(float(value)) if isinstance(value, float | np.floating) else str(value)


def _times(runs: Runs) -> dict[str, Floats]:
    batch, image = runs.number("batch"), runs.number("image_ms")
    step = runs.step_s * 1e3
    step = np.where(np.isnan(step), image * batch, step)
    with np.errstate(divide="ignore", invalid="ignore"):
        image = np.where(np.isnan(image) & (batch > 0), step / batch, image)
    return {"step_ms": step, "data_ms": runs.number("data_ms"), "image_ms": image}


@lru_cache(maxsize=4096)
def _card(name: str) -> Gpu | None:
    try:
        return find_gpu(name)
    except PerfmodelError:
        return None


_FIELDS = {
    "cores": "cuda_cores", "sms": "sm", "l2_mb": "l2_mb", "tdp_w": "tdp_w", "memory_gb": "memory_gb",
    "bandwidth": "bandwidth_gbs",
}  # fmt: skip


def _specification(runs: Runs, cards: Sequence[Gpu | None]) -> dict[str, Any]:
    """Columns of each row's card."""
    found: dict[str, Any] = {
        name: np.array([np.nan if card is None else float(getattr(card, field)) for card in cards])
        for name, field in _FIELDS.items()
    }
    found["clock_ghz"] = np.array([np.nan if card is None else card.boost_mhz / 1e3 for card in cards])
    found["fp32_tflops"] = np.array([np.nan if card is None else card.peaks_tflops["fp32"] for card in cards])
    pairs = [_precision(text, card) for text, card in zip(runs.precisions, cards, strict=True)]
    found["precision"] = np.array([name for name, _ in pairs], dtype=object)
    found["flops"] = np.array([peak for _, peak in pairs], dtype=np.float64)
    return found


@lru_cache(maxsize=4096)
def _precision(text: str, card: Gpu | None) -> tuple[str, float]:
    """Canonical precision and its peak on the card in TFLOP/s; NaN where the card lacks it or is unknown."""
    try:
        if card is None:
            return canonical_precision(text), np.nan
        name = resolve_precision(text, card)
        return name, card.peak_tflops(name)
    except PrecisionError:
        return text.strip().lower(), np.nan


def _settings(runs: Runs) -> dict[str, Any]:
    return {**{name: runs.number(name) for name in _MEASURED}, "n_gpu": runs.gpu_count}


def _labels(runs: Runs, cards: Sequence[Gpu | None]) -> dict[str, Any]:
    names = runs.text("gpu")
    keys = [normalise(name) if card is None else card.key for name, card in zip(names, cards, strict=True)]
    phase = runs.text("phase")
    said = np.array([bool(str(word).strip()) for word in phase], dtype=bool)
    return {
        "gpu": np.array(keys, dtype=object),
        "gpu_text": runs.text("gpu_text") if "gpu_text" in runs.columns else names,
        "arch": np.array(["" if card is None else card.arch for card in cards], dtype=object),
        "phase": np.where(said, np.where(runs.training, "train", "infer"), "").astype(object),
        **{name: runs.text(name) for name in _WORDS},
    }


def _own(runs: Runs, name: str, joined: Any) -> Any:
    """Put the table's own figures of a variable where it states them; `joined` where it does not."""
    if name not in _FIELDS and name not in ("clock_ghz", "fp32_tflops", "flops", "gflop_step"):
        return joined
    for title in runs.columns:
        if canonical_variable(title) == name:
            own = runs.number(title)
            return np.where(np.isnan(own), joined, own)
    return joined


def _others(runs: Runs, taken: set[str]) -> dict[str, Any]:
    """Columns that are no variable, as numbers where every cell that says something is one."""
    found: dict[str, Any] = {}
    for title in runs.columns:
        if title in taken or canonical_variable(title) in BY_NAME:
            continue
        cells = runs.text(title)
        numbers = runs.number(title)
        said = np.array([bool(cell) for cell in cells], dtype=bool)
        found[title] = numbers if said.any() and np.isfinite(numbers[said]).all() else cells
    return found


def chosen(frame: Any, conditions: Mapping[str, Sequence[str]]) -> npt.NDArray[np.bool_]:
    """Rows of `frame` whose variables have one of the values wanted.

    Parameters
    ----------
    frame : pandas.DataFrame (n rows)
        From `variables`.
    conditions : mapping of str to sequence of str
        Variable -> values in any spelling; all variables must agree, one value of each suffices.

    Returns
    -------
    bool array (n,)
    """
    keep = np.ones(len(frame), dtype=bool)
    for name, wanted in conditions.items():
        column = frame[name]
        numeric = column.dtype.kind == "f"
        keep &= _any_number(column, wanted) if numeric else column.isin([_spelling(name, word) for word in wanted])
    return keep


def _any_number(column: Any, wanted: Sequence[str]) -> npt.NDArray[np.bool_]:
    values = column.to_numpy()
    found = np.zeros(len(values), dtype=bool)
    for word in wanted:
        try:
            found |= values == float(word)
        except ValueError:
            continue
    return found


def _spelling(name: str, word: str) -> str:
    """Return how `variables` writes a word of one of its text columns."""
    if name == "gpu":
        card = _card(word)
        return normalise(word) if card is None else card.key
    if name == "phase":
        return "train" if word.lower().startswith(("train", "fine")) else "infer"
    if name == "precision":
        return {"amp": "amp_fp16"}.get(_precision(word, None)[0], _precision(word, None)[0])
    return word
