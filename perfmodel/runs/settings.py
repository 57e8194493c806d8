"""What is known of files that do not say it: ``gpu=v100``, ``FILE@gpu=v100,blocks=9``, or the file's own name."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import replace
from pathlib import Path

from perfmodel.errors import InputError, PerfmodelError, TableError
from perfmodel.hardware.gpu import find_gpu
from perfmodel.hardware.precision import read_precision
from perfmodel.runs.checks import ABSENT, cell_fault
from perfmodel.runs.reading import Reading
from perfmodel.runs.schema import BY_NAME, NUMBERS, canonical_column, near_columns
from perfmodel.runs.timing import is_training

_OURS = frozenset({"file", "row"})
_NAME = re.compile(
    r"(?P<data_pair>[A-Za-z][A-Za-z0-9]*-[A-Za-z][A-Za-z0-9]*)_(?P<blocks>\d+)blocks?_batch(?P<batch>\d+)_(?P<gpu>[^_].*)"
)
_ENDINGS = re.compile(r"(?:\.(?:csv|tsv|txt|log|parquet|gz))+$", re.IGNORECASE)


def parse_settings(texts: Iterable[str]) -> dict[str, str]:
    """Read settings spelled ``column=value``, columns by any name of the schema.

    Raises
    ------
    InputError
        When one has no ``=``, names no column (with near names), is given twice differently, or its value is broken.
    """
    found: dict[str, str] = {}
    for text in texts:
        name, equals, value = text.partition("=")
        if not equals or not name.strip() or not value.strip():
            raise InputError(f"the setting {text!r} is not column=value", "write it like gpu=v100")
        for column, own in check_settings({name: value}).items():
            if found.setdefault(column, own) != own:
                raise InputError(f"{column} is set twice, to {found[column]!r} and {own!r}", "give one of them")
    return found


def check_settings(settings: Mapping[str, object]) -> dict[str, str]:
    """Return settings under the schema's names as text, with the errors of `parse_settings`."""
    found: dict[str, str] = {}
    for given, value in settings.items():
        name, text = canonical_column(given), str(value).strip()
        if name not in BY_NAME or name in _OURS:
            near = ", ".join(near_columns(given))
            raise InputError(
                f"no column {given.strip()!r} can be set",
                f"near names: {near}" if near else "the columns are described in docs/runs.md",
            )
        fault = cell_fault(name, text)
        if fault:
            raise InputError(f"the setting {name} {fault}", "correct it")
        found[name] = text
    return found


def split_input(text: str | Path) -> tuple[Path, dict[str, str]]:
    """Return the file and its own settings of ``FILE@column=value,column=value``; a file of that whole name wins."""
    if isinstance(text, Path) or "@" not in text or Path(text).exists():
        return Path(text), {}
    name, _, tail = text.rpartition("@")
    if not name or "=" not in tail:
        return Path(text), {}
    return Path(name), parse_settings(tail.split(","))


def with_settings(reading: Reading, settings: Mapping[str, str], where: str) -> Reading:
    """Fill the empty cells of columns with what was set.

    Raises
    ------
    TableError
        When a cell says something else; the message names row, column and both values.
    """
    columns = dict(reading.columns)
    for name, value in settings.items():
        cells = columns.get(name, [""] * len(reading))
        verdicts = {cell: _absent(cell) or _same(name, cell, value) for cell in set(cells)}
        for index, cell in enumerate(cells):
            if not verdicts[cell]:
                row, title = reading.number(index), reading.title(name)
                raise TableError(
                    f"{where}, row {row}: {title} is {cell!r}, but {name}={value} was set", "correct the setting"
                )
        columns[name] = [value if _absent(cell) else cell for cell in cells]
    return replace(reading, columns=columns)


def with_defaults(reading: Reading, defaults: Mapping[str, str]) -> Reading:
    """Fill the empty cells of columns, whatever the others say."""
    columns = dict(reading.columns)
    for name, value in defaults.items():
        columns[name] = [value if _absent(cell) else cell for cell in columns.get(name, [""] * len(reading))]
    return replace(reading, columns=columns)


def settings_in_name(path: Path) -> dict[str, str]:
    """Return what a file's name says when all of it is ``SOURCE-TARGET_9blocks_batch4_GPU``; nothing otherwise."""
    found = _NAME.fullmatch(_ENDINGS.sub("", path.name))
    if found is None:
        return {}
    settings = {name: text for name, text in found.groupdict().items() if text}
    return {} if any(cell_fault(name, text) for name, text in settings.items()) else settings


def _absent(cell: str) -> bool:
    return cell.strip().lower() in ABSENT


def _same(name: str, cell: str, value: str) -> bool:
    """Whether two cells of a column mean the same."""
    if name == "gpu":
        return _card(cell) == _card(value)
    if name == "phase":
        return is_training(cell) == is_training(value)
    if name == "precision":
        return (read_precision(cell) or cell.lower()) == (read_precision(value) or value.lower())
    if name in NUMBERS:
        try:
            return float(cell) == float(value)
        except ValueError:
            return False
    return re.sub(r"[\s_-]", "", cell.lower()) == re.sub(r"[\s_-]", "", value.lower())


def _card(name: str) -> str:
    try:
        return find_gpu(name).key
    except PerfmodelError:
        return name.lower()
