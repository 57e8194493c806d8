"""Box plots of measured times for each card and data pair."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from perfmodel.report.plots.axes import floats, left_out, logarithmic, milliseconds, nothing, span, usable
from perfmodel.report.plots.points import measured_words
from perfmodel.report.style import blank, describe, shortened
from perfmodel.report.themes import Theme, applied

if TYPE_CHECKING:
    from matplotlib.figure import Figure

#: Rows up to which each one is drawn as a point as well.
_FEW = 30
_WORDS = {"gpu": "card", "data_pair": "data sets", "precision": "precision", "batch": "batch"}
_UNITS = {"step_ms": "ms a step", "data_ms": "ms a batch", "image_ms": "ms an image"}


def box_figure(
    frame: Any, value: str = "step_ms", by: Sequence[str] = ("gpu", "data_pair"), *, theme: str | Theme = "light"
) -> Figure:
    """Draw a box for each card (along the axis) and each data pair (by colour).

    Parameters
    ----------
    frame : pandas.DataFrame or mapping of str to sequence
        Rows with the columns `value` and `by`.
    value : str
        Column of times, milliseconds.
    by : sequence of str
        One or two columns; one that the frame lacks is left out.
    theme : str or Theme

    Returns
    -------
    Figure
        Boxes are quartiles, whiskers reach the furthest rows within 1.5 times the box; under each box stands its n.
    """
    names = [name for name in by if name in frame and set(map(str, frame[name])) - {"", "-", "nan", "None", "<NA>"}][:2]
    times = floats(frame[value]) if value in frame else np.zeros(0)
    shown = usable(times)
    outer, inner = (_words(frame, names[at], len(times)) if len(names) > at else ("",) * len(times) for at in (0, 1))
    with applied(theme) as look:
        cells = _cells(times, shown, outer, inner)
        cards = _by_median(cells)
        pairs = sorted({pair for _, pair in cells})
        lanes = [(card, pair) for card in cards for pair in pairs if (card, pair) in cells]
        figure, axes = blank(look, height=1.9 + 0.27 * max(len(lanes), 3) + 0.08 * len(cards))
        if lanes:
            _draw(axes, look, cells, lanes, pairs)
        else:
            nothing(axes, look, "no row has a time")
        axes.set_xlabel(f"{measured_words(value)} ({_UNITS.get(value, 'ms')})")
        _describe(figure, value, cells, [_WORDS.get(name, name) for name in names], len(times) - int(shown.sum()))
        return figure


def _words(frame: Any, name: str, length: int) -> tuple[str, ...]:
    words = [str(word) for word in frame[name]]
    return tuple("-" if word in ("", "nan", "None", "<NA>") else word for word in words[:length])


Cells = Mapping[tuple[str, str], Any]


def _cells(times: Any, shown: Any, outer: Sequence[str], inner: Sequence[str]) -> Cells:
    found: dict[tuple[str, str], list[float]] = {}
    for time, good, card, pair in zip(times, shown, outer, inner, strict=True):
        if good:
            found.setdefault((card, pair), []).append(float(time))
    return {key: np.array(values) for key, values in found.items()}


def _by_median(cells: Cells) -> list[str]:
    """Cards, the slowest first: the fastest stands lowest, next to the axis."""
    values: dict[str, list[Any]] = {}
    for (card, _), times in cells.items():
        values.setdefault(card, []).append(times)
    return sorted(values, key=lambda card: (-float(np.median(np.concatenate(values[card]))), card))


def _draw(axes: Any, look: Theme, cells: Cells, lanes: list[tuple[str, str]], pairs: list[str]) -> None:
    places = _places(lanes)
    for lane, place in zip(lanes, places, strict=True):
        _box(axes, look, cells[lane], place, pairs.index(lane[1]))
    low, high = span(np.concatenate(list(cells.values())))
    # A time of a card is 3 ms or 300 ms; where all lie close together a plain axis says more.
    if high / low > 4.0:
        logarithmic(axes.xaxis, low, high)
    for place, lane in zip(places, lanes, strict=True):
        axes.annotate(
            f"n = {len(cells[lane])}", (1.0, place), xycoords=("axes fraction", "data"), xytext=(4, 0),
            textcoords="offset points", va="center", fontsize=7.0, color=look.muted,
        )  # fmt: skip
    _cards(axes, look, lanes, places)
    axes.set_ylim(max(places) + 0.7, -0.7)
    axes.grid(visible=False, axis="y")
    if len(pairs) > 1 or pairs[0] not in ("", "-"):
        _legend(axes, look, pairs)


def _places(lanes: list[tuple[str, str]]) -> list[float]:
    """Height of each lane; cards stand a little apart."""
    places, place, before = [], -1.0, lanes[0][0]
    for card, _ in lanes:
        place += 1.0 if card == before else 1.35
        places.append(place)
        before = card
    return places


def _cards(axes: Any, look: Theme, lanes: list[tuple[str, str]], places: list[float]) -> None:
    """Name each card once, at the middle of its lanes."""
    rows: dict[str, list[float]] = {}
    for (card, _), place in zip(lanes, places, strict=True):
        rows.setdefault(card, []).append(place)
    axes.set_yticks([float(np.mean(found)) for found in rows.values()], [shortened(card, 28) or "all" for card in rows])
    axes.tick_params(axis="y", length=0)


def _box(axes: Any, look: Theme, times: Any, place: float, pair: int) -> None:
    style = look.series(pair)
    few = len(times) <= _FEW
    if len(times) >= 3:
        drawn = axes.boxplot(
            [times], positions=[place], orientation="horizontal", widths=0.55, patch_artist=True, manage_ticks=False,
            showfliers=not few,
            medianprops={"color": look.text, "linewidth": 1.6}, whiskerprops={"color": style.colour},
            capprops={"color": style.colour},
            flierprops={"marker": ".", "markersize": 2.5, "markerfacecolor": style.colour, "markeredgecolor": "none"},
            boxprops={"facecolor": style.colour, "alpha": 0.35, "edgecolor": style.colour},
        )  # fmt: skip
        drawn["boxes"][0].set_gid("box")
        if not few:
            drawn["fliers"][0].set_data(*_some(drawn["fliers"][0].get_data()))
    if few:
        # Points of one box lie on two lines, so that equal times show as two.
        shift = 0.12 * (-1.0) ** np.arange(len(times)) if len(times) > 1 else np.zeros(1)
        axes.scatter(times, place + shift, s=12, color=style.colour, marker=style.marker, zorder=3, gid="rows",
                     edgecolors=look.page, linewidths=0.3)  # fmt: skip


def _some(places: Any) -> tuple[Any, Any]:
    """At most 40 rows beyond the whiskers, the furthest ones."""
    x, y = (np.asarray(column, dtype=float) for column in places)
    order = np.argsort(x)
    kept = np.r_[order[:20], order[20:][-20:]] if len(x) > 40 else order
    return x[kept], y[kept]


def _legend(axes: Any, look: Theme, pairs: list[str]) -> None:
    for at, pair in enumerate(pairs):
        style = look.series(at)
        axes.plot([], [], color=style.colour, marker=style.marker, linewidth=6, alpha=0.7, markersize=4,
                  label=shortened(pair, 40))  # fmt: skip
    axes.legend(loc="lower left", bbox_to_anchor=(0.0, 1.0), ncols=min(len(pairs), 3), frameon=False)


def _describe(figure: Figure, value: str, cells: Cells, names: list[str], missing: int) -> None:
    n = sum(len(times) for times in cells.values())
    what = measured_words(value)
    title = f"{what.capitalize()} by {' and '.join(names) or 'row'}, n = {n}"
    if not n:
        describe(figure, title=title, text="There is no row to show.", note=f"n = 0{left_out(missing)}")
        return
    ordered = sorted(cells.items(), key=lambda item: float(np.median(item[1])))
    ends = [f"{', '.join(filter(None, key))} ({milliseconds(float(np.median(t)))}, n = {len(t)})" for key, t in ordered]
    text = f"{what.capitalize()} of {n} rows in {len(cells)} groups. Lowest median: {ends[0]}; highest: {ends[-1]}."
    describe(
        figure, title=title, text=text,
        note="box: quartiles and median; whiskers: the furthest rows within 1.5 times the box; "
        f"each row is drawn where there are at most {_FEW}{left_out(missing)}",
    )  # fmt: skip
