"""Coverage: how often intervals hold what was measured, at all levels and group by group."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from perfmodel.report.plots.axes import left_out, nothing, usable
from perfmodel.report.plots.points import Points, points_of
from perfmodel.report.style import blank, describe, shortened
from perfmodel.report.themes import Theme, applied

if TYPE_CHECKING:
    from matplotlib.figure import Figure

Floats = npt.NDArray[np.float64]

_MOST = 24


def coverage_figure(
    points: Points | Mapping[str, Any] | Sequence[Mapping[str, Any]], *, title: str = "", theme: str | Theme = "light"
) -> Figure:
    """Draw observed against nominal coverage, and the observed coverage of each group.

    Parameters
    ----------
    points : Points, fit document or rows
        See `points_of`; rows without an interval are left out.
    title : str
    theme : str or Theme

    Notes
    -----
    Intervals at other levels than the one given are scaled as those of a normal distribution of log time. The
    intervals of shares are Wilson's (1927), at 90 %, as if rows were independent.
    """
    found = points_of(points)
    shown = usable(found.measured, found.predicted, found.low, found.high) & (found.high > found.low)
    with applied(theme) as look:
        groups = {name: rows[shown[rows]] for name, rows in found.groups().items() if shown[rows].any()}
        named = dict(list(groups.items())[:_MOST])
        figure, (left, right) = blank(look, height=max(3.8, 1.7 + 0.19 * len(named)), columns=2)
        if shown.any():
            _levels(left, look, found, shown)
            _groups(right, look, found, named)
        else:
            for axes in (left, right):
                nothing(axes, look, "no row has an interval")
        left.set_xlabel("nominal coverage (%)")
        left.set_ylabel("observed coverage (%)")
        right.set_xlabel(f"inside the {100 * found.coverage:g} % interval (%)")
        _describe(figure, found, shown, groups, len(named), title)
        return figure


def level_needed(found: Points, rows: Any) -> Floats:
    """Nominal coverage (0 to 1) at which the interval of each row just holds its measurement."""
    from scipy.stats import norm

    z = float(norm.ppf(0.5 + found.coverage / 2.0))
    centre = np.log(found.predicted[rows])
    above = np.log(found.measured[rows]) >= centre
    width = np.where(above, np.log(found.high[rows]) - centre, centre - np.log(found.low[rows]))
    distance = np.abs(np.log(found.measured[rows]) - centre) / np.maximum(width, 1e-12) * z
    return np.asarray(2.0 * norm.cdf(distance) - 1.0, dtype=np.float64)


def wilson(hits: float, n: int, coverage: float = 0.9) -> tuple[float, float]:
    """Wilson's interval of a share: hits of n."""
    from scipy.stats import norm

    z = float(norm.ppf(0.5 + coverage / 2.0))
    share = hits / n
    middle = (share + z * z / (2 * n)) / (1 + z * z / n)
    half = z / (1 + z * z / n) * float(np.sqrt(share * (1 - share) / n + z * z / (4 * n * n)))
    return max(middle - half, 0.0), min(middle + half, 1.0)


def _inside(found: Points, rows: Any) -> Floats:
    inside = (found.low[rows] <= found.measured[rows]) & (found.measured[rows] <= found.high[rows])
    return np.asarray(inside, dtype=np.float64)


def _levels(axes: Any, look: Theme, found: Points, shown: Any) -> None:
    needed = level_needed(found, shown)
    nominal = np.linspace(0.02, 0.98, 49)
    observed = np.array([np.mean(needed <= level) for level in nominal])
    band = np.array([wilson(share * len(needed), len(needed)) for share in observed])
    style = look.series(0)
    axes.plot([0, 100], [0, 100], color=look.text, linewidth=0.9, label="as claimed", gid="identity")
    axes.fill_between(100 * nominal, 100 * band[:, 0], 100 * band[:, 1], color=style.colour, alpha=0.2, linewidth=0,
                      gid="band", label="90 % interval of the share")  # fmt: skip
    axes.plot(100 * nominal, 100 * observed, color=style.colour, linewidth=1.6, label="observed", gid="observed")
    axes.set_xlim(0, 100)
    axes.set_ylim(0, 100)
    axes.legend(loc="upper left")


def _groups(axes: Any, look: Theme, found: Points, groups: Mapping[str, Any]) -> None:
    style = look.series(1)
    for place, rows in enumerate(groups.values()):
        hits = float(_inside(found, rows).sum())
        low, high = wilson(hits, len(rows))
        axes.plot([100 * low, 100 * high], [place, place], color=style.colour, linewidth=1.0)
        axes.plot([100 * hits / len(rows)], [place], color=style.colour, marker=style.marker, markersize=4.5)
    axes.axvline(100 * found.coverage, color=look.text, linewidth=0.9)
    axes.set_yticks(range(len(groups)), [f"{shortened(name, 22)} ({len(rows)})" for name, rows in groups.items()],
                    fontsize=7.0)  # fmt: skip
    axes.set_ylim(len(groups) - 0.4, -0.6)
    axes.set_xlim(0, 102)
    axes.grid(visible=False, axis="y")


def _describe(figure: Figure, found: Points, shown: Any, groups: Mapping[str, Any], named: int, title: str) -> None:
    n = int(shown.sum())
    heading = title or f"Coverage of the intervals of {found.measure}, n = {n}"
    if not n:
        describe(figure, title=heading, text="There is no row to show.", note=f"n = 0{left_out(len(found))}")
        return
    share = 100.0 * float(np.mean(_inside(found, shown)))
    nominal = f"{100 * found.coverage:g} %"
    lowest = min(groups, key=lambda name: (float(np.mean(_inside(found, groups[name]))), -len(groups[name])))
    low = 100.0 * float(np.mean(_inside(found, groups[lowest])))
    hidden = f"; the {named} largest of {len(groups)} groups are named" if named < len(groups) else ""
    describe(
        figure, title=heading,
        text=f"The {nominal} interval holds {share:.0f} % of {n} rows. Lowest: {lowest} with {low:.0f} % of "
        f"{len(groups[lowest])}.",
        note=f"n = {n} rows, (rows) by group; the {nominal} interval holds {share:.0f} %; other levels are scaled as "
        f"normal in log time{hidden}{left_out(len(found) - n, 'without an interval')}",
    )  # fmt: skip
