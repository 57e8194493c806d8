"""Residuals of a fit: against the fitted time, by card, and against normal quantiles."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from perfmodel.report.plots.axes import DRAWN, drawn_words, left_out, logarithmic, nothing, plain, span, thinned, usable
from perfmodel.report.plots.points import Points, points_of
from perfmodel.report.style import blank, describe, shortened
from perfmodel.report.themes import Theme, applied

if TYPE_CHECKING:
    from collections.abc import Sequence

    from matplotlib.figure import Figure

Floats = npt.NDArray[np.float64]

#: Groups that the middle panel names; the largest ones.
_MOST = 14


def residual_figure(
    document: Points | Mapping[str, Any] | Sequence[Mapping[str, Any]], *, group: str = "gpu",
    theme: str | Theme = "light",
) -> Figure:  # fmt: skip
    """Draw the residuals, log(measured / fitted) in percent.

    Parameters
    ----------
    document : fit document, Points or rows
        See `points_of`.
    group : str
        Column that names the groups of the middle panel.
    theme : str or Theme
    """
    found = points_of(document, group=group)
    shown = usable(found.measured, found.predicted)
    with applied(theme) as look:
        groups = {name: rows[shown[rows]] for name, rows in found.groups().items() if shown[rows].any()}
        named = dict(list(groups.items())[:_MOST])
        figure, (left, middle, right) = blank(look, height=max(3.4, 1.8 + 0.2 * len(named)), columns=3)
        if shown.any():
            residual = 100.0 * np.log(found.measured / np.where(shown, found.predicted, np.nan), where=shown,
                                      out=np.full(len(found), np.nan))  # fmt: skip
            _against_fitted(left, look, found.predicted[shown], residual[shown])
            _by_group(middle, look, named, residual)
            _quantiles(right, look, residual[shown])
        else:
            for axes in (left, middle, right):
                nothing(axes, look, "no rows")
        left.set_xlabel(f"fitted {found.measure} (ms)")
        left.set_ylabel("log(measured / fitted) (%)")
        middle.set_xlabel("log(measured / fitted) (%)")
        right.set_xlabel("normal quantile (sd)")
        right.set_ylabel("log(measured / fitted) (%)")
        _describe(figure, found, shown, groups, len(named))
        return figure


def _against_fitted(axes: Any, look: Theme, fitted: Floats, residual: Floats) -> None:
    style = look.series(0)
    axes.axhline(0.0, color=look.text, linewidth=0.9)
    chosen = thinned(np.arange(len(fitted)), DRAWN / len(fitted))
    axes.scatter(fitted[chosen], residual[chosen], s=9, color=style.colour, edgecolors=look.page, linewidths=0.2, gid="residuals")  # fmt: skip
    logarithmic(axes.xaxis, *span(fitted))
    ticks = axes.get_xticks()
    axes.set_xticks(ticks[:: max(1, -(-len(ticks) // 5))])


def _by_group(axes: Any, look: Theme, groups: Mapping[str, Any], residual: Floats) -> None:
    style = look.series(1)
    for place, rows in enumerate(groups.values()):
        values = residual[rows]
        low, quarter, median, three, high = np.quantile(values, [0.05, 0.25, 0.5, 0.75, 0.95])
        axes.plot([low, high], [place, place], color=style.colour, linewidth=0.9)
        axes.plot([quarter, three], [place, place], color=style.colour, linewidth=4.0, solid_capstyle="butt", alpha=0.6)
        axes.plot([median], [place], color=look.text, marker="|", markersize=8, markeredgewidth=1.6)
    axes.axvline(0.0, color=look.text, linewidth=0.9)
    axes.set_yticks(range(len(groups)), [f"{shortened(name, 16)} ({len(rows)})" for name, rows in groups.items()],
                    fontsize=7.0)  # fmt: skip
    axes.set_ylim(len(groups) - 0.4, -0.6)
    axes.grid(visible=False, axis="y")


def _quantiles(axes: Any, look: Theme, residual: Floats) -> None:
    from scipy.stats import norm

    style = look.series(2)
    ordered = np.sort(residual)
    # Blom's plotting positions.
    quantile = norm.ppf((np.arange(1, len(ordered) + 1) - 0.375) / (len(ordered) + 0.25))
    ends = np.array([quantile[0] - 0.2, quantile[-1] + 0.2])
    if len(ordered) > 2:
        scale = float(np.std(ordered, ddof=1))
        axes.plot(ends, float(np.mean(ordered)) + ends * scale, color=look.text, linewidth=0.9, gid="normal")
    # The ends of the tails are always among those drawn.
    ends = np.r_[0 : min(20, len(ordered)), max(len(ordered) - 20, 0) : len(ordered)]
    chosen = np.union1d(thinned(np.arange(len(ordered)), DRAWN / len(ordered)), ends)
    axes.scatter(quantile[chosen], ordered[chosen], s=9, color=style.colour, marker=style.marker, edgecolors=look.page, linewidths=0.2,
                 gid="quantiles")  # fmt: skip


def _describe(figure: Figure, found: Points, shown: Any, groups: Mapping[str, Any], named: int) -> None:
    n = int(shown.sum())
    title = f"Residuals of {found.measure}, n = {n}"
    if not n:
        describe(figure, title=title, text="There is no row to show.", note=f"n = 0{left_out(len(found))}")
        return
    residual = 100.0 * np.log(found.measured[shown] / found.predicted[shown])
    spread = float(np.std(residual, ddof=1)) if n > 1 else 0.0
    worst = max(groups, key=lambda name: abs(float(np.median(np.log(found.measured[groups[name]]
                                                                      / found.predicted[groups[name]])))))  # fmt: skip
    numbers = f"median {plain(float(np.median(residual)), 2)} %, sd {plain(spread)} %"
    hidden = f"; the {named} largest of {len(groups)} groups are named" if named < len(groups) else ""
    describe(
        figure, title=title,
        text=f"Residuals of {n} rows: {numbers}. The group furthest off is {worst}.",
        note=f"n = {n} rows; {numbers}; thick: quartiles, thin: 5 % to 95 %, mark: median, (rows){hidden}"
        f"{drawn_words(n)}{left_out(len(found) - n)}",
    )  # fmt: skip
