"""A comparison's rows as arrays over its axes, which are short to write and quick to look up."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from typing import Any

from perfmodel.errors import InputError
from perfmodel.report.ranking import Candidate
from perfmodel.report.words import card_name

AXES = ("gpu", "precision", "batch", "blocks")
_MEASURES = ("step_ms", "low_ms", "high_ms", "memory_gb", "fits", "evidence")
Setting = tuple[Any, ...]


@dataclass(frozen=True, kw_only=True)
class PointGrid:
    """The points of a comparison.

    Attributes
    ----------
    axes : mapping of str to tuple
        Values of ``gpu``, ``precision``, ``batch`` and ``blocks`` (one None for a network without blocks), in the order
        of the document.
    columns : mapping of str to list
        Each value at (gpu, precision, batch, blocks), the last changing fastest; None where not known.
        Numbers have five significant digits.
    unit : str
        ``epoch`` or ``1000_samples``.
    coverage : float
    left_out : mapping of str to tuple
        Values of an axis that were dropped.
    """

    axes: Mapping[str, tuple[Any, ...]]
    columns: Mapping[str, list[Any]]
    unit: str
    coverage: float
    left_out: Mapping[str, tuple[Any, ...]]

    def at(self, gpu: Any, setting: Setting) -> int:
        """Place of a card's point at a setting (precision, batch, blocks)."""
        place = 0
        for name, value in zip(AXES, (gpu, *setting), strict=True):
            place = place * len(self.axes[name]) + self.axes[name].index(value)
        return place

    def settings(self) -> Iterator[Setting]:
        """All settings (precision, batch, blocks), the last changing fastest."""
        return product(*(self.axes[name] for name in AXES[1:]))

    def candidates(self, setting: Setting) -> list[Candidate]:
        """Each card's time for the unit at a setting; cards that lack the precision are left out."""
        found = []
        for gpu in self.axes["gpu"]:
            place = self.at(gpu, setting)
            point = {name: values[place] for name, values in self.columns.items()}
            if point["step_ms"] is None:
                continue
            steps = point["unit_s"] / point["step_ms"]
            one = Candidate(
                key=gpu, name=card_name(gpu), time_s=point["unit_s"], low_s=steps * point["low_ms"],
                high_s=steps * point["high_ms"], coverage=self.coverage, cost=point["cost"], fits=point["fits"],
                grade=point["evidence"],
            )  # fmt: skip
            found.append(one)
        return found

    @property
    def first_setting(self) -> Setting:
        """Where the reader starts: the first precision and batch, and CycleGAN's usual 9 blocks or else the most."""
        blocks = self.axes["blocks"]
        return (
            self.axes["precision"][0],
            self.axes["batch"][0],
            9 if 9 in blocks else max(blocks, key=lambda b: b or 0),
        )

    def to_dict(self) -> dict[str, Any]:
        """JSON form."""
        return {
            "unit": self.unit,
            "axes": {name: list(values) for name, values in self.axes.items()},
            "order": list(AXES),
            "columns": {name: list(values) for name, values in self.columns.items()},
        }


def short(value: Any) -> Any:
    """A number with five significant digits, anything else as it is."""
    if not isinstance(value, float):
        return value
    rounded = float(f"{value:.5g}")
    return int(rounded) if rounded.is_integer() and abs(rounded) < 1e15 else rounded


def read_grid(content: Mapping[str, Any], name: str, limit: int) -> PointGrid:
    """Arrange the rows of a ``compare --json`` document.

    Parameters
    ----------
    content : mapping
    name : str
        Of its file, for errors.
    limit : int
        Most points to keep; batches and then blocks are thinned out evenly until they do.

    Raises
    ------
    InputError
        When there are no rows, two rows for one point, or a row that lacks a column.
    """
    rows: list[Mapping[str, Any]] = content["rows"]
    unit = "epoch" if rows and "epoch_s" in rows[0] else "1000_samples"
    if not rows:
        raise InputError(f"{name} (compare) has no rows", "give perfmodel compare some cards")
    points: dict[tuple[Any, ...], Mapping[str, Any]] = {}
    for at, row in enumerate(rows):
        point = tuple(row.get(axis) for axis in AXES)
        if point in points:
            raise InputError(f"{name} (compare): rows[{at}] repeats an earlier point", "write it again with --json")
        points[point] = _measures(row, unit, f"{name} (compare): rows[{at}]")
    return _arranged(points, unit, content["coverage"], limit)


def _arranged(points: Mapping[tuple[Any, ...], Mapping[str, Any]], unit: str, coverage: float, limit: int) -> PointGrid:
    axes = {axis: tuple(dict.fromkeys(point[i] for point in points)) for i, axis in enumerate(AXES)}
    kept = _thinned(axes, limit)
    empty = dict.fromkeys((*_MEASURES, "unit_s", "cost", "pareto"))
    order = [points.get(point, empty) for point in product(*(kept[axis] for axis in AXES))]
    return PointGrid(
        axes=kept,
        columns={column: [short(one[column]) for one in order] for column in empty},
        unit=unit,
        coverage=coverage,
        left_out={axis: gone for axis in AXES if (gone := tuple(v for v in axes[axis] if v not in kept[axis]))},
    )


def _measures(row: Mapping[str, Any], unit: str, where: str) -> dict[str, Any]:
    if f"{unit}_s" not in row:
        raise InputError(f"{where} lacks {unit}_s", "write it again with --json")
    found = {name: row[name] for name in _MEASURES}
    found["unit_s"], found["cost"] = row[f"{unit}_s"], row.get(f"cost_per_{unit}")
    times = [found[name] for name in ("step_ms", "low_ms", "high_ms", "unit_s")]
    if any(time is None for time in times) and not all(time is None for time in times):
        raise InputError(f"{where} has a time without its interval", "write it again with --json")
    if None not in times and not 0 < times[1] <= times[0] <= times[2]:
        raise InputError(f"{where}: step_ms, low_ms and high_ms are not in order", "write it again with --json")
    return found | {"pareto": row.get("pareto")}


def _thinned(axes: Mapping[str, tuple[Any, ...]], limit: int) -> dict[str, tuple[Any, ...]]:
    """Drop every second value of the longest of batch and blocks until the points are few enough."""
    kept = dict(axes)
    while _size(kept) > limit:
        longest = max(("batch", "blocks"), key=lambda axis: len(kept[axis]))
        if len(kept[longest]) == 1:
            kept["gpu"] = kept["gpu"][: max(1, limit // (_size(kept) // len(kept["gpu"])))]
            break
        kept[longest] = _every_second(kept[longest])
    return kept


def _every_second(values: Sequence[Any]) -> tuple[Any, ...]:
    """Half of the values; the half with the usual 9 where it is among them."""
    return tuple(values[1::2] if 9 in values[1::2] else values[::2])


def _size(axes: Mapping[str, tuple[Any, ...]]) -> int:
    size = 1
    for values in axes.values():
        size *= len(values)
    return size
