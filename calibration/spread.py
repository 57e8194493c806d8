"""How uncertain a prediction is, learned from the errors of rows that were left out.

The variance of log time is a weighted sum of what is not known of a run (`Prior.unknown`). The weights have most
likelihood, for normal errors, on left-out rows, every cell weighted alike, and are held near their first values (the
prior variances of the effects) by a normal prior on their logarithms.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import numpy.typing as npt

from perfmodel.calibration.cross_validation import Fold
from perfmodel.efficiency.levels import SPREAD

Floats = npt.NDArray[np.float64]
Strings = npt.NDArray[np.str_]

#: Standard deviation of the prior of a weight's logarithm, and the largest log error that counts in full.
_LOG_SD, _LARGEST = 2.0, 0.8


def fit_spread(unknown: Floats, known: Floats, error: Floats, cell: Strings) -> dict[str, float]:
    """Weights of the sources of variance.

    Parameters
    ----------
    unknown : array (r, s)
        How little is known of each row, by source in the order of `SPREAD`.
    known : array (r,)
        Variance that is added whatever the weights (grades of evidence).
    error : array (r,)
        Log of measured over predicted time, on rows left out of their fits.
    cell : array of str (r,)
        ``source|gpu|phase``.
    """
    from scipy.optimize import minimize

    _, inverse, count = np.unique(cell, return_inverse=True, return_counts=True)
    weight = 0.5 / count[inverse]
    square = np.minimum(np.abs(error), _LARGEST) ** 2
    before = np.array(list(SPREAD.values()))

    def cost(logs: Floats) -> tuple[float, Floats]:
        weights = before * np.exp(logs)
        variance = unknown @ weights + known
        slope = weight * (1.0 / variance - square / variance**2)
        value = np.sum(weight * (np.log(variance) + square / variance)) + 0.5 * np.sum((logs / _LOG_SD) ** 2)
        return float(value), (slope @ unknown) * weights + logs / _LOG_SD**2

    found = minimize(cost, np.zeros(len(before)), jac=True, method="L-BFGS-B", options={"maxiter": 100}).x
    return dict(zip(SPREAD, (before * np.exp(found)).tolist(), strict=True))


def cross_spread(fold: Fold, measured: Floats, key: Strings, cell: Strings) -> Fold:
    """The same answers with each group's standard deviations by weights that the other groups' errors gave.

    Parameters
    ----------
    fold : Fold
        Out-of-sample answers.
    measured : array (r,)
        Seconds.
    key : array of str (r,)
        What was left out together.
    cell : array of str (r,)
    """
    error, sigma = np.log(measured / fold.time_s), fold.sigma.copy()
    for value in np.unique(key):
        own, others = key == value, key != value
        if not others.any():
            continue
        weights = fit_spread(fold.unknown[others], fold.known[others], error[others], cell[others])
        sigma[own] = np.sqrt(fold.unknown[own] @ np.array(list(weights.values())) + fold.known[own])
    return replace(fold, sigma=sigma)
