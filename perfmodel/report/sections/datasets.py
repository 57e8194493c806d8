"""``datasets list`` documents: data sets that the workloads read, and where they come from."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from perfmodel.report.content import Column, Limits, Section, join, table
from perfmodel.report.documents import Document
from perfmodel.report.sections import Types
from perfmodel.report.words import count, listed

NEEDED: Mapping[str, Types] = {"datasets[].name": str, "datasets[].title": str, "datasets[].site": str}
_COLUMNS = [
    Column(title="Name", number=False), Column(title="Data set", number=False, long=True),
    Column(title="Where", number=False, long=True),
]  # fmt: skip


def section(documents: Sequence[Document], limits: Limits) -> Section:
    """One table a document."""
    return Section(
        title="Data sets",
        summary=tuple(_answer([row["name"] for row in one.content["datasets"]]) for one in documents),
        body=join(
            *(
                table(
                    f"datasets-{at + 1}",
                    f"Data sets of {one.name}",
                    _COLUMNS,
                    [[row["name"], row["title"], row["site"]] for row in one.content["datasets"][: limits.rows]],
                )
                for at, one in enumerate(documents)
            )
        ),
        data=tuple(one.content for one in documents),
    )


def _answer(names: Sequence[str]) -> tuple[str, ...]:
    if not names:
        return ("No data set is listed.",)
    shown = [*names[:4], f"{len(names) - 4} more"] if len(names) > 5 else list(names)
    return (f"{count(len(names), 'data set')} can be read: {listed(shown)}.",)
