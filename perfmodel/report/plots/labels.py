"""Labels beside points that cover neither each other nor the points."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from perfmodel.report.themes import Theme

if TYPE_CHECKING:
    from matplotlib.figure import Figure

#: Directions in which a label may lie from its point, and its distances in points; near and to the right come first.
_DIRECTIONS = ((1, 0), (-1, 0), (0, 1), (0, -1), (1, 1), (-1, 1), (1, -1), (-1, -1))
_DISTANCES = (6.5, 12.0, 20.0, 30.0, 42.0)
#: Beyond this distance a line leads from the label to its point.
_LEADER = 8.0
Boxes = npt.NDArray[np.float64]


def place_labels(
    figure: Figure, axes: Any, theme: Theme, x: Sequence[float] | Boxes, y: Sequence[float] | Boxes,
    texts: Sequence[str], *, size: float = 7.5, avoid: Boxes | None = None,
) -> int:  # fmt: skip
    """Write a label beside each point of some axes, once everything else is drawn.

    A label takes the nearest free place; one that finds none is left out.

    Parameters
    ----------
    x, y : sequence of float
        Points, in data coordinates.
    texts : sequence of str
        Their labels; an empty one is skipped.
    avoid : array (k, 4), optional
        Boxes in pixels (left, bottom, right, top) that labels must not cover either.

    Returns
    -------
    int
        Labels that were left out.
    """
    figure.draw_without_rendering()
    points = axes.transData.transform(np.column_stack([np.asarray(x, float), np.asarray(y, float)]).reshape(-1, 2))
    scale = figure.dpi / 72.0
    taken = np.vstack([_around(points, 3.6 * scale), _legend_box(figure, axes), *([] if avoid is None else [avoid])])
    frame = axes.get_window_extent()
    missed = 0
    for point, place, text in zip(points, zip(x, y, strict=True), texts, strict=True):
        if not text or not np.isfinite(point).all():
            continue
        width, height = _extent(figure, text, size)
        found = _free(point, (width, height), taken, (frame.x0, frame.y0, frame.x1, frame.y1), scale)
        if found is None:
            missed += 1
            continue
        offset, box = found
        taken = np.vstack([taken, box])
        _write(axes, theme, text, place, offset / scale, size)
    return missed


def _around(points: Boxes, radius: float) -> Boxes:
    return np.column_stack([points - radius, points + radius])


def _legend_box(figure: Figure, axes: Any) -> Boxes:
    found = axes.get_legend()
    if found is None:
        return np.zeros((0, 4))
    box = found.get_window_extent()
    return np.array([[box.x0, box.y0, box.x1, box.y1]])


def _extent(figure: Figure, text: str, size: float) -> tuple[float, float]:
    """Width and height of a text, pixels."""
    from matplotlib.text import Text

    renderer: Any = figure
    box = Text(0, 0, text, fontsize=size, figure=figure).get_window_extent(renderer._get_renderer())
    return float(box.width), float(box.height)


def _free(
    point: Boxes, extent: tuple[float, float], taken: Boxes, frame: tuple[float, float, float, float], scale: float
) -> tuple[Boxes, Boxes] | None:
    """Offset of a label's centre from its point, and its box: the nearest place that is free."""
    half = np.array(extent) / 2.0
    for distance in _DISTANCES:
        for direction in _DIRECTIONS:
            offset = np.array(direction, float) * (half + distance * scale)
            if 0 not in direction:
                offset = np.array(direction, float) * (half + 0.7 * distance * scale)
            box = np.concatenate([point + offset - half - scale, point + offset + half + scale])
            inside = box[0] >= frame[0] and box[1] >= frame[1] and box[2] <= frame[2] and box[3] <= frame[3]
            if inside and not _covers(box, taken):
                return offset, box
    return None


def _covers(box: Boxes, taken: Boxes) -> bool:
    return bool(
        ((box[0] < taken[:, 2]) & (box[2] > taken[:, 0]) & (box[1] < taken[:, 3]) & (box[3] > taken[:, 1])).any()
    )


def _write(axes: Any, theme: Theme, text: str, place: tuple[float, float], offset: Boxes, size: float) -> None:
    far = float(np.hypot(*offset)) > 3.0 * _LEADER and abs(offset[1]) > _LEADER
    arrow = {"arrowstyle": "-", "color": theme.muted, "linewidth": 0.5, "shrinkA": 0.0, "shrinkB": 2.0} if far else None
    label = axes.annotate(
        text, place, xytext=tuple(offset), textcoords="offset points", ha="center", va="center", fontsize=size,
        color=theme.text, arrowprops=arrow, annotation_clip=False,
        bbox={"facecolor": theme.page, "edgecolor": "none", "alpha": 0.7, "pad": 0.6},
    )  # fmt: skip
    label.set_in_layout(False)
