"""Prediction from an estimate: the mean's interval and the interval of a new measurement, kept apart."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from perfmodel.errors import InputError
from perfmodel.hardware.gpu import find_gpu
from perfmodel.regression.design import Finding
from perfmodel.regression.estimators import RESIDUAL_LEVELS, Estimate
from perfmodel.regression.few_cards import half_width, with_least_spread
from perfmodel.regression.formula import Formula
from perfmodel.regression.matrix import Levels, back, known_values, law, level_text, linear_matrix
from perfmodel.regression.vocabulary import describe

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True, kw_only=True)
class FitPrediction:
    """What a fit says of m rows, in the unit of the measured column (ms for times).

    Attributes
    ----------
    mean : array (m,)
        The fitted value. Of a fit to log times it is the median of a measurement, back-transformed, not the mean; of
        quantile regression it is that quantile.
    mean_low, mean_high : array (m,)
        Where that fitted value may lie.
    low, high : array (m,)
        Where one new measurement may lie; wider, and about the fitted value but for a quantile other than the median.
    coverage : float
        Of both intervals.
    findings : tuple of Finding
        Such as that a row lies outside of what was measured.
    """

    mean: Floats
    mean_low: Floats
    mean_high: Floats
    low: Floats
    high: Floats
    coverage: float
    findings: tuple[Finding, ...] = ()

    def __len__(self) -> int:
        """Return m."""
        return len(self.mean)

    def to_dict(self) -> dict[str, Any]:
        """JSON form: lists of length m."""
        names = ("mean", "mean_low", "mean_high", "low", "high")
        return {
            **{name: getattr(self, name).tolist() for name in names},
            "coverage": self.coverage,
            "findings": [finding.to_dict() for finding in self.findings],
        }


def check_coverage(coverage: float) -> None:
    """Refuse a coverage that is no probability."""
    if not 0.0 < coverage < 1.0:
        raise InputError(f"coverage must lie between 0 and 1, not {coverage}", "give such as 0.9")


def assumed(formula: Formula, levels: Levels, fitted: Any, frame: Any) -> tuple[Any, tuple[Finding, ...]]:
    """Fill factors that no row to predict states with the level that most fitted rows have, and say so.

    Parameters
    ----------
    formula, levels
        Of the fit.
    fitted, frame : pandas.DataFrame
        Variables of the rows fitted, and of those to predict.
    """
    findings = []
    for name in formula.names:
        if name not in levels or name == "gpu" or (name in frame.columns and known_values(frame, name).any()):
            continue
        words = level_text(fitted[name])
        most = max(levels[name], key=words.count)
        frame = frame.assign(**{name: most})
        text = (
            f"{describe(name).label} not given: {most} assumed, as in {words.count(most)} of {len(words)} fitted rows"
        )
        remedy = f"give {name}={'|'.join(levels[name][:6])}"
        findings.append(Finding(guard="assumed", severity="note", text=text, remedy=remedy, columns=(name,)))
    return frame, tuple(findings)


def check_complete(formula: Formula, frame: Any) -> None:
    """Refuse rows that lack a variable of the formula, or whose card is not known."""
    for name in formula.names:
        if name not in frame.columns or not known_values(frame, name).all():
            if describe(name).level == "gpu":
                _check_cards(frame)
            known = known_values(frame, name) if name in frame.columns else np.zeros(len(frame), dtype=bool)
            where = f" in row {int(np.flatnonzero(~known)[0])}" if len(frame) > 1 and len(known) else ""
            raise InputError(f"no value of {name}{where}", f"the fit needs {', '.join(formula.names)}")


def _check_cards(frame: Any) -> None:
    """Refuse cards that have no name in the table of cards, with near names."""
    if "gpu_text" in frame.columns:
        for name in frame["gpu_text"].unique():
            if name:
                find_gpu(name)


def forecast(
    formula: Formula,
    levels: Levels,
    estimate: Estimate,
    frame: Any,
    *,
    coverage: float,
    groups: npt.NDArray[np.object_] | None = None,
    weights: Floats | None = None,
) -> FitPrediction:
    """Predict rows.

    Parameters
    ----------
    formula, levels, estimate
        Of the fit.
    frame : pandas.DataFrame (m rows)
        Variables.
    coverage : float
    groups : array (m,), optional
        Mixed effects: group of each row. A known group's own effect is added; an unknown one widens the interval of a
        measurement by the spread between groups.
    weights : array (m,), optional
        Weight of each row's measurement, 1 by default.
    """
    x = slopes(formula, levels, estimate, frame)
    centre = law(formula, frame)(estimate.coefficients) if formula.nonlinear else x @ estimate.coefficients
    variance = np.einsum("ij,jk,ik->i", x, estimate.covariance, x)
    effect, known, new = _groups(estimate, groups, len(frame))
    variance = np.maximum(variance, 0.0) + known
    weighed = np.ones(len(frame)) if weights is None else weights
    ends = [_ends(one, x, variance, new, weighed, coverage) for one in with_least_spread(estimate)]
    sure = np.max([one[0] for one in ends], axis=0)
    lower, upper = np.min([one[1] for one in ends], axis=0), np.max([one[2] for one in ends], axis=0)
    centre = centre + effect

    def time(values: Floats) -> Floats:
        return back(formula.transform, values)

    return FitPrediction(
        mean=time(centre), mean_low=time(centre - sure), mean_high=time(centre + sure),
        low=time(centre + lower), high=time(centre + upper), coverage=coverage,
    )  # fmt: skip


def _ends(
    estimate: Estimate, x: Floats, variance: Floats, new: Floats, weights: Floats, coverage: float
) -> tuple[Floats, Floats, Floats]:
    """Half-width of the fitted value's interval, and both ends of a measurement's about the fitted value, each (m,).

    `variance` (m,) is the rows' share of the fitted value's; `new` is 1 where the card or group is not known.
    """
    shared = estimate.of_cards(x)
    sure = half_width(coverage, variance, shared, estimate)
    if len(estimate.quantiles):
        wide = half_width(coverage, variance, shared + new * estimate.card_variance, estimate)
        return (sure, *_empirical(estimate, coverage, wide))
    sd = estimate.residual_sd if np.isnan(estimate.row_sd) else estimate.row_sd
    own = variance + np.square(sd) / weights
    upper = half_width(coverage, own, shared + new * estimate.card_variance, estimate, measured=True)
    upper = np.maximum(upper, sure)
    return sure, -upper, upper


def slopes(formula: Formula, levels: Levels, estimate: Estimate, frame: Any) -> Floats:
    """Derivatives of the fitted value of m rows with respect to the p coefficients, shape (m, p)."""
    if formula.nonlinear:
        return law(formula, frame).jacobian(estimate.coefficients)
    return linear_matrix(formula, frame, levels).x


def _groups(estimate: Estimate, groups: npt.NDArray[np.object_] | None, count: int) -> tuple[Floats, Floats, Floats]:
    """Effect of each row's group, the variance it is known to, and 1 where the group is not known."""
    effect, known, new = np.zeros(count), np.zeros(count), np.ones(count)
    for at, label in enumerate(() if groups is None else groups):
        if label in estimate.group_effects:
            effect[at], known[at] = estimate.group_effects[label]
            new[at] = 0.0
    return effect, known, new


def _empirical(estimate: Estimate, coverage: float, sure: Floats) -> tuple[Floats, Floats]:
    """Ends of a measurement's interval from the quantiles of the residuals, widened by what the fit is unsure of."""
    low, high = np.interp([(1 - coverage) / 2, (1 + coverage) / 2], RESIDUAL_LEVELS, estimate.quantiles)
    return low - (np.hypot(low, sure) - abs(low)), high + (np.hypot(high, sure) - abs(high))
