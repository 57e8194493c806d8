"""Tables of measured rows: how long each card took, and how much that varied."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from perfmodel.report.content import Child, Column, Html, Limits, Section, block, details, join, listing, table
from perfmodel.report.documents import Document
from perfmodel.report.drawings import drawn
from perfmodel.report.sections import Types
from perfmodel.report.words import count, duration, number, span

NEEDED: Mapping[str, Types] = {
    "rows": int,
    "value": str,
    "works": int,
    "shared.works": int,
    "shared.cards": dict,
    "notes": list,
    "boxes[].gpu": str,
    "boxes[].data_pair": str,
    "boxes[].n": int,
    "boxes[].quartiles_ms": list,
}
_WORDS = {"step_ms": "a step", "image_ms": "the compute of an image", "data_ms": "loading a batch"}
#: Notes shown; more are behind a click.
_FEW = 6


def section(documents: Sequence[Document], limits: Limits) -> Section:
    """Box plots and quartiles of each table."""
    return Section(
        title="Measured runs",
        summary=tuple(_answer(one.content) for one in documents),
        body=join(*(_body(one, at, limits) for at, one in enumerate(documents))),
        data=tuple(one.content for one in documents),
    )


def _answer(content: Mapping[str, Any]) -> tuple[str, ...]:
    boxes, what = content["boxes"], _WORDS.get(content["value"], content["value"])
    if not boxes:
        return (f"None of {count(content['rows'], 'measured row')} has a time.",)
    rows, cards = count(content["rows"], "measured row"), count(len({box["gpu"] for box in boxes}), "card")
    if content["works"] > 1 and content["shared"]["works"]:
        return _compared(content, rows, cards, what)
    if content["works"] > 1:
        work = count(content["works"], "piece")
        return (
            f"{rows} of {work} of work on {cards}.",
            "Cards that ran different work cannot be compared by their times.",
        )
    fast, slow = (pick(boxes, key=_median) for pick in (min, max))
    if fast["gpu"] == slow["gpu"]:
        half = f"half of them: {span(*_half(fast))}"
        return (f"In {rows}, {what} took {duration(_median(fast) / 1e3)} on the {fast['gpu']} ({half}).",)
    first = (
        f"In {rows}, {what} took {duration(_median(fast) / 1e3)} on the fastest card, the {fast['gpu']} "
        f"(half of its {count(fast['n'], 'row')}: {span(*_half(fast))})"
    )
    return (f"{first}, and {duration(_median(slow) / 1e3)} on the slowest, the {slow['gpu']}.",)


def _compared(content: Mapping[str, Any], rows: str, cards: str, what: str) -> tuple[str, ...]:
    """Which card was the fastest on the work that all of them ran, and by how much."""
    shared = content["shared"]
    fastest, *others = shared["cards"].items()
    works, wins = shared["works"], shared["wins"]
    behind = ", ".join(f"{number(ratio, 2)} times as long on the {name}" for name, ratio in others[:_FEW])
    setting = count(works, "setting")
    often = f"in all {setting}" if wins == works else f"in {wins} of {setting}"
    return (
        f"In {rows} on {cards}, the {fastest[0]} was the fastest ({often} that every card ran): {what} takes {behind}.",
    )


def _median(box: Mapping[str, Any]) -> float:
    return float(box["quartiles_ms"][1])


def _half(box: Mapping[str, Any]) -> tuple[float, float]:
    return box["quartiles_ms"][0] / 1e3, box["quartiles_ms"][2] / 1e3


def _body(document: Document, at: int, limits: Limits) -> Html:
    name, frame = f"runs-{at + 1}", document.beside.get("frame")
    value = document.content["value"]
    picture = (
        drawn(f"{name}-boxes", "boxes", "box_figure", frame, value) if limits.figures and frame is not None else None
    )
    notes = [str(note) for note in document.content["notes"]]
    shown = listing(notes) if len(notes) <= _FEW else details(count(len(notes), "note"), listing(notes[: limits.rows]))
    return block(name, f"Times of {document.name}", shown, picture, _table(document.content, name, limits))


def _table(content: Mapping[str, Any], name: str, limits: Limits) -> Html:
    boxes = sorted(content["boxes"], key=_median)
    rows: list[list[Child]] = [
        [box["gpu"], box["data_pair"] or "-", str(box["n"]), duration(_median(box) / 1e3), span(*_half(box))]
        for box in boxes[: limits.rows]
    ]
    columns = [
        Column(title="GPU", number=False), Column(title="Data sets", number=False), Column(title="Rows"),
        Column(title="Median"), Column(title="Half of the rows"),
    ]  # fmt: skip
    more = f"; the {len(rows)} fastest of {len(boxes)}" if len(rows) < len(boxes) else ""
    what = _WORDS.get(content["value"], content["value"])
    return table(
        f"{name}-table", f"Measured time of {what}, fastest first; cold rows are left out{more}", columns, rows
    )
