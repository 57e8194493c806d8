"""Scores of predictions against measurements: errors, bias, coverage, interval score."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]

#: Coverage that the scored intervals claim.
COVERAGE = 0.9


@dataclass(frozen=True, kw_only=True)
class Score:
    """Scores of some rows, all in percent.

    Attributes
    ----------
    n : int
    median_ape, mean_ape, p90_ape : float
        Absolute error relative to the measured time.
    bias : float
        Median of predicted / measured, minus one.
    coverage90 : float
        Share of measured times inside the 90 % interval.
    width90 : float
        Median of (high - low) / median prediction.
    interval_score : float
        Mean interval score of log time at 90 % (Gneiting and Raftery 2007), in percent: width plus 20 times the miss.
    baselines : mapping of str to float
        Median error of the simple models on the same rows.
    """

    n: int
    median_ape: float
    mean_ape: float
    p90_ape: float
    bias: float
    coverage90: float
    width90: float
    interval_score: float
    baselines: Mapping[str, float]

    def to_dict(self) -> dict[str, Any]:
        """JSON form of the validate document."""
        plain = {name: getattr(self, name) for name in _NUMBERS}
        return {**plain, "baselines": {name: {"median_ape": value} for name, value in self.baselines.items()}}


_NUMBERS = ("n", "median_ape", "mean_ape", "p90_ape", "bias", "coverage90", "width90", "interval_score")


def score(
    measured: Floats, predicted: Floats, half_width: Floats, baselines: Mapping[str, Floats] | None = None
) -> Score:
    """Score rows.

    Parameters
    ----------
    measured, predicted : array (n,)
        Seconds, n > 0.
    half_width : array (n,)
        Half-width of the 90 % interval of log time.
    baselines : mapping, optional
        Seconds that simple models predict.
    """
    error = np.abs(predicted / measured - 1.0)
    miss = np.maximum(np.abs(np.log(measured / predicted)) - half_width, 0.0)
    alpha = 1.0 - COVERAGE
    return Score(
        n=len(measured),
        median_ape=100.0 * float(np.median(error)),
        mean_ape=100.0 * float(np.mean(error)),
        p90_ape=100.0 * float(np.quantile(error, 0.9)),
        bias=100.0 * float(np.median(predicted / measured) - 1.0),
        coverage90=100.0 * float(np.mean(miss == 0)),
        width90=100.0 * float(np.median(np.exp(half_width) - np.exp(-half_width))),
        interval_score=100.0 * float(np.mean(2.0 * half_width + 2.0 / alpha * miss)),
        baselines={
            name: 100.0 * float(np.median(np.abs(values / measured - 1.0)))
            for name, values in (baselines or {}).items()
        },
    )


def macro_average(scores: list[Score]) -> Score:
    """Average scores over groups, so that a big group does not decide.

    Parameters
    ----------
    scores : list of Score
        At least one; ``n`` adds up, everything else is averaged.
    """
    means = {name: float(np.mean([getattr(one, name) for one in scores])) for name in _NUMBERS[1:]}
    names = scores[0].baselines.keys()
    return Score(
        n=sum(one.n for one in scores),
        **means,
        baselines={name: float(np.mean([one.baselines[name] for one in scores])) for name in names},
    )
