"""The logs of CycleGAN training: one row an iteration, or a combined table of one row an epoch.

Their times are of two kinds that must not be mixed: compute time is divided by the batch (s **an image**, timers not
synchronised with the device), waiting for data is not (s **a batch**). They become `image_ms` and `data_ms`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from perfmodel.errors import TableError
from perfmodel.runs.reading import Layout, Reading, by_schema, ragged_rows, scaled
from perfmodel.runs.schema import TimeUnit, split_title, time_unit
from perfmodel.runs.table import Contents, RawTable

LOSSES = ("D_A", "G_A", "cycle_A", "idt_A", "D_B", "G_B", "cycle_B", "idt_B")
DEFAULTS = {
    "model": "cyclegan",
    "phase": "train",
    "framework": "pytorch",
    "timing_def": "forward + backward + optimizer, unsynchronised",
}
"""What the layout says of every row: CycleGAN is trained in PyTorch; a step is timed once its data is there."""

_LOSSES = frozenset(loss.lower() for loss in LOSSES)
_SECONDS = TimeUnit(to_ms=1e3)
_REMEDY = "write the unit as (s) or (ms); docs/runs.md describes the layout"


@dataclass(frozen=True, kw_only=True)
class _Times:
    """Names (as `split_title` gives them) of the compute time and of the data time."""

    compute: tuple[str, ...]
    data: tuple[str, ...]


_ITERATIONS = _Times(
    compute=("time_iters", "time_iter", "time_per_iter", "time_per_iters"),
    data=("data_iters", "data_iter", "data_per_iter", "data_per_iters"),
)
_COMBINED = _Times(
    compute=("time", "time_ms", "time_s"),
    data=("data_time", "data_time_ms", "data_time_s"),
)


def _names(contents: Contents) -> set[str]:
    return {split_title(title)[0] for title in contents.table.columns}


def _is_iterations(contents: Contents) -> bool:
    names = _names(contents)
    return bool(names & set(_ITERATIONS.compute)) and bool(names & set(_ITERATIONS.data))


def _is_combined(contents: Contents) -> bool:
    names = _names(contents)
    return "epoch" in names and bool(names & set(_COMBINED.compute)) and bool(names & _LOSSES)


def read_table(table: RawTable, where: str, times: _Times = _ITERATIONS) -> Reading:
    """Read a CycleGAN table: times by the unit in their titles, s where there is none; all else by the schema.

    Raises
    ------
    TableError
        When a title's unit is no unit of time, or says that waiting for data is counted an image.
    """
    compute, data = _title(table, times.compute), _title(table, times.data)
    cells = {title: [cell.strip() for cell in column] for title, column in table.columns.items()}
    rest = {title: column for title, column in cells.items() if title not in (compute, data)}
    columns, titles = by_schema(RawTable(columns=rest))
    for title, own in ((compute, "image_ms"), (data, "data_ms")):
        if title is None:
            continue
        unit = _unit(title, where)
        if own == "data_ms" and unit.per == "image":
            raise TableError(f"{where}: {title} is counted an image; data_ms is counted a batch", "give it a batch")
        name = "latency_ms" if own == "image_ms" and unit.per == "batch" else own
        if name in columns:
            raise TableError(f"{where} has two columns for {name}: {title} and {titles[name]}", "keep one of them")
        columns[name] = [scaled(cell, unit.to_ms) for cell in cells[title]]
        titles[name] = title
    numeric = frozenset(name for name in columns if name.lower() in _LOSSES | {"iters"})
    ragged = ragged_rows(table, where)
    reading = Reading(columns=columns, titles=titles, numeric=numeric, problems=ragged, defaults=DEFAULTS)
    return _without_repeated_headers(reading)


def _title(table: RawTable, names: Sequence[str]) -> str | None:
    found = {split_title(title)[0]: title for title in reversed(table.columns)}
    return next((found[name] for name in names if name in found), None)


def _unit(title: str, where: str) -> TimeUnit:
    name, unit = split_title(title)
    text = unit or (name.rpartition("_")[2] if name.endswith(("_ms", "_s")) else "")
    found = time_unit(text) if text else _SECONDS
    if found is None:
        raise TableError(f"{where}: the unit of {title} is no unit of time", _REMEDY)
    return found


def _without_repeated_headers(reading: Reading) -> Reading:
    """Leave out lines that repeat the header: a log that was continued."""
    titles = [reading.titles[name] for name in reading.columns]
    cells = list(reading.columns.values())
    again = {i for i in range(len(reading)) if all(one[i] == t for one, t in zip(cells, titles, strict=True))}
    if not again:
        return reading
    kept = [i for i in range(len(reading)) if i not in again]
    columns = {name: [column[i] for i in kept] for name, column in reading.columns.items()}
    return replace(reading, columns=columns, numbers=[i + 1 for i in kept])


ITERATIONS = Layout(
    name="cyclegan-iterations",
    meaning="a CycleGAN log of one row an iteration (Epoch, iters, time/iters, data/iters, D_A, ...)",
    recognises=_is_iterations,
    read=lambda contents, strict: read_table(contents.table, str(contents.where)),
    log=True,
    bare=True,
)
COMBINED = Layout(
    name="cyclegan-combined",
    meaning="a combined CycleGAN table of one row an epoch (Epoch, time, data_time(ms), D_A, ...)",
    recognises=_is_combined,
    read=lambda contents, strict: read_table(contents.table, str(contents.where), _COMBINED),
    bare=True,
)
