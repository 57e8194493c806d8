"""Predicted against measured times, as the figures of accuracy and coverage take them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from perfmodel.report.plots.axes import floats

if TYPE_CHECKING:
    from perfmodel.runs.rows import Runs
    from perfmodel.validation.report import RowPredictions

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True, kw_only=True)
class Points:
    """Measured and predicted times of n rows.

    Attributes
    ----------
    measured, predicted : array (n,)
        Milliseconds.
    low, high : array (n,)
        Ends of the interval, milliseconds; NaN where there is none.
    group : tuple of str, length n
        What a row belongs to: its card, its source.
    coverage : float
        What the interval claims.
    measure : str
        What is measured, for the axes.
    """

    measured: Floats
    predicted: Floats
    low: Floats
    high: Floats
    group: tuple[str, ...]
    coverage: float = 0.9
    measure: str = "step time"

    def __len__(self) -> int:
        return len(self.measured)

    def groups(self) -> dict[str, npt.NDArray[np.intp]]:
        """Group -> its rows, the largest first."""
        found: dict[str, list[int]] = {}
        for at, name in enumerate(self.group):
            found.setdefault(name, []).append(at)
        ordered = sorted(found.items(), key=lambda item: (-len(item[1]), item[0]))
        return {name: np.array(rows, dtype=np.intp) for name, rows in ordered}


def points_of(rows: Points | Mapping[str, Any] | Sequence[Mapping[str, Any]], *, group: str = "gpu") -> Points:
    """Read points from a ``fit --json`` document, or from rows.

    Parameters
    ----------
    rows : Points, fit document, or sequence of mappings
        Rows have ``measured``, ``predicted`` (or ``fitted``), ``low``, ``high`` in milliseconds, and the group's name.
    group : str
        Column that names the group.
    """
    if isinstance(rows, Points):
        return rows
    coverage = 0.9
    measure = "time"
    if isinstance(rows, Mapping):
        coverage = float(rows.get("coverage") or 0.9)
        measure = measured_words(str(rows.get("response", "time")))
    table: Sequence[Mapping[str, Any]] = (rows.get("rows") or []) if isinstance(rows, Mapping) else rows
    return Points(
        measured=floats(row.get("measured") for row in table),
        predicted=floats(row.get("predicted", row.get("fitted")) for row in table),
        low=floats(row.get("low") for row in table),
        high=floats(row.get("high") for row in table),
        group=tuple(str(row.get(group) or "-") for row in table),
        coverage=coverage,
        measure=measure,
    )


#: What the columns of measured times are called on axes; all are milliseconds.
_MEASURES = {
    "step_ms": "step time",
    "data_ms": "loading time of a batch",
    "image_ms": "compute time of an image",
    "latency_ms": "step time",
}


def measured_words(response: str) -> str:
    """What a response such as ``log(step_ms)`` measures, without its unit."""
    inner = response.strip().removeprefix("log(").removesuffix(")").strip()
    return _MEASURES.get(inner, inner.removesuffix("_ms").replace("_", " ") or "time")


def validation_points(found: RowPredictions, table: Runs, *, group: str = "gpu", coverage: float = 0.9) -> Points:
    """Points of a validation.

    Parameters
    ----------
    found : RowPredictions
        `Validation.predictions`.
    table : Runs
        The rows that were validated.
    group : str
        Column of the table that makes the groups.
    """
    return Points(
        measured=1e3 * found.measured_s,
        predicted=1e3 * found.predicted_s,
        low=1e3 * found.predicted_s * np.exp(-found.half_width),
        high=1e3 * found.predicted_s * np.exp(found.half_width),
        group=tuple(str(word) or "-" for word in table.text(group)[found.row]),
        coverage=coverage,
    )
