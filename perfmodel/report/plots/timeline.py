"""One step as a time line: what is on its critical path, and what runs hidden beneath it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from perfmodel.instrument.phases import PHASES
from perfmodel.report.plots.axes import milliseconds, nothing
from perfmodel.report.style import blank, describe, shortened
from perfmodel.report.themes import Series, Theme, applied

if TYPE_CHECKING:
    from matplotlib.figure import Figure

#: Share of the step below which a phase is only named under the figure.
_BRIEF = 0.002
#: The order in which a step goes through its phases.
_ORDER = ("h2d", "forward", "loss", "backward", "communication", "optimizer", "launch", "input_wait", "other")
_WORDS = {
    "load": "loading of the next batch",
    "h2d": "copy to the card",
    "input_wait": "waiting for the loader",
    "launch": "waiting for launches",
    "communication": "gradient exchange",
    "optimizer": "weight update",
}
#: Phases keep their colour whatever else a step has.
_COLOUR = {name: at for at, name in enumerate(("forward", "backward", "optimizer", "loss", "communication", "h2d"))}
_COLOUR |= {"launch": 6, "input_wait": 8, "other": 9, "load": 10}


@dataclass(frozen=True)
class Bar:
    """A piece of a phase, milliseconds from the start of the step."""

    phase: str
    start: float
    length: float
    hidden: bool


def step_bars(phases: Mapping[str, Mapping[str, float]]) -> list[Bar]:
    """Lay the phases of a step along time: exposed parts one after the other, hidden ones beneath them.

    Parameters
    ----------
    phases : mapping
        ``phases_ms`` of a prediction: phase -> ``total`` and ``exposed`` milliseconds.

    Returns
    -------
    list of Bar
        Exposed bars follow each other without gaps and add up to the step. The hidden part of the gradient exchange
        ends where its exposed part begins; loading of the next batch starts with the step.
    """
    bars: list[Bar] = []
    now = 0.0
    for name in _ORDER:
        total, exposed = (float(phases.get(name, {}).get(key, 0.0)) for key in ("total", "exposed"))
        hidden = max(total - exposed, 0.0)
        if hidden > 1e-9 * max(total, 1e-12):
            bars.append(Bar(name, max(now - hidden, 0.0), hidden, hidden=True))
        if exposed > 0:
            bars.append(Bar(name, now, exposed, hidden=False))
            now += exposed
    load = float(phases.get("load", {}).get("total", 0.0))
    wait = float(phases.get("input_wait", {}).get("exposed", 0.0))
    if load > 0:
        bars.append(Bar("load", 0.0, max(load - wait, 0.0), hidden=True))
    return bars


def timeline_figure(document: Mapping[str, Any], *, theme: str | Theme = "light") -> Figure:
    """Draw the step of a prediction along time.

    Parameters
    ----------
    document : mapping
        From ``predict --json`` or `Prediction.to_dict`.
    theme : str or Theme

    Returns
    -------
    Figure
        A bar of the exposed parts above, a lane for each phase beneath: exposed parts full, hidden parts hatched.
    """
    with applied(theme) as look:
        bars = step_bars(document.get("phases_ms", {}))
        longest = max((bar.start + bar.length for bar in bars), default=0.0)
        brief = [bar for bar in bars if bar.length < _BRIEF * longest]
        lanes = [name for name in (*_ORDER, "load") if any(bar.phase == name and bar not in brief for bar in bars)]
        figure, axes = blank(look, height=1.7 + 0.27 * (len(lanes) + 1))
        step = document.get("step_ms") or {}
        if bars:
            _draw(axes, look, [bar for bar in bars if bar.phase in lanes], lanes, step)
        else:
            nothing(axes, look, "the step has no phases")
        _describe(figure, document, bars, [bar for bar in brief if bar.phase not in lanes])
        return figure


def _draw(axes: Any, look: Theme, bars: list[Bar], lanes: list[str], step: Mapping[str, float]) -> None:
    ends = {name: max(bar.start + bar.length for bar in bars if bar.phase == name) for name in lanes}
    for bar in bars:
        series = look.series(_COLOUR[bar.phase])
        for row in [lanes.index(bar.phase) + 1] if bar.hidden else [0, lanes.index(bar.phase) + 1]:
            _bar(axes, look, bar, series, row)
    high = float(step.get("high") or 0.0)
    # Room for the label of a bar that ends with the step.
    longest = max(1.28 * max(ends.values()), 1.03 * high)
    for row, name in enumerate(lanes, start=1):
        axes.annotate(
            _lengths([bar for bar in bars if bar.phase == name]), (ends[name], row), xytext=(4, 0),
            textcoords="offset points", va="center", fontsize=7.5, color=look.text,
        )  # fmt: skip
    if step:
        _interval(axes, look, step)
    axes.set_yticks(range(len(lanes) + 1), ["critical path", *(_WORDS.get(name, name) for name in lanes)])
    axes.set_ylim(len(lanes) + 0.6, -0.75)
    axes.set_xlim(min(0.0, -0.002 * longest), longest)
    axes.set_xlabel("time from the start of the step (ms)")
    axes.grid(visible=False, axis="y")


def _bar(axes: Any, look: Theme, bar: Bar, series: Series, row: int) -> None:
    face, edge, hatch = series.colour, look.page if row == 0 else series.colour, series.hatch
    if bar.hidden:
        face, edge, hatch = look.page, series.colour, "////"
    drawn = axes.barh(
        row, bar.length, left=bar.start, height=0.62, linewidth=0.6, facecolor=face, edgecolor=edge,
        hatch=hatch if bar.hidden or bar.phase in _HATCHED else "",
    )  # fmt: skip
    kind = "hidden" if bar.hidden else ("path" if row == 0 else "exposed")
    drawn[0].set_gid(f"{kind}-{bar.phase}")


#: Phases in which the card waits: hatched, so that they stand out from work.
_HATCHED = {"launch", "input_wait", "other"}


def _lengths(bars: list[Bar]) -> str:
    exposed = sum(bar.length for bar in bars if not bar.hidden)
    hidden = sum(bar.length for bar in bars if bar.hidden)
    if not hidden:
        return milliseconds(exposed)
    if not exposed:
        return f"{milliseconds(hidden)}, hidden"
    return f"{milliseconds(exposed)} and {milliseconds(hidden)} hidden"


def _interval(axes: Any, look: Theme, step: Mapping[str, float]) -> None:
    median, low, high = (float(step[name]) for name in ("median", "low", "high"))
    axes.errorbar(
        [median], [-0.45], xerr=[[median - low], [high - median]], color=look.text, capsize=3, linewidth=1.2,
        marker="|", markersize=6,
    )  # fmt: skip


def _describe(figure: Figure, document: Mapping[str, Any], bars: list[Bar], brief: list[Bar]) -> None:
    work = document.get("workload", {})
    step = document.get("step_ms") or {}
    name = shortened(document.get("gpu", {}).get("name", "?"), 40)
    count = int(document.get("gpus", 1))
    title = (
        f"A step of {shortened(work.get('model', '?'), 40)} on {f'{count} x ' if count > 1 else ''}{name}, "
        f"batch {work.get('batch', '?')}, {work.get('precision', '?')}"
    )
    interval = _interval_words(step)
    exposed = sorted((bar for bar in bars if not bar.hidden), key=lambda bar: -bar.length)
    most = ", ".join(f"{_WORDS.get(bar.phase, bar.phase)} {milliseconds(bar.length)}" for bar in exposed[:3])
    hidden = ", ".join(f"{_WORDS.get(b.phase, b.phase)} {milliseconds(b.length)}" for b in bars if b.hidden)
    limit = (document.get("bottleneck") or {}).get("explanation", "")
    text = f"A step takes {interval}. Longest on the critical path: {most or 'nothing'}."
    text += f" Hidden beneath it: {hidden}." if hidden else ""
    short = ", ".join(f"{_WORDS.get(bar.phase, bar.phase)} {milliseconds(bar.length)}" for bar in brief)
    lines = [
        "; ".join(filter(None, (f"step {interval}", limit, f"too short to see: {short}" if short else ""))),
        "full: on the critical path; hatched: hidden beneath it; the whisker is the interval of the step",
    ]
    describe(figure, title=title, text=text, note="\n".join(lines))


def _interval_words(step: Mapping[str, float]) -> str:
    if not step:
        return "an unknown time"
    share = f"{100 * float(step.get('coverage', 0.9)):g} %"
    low, high = milliseconds(float(step["low"])), milliseconds(float(step["high"]))
    return f"{milliseconds(float(step['median']))} ({share}: {low} to {high})"


assert set(_ORDER) | {"load"} == set(PHASES)
