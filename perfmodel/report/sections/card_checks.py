"""``gpus check`` documents: whether the figures of the card table contradict each other."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from perfmodel.report.content import Column, Html, Limits, Section, join, table
from perfmodel.report.documents import Document
from perfmodel.report.sections import Types
from perfmodel.report.words import card_name, count

NEEDED: Mapping[str, Types] = {
    "gpus": int,
    "contradictions": int,
    "findings[].gpu": str,
    "findings[].subject": str,
    "findings[].text": str,
    "findings[].reason?": str,
}
_COLUMNS = [
    Column(title="GPU", number=False), Column(title="Figure", number=False),
    Column(title="Found", number=False, long=True), Column(title="Reason", number=False, long=True),
]  # fmt: skip


def section(documents: Sequence[Document], limits: Limits) -> Section:
    """Findings of each check, those without a reason first."""
    return Section(
        title="Check of the card table",
        summary=tuple(_answer(one.content) for one in documents),
        body=join(*(_table(one, at, limits) for at, one in enumerate(documents))),
        data=tuple(one.content for one in documents),
    )


def _answer(content: Mapping[str, Any]) -> tuple[str, ...]:
    wrong, explained = content["contradictions"], sum(bool(one["reason"]) for one in content["findings"])
    cards = count(content["gpus"], "card")
    first = f"{count(wrong, 'figure')} of {cards} {'contradicts' if wrong == 1 else 'contradict'} the others."
    return (
        first if wrong else f"No figure of {cards} contradicts the others.",
        f"{count(explained, 'difference')} {'has' if explained == 1 else 'have'} a known reason." if explained else "",
    )


def _table(document: Document, at: int, limits: Limits) -> Html:
    findings = sorted(document.content["findings"], key=lambda one: bool(one["reason"]))[: limits.rows]
    rows = [[card_name(one["gpu"]), one["subject"], one["text"], one["reason"] or "-"] for one in findings]
    return table(f"card-check-{at + 1}", f"What {document.name} found", _COLUMNS, rows)
