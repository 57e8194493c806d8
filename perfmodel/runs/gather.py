"""Measured rows from several files of any layout, with what the user knows beside them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from perfmodel.errors import InputError, TableError
from perfmodel.runs.checks import ABSENT, NO, YES, broken_cells
from perfmodel.runs.layouts import find_layout
from perfmodel.runs.problems import Problem, refusal
from perfmodel.runs.reading import Layout, Reading, scaled
from perfmodel.runs.rows import Runs
from perfmodel.runs.schema import BY_NAME, missing_columns, missing_time
from perfmodel.runs.settings import check_settings, settings_in_name, split_input, with_defaults, with_settings
from perfmodel.runs.table import open_table

Paths = str | Path | Sequence[str | Path]
Missing = Callable[[set[str]], list[str]]
#: Files that are noted one by one.
MOST_NOTES = 3


@dataclass(frozen=True, kw_only=True)
class Gathered:
    """Rows of one or more files.

    Attributes
    ----------
    runs : Runs
        The rows, with the columns `file` and `row` that say where each was read.
    problems : tuple of Problem
        Broken cells and rows; their rows are left out.
    notes : tuple of str
        What was taken from a file's name, and other things a reader of the result must know.
    files : tuple of str
    layouts : tuple of str
        Name of each file's layout.
    """

    runs: Runs
    problems: tuple[Problem, ...] = ()
    notes: tuple[str, ...] = ()
    files: tuple[str, ...] = ()
    layouts: tuple[str, ...] = ()


def gather_runs(
    paths: Paths,
    *,
    known: Mapping[str, object] | None = None,
    salvage: bool = False,
    check_cells: bool = True,
    missing: Missing = missing_time,
) -> Gathered:
    """Read measured rows from files of any layout of `perfmodel.runs.layouts`.

    Parameters
    ----------
    paths : str, Path or sequence of them
        Files; a text may carry settings for its file: ``FILE@gpu=v100,blocks=9``.
    known : mapping of str to value, optional
        Values of columns that the files do not tell, by any name of the schema; a file's own settings come first.
    salvage : bool
        Leave out broken rows and name them in the result, instead of refusing the file. An incomplete last line of a
        log that is still being written is always left out and named.
    check_cells : bool
        False leaves the cells of tables as they stand, for callers that judge rows one by one.
    missing : callable
        Given the names of a file's columns, says in words which ones it still needs.

    Raises
    ------
    TableError
        When a file is missing, a folder or no table; when a cell or row is broken (the first one is named, with how
        many more); when a cell contradicts a setting.
    InputError
        When no file is given or one twice, or a setting is broken.
    """
    common = check_settings(known or {})
    parts = [
        _read(path, {**common, **own}, salvage=salvage, check_cells=check_cells, missing=missing)
        for path, own in _inputs(paths)
    ]
    return Gathered(
        runs=Runs(_joined([part.columns for part in parts]), ", ".join(part.file for part in parts)),
        problems=tuple(problem for part in parts for problem in part.problems),
        notes=_notes([(part.file, part.named) for part in parts if part.named]),
        files=tuple(part.file for part in parts),
        layouts=tuple(part.layout for part in parts),
    )


def gather_measured(paths: Paths, *, known: Mapping[str, object] | None = None, salvage: bool = False) -> Gathered:
    """Gather rows that are to be predicted: files must have the columns for that, cells are for the caller to judge."""
    return gather_runs(paths, known=known, salvage=salvage, check_cells=False, missing=missing_columns)


@dataclass(frozen=True, kw_only=True)
class _Part:
    file: str
    layout: str
    columns: dict[str, list[str]]
    problems: tuple[Problem, ...]
    named: dict[str, str]


def _inputs(paths: Paths) -> list[tuple[Path, dict[str, str]]]:
    found = [split_input(one) for one in ([paths] if isinstance(paths, str | Path) else paths)]
    if not found:
        raise InputError("no file of measured rows is given", "name one or more")
    seen: set[Path] = set()
    for path, _ in found:
        if path.absolute() in seen:
            raise InputError(f"{path} is given twice", "its rows would count twice: name it once")
        seen.add(path.absolute())
    return found


def _read(path: Path, settings: dict[str, str], *, salvage: bool, check_cells: bool, missing: Missing) -> _Part:
    where, contents = str(path), open_table(path)
    layout = find_layout(contents)
    reading = with_settings(layout.read(contents, check_cells), settings, where)
    reading, named = _from_name(reading, layout, path)
    reading = with_defaults(reading, reading.defaults)
    problems = _sorted([*reading.problems, *(broken_cells(reading, where) if check_cells else ())])
    unfinished = _unfinished_row(reading) if layout.log and contents.text[-1:] not in ("", "\n") else None
    refused = [one for one in problems if one.row != unfinished]
    if refused and not salvage:
        raise refusal(refused)
    kept = _without(reading, {one.row for one in problems})
    if refused and not len(kept):
        raise TableError(f"{where}: every row is broken; the first: {refused[0]}", "correct the file")
    columns = _finished(_tidied(kept) if check_cells else kept, where)
    lacks = missing(set(columns))
    if lacks:
        raise _lacking(where, layout, lacks[0])
    return _Part(file=where, layout=layout.name, columns=columns, problems=tuple(problems), named=named)


def _sorted(problems: list[Problem]) -> list[Problem]:
    """Problems by row, one for each cell; a row that does not fit its header has only that one."""
    misfits = {one.row for one in problems if not one.column}
    found: dict[tuple[int, str], Problem] = {}
    for one in problems:
        if not one.column or one.row not in misfits:
            found.setdefault((one.row, one.column), one)
    return sorted(found.values(), key=lambda one: one.row)


def _lacking(where: str, layout: Layout, what: str) -> TableError:
    column, remedy = what.split()[0], "the columns are described in docs/runs.md"
    if column in BY_NAME:
        remedy = f"add it, or set {column}=VALUE for all rows; {remedy}"
    file = f"{where}, read as {layout.meaning}," if layout.bare else where
    return TableError(f"{file} lacks {'the' if column in BY_NAME else 'a'} column {what}", remedy)


def _notes(named: Sequence[tuple[str, Mapping[str, str]]]) -> tuple[str, ...]:
    """Say what was read from the files' names: each of a few files, or all in one sentence with an example."""
    told = [
        f"{Path(file).name}: {', '.join(f'{name} {text}' for name, text in found.items())}" for file, found in named
    ]
    if len(told) <= MOST_NOTES:
        return tuple(f"{one} read from the file's name" for one in told)
    names = ", ".join(dict.fromkeys(name for _, found in named for name in found))
    return (f"{names} read from the names of {len(told)} files, such as {told[0]}",)


