"""Throughput and step time as one setting grows: batch, blocks, cards or loader workers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from perfmodel.errors import InputError
from perfmodel.report.plots.axes import floats, logarithmic, milliseconds, nothing, plain, span, usable
from perfmodel.report.style import blank, describe, shortened
from perfmodel.report.themes import Series, Theme, applied

if TYPE_CHECKING:
    from matplotlib.figure import Figure

Floats = npt.NDArray[np.float64]

#: Settings that a step scales along, and the words for their axis.
ALONG = {
    "batch": "batch of a card (samples)",
    "blocks": "residual blocks (count)",
    "gpus": "cards (count)",
    "workers": "loader workers a card (count)",
}
#: Columns that tell series apart, beside the one along the axis.
_SERIES = ("gpu", "precision", "batch", "blocks", "gpus", "workers")
#: Series that have a colour and a name; the fastest ones.
_NAMED = 12
#: Series up to which intervals are drawn as bands, and up to which as bars.
_BANDS, _BARS = 2, 6


def scaling_figure(document: Mapping[str, Any], along: str = "", *, theme: str | Theme = "light") -> Figure:
    """Draw throughput and step time along one setting.

    Parameters
    ----------
    document : mapping
        ``compare --json`` or `perfmodel.step.scaling.scaling`: ``rows`` with ``step_ms``, ``low_ms``, ``high_ms``,
        ``samples_per_s``, ``fits`` and the settings.
    along : str
        Key of `ALONG`; by default the first of them that differs between the rows.
    theme : str or Theme

    Returns
    -------
    Figure
        One line for each card and other setting. Bands are the intervals; the dashed line is the throughput that would
        grow in proportion from the first point; what does not fit in memory is hollow.
    """
    rows = list(document.get("rows") or [])
    axis = along or next(iter(differing(rows)), "batch")
    if axis not in ALONG:
        raise InputError(f"cannot draw scaling along {axis!r}", f"give {', '.join(ALONG)}")
    if rows and not any(axis in row for row in rows):
        raise InputError(f"the comparison has no {axis}", f"it has {', '.join(differing(rows)) or 'one point only'}")
    with applied(theme) as look:
        lines = _lines(rows, axis)
        figure, (left, right) = blank(look, height=4.3, columns=2)
        if lines:
            _draw(left, right, look, lines, axis)
        else:
            for axes in (left, right):
                nothing(axes, look, "no point has a time")
        left.set_xlabel(ALONG[axis])
        right.set_xlabel(ALONG[axis])
        left.set_ylabel("throughput (samples/s)")
        right.set_ylabel("step time (ms)")
        _describe(figure, document, axis, lines, len(rows))
        return figure


def differing(rows: Sequence[Mapping[str, Any]]) -> list[str]:
    """Settings of `ALONG` that differ between rows."""
    return [name for name in ALONG if len({row.get(name) for row in rows}) > 1]


class _Line:
    """One series: its points along the axis, in order."""

    def __init__(self, name: str, rows: Sequence[Mapping[str, Any]], along: str) -> None:
        self.name = name
        ordered = sorted(rows, key=lambda row: float(row.get(along) or 0))
        self.x, self.step, self.low, self.high, self.rate = (
            floats(row.get(key) for row in ordered) for key in (along, "step_ms", "low_ms", "high_ms", "samples_per_s")
        )
        self.fits = np.array([bool(row.get("fits", True)) for row in ordered])

    @property
    def limit(self) -> float | None:
        """First value that does not fit in memory; None where all do."""
        return None if self.fits.all() else float(self.x[~self.fits].min())

    @property
    def best(self) -> float:
        """Highest throughput of a point that fits."""
        good = self.rate[self.fits & np.isfinite(self.rate)]
        return float(good.max()) if len(good) else 0.0


def _lines(rows: Sequence[Mapping[str, Any]], along: str) -> list[_Line]:
    names = [name for name in _SERIES if name != along and len({row.get(name) for row in rows}) > 1]
    found: dict[tuple[Any, ...], list[Mapping[str, Any]]] = {}
    for row in rows:
        if usable([row.get("step_ms")], [row.get("samples_per_s")]).all():
            found.setdefault(tuple(row.get(name) for name in names), []).append(row)
    lines = [_Line(_series_name(names, key, group), group, along) for key, group in found.items()]
    return sorted(lines, key=lambda line: -line.best)


def _series_name(names: Sequence[str], key: tuple[Any, ...], rows: Sequence[Mapping[str, Any]]) -> str:
    if not names:
        return str(rows[0].get("gpu") or "step")
    plainly = ("gpu", "precision")
    return ", ".join(str(v) if n in plainly else f"{n} {v}" for n, v in zip(names, key, strict=True))


def _draw(left: Any, right: Any, look: Theme, lines: list[_Line], along: str) -> None:
    shift = 1.0 if any(line.x.min() <= 0 for line in lines) else 0.0
    for axes, values in ((left, [_rates(line) for line in lines]), (right, [_times(line) for line in lines])):
        _panel(axes, look, lines, values, shift)
    _ideal(left, look, lines[0], along, shift)
    if any(line.limit is not None for line in lines):
        left.plot([], [], marker="o", linestyle="none", markerfacecolor="none", color=look.text,
                  label="does not fit in memory")  # fmt: skip
    handles, labels = left.get_legend_handles_labels()
    kept = [(h, text) for h, text in zip(handles, labels, strict=True) if not text.startswith("_")]
    if len(lines) == 1:
        left.legend(*zip(*kept, strict=True), loc="best")
    else:
        left.figure.legend(*zip(*kept, strict=True), loc="outside right upper", frameon=False)


def _panel(axes: Any, look: Theme, lines: list[_Line], values: list[_Values], shift: float) -> None:
    """One quantity of all series; the slowest of many series are thin and grey."""
    for at, (line, of_line) in enumerate(zip(lines, values, strict=True)):
        if at < _NAMED:
            style = look.series(at)
            _interval(axes, line, style, of_line, (at, len(lines)), shift)
            _line(axes, look, line, style, of_line[0], shortened(line.name, 34), shift)
        else:
            grey = Series(colour=look.muted, marker=".", line="-", hatch="")
            _line(axes, look, line, grey, of_line[0], "_", shift)
    _axis(axes, lines, shift)
    seen = [part for of_line in values for part in of_line[: 3 if len(lines) <= _BARS else 1]]
    logarithmic(axes.yaxis, *span(np.concatenate(seen)))


#: A quantity of a series and the ends of its interval.
_Values = tuple[Floats, Floats, Floats]


def _rates(line: _Line) -> _Values:
    return line.rate, line.rate * line.step / line.high, line.rate * line.step / line.low


def _times(line: _Line) -> _Values:
    return line.step, line.low, line.high


def _interval(axes: Any, line: _Line, style: Series, values: _Values, place: tuple[int, int], shift: float) -> None:
    """The interval of a series: a band, bars where bands would hide each other, nothing among many."""
    at, count = place
    _, low, high = values
    if count <= _BANDS:
        axes.fill_between(line.x + shift, low, high, color=style.colour, alpha=0.15, linewidth=0, gid="band")
    elif count <= _BARS:
        # Bars of several series stand beside each other.
        apart = np.exp(0.012 * (at - (count - 1) / 2) * np.log((line.x.max() + shift) / (line.x.min() + shift)))
        axes.vlines((line.x + shift) * apart, low, high, color=style.colour, linewidth=0.9, alpha=0.6, gid="bars")


def _line(axes: Any, look: Theme, line: _Line, style: Series, middle: Floats, label: str, shift: float) -> None:
    x = line.x + shift
    axes.plot(x, middle, color=style.colour, linestyle=style.line, linewidth=1.4 if style.marker != "." else 0.6)
    axes.plot(
        x[line.fits], middle[line.fits], color=style.colour, marker=style.marker, linestyle="none", markersize=4.5
    )
    axes.plot(x[~line.fits], middle[~line.fits], color=style.colour, marker=style.marker, linestyle="none",
              markersize=5.5, markerfacecolor=look.page, gid="beyond-memory")  # fmt: skip
    axes.plot([], [], color=style.colour, linestyle=style.line, marker=style.marker, markersize=4.5, label=label)
    if line.limit is not None and style.marker != "." and line.fits.any():
        edge = float(np.sqrt((line.limit + shift) * (line.x[line.fits].max() + shift)))
        if edge > 0 and line.limit > line.x[line.fits].max():
            axes.axvline(edge, color=style.colour, linestyle=style.line, linewidth=0.8, alpha=0.8, gid="memory-limit")


def _ideal(axes: Any, look: Theme, line: _Line, along: str, shift: float) -> None:
    """Throughput that grows in proportion from the first point of the fastest series; blocks have none."""
    good = np.isfinite(line.rate) & (line.x > 0)
    if along == "blocks" or good.sum() < 2:
        return
    x = line.x[good]
    axes.plot(x + shift, line.rate[good][0] * x / x[0], color=look.text, linestyle=(0, (5, 3)), linewidth=0.9,
              label="in proportion", gid="ideal")  # fmt: skip


def _axis(axes: Any, lines: list[_Line], shift: float) -> None:
    """Powers of two or so: a logarithmic axis with a tick at each value; zero workers shift it by one."""
    values = np.unique(np.concatenate([line.x for line in lines]))
    values = values[np.isfinite(values)]
    apart = [values[0]]
    for value in values[1:]:
        if np.log((value + shift) / (apart[-1] + shift)) > 0.1 * np.log((values[-1] + shift) / (values[0] + shift)):
            apart.append(value)
    logarithmic(axes.xaxis, *span(values + shift), ticks=[value + shift for value in apart])
    axes.set_xticks([value + shift for value in apart], [plain(value, 4) for value in apart])


def _describe(figure: Figure, document: Mapping[str, Any], along: str, lines: list[_Line], count: int) -> None:
    work = document.get("workload") or {}
    words = ALONG[along].partition(" (")[0]
    title = f"Scaling of {shortened(work.get('model') or 'a step', 40)} with {words}, n = {count} points"
    if not lines:
        describe(figure, title=title, text="There is no point to show.", note=f"n = {count}")
        return
    first = lines[0]
    top = int(np.nanargmax(np.where(first.fits, first.rate, -1.0)))
    text = (
        f"{len(lines)} series along {along}. Fastest: {first.name} with {plain(float(first.rate[top]))} samples/s at "
        f"{along} {plain(float(first.x[top]), 4)} (step {milliseconds(float(first.step[top]))})."
    )
    limits = [f"{line.name} from {plain(line.limit, 4)}" for line in lines if line.limit is not None]
    if limits:
        text += f" Out of memory: {', '.join(limits[:8])}."
    share = f"{100 * float(document.get('coverage') or 0.9):g} %"
    hidden = f"; the {_NAMED} fastest of {len(lines)} series are named" if len(lines) > _NAMED else ""
    bands = "" if len(lines) > _BARS else f"{'bands' if len(lines) <= _BANDS else 'bars'}: {share} interval; "
    ideal = "" if along == "blocks" else "dashed: in proportion to the first point of the fastest series"
    limit = "; vertical lines: memory is full" if limits else ""
    describe(
        figure, title=title, text=text,
        note=f"n = {count} points; {bands}{ideal}{limit}{hidden}".rstrip("; "),
    )  # fmt: skip
