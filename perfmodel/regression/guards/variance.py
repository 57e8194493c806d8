"""Residuals whose spread differs along the fit or between groups: standard errors and intervals are then wrong."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from perfmodel.regression.design import Design, Finding, Floats
from perfmodel.regression.guards.cells import members
from perfmodel.regression.guards.words import listed, number

#: Significance of the tests.
ALPHA = 1e-3
#: Least ratio of spreads that matters: along the fit, and between groups.
RATIO, RATIO_GROUPS = 2.0, 3.0
#: Rows that a test needs, and a group.
LEAST, LEAST_GROUP = 20, 5


def breusch_pagan(x: Floats, residuals: Floats) -> float:
    """p-value of the studentised test of Breusch and Pagan (1979; Koenker 1981): n R2 of squared residuals on `x`."""
    from scipy.stats import chi2

    square = residuals**2
    fitted = x @ np.linalg.lstsq(x, square, rcond=None)[0]
    total = float(((square - square.mean()) ** 2).sum())
    freedom = int(np.linalg.matrix_rank(x)) - 1
    if total <= 0 or freedom < 1:
        return 1.0
    explained = 1.0 - float(((square - fitted) ** 2).sum()) / total
    return float(chi2.sf(len(square) * explained, freedom))


def brown_forsythe(residuals: Floats, groups: npt.NDArray[Any]) -> tuple[float, dict[str, float]]:
    """p-value of equal spread (Brown and Forsythe 1974: Levene's test about medians), and each group's deviation.

    Groups of fewer than 5 rows are left out. The deviation is the mean absolute one about the median times 1.2533, a
    standard deviation for normal residuals.
    """
    from scipy.stats import f_oneway

    parts = {
        str(name): np.abs(residuals[rows] - np.median(residuals[rows]))
        for name, rows in members(groups, least=LEAST_GROUP)
    }
    spread = {name: float(part.mean() * np.sqrt(np.pi / 2)) for name, part in parts.items()}
    if len(parts) < 2 or all(np.ptp(part) == 0 for part in parts.values()):
        return 1.0, spread
    return float(f_oneway(*parts.values()).pvalue), spread


def variance_weights(residuals: Floats, groups: npt.NDArray[Any]) -> Floats:
    """Weights for ``method="wls"``: inverse variance of each group's residuals, shape (n,), mean 1.

    A group's variance is drawn to that of all rows with the weight of 5 rows, so that a small group gets no extreme
    weight.
    """
    own = residuals - np.median(residuals)
    pooled = float(np.mean(own**2))
    weights = np.ones(len(residuals))
    for _, rows in members(groups):
        part = residuals[rows] - np.median(residuals[rows])
        weights[rows] = (LEAST_GROUP + len(rows)) / (LEAST_GROUP * pooled + float(part @ part)) if pooled > 0 else 1.0
    result: Floats = weights / weights.mean()
    return result


def check_variance(design: Design, residuals: Floats, groups: npt.NDArray[Any] | None = None) -> tuple[Finding, ...]:
    """Warn where residuals spread more at larger times, or in one group than in another."""
    weights = design.weights if len(design.weights) else np.ones(len(residuals))
    scaled = residuals * np.sqrt(weights)
    if len(scaled) < LEAST or np.abs(residuals).max() <= 1e-9 * max(float(np.abs(design.y).max()), 1e-300):
        return ()
    return (*_between(design, scaled, groups), *_along(design, scaled, design.y - residuals))


def _along(design: Design, residuals: Floats, fitted: Floats) -> tuple[Finding, ...]:
    order = np.argsort(fitted, kind="stable")
    third = len(order) // 3
    low, high = (1.2533 * float(np.mean(np.abs(residuals[part]))) for part in (order[:third], order[-third:]))
    ratio = max(low, high) / max(min(low, high), 1e-300)
    p_value = breusch_pagan(design.x, residuals)
    if p_value > ALPHA or ratio < RATIO:
        return ()
    where = "large" if high > low else "small"
    return (
        Finding(
            guard="heteroscedasticity",
            severity="warning",
            text=f"residuals spread {number(ratio)} times as wide at {where} fitted values "
            f"(Breusch-Pagan p = {_p(p_value)}): standard errors and intervals are wrong",
            remedy=_remedy(design, growing=high > low),
        ),
    )


def _between(design: Design, residuals: Floats, groups: npt.NDArray[Any] | None) -> tuple[Finding, ...]:
    if groups is None:
        return ()
    p_value, spread = brown_forsythe(residuals, groups)
    if len(spread) < 2:
        return ()
    widest = max(spread, key=lambda name: spread[name])
    rest = float(np.median([value for name, value in spread.items() if name != widest]))
    if p_value > ALPHA or spread[widest] < RATIO_GROUPS * rest:
        return ()
    wide = [name for name, value in sorted(spread.items(), key=lambda item: -item[1]) if value > RATIO_GROUPS * rest]
    return (
        Finding(
            guard="heteroscedasticity",
            severity="warning",
            text=f"residuals of {listed(wide)} spread {number(spread[widest] / max(rest, 1e-300))} times as wide as "
            f"those of the other groups (Brown-Forsythe p = {_p(p_value)})",
            remedy="fit with method='wls', which weighs each group by the inverse of its variance"
            + ("" if design.log_response else ", or take the logarithm of the response"),
        ),
    )


def _remedy(design: Design, *, growing: bool) -> str:
    if not design.log_response and growing:
        return f"take the logarithm of the response (log({design.response})), or fit with method='wls'"
    return "fit with method='wls' and weights, or add what differs between these rows to the formula"


def _p(value: float) -> str:
    return f"{value:.2g}" if value > 1e-12 else "0"
