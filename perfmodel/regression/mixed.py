"""Mixed effects: a random intercept by group, estimated by restricted maximum likelihood (REML).

With one random intercept, REML has one free number, the ratio of the variance between groups to that within. Given it,
rows are made independent by taking a share of their group's mean out of them, and statsmodels fits the rest by least
squares. That stays exact for thousands of rows a group and for figures that are constant within a group, where a
general optimiser of the likelihood (`statsmodels.MixedLM`) can end in a singular matrix.
"""

from __future__ import annotations

from dataclasses import dataclass
from importlib import import_module

import numpy as np
import numpy.typing as npt

from perfmodel.errors import InputError
from perfmodel.regression.design import Design, Finding
from perfmodel.regression.estimators import Estimate, explained, inverse_gram, weighted

Floats = npt.NDArray[np.float64]

#: Range of the logarithm of the variance ratio that is searched.
_LOWEST, _HIGHEST = np.log(1e-8), np.log(1e8)


@dataclass(frozen=True)
class GroupedRows:
    """Weighted rows: response (n,), columns of unit length (n, p), square roots of weights (n,), group codes (n,)."""

    y: Floats
    x: Floats
    root: Floats
    codes: npt.NDArray[np.intp]

    def total(self) -> Floats:
        """Sum of the weights of each group."""
        return np.asarray(np.bincount(self.codes, weights=np.square(self.root)), dtype=np.float64)

    def independent(self, ratio: float) -> tuple[Floats, Floats]:
        """Response and columns with the error that a group shares taken out."""
        total = self.total()
        share = (1.0 - 1.0 / np.sqrt(1.0 + ratio * total)) / total
        stacked = np.concatenate([self.y[:, None], self.x], axis=1)
        means = np.zeros((len(total), stacked.shape[1]))
        np.add.at(means, self.codes, self.root[:, None] * stacked)
        found = stacked - self.root[:, None] * (share[:, None] * means)[self.codes]
        return found[:, 0], found[:, 1:]


def mixed(design: Design, groups: npt.NDArray[np.object_], name: str) -> Estimate:
    """Fit a random intercept by group: rows of a group share an error of their own.

    Standard errors are of two shares: that of the rows has their degrees of freedom, that of the groups only as many
    as there are groups beyond the columns that are constant within each.

    Parameters
    ----------
    design : Design
        n rows, p columns.
    groups : array (n,)
        Each row's group.
    name : str
        Of the variable that makes the groups.

    Raises
    ------
    InputError
        When all rows are of one group.
    """
    labels, codes = np.unique(groups.astype(str), return_inverse=True)
    if len(labels) < 2:
        raise InputError(f"all rows have the same {name} ({labels[0]})", "mixed effects need rows of several groups")
    root, x, length = weighted(design)
    rows = GroupedRows(design.y * root, x, root, codes.astype(np.intp))
    ratio = variance_ratio(rows)
    free = len(labels) - _between(rows)
    y, x = rows.independent(ratio)
    api = import_module("statsmodels.api")
    coefficients = np.asarray(api.OLS(y, x).fit(method="qr").params)
    degrees = float(len(y) - x.shape[1])
    variance = float(np.square(y - x @ coefficients).sum() / degrees)
    bread = inverse_gram(x)
    leverage = _of_groups(rows, x, bread, ratio)
    row = bread * variance - leverage * ratio * variance if free > 0 else bread * variance
    residuals = design.y - design.x @ (coefficients / length)
    return Estimate(
        coefficients=coefficients / length, covariance=row / np.outer(length, length), residuals=residuals,
        residual_sd=float(np.sqrt(variance)), degrees=degrees, residual_degrees=degrees,
        r_squared=explained(design, residuals),
        errors=f"of a model with a random intercept for each of {len(labels)} values of {name}",
        group_effects=_effects(rows, labels, residuals, ratio, variance), group_variance=ratio * variance,
        card_leverage=leverage / np.outer(length, length) if free > 0 else np.zeros((0, 0)),
        card_variance=ratio * variance, card_degrees=float(max(free, 0)),
        findings=_findings(ratio, name),
    )  # fmt: skip


def _between(rows: GroupedRows) -> int:
    """Rank of the columns that are constant within each group, a constant counted."""
    plain = rows.x / rows.root[:, None]
    first = np.zeros((len(rows.total()), plain.shape[1]))
    first[rows.codes] = plain
    constant = np.abs(plain - first[rows.codes]).max(axis=0) <= 1e-12 * np.abs(plain).max(axis=0)
    return int(np.linalg.matrix_rank(np.column_stack([np.ones(len(first)), first[:, constant]])))


def _of_groups(rows: GroupedRows, x: Floats, bread: Floats, ratio: float) -> Floats:
    """What a variance of 1 between groups adds to the covariance of the coefficients, (p, p).

    Parameters
    ----------
    x : array (n, p)
        Columns with the shared error taken out.
    bread : array (p, p)
        Inverse of x'x.
    """
    total = rows.total()
    sums = np.zeros((len(total), x.shape[1]))
    np.add.at(sums, rows.codes, x * rows.root[:, None])
    sums /= np.sqrt(1.0 + ratio * total)[:, None]
    return np.asarray(bread @ (sums.T @ sums) @ bread)


def variance_ratio(rows: GroupedRows) -> float:
    """Variance between groups over that within, at the largest restricted likelihood; 0 where it is at the edge."""
    optimise = import_module("scipy.optimize")

    def loss(logarithm: float) -> float:
        return _loss(rows, float(np.exp(logarithm)))

    grid = np.linspace(_LOWEST, _HIGHEST, 33)
    best = int(np.argmin([loss(at) for at in grid]))
    ends = grid[max(best - 1, 0)], grid[min(best + 1, len(grid) - 1)]
    found = optimise.minimize_scalar(loss, bounds=ends, method="bounded", options={"xatol": 1e-10})
    return 0.0 if _loss(rows, 0.0) <= found.fun else float(np.exp(found.x))


def _loss(rows: GroupedRows, ratio: float) -> float:
    """Minus twice the restricted log-likelihood but for a constant (Patterson and Thompson 1971)."""
    y, x = rows.independent(ratio)
    orthogonal, triangle = np.linalg.qr(x)
    rest = y - orthogonal @ (orthogonal.T @ y)
    degrees = len(y) - x.shape[1]
    variance = max(float(np.square(rest).sum()) / degrees, 1e-300)
    spread = float(np.log1p(ratio * rows.total()).sum())
    return float(degrees * np.log(variance) + spread + 2 * np.log(np.abs(np.diag(triangle))).sum())


def _effects(
    rows: GroupedRows, labels: npt.NDArray[np.str_], residuals: Floats, ratio: float, variance: float
) -> dict[str, tuple[float, float]]:
    """Best linear unbiased prediction of each group's effect, and the variance it is known to."""
    total = rows.total()
    mean = np.bincount(rows.codes, weights=np.square(rows.root) * residuals) / total
    share = ratio * total / (1.0 + ratio * total)
    pairs = zip(share * mean, ratio * variance * (1.0 - share), strict=True)
    return {str(label): (float(effect), float(spread)) for label, (effect, spread) in zip(labels, pairs, strict=True)}


def _findings(ratio: float, name: str) -> tuple[Finding, ...]:
    if ratio > 0:
        return ()
    text = f"rows of different {name} differ no more than rows of the same {name}: the random intercept is zero"
    return (Finding(guard="mixed", severity="note", text=text, remedy="--method ols says the same"),)
