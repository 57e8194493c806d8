"""``doctor`` documents: what a machine has and lacks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from perfmodel.report.content import Column, Html, Limits, Section, join, table
from perfmodel.report.documents import Document
from perfmodel.report.sections import Types
from perfmodel.report.words import count

NEEDED: Mapping[str, Types] = {
    "version": str,
    "problems": int,
    "findings[].group": str,
    "findings[].name": str,
    "findings[].status": str,
    "findings[].detail": str,
    "findings[].remedy": str,
}


def section(documents: Sequence[Document], limits: Limits) -> Section:
    """Findings of each machine."""
    return Section(
        title="Machine",
        summary=tuple(_answer(one) for one in documents),
        body=join(*(_table(one, at) for at, one in enumerate(documents))),
        data=tuple(one.content for one in documents),
    )


def _answer(document: Document) -> tuple[str, ...]:
    problems, version = document.content["problems"], document.content["version"]
    absent = sum(one["status"] == "absent" for one in document.content["findings"])
    state = f"has {count(problems, 'problem')}" if problems else "is in order"
    return (f"The installation of perfmodel {version} {state}.", f"{count(absent, 'optional part')} not there.")


def _table(document: Document, at: int) -> Html:
    order = {"problem": 0, "absent": 1}
    findings = sorted(document.content["findings"], key=lambda one: order.get(one["status"], 2))
    rows = [[f"{one['group']}: {one['name']}", one["status"], one["detail"], one["remedy"]] for one in findings]
    columns = [
        Column(title="Thing", number=False), Column(title="Status", number=False),
        Column(title="Found", number=False, long=True), Column(title="What to do", number=False, long=True),
    ]  # fmt: skip
    return table(f"doctor-{at + 1}", f"What {document.name} found", columns, rows)