def _from_name(reading: Reading, layout: Layout, path: Path) -> tuple[Reading, dict[str, str]]:
    """Fill what neither a bare log nor a setting tells from the file's name, and return what was found there."""
    told = {name for name, cells in reading.columns.items() if any(cell.strip() for cell in cells)}
    found = {name: text for name, text in settings_in_name(path).items() if name not in told} if layout.bare else {}
    return (with_defaults(reading, found) if found else reading), found


def _unfinished_row(reading: Reading) -> int | None:
    return reading.number(len(reading) - 1) if len(reading) else None


def _without(reading: Reading, rows: set[int]) -> Reading:
    if not rows:
        return reading
    kept = [index for index in range(len(reading)) if reading.number(index) not in rows]
    columns = {name: [cells[index] for index in kept] for name, cells in reading.columns.items()}
    return replace(reading, columns=columns, numbers=[reading.number(index) for index in kept])


def _finished(reading: Reading, where: str) -> dict[str, list[str]]:
    """The columns with those that follow: steps from images, and where each row was read."""
    columns = dict(reading.columns)
    if "image_ms" in columns and "batch" in columns:
        columns["latency_ms"] = _step_times(columns, len(reading))
    columns["file"] = [where] * len(reading)
    columns["row"] = [str(reading.number(index)) for index in range(len(reading))]
    return columns


def _tidied(reading: Reading) -> Reading:
    """A batch of 0 says that none is known; `cold` is 1 or 0."""
    columns = dict(reading.columns)
    if "batch" in columns:
        columns["batch"] = ["" if _is_zero(cell) else cell for cell in columns["batch"]]
    if "cold" in columns:
        columns["cold"] = [_flag(cell) for cell in columns["cold"]]
    return replace(reading, columns=columns)


def _step_times(columns: dict[str, list[str]], rows: int) -> list[str]:
    """Time of each step, ms: its own, else compute time of an image times the batch, else none."""
    own = columns.get("latency_ms", [""] * rows)
    throughput = columns.get("throughput_per_s", [""] * rows)
    return [
        time if time.strip() or rate.strip() or not batch.strip() else _product(image, batch)
        for time, rate, image, batch in zip(own, throughput, columns["image_ms"], columns["batch"], strict=True)
    ]


def _product(image_ms: str, batch: str) -> str:
    try:
        return scaled(image_ms, float(batch)) if image_ms.strip() else ""
    except ValueError:
        return ""


def _is_zero(cell: str) -> bool:
    """Whether a batch says that none is known."""
    return cell.strip() in ("0", "0.0") or cell.strip().lower() in ABSENT


def _flag(cell: str) -> str:
    word = cell.strip().lower()
    return "1" if word in YES else "0" if word in NO else cell


def _joined(parts: Sequence[Mapping[str, list[str]]]) -> dict[str, Any]:
    """Columns of all files one below the other, the schema's first; cells that a file lacks are empty."""
    names = list(dict.fromkeys(name for part in parts for name in part))
    names.sort(key=lambda name: list(BY_NAME).index(name) if name in BY_NAME else len(BY_NAME))
    joined: dict[str, Any] = {}
    for name in names:
        cells = [cell for part in parts for cell in part.get(name, [""] * len(part["file"]))]
        joined[name] = np.empty(len(cells), dtype=object)
        joined[name][:] = cells
    return joined
