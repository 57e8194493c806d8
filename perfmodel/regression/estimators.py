"""Linear estimators on statsmodels: least squares, weighted, robust, quantile."""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from importlib import import_module
from typing import Any

import numpy as np
import numpy.typing as npt

from perfmodel.regression.design import Design, Finding
from perfmodel.regression.matrix import scaled

Floats = npt.NDArray[np.float64]

METHODS = ("ols", "wls", "robust", "quantile", "mixed", "nls")
#: Below this many cards, cluster-robust standard errors are too small to be trusted (Cameron and Miller, Journal of
#: Human Resources 50, 2015: few clusters; with 10 cards and two figures, 90 % intervals held 7 times in 10).
FEWEST_CLUSTERS = 30
#: Levels at which the spread of residuals is kept for estimators whose errors follow no named distribution.
RESIDUAL_LEVELS = np.linspace(0.0, 1.0, 201)


@dataclass(frozen=True, kw_only=True)
class Estimate:
    """What an estimator found.

    Attributes
    ----------
    coefficients : array (p,)
    covariance : array (p, p)
        Of the coefficients.
    residuals : array (n,)
        Response minus the fitted fixed part (group effects left in for mixed effects).
    residual_sd : float
        Of a row of weight 1, on the scale of the response; for mixed effects within a group.
    degrees : float
        Degrees of freedom of the coefficients' t distribution; infinite for a normal one.
    residual_degrees : float
        n - p.
    r_squared : float
        Share of the weighted variance of the response that the fixed part explains.
    errors : str
        What the standard errors are, in words.
    row_sd : float
        Standard deviation between rows of one card where `card_variance` is known apart; else `residual_sd`.
    card_leverage : array (p, p), or empty
        What a variance of 1 between cards (or between the groups of mixed effects) adds to `covariance`.
    card_variance, card_degrees : float
        Variance between cards of equal figures, or between groups, and its degrees of freedom; 0 where not estimated.
    least_card_variance : float
        Where the cards are too few to tell their variance: what predictions take at least (`few_cards.SPREAD`).
    group_effects : mapping of str to (float, float)
        Mixed effects: each group's effect and the variance it is known to.
    group_variance : float
    quantiles : array (201,), or empty
        Quantiles of residuals at `RESIDUAL_LEVELS` where intervals come from them.
    findings : tuple of Finding
        What the estimator warned of.
    """

    coefficients: Floats
    covariance: Floats
    residuals: Floats
    residual_sd: float
    degrees: float
    residual_degrees: float
    r_squared: float
    errors: str
    row_sd: float = np.nan
    card_leverage: Floats = field(default_factory=lambda: np.zeros((0, 0)))
    card_variance: float = 0.0
    card_degrees: float = 0.0
    least_card_variance: float = 0.0
    group_effects: Mapping[str, tuple[float, float]] = field(default_factory=dict)
    group_variance: float = 0.0
    quantiles: Floats = field(default_factory=lambda: np.zeros(0))
    findings: tuple[Finding, ...] = ()

    @property
    def standard_errors(self) -> Floats:
        """Of the coefficients, with the spread between cards, (p,)."""
        variance = np.diag(self.covariance) + self.of_cards(np.eye(len(self.coefficients)))
        return np.asarray(np.sqrt(np.maximum(variance, 0.0)))

    def of_cards(self, x: Floats) -> Floats:
        """Share of the variance of fitted values at rows `x` (m, p) that the spread between cards makes, (m,)."""
        if not self.card_leverage.size:
            return np.zeros(len(x))
        return np.asarray(np.einsum("ij,jk,ik->i", x, self.card_leverage, x)) * self.card_variance


