"""Prior documents: without effects, and from fits."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import Any

import numpy as np

from perfmodel.calibration.fit_steps import StepFit, StepRows
from perfmodel.efficiency.levels import COVARIATES, DISTINCT
from perfmodel.efficiency.prior import Prior
from perfmodel.roofline.coefficients import KernelCoefficients

#: Host seconds to launch one operator in eager PyTorch: forward, loss, backward, optimizer (first guess; the fit's
#: launch effects scale them).
LAUNCH_S = (9e-6, 9e-6, 8e-6, 6e-6)


def base_prior(kernel: KernelCoefficients | None = None) -> Prior:
    """A prior without any learned effect."""
    return Prior(
        kernel=kernel or KernelCoefficients(),
        launch_s=np.array(LAUNCH_S),
        covariate=np.zeros(2 * len(COVARIATES)),
        group={},
        total={},
        counts={},
        conformal={"0.5": 0.674, "0.8": 1.282, "0.9": 1.645, "0.95": 1.96, "0.99": 2.576},
        support={},
    )


def prior_from(
    kernel: KernelCoefficients,
    fit: StepFit,
    rows: StepRows,
    *,
    cards: Mapping[str, tuple[float, float]] | None = None,
    baselines: Mapping[str, Mapping[str, list[float]]] | None = None,
    conformal: Mapping[str, float] | None = None,
    support: Mapping[str, int] | None = None,
    provenance: Mapping[str, Any] | None = None,
) -> Prior:
    """Put a fit into the form that ships."""
    counts = {
        name: dict(Counter(str(level) for level in levels if level))
        for name, levels in {**rows.group_levels, **rows.total_levels}.items()
    }
    counts |= {name: _distinct(rows, *pair) for name, pair in DISTINCT.items()}
    base = base_prior(kernel)
    return Prior(
        kernel=kernel,
        launch_s=base.launch_s,
        covariate=fit.covariate,
        group=fit.group,
        total=fit.total,
        counts=counts,
        conformal=dict(conformal or base.conformal),
        support=dict(support or {}),
        cards=dict(cards or {}),
        baselines=dict(baselines or {}),
        provenance=dict(provenance or {}),
    )


def _distinct(rows: StepRows, of: str, by: str) -> dict[str, int]:
    """How many distinct levels of one factor stand behind each level of another."""
    levels = {**rows.group_levels, **rows.total_levels}
    pairs = {(str(level), str(other)) for level, other in zip(levels[of], levels[by], strict=True) if level}
    return dict(Counter(level for level, _ in pairs))
