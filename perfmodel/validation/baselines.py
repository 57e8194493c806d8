"""Simple models that predictions are scored beside; their coefficients come frozen with the prior."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from perfmodel.efficiency.features import StepFeatures
from perfmodel.efficiency.levels import ENGINE_LABEL
from perfmodel.efficiency.prior import Prior

if TYPE_CHECKING:
    from perfmodel.validation.resolve import Question

Floats = npt.NDArray[np.float64]

BASELINES = ("share_of_peak", "two_constants", "scaled_roofline")
#: Where a prior has no coefficients for a mode: what steps at a third of peak and two thirds of bandwidth take.
TYPICAL: Mapping[str, Any] = {"share_of_peak": 3.0, "two_constants": (1.5, 1.5), "scaled_roofline": 2.0}


def baseline_coefficients(prior: Prior, mode: str, precision: str) -> Mapping[str, Any]:
    """Coefficients for a mode and a precision: of its engine, else of the mode, else typical ones.

    Parameters
    ----------
    prior : Prior
        Its ``baselines`` hold, under ``"train|amp"`` or ``"train"``: ``share_of_peak`` c, ``two_constants`` (a, b) and
        ``scaled_roofline`` c.
    """
    known: Mapping[str, Mapping[str, Any]] = prior.baselines
    engine = ENGINE_LABEL.get(precision, precision)
    return {**TYPICAL, **known.get(mode, {}), **known.get(f"{mode}|{engine}", {})}


def baseline_times(questions: Sequence[Question], steps: StepFeatures | None, prior: Prior) -> dict[str, Floats]:
    """Seconds that each baseline predicts for r questions, each array (r,).

    ``share_of_peak``: c F / peak; ``two_constants``: a F / peak + b B / bandwidth; ``scaled_roofline``:
    c max(F / peak, B / bandwidth), with FLOPs F and bytes B inside the timed region and the specified peak and
    bandwidth.
    """
    if steps is None or not questions:
        return {name: np.zeros(0) for name in BASELINES}
    peak = np.array([one.gpu.peak_tflops(one.plan.precision) * 1e12 for one in questions])
    bandwidth = np.array([one.gpu.bandwidth_gbs * 1e9 for one in questions])
    compute = steps.flops.sum(axis=-1) / peak
    memory = steps.bytes.sum(axis=-1) / bandwidth
    known: dict[tuple[str, str], Mapping[str, Any]] = {}
    table = []
    for one in questions:
        key = (one.plan.mode, one.plan.precision)
        if key not in known:
            known[key] = baseline_coefficients(prior, *key)
        table.append(np.concatenate([np.ravel(known[key][name]) for name in BASELINES]))
    share, first, second, roofline = np.array(table, dtype=np.float64).reshape(len(questions), 4).T
    return {
        "share_of_peak": share * compute,
        "two_constants": first * compute + second * memory,
        "scaled_roofline": roofline * np.maximum(compute, memory),
    }
