"""Fit the simple models that the predictor has to beat."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from perfmodel.efficiency.levels import ENGINE_LABEL
from perfmodel.validation.features import QuestionFeatures
from perfmodel.validation.resolve import Question

Floats = npt.NDArray[np.float64]
Table = dict[str, dict[str, object]]


def bounds(questions: Sequence[Question], found: QuestionFeatures) -> tuple[Floats, Floats]:
    """Seconds at the specified peak and at full bandwidth, shapes (r,)."""
    peak = np.array([one.gpu.peak_tflops(one.plan.precision) * 1e12 for one in questions])
    bandwidth = np.array([one.gpu.bandwidth_gbs * 1e9 for one in questions])
    return found.steps.flops.sum(axis=1) / peak, found.steps.bytes.sum(axis=1) / bandwidth


def fit_baselines(questions: Sequence[Question], found: QuestionFeatures, cell: npt.NDArray[np.str_]) -> Table:
    """Coefficients by mode, and by mode and engine, with equal weight of cells.

    Parameters
    ----------
    questions, found : rows and their features
    cell : array of str (r,)
        ``source|gpu|phase``.
    """
    arithmetic, memory = bounds(questions, found)
    time_s = np.array([one.time_s for one in questions])
    _, inverse, count = np.unique(cell, return_inverse=True, return_counts=True)
    weight = 1.0 / count[inverse]
    mode = np.array([one.plan.mode for one in questions])
    key = np.array([f"{one.plan.mode}|{ENGINE_LABEL[one.plan.precision]}" for one in questions])
    table: Table = {}
    for name in (*np.unique(mode), *np.unique(key)):
        at = np.flatnonzero((mode == name) | (key == name))
        table[str(name)] = _fit(arithmetic[at], memory[at], time_s[at], weight[at])
    return table


def _fit(arithmetic: Floats, memory: Floats, time_s: Floats, weight: Floats) -> dict[str, object]:
    from scipy.optimize import nnls

    scale = np.sqrt(weight) / time_s
    constants, _ = nnls(np.column_stack([arithmetic, memory]) * scale[:, None], np.sqrt(weight))
    return {
        "share_of_peak": _median_ratio(time_s, np.maximum(arithmetic, 1e-12), weight),
        "two_constants": [float(value) for value in constants],
        "scaled_roofline": _median_ratio(time_s, np.maximum(arithmetic, memory), weight),
    }


def _median_ratio(time_s: Floats, bound: Floats, weight: Floats) -> float:
    ratio = time_s / bound
    order = np.argsort(ratio)
    cumulative = np.cumsum(weight[order])
    return float(ratio[order][np.searchsorted(cumulative, 0.5 * cumulative[-1])])
