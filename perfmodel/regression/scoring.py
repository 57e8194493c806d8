"""Scores of predictions on rows that a fit has not seen: relative errors, bias, and how often intervals hold."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from perfmodel.regression.design import Floats

#: Numbers of a score, in percent.
PERCENT = ("median_ape", "mean_ape", "p90_ape", "bias", "coverage")


@dataclass(frozen=True, kw_only=True)
class Score:
    """Scores of some rows, in percent.

    Attributes
    ----------
    n : int
    median_ape, mean_ape, p90_ape : float
        Absolute error relative to the measured value.
    bias : float
        Median of predicted over measured, minus one.
    coverage : float
        Share of measured values inside the prediction interval; NaN where there is none.
    """

    n: int
    median_ape: float
    mean_ape: float
    p90_ape: float
    bias: float
    coverage: float

    def to_dict(self) -> dict[str, Any]:
        """JSON form; a number that is not known is null."""
        values = {name: float(getattr(self, name)) for name in PERCENT}
        return {"n": self.n, **{name: value if np.isfinite(value) else None for name, value in values.items()}}


def score(measured: Floats, predicted: Floats, low: Floats | None = None, high: Floats | None = None) -> Score:
    """Score rows.

    Parameters
    ----------
    measured : array (n,)
        Above 0, n > 0.
    predicted : array (n,)
    low, high : array (n,), optional
        Ends of the prediction intervals.
    """
    error = 100.0 * np.abs(predicted / measured - 1.0)
    inside = np.nan if low is None or high is None else 100.0 * float(np.mean((measured >= low) & (measured <= high)))
    return Score(
        n=len(measured),
        median_ape=float(np.median(error)),
        mean_ape=float(np.mean(error)),
        p90_ape=float(np.quantile(error, 0.9)),
        bias=100.0 * float(np.median(predicted / measured) - 1.0),
        coverage=inside,
    )


def averaged(scores: Sequence[Score]) -> Score:
    """Average scores of groups, so that a group of many rows does not decide; ``n`` adds up."""
    means = {name: float(np.mean([getattr(one, name) for one in scores])) for name in PERCENT}
    return Score(n=sum(one.n for one in scores), **means)
