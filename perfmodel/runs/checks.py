"""Checks of cells: text where a number belongs, times that are none, cards that nobody knows."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from functools import lru_cache

from perfmodel.errors import PerfmodelError
from perfmodel.hardware.gpu import find_gpu
from perfmodel.runs.problems import Problem
from perfmodel.runs.reading import Reading
from perfmodel.runs.schema import NUMBERS

ABSENT = frozenset({"", "-", "?", "na", "n/a", "nan", "none", "null"})
"""Cells (in lower case) that say that nothing is known; in a column of times only an empty one does."""
TIMES = frozenset({"latency_ms", "throughput_per_s", "image_ms"})
"""Columns whose numbers lie above 0. `data_ms` may be 0: input that was there already, rounded."""
YES, NO = frozenset({"1", "1.0", "true", "yes"}), frozenset({"0", "0.0", "false", "no"})


def broken_cells(reading: Reading, where: str) -> Iterator[Problem]:
    """Yield the broken cells of a file, column by column; empty cells are unknown, not broken."""
    for name, cells in reading.columns.items():
        fault = _fault_of(name, reading)
        if fault is None:
            continue
        faults = {cell: text for cell in set(cells) if (text := fault(cell.strip()))}
        if faults:
            for index, cell in enumerate(cells):
                if cell in faults:
                    yield Problem(where, reading.number(index), reading.title(name), faults[cell])


def cell_fault(name: str, cell: str) -> str:
    """Return what is wrong with a cell of one of the schema's columns; empty when nothing is."""
    if name == "gpu":
        return _card_fault(cell)
    if name == "cold":
        return "" if cell.lower() in YES | NO | ABSENT else f"is {cell!r}, not 1 or 0"
    if name in NUMBERS:
        return _number_fault(name, cell)
    return ""


def _fault_of(name: str, reading: Reading) -> Callable[[str], str] | None:
    if name in reading.numeric:
        return lambda cell: "" if cell.lower() in ABSENT or _parsed(cell) is not None else _no_number(cell)
    if name == "gpu" or name in NUMBERS:
        return lambda cell: cell_fault(name, cell)
    return None


def _number_fault(name: str, cell: str) -> str:
    if not cell or (cell.lower() in ABSENT and name not in TIMES):
        return ""
    value = _parsed(cell)
    if value is None or not math.isfinite(value):
        return _no_number(cell)
    if value < 0 or (value == 0 and name in TIMES):
        return f"is {cell}, not {'above 0' if name in TIMES else 'from 0 on'}"
    return f"is {cell}, not from 1 on" if name == "n_gpu" and value < 1 else ""


def _no_number(cell: str) -> str:
    return f"is {cell[:40]!r}, not a number" if cell.lower() not in ("inf", "nan") else f"is {cell}"


def _parsed(cell: str) -> float | None:
    try:
        return float(cell)
    except ValueError:
        return None


@lru_cache(maxsize=1024)
def _card_fault(cell: str) -> str:
    if cell.lower() in ABSENT:
        return ""
    try:
        find_gpu(cell)
    except PerfmodelError as error:
        return f"is {cell!r}: {error}"
    return ""
