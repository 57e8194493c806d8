"""This project's run log (`perfmodel.instrument.runlog`): one row a step, what ran in the header."""

from __future__ import annotations

from typing import Any

from perfmodel.instrument import runlog
from perfmodel.runs.problems import Problem
from perfmodel.runs.reading import Layout, Reading, by_schema, ragged_rows
from perfmodel.runs.schema import canonical_column
from perfmodel.runs.table import Contents, RawTable

_WAITING = ("load_own_ms", "input_wait_own_ms")
"""What a step waits for its input: loading that nothing hides, and waiting for the loader's processes."""


def _is_run_log(contents: Contents) -> bool:
    return contents.text.startswith(f"# {runlog.HEADER_KEY}") or runlog.HEADER_KEY in contents.metadata


def read(contents: Contents, strict: bool) -> Reading:
    """Read a run log as measured rows: every step a row, the header's fields as columns.

    `latency_ms` is `step_ms`; `data_ms` what the step waited for its input; `image_ms` the rest of the step an image;
    `batch` is over all cards.

    Raises
    ------
    TableError
        When the header or a column of the schema is absent.
    """
    where = str(contents.where)
    stored = contents.metadata.get(runlog.HEADER_KEY, contents.text.partition("\n")[0])
    header = runlog.parse_header(stored, where=where)
    table = contents.table
    runlog.check_columns(table.columns, where=where)
    columns, titles = by_schema(table)
    columns |= _step_columns(table, int(header["n_gpu"]))
    fields = {name: text for name, text in _header_columns(header).items() if name not in columns}
    columns |= {name: [text] * len(columns["step"]) for name, text in fields.items()}
    titles |= {"data_ms": _WAITING[1], "image_ms": "step_ms"}
    return Reading(
        columns=columns,
        titles=titles,
        problems=(*ragged_rows(table, where), *_faults(table, where)),
        numeric=frozenset(name for name in table.columns if name not in runlog.COLUMNS),
    )


def _header_columns(header: dict[str, Any]) -> dict[str, str]:
    """Fields of the header that are words or numbers, but for the batch, which each row states."""
    found: dict[str, str] = {}
    for key, value in header.items():
        name = canonical_column(key)
        if isinstance(value, str | int | float) and name not in (*runlog.STEP_COLUMNS, "schema_version", *found):
            found[name] = str(value).lower() if isinstance(value, bool) else str(value)
    return found


def _step_columns(table: RawTable, cards: int) -> dict[str, list[str]]:
    waiting = [sum(cells) for cells in zip(*(_values(table, name) for name in _WAITING), strict=True)]
    steps, batches = _values(table, "step_ms"), _values(table, "batch")
    compute = [
        f"{(step - wait) / batch:.9g}" if batch > 0 and step > wait else ""
        for step, wait, batch in zip(steps, waiting, batches, strict=True)
    ]
    return {
        "data_ms": [f"{wait:.9g}" if wait == wait else "" for wait in waiting],
        "image_ms": compute,
        "batch": [
            f"{value * cards:g}" if value == value else cell
            for value, cell in zip(batches, table.columns["batch"], strict=True)
        ],
    }


def _values(table: RawTable, name: str) -> list[float]:
    return [_number(cell) for cell in table.columns[name]]


def _number(cell: str) -> float:
    try:
        return float(cell)
    except ValueError:
        return float("nan")


def _faults(table: RawTable, where: str) -> list[Problem]:
    values = {name: _values(table, name) for name in runlog.COLUMNS}
    return [Problem(where, fault.row, fault.column, _words(fault, table)) for fault in runlog.faults(values)]


def _words(fault: runlog.Fault, table: RawTable) -> str:
    """A fault in words, with the cell as it stands where it is no number."""
    cell = table.columns[fault.column][fault.row - 1]
    text = fault.text.replace(" is nan,", f" is {cell!r},")
    return text.removeprefix(f"{fault.column} ")


LAYOUT = Layout(
    name="run-log",
    meaning="a run log of this project (first line or metadata `perfmodel-runlog`)",
    recognises=_is_run_log,
    read=read,
    log=True,
)
