"""Predicted against measured times, with the identity line, intervals, and guides of 20 % to both sides."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from perfmodel.report.plots.axes import DRAWN, drawn_words, left_out, logarithmic, nothing, plain, span, thinned, usable
from perfmodel.report.plots.points import Points, points_of
from perfmodel.report.style import blank, describe, shortened
from perfmodel.report.themes import Theme, applied

if TYPE_CHECKING:
    from matplotlib.figure import Figure

#: Groups that have a colour of their own; the others share one.
NAMED = 12
_GUIDE = 0.2


def accuracy_figure(
    points: Points | Mapping[str, Any] | Sequence[Mapping[str, Any]], *, title: str = "", theme: str | Theme = "light"
) -> Figure:
    """Draw predicted against measured times.

    Parameters
    ----------
    points : Points, fit document or rows
        See `points_of`.
    title : str
    theme : str or Theme
    """
    found = points_of(points)
    with applied(theme) as look:
        figure, axes = blank(look, height=5.4)
        shown = usable(found.measured, found.predicted)
        if shown.any():
            _draw(axes, look, found, shown)
        else:
            nothing(axes, look, "no row has a measured and a predicted time")
        unit = f"{found.measure} (ms)"
        axes.set_xlabel(f"measured {unit}")
        axes.set_ylabel(f"predicted {unit}")
        _describe(figure, found, shown, title or f"Predicted against measured {found.measure}, n = {int(shown.sum())}")
        return figure


def _draw(axes: Any, look: Theme, found: Points, shown: Any) -> None:
    low, high = span(np.concatenate([found.measured[shown], found.predicted[shown]]))
    ends = np.array([low, high])
    axes.plot(ends, ends, color=look.text, linewidth=1.0, label="predicted = measured", gid="identity")
    for factor, label in ((1 + _GUIDE, f"± {100 * _GUIDE:g} %"), (1 - _GUIDE, "_")):
        axes.plot(ends, ends * factor, color=look.muted, linewidth=0.8, linestyle=(0, (2, 2)), label=label)
    share = DRAWN / int(shown.sum())
    many = share < 1.0
    groups = _named(found, shown)
    for at, (name, rows) in enumerate(groups.items()):
        style = look.series(at)
        count, rows = len(rows), thinned(rows, share)
        if not many:
            _bars(axes, found, rows, style.colour)
        axes.scatter(
            found.measured[rows], found.predicted[rows], s=8 if many else 22, color=style.colour, marker=style.marker,
            edgecolors=look.page, linewidths=0.3, label=f"{shortened(name)} ({count})", zorder=3,
            gid=f"points-{at}",
        )  # fmt: skip
    logarithmic(axes.xaxis, low, high)
    logarithmic(axes.yaxis, low, high)
    axes.figure.legend(loc="outside right upper", frameon=False)


def _named(found: Points, shown: Any) -> dict[str, Any]:
    """Rows of the largest groups, and of all others together."""
    groups = {name: rows[shown[rows]] for name, rows in found.groups().items() if shown[rows].any()}
    names = list(groups)
    if len(names) <= NAMED:
        return groups
    rest = np.concatenate([groups[name] for name in names[NAMED - 1 :]])
    return {name: groups[name] for name in names[: NAMED - 1]} | {f"{len(names) - NAMED + 1} others": rest}


def _bars(axes: Any, found: Points, rows: Any, colour: str) -> None:
    known = rows[np.isfinite(found.low[rows]) & np.isfinite(found.high[rows]) & (found.low[rows] > 0)]
    if len(known):
        axes.vlines(
            found.measured[known], found.low[known], found.high[known], color=colour, linewidth=0.7, alpha=0.45,
            gid="intervals",
        )  # fmt: skip


def _describe(figure: Figure, found: Points, shown: Any, title: str) -> None:
    n = int(shown.sum())
    if not n:
        describe(figure, title=title, text="There is no row to show.", note=f"n = 0{left_out(len(found))}")
        return
    error = np.abs(found.predicted[shown] / found.measured[shown] - 1.0)
    inside = (found.low <= found.measured) & (found.measured <= found.high)
    known = shown & np.isfinite(found.low) & np.isfinite(found.high)
    numbers = f"median error {plain(100 * float(np.median(error)))} %"
    if known.any():
        numbers += f"; {100 * np.mean(inside[known]):.0f} % of them in their {100 * found.coverage:g} % interval"
    within = f"{100 * np.mean(error <= _GUIDE):.0f} % of rows within {100 * _GUIDE:g} %"
    bars = f"; bars: {100 * found.coverage:g} % interval" if known.any() and n <= DRAWN else ""
    describe(
        figure, title=title,
        text=f"Predicted against measured {found.measure} of {n} rows in {len(found.groups())} groups: {numbers}, "
        f"{within}.",
        note=f"n = {n} rows; {numbers}; {within}{bars}{drawn_words(n)}{left_out(len(found) - n)}",
    )  # fmt: skip