@contextmanager
def heard(found: list[Finding]) -> Iterator[None]:
    """Turn warnings of the libraries inside the block into findings, each text once."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        yield
    texts = dict.fromkeys(" ".join(str(one.message).split()) for one in caught)
    found += [
        Finding(guard="estimator", severity="warning", text=f"the estimator says: {text}", remedy=_remedy(text))
        for text in texts
    ]


def _remedy(text: str) -> str:
    lowered = text.lower()
    if "converge" in lowered or "iteration" in lowered:
        return "fewer terms, or more rows"
    if "boundary" in lowered or "singular" in lowered:
        return "the groups differ no more than rows of one group do: --method ols says the same"
    return ""


def least_squares(design: Design, *, clusters: npt.NDArray[np.object_] | None = None) -> Estimate:
    """Least squares with the design's weights.

    Columns are scaled to unit length and solved by QR, so that condition comes from their directions alone.

    Parameters
    ----------
    design : Design
    clusters : array (n,), optional
        Groups whose rows share an error: standard errors are then cluster-robust with t(groups - 1).
    """
    root, x, length = weighted(design)
    found: list[Finding] = []
    api = import_module("statsmodels.api")
    with heard(found):
        model = api.OLS(design.y * root, x)
        fitted = model.fit(method="qr")
        coefficients = refined(design.y * root, x, np.asarray(fitted.params)) / length
        residuals = design.y - design.x @ coefficients
        degrees = float(len(design.y) - x.shape[1])
        variance = float(np.square(root * residuals).sum() / degrees) if degrees > 0 else np.nan
        covariance = inverse_gram(x) * variance
        errors = "ordinary"
        if clusters is not None and len(set(clusters)) >= FEWEST_CLUSTERS:
            codes = np.unique(clusters.astype(str), return_inverse=True)[1]
            robust = model.fit(method="qr", cov_type="cluster", cov_kwds={"groups": codes}, use_t=True)
            covariance, degrees_t = np.asarray(robust.cov_params()), float(codes.max())
            errors = f"robust, clustered by {codes.max() + 1} cards"
    return Estimate(
        coefficients=coefficients, covariance=covariance / np.outer(length, length),
        residuals=residuals, residual_sd=float(np.sqrt(variance)),
        degrees=degrees if errors == "ordinary" else degrees_t, residual_degrees=degrees,
        r_squared=explained(design, residuals), errors=errors, findings=tuple(found),
    )  # fmt: skip


def weighted(design: Design) -> tuple[Floats, Floats, Floats]:
    """Square roots of the weights, the weighted design with columns of unit length, and their lengths."""
    root = np.sqrt(design.weights) if len(design.weights) else np.ones(len(design.y))
    x, length = scaled(design.x * root[:, None])
    return root, x, length


def refined(y: Floats, x: Floats, coefficients: Floats) -> Floats:
    """Improve a least-squares solution by corrected seminormal equations with residuals in extended precision.

    Two steps win back most of the digits that a badly conditioned design loses (Bjoerck, Linear Algebra and its
    Applications 88/89, 1987).
    """
    solve = import_module("scipy.linalg").solve_triangular
    triangle = np.linalg.qr(x, mode="r")
    wide, found = x.astype(np.longdouble), coefficients.astype(np.longdouble)
    for _ in range(2):
        gradient = (wide.T @ (y - wide @ found)).astype(np.float64)
        found = found + solve(triangle, solve(triangle, gradient, trans="T"))
    return np.asarray(found, dtype=np.float64)


def inverse_gram(x: Floats) -> Floats:
    """Inverse of x'x from the triangular factor of x, which keeps twice the digits of inverting the product."""
    triangle = np.linalg.qr(x, mode="r")
    inverse = import_module("scipy.linalg").solve_triangular(triangle, np.eye(len(triangle)))
    return np.asarray(inverse @ inverse.T)


def explained(design: Design, residuals: Floats) -> float:
    """Share of the weighted variance of the response that is explained; of its square without a constant."""
    weights = design.weights if len(design.weights) else np.ones(len(design.y))
    constant = _has_constant(design.x)
    centre = np.average(design.y, weights=weights) if constant else 0.0
    total = float((weights * np.square(design.y - centre)).sum())
    return 1.0 - float((weights * np.square(residuals)).sum()) / total if total > 0 else 0.0


def _has_constant(x: Floats) -> bool:
    """Whether a constant lies in the span of the columns."""
    ones = np.ones(len(x))
    solved = np.linalg.lstsq(scaled(x)[0], ones, rcond=None)[0]
    return bool(np.abs(scaled(x)[0] @ solved - ones).max() < 1e-8)


def robust(design: Design) -> Estimate:
    """Huber's M-estimator (Huber 1964; tuning 1.345 for 95 % efficiency), scale from the median absolute deviation."""
    root, x, length = weighted(design)
    found: list[Finding] = []
    api = import_module("statsmodels.api")
    with heard(found):
        fitted = api.RLM(design.y * root, x, M=api.robust.norms.HuberT()).fit(maxiter=200)
    return _finished(design, fitted, length, float(fitted.scale), "robust (Huber)", found)


def quantile(design: Design, level: float) -> Estimate:
    """Quantile regression (Koenker and Bassett 1978) with standard errors from a kernel estimate of the density."""
    root, x, length = weighted(design)
    found: list[Finding] = []
    api = import_module("statsmodels.api")
    with heard(found):
        fitted = api.QuantReg(design.y * root, x).fit(q=level, max_iter=5000)
    residuals = design.y - design.x @ (np.asarray(fitted.params) / length)
    spread = float(np.sqrt(np.mean(np.square(root * residuals))))
    return _finished(design, fitted, length, spread, f"kernel estimate at quantile {level:g}", found)


def _finished(
    design: Design, fitted: Any, length: Floats, spread: float, errors: str, found: list[Finding]
) -> Estimate:
    """Estimate of a model whose prediction intervals come from the residuals themselves."""
    coefficients = np.asarray(fitted.params) / length
    residuals = design.y - design.x @ coefficients
    return Estimate(
        coefficients=coefficients, covariance=np.asarray(fitted.cov_params()) / np.outer(length, length),
        residuals=residuals, residual_sd=spread, degrees=float(len(design.y) - len(length)),
        residual_degrees=float(len(design.y) - len(length)), r_squared=explained(design, residuals), errors=errors,
        quantiles=np.quantile(residuals, RESIDUAL_LEVELS), findings=tuple(found),
    )  # fmt: skip
