"""Measured times against one column, with the fitted law, the band of its mean and the band of single rows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from perfmodel.errors import InputError
from perfmodel.report.plots.axes import (
    DRAWN,
    drawn_words,
    floats,
    left_out,
    logarithmic,
    nothing,
    plain,
    span,
    thinned,
    usable,
)
from perfmodel.report.plots.labels import place_labels
from perfmodel.report.plots.points import measured_words
from perfmodel.report.style import blank, describe, shortened
from perfmodel.report.themes import Theme, applied

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from perfmodel.regression.result import Fit

Floats = npt.NDArray[np.float64]

#: Column -> words and unit for its axis.
UNITS = {
    "cores": ("CUDA cores", "count"),
    "sms": ("multiprocessors", "count"),
    "clock_ghz": ("clock", "GHz"),
    "flops": ("peak arithmetic", "TFLOP/s"),
    "fp32_tflops": ("fp32 peak", "TFLOP/s"),
    "bandwidth": ("memory bandwidth", "GB/s"),
    "l2_mb": ("L2 cache", "MB"),
    "tdp_w": ("power limit", "W"),
    "memory_gb": ("memory", "GB"),
    "blocks": ("residual blocks", "count"),
    "batch": ("batch", "samples"),
    "n_gpu": ("cards", "count"),
    "image_size": ("image side", "pixels"),
    "seq_len": ("sequence length", "tokens"),
    "params_M": ("parameters", "millions"),
    "gmacs": ("multiply-adds of a sample", "10⁹"),
    "macts": ("activations of a sample", "millions"),
    "gflop_step": ("arithmetic of a step", "GFLOP"),
    "workers": ("loader workers", "count"),
    "host_cores": ("host cores", "count"),
    "epoch": ("epoch", "count"),
}
#: Rows that labels keep clear of.
_MARKS = 2000
#: Columns that say how fast a card is, in the order in which a law is first drawn against one.
_FIRST = ("cores", "flops", "bandwidth", "fp32_tflops", "sms", "batch", "blocks", "workers", "host_cores")


@dataclass(frozen=True, kw_only=True)
class Curve:
    """A fitted law along one column, all others held; arrays (k,), milliseconds.

    Attributes
    ----------
    x : array
    mean, mean_low, mean_high : array
        The law and the interval of its mean.
    low, high : array
        Interval of a single row.
    held : mapping of str to str
        What the other columns were held at.
    coverage : float
    """

    x: Floats
    mean: Floats
    mean_low: Floats
    mean_high: Floats
    low: Floats
    high: Floats
    held: Mapping[str, str]
    coverage: float = 0.9


def columns_of(document: Mapping[str, Any]) -> list[str]:
    """Columns of a ``fit --json`` document that a law can be drawn against: the formula's numbers that differ."""
    rows = document.get("rows") or []
    names = dict.fromkeys(name for row in rows for name in row if name in UNITS)
    differing = [name for name in names if len({row.get(name) for row in rows}) > 1]
    return sorted(differing, key=lambda name: _FIRST.index(name) if name in _FIRST else len(_FIRST))


def law_curve(fit: Fit, against: str, *, coverage: float = 0.9, points: int = 60) -> Curve:
    """Evaluate a fit along one column with the others at their median, or their commonest word.

    Parameters
    ----------
    fit : Fit
    against : str
        A number among the fit's variables.
    coverage : float
        Of both bands.
    points : int
    """
    import pandas

    frame = fit.design.frame
    if against not in frame:
        raise InputError(f"the fit has no column {against!r}", "give a column of its formula")
    column = floats(frame[against])
    known = column[np.isfinite(column) & (column > 0)]
    if not len(known):
        raise InputError(f"{against} has no positive value in the fitted rows", "choose another column")
    grid = np.geomspace(known.min(), known.max(), points)
    held: dict[str, Any] = {name: _typical(frame[name]) for name in frame.columns if name != against}
    if fit.options.group is not None:
        held[fit.options.group] = ""  # a card or source that was not fitted: the law without any one's own effect
    found = fit.predict(pandas.DataFrame({**{name: [value] * points for name, value in held.items()}, against: grid}),
                        coverage=coverage)  # fmt: skip
    columns = {name: np.asarray(getattr(found, name)) for name in ("mean", "mean_low", "mean_high", "low", "high")}
    words = {name: plain(value) if isinstance(value, float) else str(value) for name, value in held.items()}
    right = set(fit.formula.names) - {fit.formula.measured}
    used = {name: text for name, text in words.items() if name in right and text not in ("", "-")}
    return Curve(x=grid, held=used, coverage=coverage, **columns)


