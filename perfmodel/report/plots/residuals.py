"""Residuals of a fit: against the fitted time, by card, and against normal quantiles."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from perfmodel.report.plots.axes import left_out, log_ticks, logarithmic, nothing, plain, span, thinned, usable
from perfmodel.report.plots.points import Points, points_of
from perfmodel.report.style import blank, describe, shortened
from perfmodel.report.themes import Theme, applied

if TYPE_CHECKING:
    from collections.abc import Sequence

    from matplotlib.figure import Figure

Floats = npt.NDArray[np.float64]

#: Groups that the middle panel names; the largest ones.
_MOST = 14
#: Rows that the outer panels draw.
_DRAWN = 350


def residual_figure(
    document: Points | Mapping[str, Any] | Sequence[Mapping[str, Any]], *, group: str = "gpu",
    theme: str | Theme = "light",
) -> Figure:  # fmt: skip
    """Draw measured over fitted times: the residual of log time, as a ratio.

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
        figure, panels = blank(look, height=max(3.4, 1.8 + 0.2 * len(named)), columns=3)
        if shown.any():
            ratio = np.where(shown, found.measured, 1.0) / np.where(shown, found.predicted, 1.0)
            _draw(panels, look, found.predicted[shown], ratio, shown, named)
        else:
            for axes in panels:
                nothing(axes, look, "no rows")
        left, middle, right = panels
        left.set_xlabel(f"fitted {found.measure} (ms)")
        left.set_ylabel(_RATIO)
        middle.set_xlabel(_RATIO)
        right.set_xlabel("normal quantile (sd)")
        right.set_ylabel(_RATIO)
        _describe(figure, found, shown, groups, len(named))
        return figure


_RATIO = "measured / fitted (ratio)"


def _draw(panels: Any, look: Theme, fitted: Floats, ratio: Floats, shown: Any, groups: Mapping[str, Any]) -> None:
    left, middle, right = panels
    _against_fitted(left, look, fitted, ratio[shown])
    _by_group(middle, look, groups, ratio)
    _quantiles(right, look, ratio[shown])
    low, high = span([*ratio[shown], 0.98, 1.02])
    for axis in (left.yaxis, right.yaxis):
        logarithmic(axis, low, high)
    ends = [float(np.quantile(ratio[rows], share)) for rows in groups.values() for share in (0.05, 0.95)]
    low, high = span([*ends, 0.98, 1.02])
    logarithmic(middle.xaxis, low, high, ticks=log_ticks(low, high, most=4))


def _against_fitted(axes: Any, look: Theme, fitted: Floats, ratio: Floats) -> None:
    style = look.series(0)
    axes.axhline(1.0, color=look.text, linewidth=0.9)
    chosen = thinned(np.arange(len(fitted)), _DRAWN / len(fitted))
    axes.scatter(fitted[chosen], ratio[chosen], s=9, color=style.colour, edgecolors=look.page, linewidths=0.2,
                 gid="residuals")  # fmt: skip
    low, high = span(fitted)
    logarithmic(axes.xaxis, low, high, ticks=log_ticks(low, high, most=4))


def _by_group(axes: Any, look: Theme, groups: Mapping[str, Any], ratio: Floats) -> None:
    style = look.series(1)
    for place, rows in enumerate(groups.values()):
        low, quarter, median, three, high = np.exp(np.quantile(np.log(ratio[rows]), [0.05, 0.25, 0.5, 0.75, 0.95]))
        axes.plot([low, high], [place, place], color=style.colour, linewidth=0.9)
        axes.plot([quarter, three], [place, place], color=style.colour, linewidth=4.0, solid_capstyle="butt", alpha=0.6)
        axes.plot([median], [place], color=look.text, marker="|", markersize=8, markeredgewidth=1.6)
    axes.axvline(1.0, color=look.text, linewidth=0.9)
    axes.set_yticks(range(len(groups)), [f"{shortened(name, 16)} ({len(rows)})" for name, rows in groups.items()],
                    fontsize=7.0)  # fmt: skip
    axes.set_ylim(len(groups) - 0.4, -0.6)
    axes.grid(visible=False, axis="y")


def _quantiles(axes: Any, look: Theme, ratio: Floats) -> None:
    from scipy.stats import norm

    style = look.series(2)
    ordered = np.sort(ratio)
    n = len(ordered)
    # Blom's plotting positions.
    quantile = norm.ppf((np.arange(1, n + 1) - 0.375) / (n + 0.25))
    if n > 2:
        line = np.array([quantile[0] - 0.2, quantile[-1] + 0.2])
        logs = np.log(ordered)
        axes.plot(line, np.exp(float(np.mean(logs)) + line * float(np.std(logs, ddof=1))), color=look.text,
                  linewidth=0.9, gid="normal")  # fmt: skip
    # The ends of the tails are always among those drawn.
    tails = np.r_[0 : min(20, n), max(n - 20, 0) : n]
    chosen = np.union1d(thinned(np.arange(n), _DRAWN / n), tails)
    axes.scatter(quantile[chosen], ordered[chosen], s=9, color=style.colour, marker=style.marker,
                 linewidths=0.0, gid="quantiles")  # fmt: skip


def _describe(figure: Figure, found: Points, shown: Any, groups: Mapping[str, Any], named: int) -> None:
    n = int(shown.sum())
    title = f"Residuals of {found.measure}, n = {n}"
    if not n:
        describe(figure, title=title, text="There is no row to show.", note=f"n = 0{left_out(len(found))}")
        return
    logs = np.log(np.where(shown, found.measured, 1.0) / np.where(shown, found.predicted, 1.0))
    spread = float(np.std(logs[shown], ddof=1)) if n > 1 else 0.0
    middles = {name: float(np.median(logs[rows])) for name, rows in groups.items()}
    worst = max(middles, key=lambda name: abs(middles[name]))
    numbers = f"median ratio {plain(float(np.exp(np.median(logs[shown]))))}, sd of its log {plain(spread, 2)}"
    drawn = f"; about {_DRAWN} of them drawn" if n > _DRAWN else ""
    hidden = f"; the {named} largest of {len(groups)} groups are named" if named < len(groups) else ""
    describe(
        figure, title=title,
        text=f"Residuals of {n} rows: {numbers}. Furthest off: {worst} with {plain(float(np.exp(middles[worst])))} "
        "times the fitted time.",
        note=f"n = {n} rows; {numbers}; thick: quartiles, thin: 5 % to 95 %, mark: median, (rows){hidden}{drawn}"
        f"{left_out(len(found) - n)}",
    )  # fmt: skip
