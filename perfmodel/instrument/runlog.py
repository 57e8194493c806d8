"""The run log: one row for every step of a run, with the time of each phase, and a header that says what ran.

As CSV the header is a first line ``# perfmodel-runlog {json}``; as Parquet it is the file's key-value metadata under
``perfmodel-runlog``. Columns:

===================  ======  ===========================================================================================
column               unit    meaning
===================  ======  ===========================================================================================
``step``                     number of the step, rising within a rank
``epoch``                    number of the epoch
``rank``                     process; 0 in a run on one device
``start_ns``         ns      start of the step on a monotonic clock
``batch``                    samples of this rank in this step
``cold``                     1 for steps that hold loader start-up or warm-up; left out of every average
``step_ms``          ms      from the start of this step to the start of the next
``<phase>_ms``       ms      total time of the phase, for each phase of `phases.PHASES`
``<phase>_own_ms``   ms      its exposed part: what the step would be shorter without; these sum to ``step_ms``
===================  ======  ===========================================================================================

Optional columns: ``memory_mb`` (allocated at the end), ``memory_peak_mb``, ``memory_reserved_mb``, and any
``loss_<name>``.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from perfmodel.errors import TableError
from perfmodel.instrument.phases import PHASES

SCHEMA_VERSION = 1
HEADER_KEY = "perfmodel-runlog"
REMEDY = "the schema is described in docs/runs.md"

STEP_COLUMNS = ("step", "epoch", "rank", "start_ns", "batch", "cold", "step_ms")
TOTAL_COLUMNS = tuple(f"{phase}_ms" for phase in PHASES)
EXPOSED_COLUMNS = tuple(f"{phase}_own_ms" for phase in PHASES)
COLUMNS = STEP_COLUMNS + TOTAL_COLUMNS + EXPOSED_COLUMNS
OPTIONAL_COLUMNS = ("memory_mb", "memory_peak_mb", "memory_reserved_mb")

HEADER: Mapping[str, type | tuple[type, ...]] = {
    "schema_version": int,
    "workload": str,
    "gpu": str,
    "n_gpu": int,
    "host": str,
    "framework": str,
    "framework_version": str,
    "precision": str,
    "mode": str,
    "batch": int,
    "synchronised": bool,
    "started_utc": str,
}
"""Fields that a header must have. ``synchronised`` says that device time was read by events or after a
synchronisation, so that phases hold their own work; ``batch`` is global. Further fields are free
(``image_size, blocks, dataset, workers, driver, seed ...``)."""

_SUM_TOLERANCE = 1e-3
"""Exposed parts may miss the step by this share of it (clocks tick, CSV rounds)."""


def header_line(header: Mapping[str, Any]) -> str:
    """Return the first line of a CSV run log (without line end) for a checked header."""
    check_header(header, where="header")
    return f"# {HEADER_KEY} {json.dumps(dict(header), sort_keys=True)}"


def parse_header(line: str, *, where: str = "run log") -> dict[str, Any]:
    """Read the header from the first line of a CSV run log, or from its bare JSON.

    Raises
    ------
    TableError
        When the line holds no header, or the header lacks a field.
    """
    text = line.strip().removeprefix("#").strip().removeprefix(HEADER_KEY).strip()
    try:
        header = json.loads(text)
    except ValueError:
        raise TableError(f"{where} has no run-log header in its first line", REMEDY) from None
    if not isinstance(header, dict):
        raise TableError(f"{where}: the run-log header is not a JSON object", REMEDY)
    check_header(header, where=where)
    return header


def check_header(header: Mapping[str, Any], *, where: str = "run log") -> None:
    """Raise `TableError` when a header lacks a field, has one of the wrong kind, or is of a later schema."""
    for name, kind in HEADER.items():
        if name not in header:
            raise TableError(f"{where}: the header lacks {name}", REMEDY)
        value = header[name]
        wrong_bool = isinstance(value, bool) and kind is not bool
        if wrong_bool or not isinstance(value, kind):
            raise TableError(f"{where}: {name} is {value!r} in the header", REMEDY)
    if header["schema_version"] > SCHEMA_VERSION:
        raise TableError(
            f"{where} has run-log schema {header['schema_version']}; this version reads up to {SCHEMA_VERSION}",
            "update perfmodel",
        )


def validate_run_log(
    columns: Mapping[str, Sequence[float]], header: Mapping[str, Any], *, where: str = "run log"
) -> None:
    """Check a run log: header, columns, lengths, values, order of steps, and that exposed parts sum to the step.

    Parameters
    ----------
    columns : mapping of str to sequence of numbers
        All of equal length.
    header : mapping
        Fields of `HEADER`.
    where : str
        Name of the file for errors.

    Raises
    ------
    TableError
        Naming the file and the first thing that is wrong, with its row counted from 1.
    """
    check_header(header, where=where)
    check_columns(columns, where=where)
    for fault in faults(columns):
        raise TableError(f"{where}, row {fault.row}: {fault.text}", REMEDY)


def check_columns(columns: Mapping[str, Sequence[object]], *, where: str = "run log") -> None:
    """Raise `TableError` when a column of the schema is absent, or columns differ in length."""
    missing = [name for name in COLUMNS if name not in columns]
    if missing:
        raise TableError(f"{where} lacks the column {missing[0]}", REMEDY)
    if len({len(columns[name]) for name in columns}) > 1:
        raise TableError(f"{where}: its columns differ in length", REMEDY)


@dataclass(frozen=True, kw_only=True)
class Fault:
    """What is wrong with one row: the row counted from 1, its column, and the fault in words."""

    row: int
    column: str
    text: str


def faults(columns: Mapping[str, Sequence[float]]) -> Iterator[Fault]:
    """Yield what is wrong with the rows of a run log that has all columns: values, then order, then sums.

    The order and the sums of a row are looked at only where all its values are numbers from 0 on.
    """
    broken: set[int] = set()
    for name in COLUMNS:
        for row, value in enumerate(columns[name], 1):
            if not 0 <= value < float("inf"):
                broken.add(row)
                yield Fault(row=row, column=name, text=f"{name} is {value!r}, not a number from 0 on")
    whole = [row for row in range(1, len(columns["step"]) + 1) if row not in broken]
    yield from _order_faults(columns["rank"], columns["step"], whole)
    for row in whole:
        yield from _part_faults(columns, row)


def _order_faults(ranks: Sequence[float], steps: Sequence[float], rows: Sequence[int]) -> Iterator[Fault]:
    last: dict[float, float] = {}
    for row in rows:
        rank, step = ranks[row - 1], steps[row - 1]
        if step <= last.get(rank, -1):
            yield Fault(row=row, column="step", text=f"step {step:g} does not follow {last[rank]:g}")
        else:
            last[rank] = step


def _part_faults(columns: Mapping[str, Sequence[float]], row: int) -> Iterator[Fault]:
    at, step_ms = row - 1, columns["step_ms"][row - 1]
    tolerated = _SUM_TOLERANCE * max(step_ms, 1.0)
    for total, own in zip(TOTAL_COLUMNS, EXPOSED_COLUMNS, strict=True):
        if columns[own][at] > columns[total][at] + tolerated:
            yield Fault(row=row, column=own, text=f"{own} is above {total}")
    exposed = sum(columns[name][at] for name in EXPOSED_COLUMNS)
    if abs(exposed - step_ms) > tolerated:
        text = f"exposed parts sum to {exposed:.4g} ms, the step is {step_ms:.4g} ms"
        yield Fault(row=row, column="step_ms", text=text)