def _typical(column: Any) -> Any:
    values = [one for one in column if one == one and one is not None]
    if not values:
        return float("nan")
    if isinstance(values[0], str):
        return max(sorted(set(values)), key=values.count)
    return float(np.median(np.array(values, dtype=float)))


def law_figure(
    document: Mapping[str, Any], against: str = "", *, curve: Curve | None = None, theme: str | Theme = "light"
) -> Figure:
    """Draw measured times against a column.

    Parameters
    ----------
    document : mapping
        ``fit --json``.
    against : str
        Column of the rows; the first that `columns_of` names by default.
    curve : Curve, optional
        The law along that column (`law_curve`). Measured times are then brought to the values that the other columns
        are held at: the law there, times measured / fitted of the row. Without it the rows stand as measured, with
        the interval of each.
    theme : str or Theme
    """
    names = columns_of(document)
    column = against or (names[0] if names else "cores")
    rows = document.get("rows") or []
    if rows and not any(column in row for row in rows):
        raise InputError(f"the fit has no column {column!r}", f"it has {', '.join(names) or 'none that differs'}")
    with applied(theme) as look:
        figure, axes = blank(look, height=4.9)
        table = _rows(rows, column, curve)
        measure = measured_words(str(document.get("response", "time")))
        words, unit = UNITS.get(column, (column, "value"))
        axes.set_xlabel(f"{words} ({unit})")
        axes.set_ylabel(f"{measure} (ms)")
        if len(table["x"]):
            _draw(figure, axes, look, table, curve)
        else:
            nothing(axes, look, f"no row has a time and {words}")
        _describe(figure, document, f"{measure.capitalize()} against {words}", table, curve, len(rows))
        return figure


def _rows(rows: Sequence[Mapping[str, Any]], column: str, curve: Curve | None) -> dict[str, Any]:
    """Columns of the rows that can be shown."""
    x, measured, fitted = (floats(row.get(name) for row in rows) for name in (column, "measured", "fitted"))
    good = usable(x, measured, fitted) if len(rows) else np.zeros(0, dtype=bool)
    y = measured[good]
    if curve is not None and len(y):
        law = np.exp(np.interp(np.log(x[good]), np.log(curve.x), np.log(curve.mean)))
        y = law * measured[good] / fitted[good]
    return {
        "x": x[good], "y": y, "fitted": fitted[good],
        "low": floats(row.get("low") for row in rows)[good], "high": floats(row.get("high") for row in rows)[good],
        "gpu": [str(row.get("gpu") or "-") for row, keep in zip(rows, good, strict=True) if keep],
    }  # fmt: skip


