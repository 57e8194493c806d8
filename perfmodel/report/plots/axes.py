"""Axes with plain numbers: logarithmic scales, times in words, what stands where there is nothing to show."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from perfmodel.report.themes import Theme

Floats = npt.NDArray[np.float64]

_SUBDIVISIONS = (
    (1.0,), (1.0, 3.0), (1.0, 2.0, 5.0), (1.0, 1.5, 2.0, 3.0, 4.0, 5.0, 7.0),
    tuple(np.arange(1.0, 10.0, 0.5)), tuple(np.arange(1.0, 10.0, 0.2)),
)  # fmt: skip
_RAISED = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")


def plain(value: float, digits: int = 3) -> str:
    """A number of some digits as people write it: 0.25, 1500, 3×10⁶."""
    if not np.isfinite(value):
        return "-"
    if value == 0:
        return "0"
    power = int(np.floor(np.log10(abs(value))))
    if -4 <= power < 5:
        text = f"{value:.{max(0, digits - 1 - power)}f}"
        return text.rstrip("0").rstrip(".") if "." in text else text
    head = f"{value / 10.0**power:.{digits - 1}f}".rstrip("0").rstrip(".")
    tail = f"10{str(power).translate(_RAISED)}"
    return tail if head == "1" else f"{head}×{tail}"


def milliseconds(value: float) -> str:
    """Milliseconds in the unit that suits them: 3.2 µs, 12.5 ms, 3.4 s, 2.1 h."""
    for limit, unit, scale in ((1.0, "µs", 1e3), (1e3, "ms", 1.0), (60e3, "s", 1e-3), (3600e3, "min", 1 / 60e3)):
        if abs(value) < limit:
            return f"{plain(value * scale)} {unit}" if value else "0 ms"
    return f"{plain(value / 3600e3)} h" if np.isfinite(value) else "-"


def usable(*columns: Any) -> npt.NDArray[np.bool_]:
    """Rows in which all columns are finite and above 0: what a logarithmic axis can show."""
    found: npt.NDArray[np.bool_] = np.logical_and.reduce([np.isfinite(one) & (one > 0) for one in map(floats, columns)])
    return found


def floats(values: Any) -> Floats:
    """Values as numbers; what is None or no number is NaN."""
    return np.array([_number(one) for one in values], dtype=np.float64)


def _number(value: Any) -> float:
    try:
        return float("nan") if value is None else float(value)
    except (TypeError, ValueError):
        return float("nan")


def span(values: Iterable[float], *, room: float = 0.06) -> tuple[float, float]:
    """Ends of a logarithmic axis that shows all values with room to both sides."""
    found = np.array([one for one in values if np.isfinite(one) and one > 0])
    if not len(found):
        return 1.0, 10.0
    low, high = float(found.min()), float(found.max())
    # One value, or nearly: an axis of a factor of two around it.
    margin = max(np.log10(high / low) * room, 0.02) if high > 1.05 * low else 0.15
    return low / 10.0**margin, high * 10.0**margin


def logarithmic(axis: Any, low: float, high: float, *, ticks: Sequence[float] | None = None) -> None:
    """Make an axis (``axes.xaxis`` or ``.yaxis``) logarithmic from low to high, with plain numbers at its ticks."""
    from matplotlib.ticker import FixedLocator, FuncFormatter, NullLocator

    axis._set_axes_scale("log")
    set_limits = axis.axes.set_xlim if axis.axis_name == "x" else axis.axes.set_ylim
    set_limits(low, high)
    axis.set_major_locator(FixedLocator(log_ticks(low, high) if ticks is None else list(ticks)))
    axis.set_major_formatter(FuncFormatter(lambda value, _: plain(value)))
    axis.set_minor_locator(NullLocator())


def log_ticks(low: float, high: float, *, most: int = 9) -> list[float]:
    """Round numbers between two positive ones: three to nine of them, evenly placed on a logarithmic axis."""
    first, last = int(np.floor(np.log10(low))), int(np.ceil(np.log10(high)))
    step = max(1, -(-(last - first) // most))
    found: list[float] = []
    for shares in _SUBDIVISIONS:
        powers = range(first, last + 1, step if len(shares) == 1 else 1)
        ticks = [share * 10.0**power for power in powers for share in shares]
        inside = [tick for tick in ticks if low <= tick <= high]
        if len(inside) > most and found:
            break
        found = inside
        if len(found) >= 4:
            break
    return found if len(found) >= 3 else _even_ticks(low, high)


def _even_ticks(low: float, high: float) -> list[float]:
    """Round numbers at even distances: a short piece of a logarithmic axis is nearly a plain one."""
    from matplotlib.ticker import MaxNLocator

    ticks = MaxNLocator(nbins=5, min_n_ticks=3).tick_values(low, high)
    return [float(tick) for tick in ticks if low <= tick <= high] or [low, high]


def nothing(axes: Any, theme: Theme, text: str = "nothing to show") -> None:
    """Say in the middle of empty axes that there is nothing to show."""
    axes.set_xticks([])
    axes.set_yticks([])
    axes.text(0.5, 0.5, text, transform=axes.transAxes, ha="center", va="center", color=theme.muted)


def left_out(count: int, why: str = "without a positive number") -> str:
    """Words for a note on rows that are not shown; empty for none."""
    return f"; {count} row{'s' if count != 1 else ''} {why} left out" if count else ""


#: Rows of which each one is drawn; of more, so many are drawn, chosen by chance, and counted in the note.
DRAWN = 800


def thinned(rows: Any, share: float = 1.0) -> Any:
    """Some of the row numbers, always the same ones: a share of them, in their order."""
    chosen = np.asarray(rows)
    if share >= 1.0:
        return chosen
    count = max(1, round(share * len(chosen)))
    return np.sort(np.random.default_rng(0).permutation(chosen)[:count])


def drawn_words(count: int) -> str:
    """Words for a note on rows that count but are not drawn; empty for none."""
    return f"; about {DRAWN} of them drawn" if count > DRAWN else ""
