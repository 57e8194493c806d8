"""``measure`` documents: what a session measured."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from perfmodel.report.content import Column, Html, Limits, Section, join, table
from perfmodel.report.documents import Document
from perfmodel.report.sections import Types
from perfmodel.report.words import count, listed

NEEDED: Mapping[str, Types] = {"folder": str, "rows": dict, "complete": dict}


def section(documents: Sequence[Document], limits: Limits) -> Section:
    """Rows of each part, and which parts are not complete."""
    return Section(
        title="Measurements",
        summary=tuple(_answer(one) for one in documents),
        body=join(*(_table(one, at) for at, one in enumerate(documents))),
        data=tuple(one.content for one in documents),
    )


def _answer(document: Document) -> tuple[str, ...]:
    rows, complete = document.content["rows"], document.content["complete"]
    document.check(rows, dict.fromkeys(rows, int), "rows")
    measured = f"{count(sum(rows.values()), 'row')} in {count(len(rows), 'part')}"
    first = f"The session {document.content['folder']} measured {measured}."
    open_parts = [part for part in rows if not complete.get(part)]
    return (first, f"Not complete: {listed(open_parts)}." if open_parts else "Every part is complete.")


def _table(document: Document, at: int) -> Html:
    complete = document.content["complete"]
    rows = [[part, str(n), "yes" if complete.get(part) else "NO"] for part, n in document.content["rows"].items()]
    columns = [Column(title="Part", number=False), Column(title="Rows"), Column(title="Complete", number=False)]
    return table(f"measure-{at + 1}", f"Session {document.content['folder']}", columns, rows)