def _draw(figure: Figure, axes: Any, look: Theme, table: dict[str, Any], curve: Curve | None) -> None:
    law = look.series(0)
    edges = [table["y"]]
    if curve is not None:
        share = f"{100 * curve.coverage:g} %"
        axes.fill_between(curve.x, curve.low, curve.high, color=law.colour, alpha=0.13, linewidth=0, gid="band-rows",
                          label=f"{share} of single rows")  # fmt: skip
        axes.fill_between(curve.x, curve.mean_low, curve.mean_high, color=law.colour, alpha=0.35, linewidth=0,
                          gid="band-mean", label=f"{share} interval of the mean")  # fmt: skip
        axes.plot(curve.x, curve.mean, color=law.colour, linewidth=1.6, gid="law", label="fitted law")
        edges += [curve.low, curve.high]
    else:
        known = np.isfinite(table["low"]) & np.isfinite(table["high"]) & (len(table["x"]) <= DRAWN)
        axes.vlines(table["x"][known], table["low"][known], table["high"][known], color=law.colour, alpha=0.35,
                    linewidth=1.0, gid="intervals")  # fmt: skip
        first = np.unique(table["x"], return_index=True)[1] if len(table["x"]) > DRAWN else np.arange(len(table["x"]))
        axes.scatter(
            table["x"][first], table["fitted"][first], marker="_", s=60, color=law.colour, label="fitted, with interval"
        )
        edges += [table["low"], table["high"]]
    mark = look.series(1)
    chosen = thinned(np.arange(len(table["x"])), DRAWN / len(table["x"]))
    axes.scatter(table["x"][chosen], table["y"][chosen], s=10 if len(table["x"]) > 200 else 20,
                 marker=mark.marker, color=mark.colour, edgecolors=look.page, linewidths=0.3, zorder=3, gid="rows",
                 label="measured" if curve is None else "measured, at the held values")  # fmt: skip
    _scale(axes, table["x"], np.concatenate(edges), curve)
    axes.legend(loc="best")
    _name_cards(figure, axes, look, table)


def _scale(axes: Any, x: Floats, y: Floats, curve: Curve | None) -> None:
    logarithmic(axes.xaxis, *span([*x, *([] if curve is None else [curve.x[0], curve.x[-1]])]))
    logarithmic(axes.yaxis, *span(y))


def _name_cards(figure: Figure, axes: Any, look: Theme, table: dict[str, Any]) -> None:
    """Write each card's name beside the middle of its rows."""
    places: dict[str, list[int]] = {}
    for at, name in enumerate(table["gpu"]):
        places.setdefault(name, []).append(at)
    if list(places) == ["-"]:
        return
    x = [float(np.median(table["x"][rows])) for rows in places.values()]
    y = [float(np.median(table["y"][rows])) for rows in places.values()]
    figure.draw_without_rendering()
    marks = axes.transData.transform(np.column_stack([table["x"], table["y"]]))[:_MARKS]
    boxes = np.column_stack([marks - 3.0, marks + 3.0])
    place_labels(figure, axes, look, x, y, [shortened(name, 22) for name in places], avoid=boxes)


def _describe(
    figure: Figure, document: Mapping[str, Any], title: str, table: dict[str, Any], curve: Curve | None, count: int
) -> None:
    n = len(table["x"])
    formula = str(document.get("formula", ""))
    if not n:
        describe(figure, title=f"{title}, n = 0", text="There is no row to show.", note=f"n = 0{left_out(count)}")
        return
    held = "" if curve is None or not curve.held else "; held: " + ", ".join(
        f"{name} {shortened(text, 24)}" for name, text in list(curve.held.items())[:6]
    )  # fmt: skip
    text = f"{n} rows on {len(set(table['gpu']))} cards with the law {formula}."
    if curve is not None:
        ends = [plain(float(value)) for value in (curve.mean[0], curve.mean[-1], curve.x[0], curve.x[-1])]
        text += f" The law goes from {ends[0]} ms at {ends[2]} to {ends[1]} ms at {ends[3]}."
    spread = document.get("residual_sd")
    more = f"; residual sd {plain(float(spread))}" if isinstance(spread, int | float) else ""
    describe(
        figure, title=f"{title}, n = {n}", text=text,
        note=f"{formula}{more}; n = {n} rows on {len(set(table['gpu']))} cards{held}{drawn_words(n)}"
        f"{left_out(count - n)}",
    )  # fmt: skip
