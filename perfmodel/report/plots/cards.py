"""Cards side by side: step time with its interval, and time against cost."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from perfmodel.report.plots.axes import floats, left_out, logarithmic, milliseconds, nothing, plain, span, usable
from perfmodel.report.plots.labels import place_labels
from perfmodel.report.style import blank, describe, shortened
from perfmodel.report.themes import Theme, applied

if TYPE_CHECKING:
    from matplotlib.figure import Figure

#: Rows that the bars show; the fastest.
_MOST = 60
#: Points of time and cost up to which all are labelled, with their intervals.
_LABELLED = 16
_GRADES = {
    "A": "card measured", "B": "generation measured", "C": "precision or generation measured", "D": "nothing measured",
}  # fmt: skip


def cards_figure(document: Mapping[str, Any], *, theme: str | Theme = "light") -> Figure:
    """Draw the throughput of each point of a comparison with its interval, the fastest at the top.

    Parameters
    ----------
    document : mapping
        ``compare --json``.
    theme : str or Theme
    """
    rows = list(document.get("rows") or [])
    good = [row for row in rows if usable([row.get("step_ms")], [row.get("samples_per_s")]).all()]
    shown = sorted(good, key=lambda row: -float(row["samples_per_s"]))[:_MOST]
    with applied(theme) as look:
        figure, axes = blank(look, height=1.9 + 0.21 * max(len(shown), 2))
        if shown:
            _bars(axes, look, shown, rows)
        else:
            nothing(axes, look, "no point has a time")
        axes.set_xlabel("throughput (samples/s)")
        _describe_cards(figure, document, shown, rows)
        return figure


def _bars(axes: Any, look: Theme, shown: Sequence[Mapping[str, Any]], rows: Sequence[Mapping[str, Any]]) -> None:
    for place, row in enumerate(shown):
        style = look.series(ord(str(row.get("evidence") or "D")[0]) - ord("A") if row.get("evidence") in _GRADES else 6)
        rate, step = float(row["samples_per_s"]), float(row["step_ms"])
        low, high = (step / float(row.get(name) or step) for name in ("high_ms", "low_ms"))
        axes.plot([rate * low, rate * high], [place] * 2, color=style.colour, linewidth=1.6, gid="interval")
        axes.plot([rate], [place], marker=style.marker, color=style.colour, markersize=5.5, linestyle="none",
                  gid="rate", markerfacecolor=style.colour if row.get("fits", True) else look.page)  # fmt: skip
        words = f"{row.get('evidence') or '-'}  {milliseconds(step)}{'' if row.get('fits', True) else ', does not fit'}"
        axes.annotate(words, (1.0, place), xycoords=("axes fraction", "data"), xytext=(4, 0), va="center",
                      textcoords="offset points", fontsize=7.0, color=look.muted)  # fmt: skip
    ends = [float(row["samples_per_s"]) * float(row["step_ms"]) / float(row.get(name) or row["step_ms"])
            for row in shown for name in ("low_ms", "high_ms")]  # fmt: skip
    logarithmic(axes.xaxis, *span(ends))
    axes.set_yticks(range(len(shown)), [_name(row, rows) for row in shown])
    axes.set_ylim(len(shown) - 0.4, -0.6)


def _name(row: Mapping[str, Any], rows: Sequence[Mapping[str, Any]], most: int = 34) -> str:
    """Card and whatever else differs between the rows."""
    others = [name for name in ("precision", "batch", "blocks") if len({one.get(name) for one in rows}) > 1]
    words = [str(row.get("gpu"))] + [
        str(row.get(name)) if name == "precision" else f"{name} {row.get(name)}" for name in others
    ]
    return shortened(", ".join(words), most)


def _describe_cards(
    figure: Figure, document: Mapping[str, Any], shown: Sequence[Mapping[str, Any]], rows: Sequence[Mapping[str, Any]]
) -> None:
    model = shortened((document.get("workload") or {}).get("model") or "a step", 40)
    title = f"Throughput of {model}, n = {len(shown)} settings"
    if not shown:
        describe(figure, title=title, text="There is no point to show.", note=f"n = 0{left_out(len(rows))}")
        return
    ends = [f"{_name(row, rows)} with {plain(float(row['samples_per_s']))} samples/s" for row in (shown[0], shown[-1])]
    share = f"{100 * float(document.get('coverage') or 0.9):g} %"
    grades = sorted({str(row.get("evidence") or "-") for row in shown})
    letters = ", ".join(f"{grade} {_GRADES.get(grade, 'unknown')}" for grade in grades)
    describe(
        figure, title=title, text=f"Fastest: {ends[0]}; slowest shown: {ends[1]}.",
        note=f"n = {len(shown)} of {len(rows)} settings; lines: {share} interval; hollow: does not fit in memory; at "
        f"the right: time of a step and what the answer rests on ({letters})",
    )  # fmt: skip


def pareto_figure(document: Mapping[str, Any], *, theme: str | Theme = "light") -> Figure:
    """Draw time against cost of each point of a comparison, and the line of those that no other one beats in both.

    Parameters
    ----------
    document : mapping
        ``compare --json`` with prices.
    theme : str or Theme
    """
    rows = list(document.get("rows") or [])
    unit = "epoch" if any("cost_per_epoch" in row for row in rows) else "1000_samples"
    words = unit.replace("_", " ")
    good = [row for row in rows if usable([row.get(f"{unit}_s")], [row.get(f"cost_per_{unit}")]).all()]
    with applied(theme) as look:
        figure, axes = blank(look, height=4.9)
        if good:
            _points(figure, axes, look, good, rows, unit)
        else:
            nothing(axes, look, "no point has a time and a price above 0")
        axes.set_xlabel(f"time of {'an epoch' if unit == 'epoch' else words} (s)")
        axes.set_ylabel(f"cost of {'an epoch' if unit == 'epoch' else words} (unit of the prices)")
        _describe_pareto(figure, document, good, rows, unit)
        return figure


def _points(
    figure: Figure, axes: Any, look: Theme, good: Sequence[Mapping[str, Any]], rows: Sequence[Mapping[str, Any]],
    unit: str,
) -> None:  # fmt: skip
    time, cost = floats(row[f"{unit}_s"] for row in good), floats(row[f"cost_per_{unit}"] for row in good)
    low, high = (time * floats(row.get(name) or row["step_ms"] for row in good) / floats(row["step_ms"] for row in good)
                 for name in ("low_ms", "high_ms"))  # fmt: skip
    best = np.array([bool(row.get("pareto")) for row in good])
    fits = np.array([bool(row.get("fits", True)) for row in good])
    plain_style, best_style = look.series(6), look.series(0)
    barred = best | (len(good) <= _LABELLED)
    axes.hlines(cost[barred], low[barred], high[barred], linewidth=0.7, alpha=0.6, gid="intervals",
                color=[best_style.colour if one else plain_style.colour for one in best[barred]])  # fmt: skip
    _marks(axes, look, time, cost, best, fits)
    order = np.argsort(time[best])
    axes.plot(time[best][order], cost[best][order], color=best_style.colour, linewidth=0.9, drawstyle="steps-post")
    logarithmic(axes.xaxis, *span([*low[barred], *high[barred], *time], room=0.1))
    logarithmic(axes.yaxis, *span(cost, room=0.12))
    axes.legend(loc="best")
    texts = _labels(good, rows, cost, best)
    first = np.lexsort((time, ~best))
    place_labels(figure, axes, look, time[first], cost[first], [texts[at] for at in first])


def _marks(axes: Any, look: Theme, time: Any, cost: Any, best: Any, fits: Any) -> None:
    """A mark for each point: not beaten, beaten, or hollow where it does not fit."""
    plain_style, best_style = look.series(6), look.series(0)
    for chosen, style, label in (
        (best, best_style, "not beaten in both"), (~best & fits, plain_style, "beaten"),
        (~fits, look.series(1), "does not fit in memory"),
    ):  # fmt: skip
        if chosen.any():
            hollow = label.startswith("does")
            axes.scatter(time[chosen], cost[chosen], s=30, marker=style.marker, label=label, gid=label.split()[0],
                         facecolors=look.page if hollow else style.colour, linewidths=0.8 if hollow else 0.3,
                         edgecolors=style.colour if hollow else look.page,
                         zorder=4 if style is best_style else 3)  # fmt: skip


def _labels(good: Sequence[Mapping[str, Any]], rows: Sequence[Mapping[str, Any]], cost: Any, best: Any) -> list[str]:
    """A label for each point; of many points only for those not beaten, and for the cheapest of each other card."""
    if len(good) <= _LABELLED:
        return [_name(row, rows, 30) for row in good]
    cheapest: dict[str, int] = {}
    for at in np.argsort(cost, kind="stable"):
        if good[at].get("fits", True):
            cheapest.setdefault(str(good[at].get("gpu")), int(at))
    named = {card for card, place in cheapest.items() if best[place]}
    chosen = {place for card, place in cheapest.items() if card not in named} | set(np.flatnonzero(best).tolist())
    return [_name(row, rows, 30) if at in chosen else "" for at, row in enumerate(good)]


def _describe_pareto(
    figure: Figure, document: Mapping[str, Any], good: Sequence[Mapping[str, Any]], rows: Sequence[Mapping[str, Any]],
    unit: str,
) -> None:  # fmt: skip
    model = shortened((document.get("workload") or {}).get("model") or "a step", 40)
    title = f"Time and cost of {model}, n = {len(good)} settings"
    missing = left_out(len(rows) - len(good), "without a time or a price")
    if not good:
        describe(figure, title=title, text="There is no point to show.", note=f"n = 0{missing}")
        return
    best = [row for row in good if row.get("pareto")] or good
    cheapest = min(best, key=lambda row: float(row[f"cost_per_{unit}"]))
    fastest = min(best, key=lambda row: float(row[f"{unit}_s"]))
    text = (
        f"Cheapest: {_name(cheapest, rows)} at {plain(float(cheapest[f'cost_per_{unit}']))} in "
        f"{milliseconds(1e3 * float(cheapest[f'{unit}_s']))}; fastest: {_name(fastest, rows)} at "
        f"{plain(float(fastest[f'cost_per_{unit}']))} in {milliseconds(1e3 * float(fastest[f'{unit}_s']))}."
    )
    share = f"{100 * float(document.get('coverage') or 0.9):g} %"
    describe(
        figure, title=title, text=text, note=f"n = {len(good)} settings; bars: {share} interval of the time{missing}"
    )
