"""``validate`` documents: how well measured rows were predicted, and how often the intervals held."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from perfmodel.report.content import Child, Column, Html, Limits, Section, block, details, join, table
from perfmodel.report.documents import NUMBER, Document
from perfmodel.report.drawings import drawn
from perfmodel.report.sections import Types
from perfmodel.report.words import count, number, percent

NEEDED: Mapping[str, Types] = {
    "rows": int,
    "resolved": int,
    "unresolved": dict,
    "overall.n": int,
    "overall.median_ape?": NUMBER,
    "overall.coverage90?": NUMBER,
    "overall.bias?": NUMBER,
    "overall.baselines": dict,
    "groups[].by": dict,
    "groups[].n": int,
    "groups[].median_ape": NUMBER,
    "groups[].p90_ape": NUMBER,
    "groups[].bias": NUMBER,
    "groups[].coverage90": NUMBER,
    "groups[].width90": NUMBER,
}
_CLAIMED = 90.0
#: Percentage points by which the intervals may miss what they claim and still be called right.
_CLOSE = 5.0
#: Rows from which on the share of intervals that held says something: with 20, its own 90 % interval is +- 11 points.
_ENOUGH = 20


def section(documents: Sequence[Document], limits: Limits) -> Section:
    """Scores overall and by group of each validation."""
    return Section(
        title="Predicted against measured",
        summary=tuple(_answer(one.content) for one in documents),
        body=join(*(_body(one, at, limits) for at, one in enumerate(documents))),
        data=tuple(one.content for one in documents),
    )


def _answer(content: Mapping[str, Any]) -> tuple[str, ...]:
    overall, rows = content["overall"], count(content["rows"], "measured row")
    if overall["median_ape"] is None:
        return (f"None of {rows} could be predicted.", *_unresolved_words(content))
    groups = count(len(content["groups"]), "group")
    first = (
        f"Predictions were off by {percent(overall['median_ape'] / 100)} (median error, averaged over {groups}; "
        f"{count(content['resolved'], 'row')})."
    )
    return first, _held(content), _lean(overall["bias"]), _baseline(overall), *_unresolved_words(content)


def _held(content: Mapping[str, Any]) -> str:
    """How often the intervals held: over groups alike, and over all rows, in which a large group counts for more."""
    groups, alike = content["groups"], content["overall"]["coverage90"]
    rows = sum(one["n"] * one["coverage90"] for one in groups) / max(1, sum(one["n"] for one in groups))
    said = f"The 90 % intervals held {percent(alike / 100)} of the measured times averaged over groups"
    also = "" if abs(rows - alike) < 1 else f", {percent(rows / 100)} over all rows"
    if content["resolved"] < _ENOUGH:
        return f"{said}{also}; so few rows do not tell whether the intervals are right."
    worst = max((alike, rows), key=lambda held: abs(held - _CLAIMED))
    return f"{said}{also}: {'as often as they claim' if abs(worst - _CLAIMED) <= _CLOSE else _misses(worst)}."


def _misses(held: float) -> str:
    return "they are too narrow here, so trust them less" if held < _CLAIMED else "they are wider than they need be"


def _lean(bias: float) -> str:
    if abs(bias) < 1:
        return "Predictions lean neither way."
    return f"Predictions lean {percent(abs(bias) / 100)} too {'long' if bias > 0 else 'short'}."


def _baseline(overall: Mapping[str, Any]) -> str:
    known = {
        name: one["median_ape"] for name, one in overall["baselines"].items()
        if isinstance(one, Mapping) and isinstance(one.get("median_ape"), int | float)
    }  # fmt: skip
    if not known:
        return ""
    best = min(known, key=lambda name: known[name])
    return f"The best simple model ({best.replace('_', ' ')}) was off by {percent(known[best] / 100)}."


def _unresolved_words(content: Mapping[str, Any]) -> list[str]:
    left = content["rows"] - content["resolved"]
    total = count(content["rows"], "row")
    return [f"{count(left, '', ' ').strip()} of {total} could not be predicted (reasons below)."] if left else []


def _body(document: Document, at: int, limits: Limits) -> Html:
    content, name = document.content, f"validate-{at + 1}"
    return block(
        name, f"Scores of {document.name}", _figures(document, name, limits), _groups(content, name, limits),
        _unresolved(content, name),
    )  # fmt: skip


def _figures(document: Document, name: str, limits: Limits) -> Html | None:
    points = document.beside.get("points")
    if not limits.figures or points is None:
        return None
    return join(
        drawn(f"{name}-accuracy", "accuracy", "accuracy_figure", points),
        drawn(f"{name}-coverage", "coverage", "coverage_figure", points),
    )


def _groups(content: Mapping[str, Any], name: str, limits: Limits) -> Html:
    groups = sorted(content["groups"], key=lambda group: -group["n"])
    shown = groups[: limits.rows]
    rows: list[list[Child]] = [
        [", ".join(str(word) for word in group["by"].values() if word) or "-", str(group["n"]), *_scores(group)]
        for group in shown
    ]
    overall = content["overall"]
    if overall["median_ape"] is not None:
        rows.insert(0, ["All groups alike", str(overall["n"]), *_scores(overall)])
    titles = (
        "Rows",
        "Median error, %",
        "90th percentile of error, %",
        "Leaning, %",
        "Held by 90 % interval, %",
        "Width, %",
    )
    columns = [Column(title="Group", number=False), *(Column(title=title) for title in titles)]
    more = f"; the {len(shown)} largest of {len(groups)}" if len(shown) < len(groups) else ""
    inner = table(f"{name}-groups", f"Scores by group{more}", columns, rows)
    return details(f"All {count(len(groups), 'group')}", inner) if len(groups) > 40 else inner


def _scores(group: Mapping[str, Any]) -> list[str]:
    return [number(group[key]) for key in ("median_ape", "p90_ape", "bias", "coverage90", "width90")]


def _unresolved(content: Mapping[str, Any], name: str) -> Html | None:
    if not content["unresolved"]:
        return None
    total = content["rows"] or 1
    rows = [[reason, str(n), percent(n / total)] for reason, n in content["unresolved"].items()]
    columns = [Column(title="Reason", number=False, long=True), Column(title="Rows"), Column(title="Share")]
    return table(f"{name}-unresolved", "Rows that could not be predicted", columns, rows)
