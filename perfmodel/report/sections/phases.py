"""``run --compare`` documents: the phases of measured steps beside their prediction."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from perfmodel.report.content import Child, Column, Html, Limits, Section, block, join, table
from perfmodel.report.documents import NUMBER, Document
from perfmodel.report.sections import Types
from perfmodel.report.words import count, duration, estimate, number, percent

NEEDED: Mapping[str, Types] = {
    "steps": int,
    "measured_step_ms": NUMBER,
    "predicted_step_ms.median": NUMBER,
    "predicted_step_ms.low": NUMBER,
    "predicted_step_ms.high": NUMBER,
    "predicted_step_ms.coverage": float,
    "error_percent": NUMBER,
    "phases_ms.*.measured": NUMBER,
    "phases_ms.*.predicted": NUMBER,
}
_COLUMNS = [
    Column(title="Phase", number=False), Column(title="Measured, ms"), Column(title="Predicted, ms"),
    Column(title="Share of the measured step"),
]  # fmt: skip


def section(documents: Sequence[Document], limits: Limits) -> Section:
    """Answer and phases of each run."""
    for one in documents:
        one.ordered(one.content["predicted_step_ms"], "predicted_step_ms")
        one.share(one.content["predicted_step_ms"]["coverage"], "coverage")
    return Section(
        title="Timed runs",
        summary=tuple(_answer(one.content) for one in documents),
        body=join(*(_body(one, at) for at, one in enumerate(documents))),
        data=tuple(one.content for one in documents),
    )


def _answer(content: Mapping[str, Any]) -> tuple[str, ...]:
    step, measured = content["predicted_step_ms"], content["measured_step_ms"]
    times = [step[name] / 1e3 for name in ("median", "low", "high")]
    error = content["error_percent"]
    told = "as predicted" if abs(error) < 0.5 else f"{number(abs(error), 2)} % {'more' if error > 0 else 'less'}"
    return (
        f"A step took {duration(measured / 1e3)} (median of {count(content['steps'], 'warm step')}); the prediction "
        f"was {estimate(times[0], times[1], times[2], step['coverage'])}"
        + (", which is as predicted." if told == "as predicted" else f", {told} than measured."),
        "The interval holds what was measured."
        if step["low"] <= measured <= step["high"]
        else "The interval does not hold what was measured: the model lacks something of this machine.",
        _furthest(content["phases_ms"]),
    )


def _furthest(phases: Mapping[str, Mapping[str, float]]) -> str:
    """The phase whose prediction is furthest from what was measured."""
    if not phases:
        return ""
    name = max(phases, key=lambda one: abs(phases[one]["predicted"] - phases[one]["measured"]))
    one = phases[name]
    return (
        f"The phase furthest off is {name}: {duration(one['measured'] / 1e3)} measured, "
        f"{duration(one['predicted'] / 1e3)} predicted."
    )


def _body(document: Document, at: int) -> Html:
    phases, name = document.content["phases_ms"], f"phases-{at + 1}"
    whole = sum(one["measured"] for one in phases.values())
    rows: list[list[Child]] = [
        [phase, number(one["measured"]), number(one["predicted"]), percent(one["measured"] / whole) if whole else "-"]
        for phase, one in phases.items()
    ]
    caption = "Exposed part of each phase: by how much it made the step longer"
    return block(name, f"Phases of {document.name}", table(f"{name}-table", caption, _COLUMNS, rows))
