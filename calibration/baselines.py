"""Simple models that the predictor has to beat, fitted on the same rows."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from perfmodel.validation.baselines import Baselines, baseline_inputs, engine_key
from perfmodel.validation.features import QuestionFeatures
from perfmodel.validation.resolve import Question

Floats = npt.NDArray[np.float64]


def fit_baselines(questions: Sequence[Question], found: QuestionFeatures, time_s: Floats, weight: Floats) -> Baselines:
    """Coefficients by mode and engine, and by mode for engines never seen.

    Parameters
    ----------
    questions, found : rows and their features
    time_s : array (r,)
    weight : array (r,)
        Weight of each row (equal weight of cells).
    """
    arithmetic, memory = baseline_inputs(questions, found)
    mode = np.array([one.plan.mode for one in questions])
    key = np.array([engine_key(one) for one in questions])
    table: Baselines = {}
    for name in (*np.unique(mode), *np.unique(key)):
        at = np.flatnonzero((mode == name) | (key == name))
        table[str(name)] = _fit(arithmetic[at], memory[at], time_s[at], weight[at])
    return table


def _fit(arithmetic: Floats, memory: Floats, time_s: Floats, weight: Floats) -> dict[str, list[float]]:
    from scipy.optimize import nnls

    scale = np.sqrt(weight) / time_s
    columns = np.column_stack([arithmetic, memory]) * scale[:, None]
    constants, _ = nnls(columns, np.sqrt(weight))
    return {
        "share_of_peak": [_median_ratio(time_s, np.maximum(arithmetic, 1e-12), weight)],
        "two_constants": constants.tolist(),
        "scaled_roofline": [_median_ratio(time_s, np.maximum(arithmetic, memory), weight)],
    }


def _median_ratio(time_s: Floats, bound: Floats, weight: Floats) -> float:
    ratio = time_s / bound
    order = np.argsort(ratio)
    cumulative = np.cumsum(weight[order])
    return float(ratio[order][np.searchsorted(cumulative, 0.5 * cumulative[-1])])
