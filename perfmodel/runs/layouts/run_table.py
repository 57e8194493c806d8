"""Tables with the schema's columns, the ones that ``perfmodel validate`` reads."""

from __future__ import annotations

from perfmodel.runs.reading import Layout, Reading, by_schema, ragged_rows
from perfmodel.runs.table import Contents


def read(contents: Contents, strict: bool) -> Reading:
    """Read a table; columns that the schema lacks keep their titles."""
    table = contents.table
    columns, titles = by_schema(table)
    return Reading(columns=columns, titles=titles, problems=ragged_rows(table, str(contents.where), short=strict))


LAYOUT = Layout(
    name="run-table",
    meaning="a table with the columns of docs/runs.md",
    recognises=lambda contents: True,
    read=read,
)
