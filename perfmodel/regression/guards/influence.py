"""Rows and cards on which a fit rests: Cook's distance, DFBETAS, and leaving a card out."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from perfmodel.regression.design import Design, Finding, Floats
from perfmodel.regression.guards.cells import members, texts
from perfmodel.regression.guards.rank import independent
from perfmodel.regression.guards.words import listed, number, rows_of

#: A coefficient that changes by more than its standard error without one row or card.
CHANGE = 1.0
#: Chance, over all cards and columns, that a card is named though it is like the others.
ALPHA = 0.01
#: Rows named at most.
MOST = 5
#: Rows beyond the columns from which a single row can be judged.
LEAST_FREE = 4


@dataclass(frozen=True, kw_only=True)
class Influence:
    """Influence of n rows on p coefficients.

    Attributes
    ----------
    leverage, cook : array (n,)
        Diagonal of the hat matrix; Cook's distance (Cook 1977).
    dfbetas : array (n, p)
        Change of each coefficient without the row over its standard error (Belsley, Kuh and Welsch 1980, 2.4).
    distance : array (n,)
        Distance of each row from what the others say, over its standard error: t with n - p - 1 degrees of freedom
        (externally studentised residual).
    """

    leverage: Floats
    cook: Floats
    dfbetas: Floats
    distance: Floats


def row_influence(design: Design, residuals: Floats, leverage: Floats | None = None) -> Influence:
    """Return the influence of each row of a (weighted) least-squares fit.

    Parameters
    ----------
    design : Design
    residuals : array (n,)
        Response minus fitted, not weighted.
    leverage : array (n,), optional
        Where it is known already.
    """
    x, e, n, p = _weighted(design, residuals)
    q, r = np.linalg.qr(x)
    own: Floats = (q**2).sum(axis=1) if leverage is None else leverage
    h = np.clip(own, 0.0, 1.0 - 1e-10)
    rss = float(e @ e)
    freedom = max(n - p, 1)
    cook = e**2 / (p * max(rss / freedom, 1e-300)) * h / (1.0 - h) ** 2
    without = np.maximum(rss - e**2 / (1.0 - h), 0.0) / max(n - p - 1, 1)
    inverse = np.linalg.inv(r)
    change = (q @ inverse.T) * (e / (1.0 - h))[:, None]
    scale = np.sqrt(np.maximum(without, 1e-300))[:, None] * np.sqrt((inverse**2).sum(axis=1))
    distance = e / np.sqrt(np.maximum(without, 1e-300) * (1.0 - h))
    return Influence(leverage=own, cook=cook, dfbetas=change / scale, distance=distance)


def _rare(n: int, p: int) -> float:
    """Distance that sound rows exceed in one table of a hundred (Bonferroni over rows)."""
    from scipy.stats import t

    return float(t.ppf(1.0 - ALPHA / (2 * n), n - p - 1))


def check_rows_influence(design: Design, residuals: Floats, leverage: Floats | None = None) -> tuple[Finding, ...]:
    """Warn of rows on which the fit rests.

    Their Cook's distance lies above the median of F(p, n - p), or they move a coefficient by more than its standard
    error, and they contradict the others by more than chance allows. Silent where fewer rows than `LEAST_FREE` are
    free: each of so few decides a fit.
    """
    n, p = design.x.shape
    if n <= p + LEAST_FREE or not independent(design.x).all() or _negligible(design, residuals):
        return ()
    from scipy.stats import f

    found = row_influence(design, residuals, leverage)
    limit = float(f.ppf(0.5, p, n - p))
    size = np.abs(found.dfbetas).max(axis=1)
    rows = np.flatnonzero(((found.cook > limit) | (size > CHANGE)) & (np.abs(found.distance) > _rare(n, p)))
    rows = rows[np.argsort(-np.maximum(found.cook[rows] / limit, size[rows] / CHANGE))]
    if not len(rows):
        return ()
    worst = int(rows[0])
    column = int(np.argmax(np.abs(found.dfbetas[worst])))
    index = tuple(int(design.rows[at]) for at in rows)
    card = texts(design.frame, "gpu")[worst]
    return (
        Finding(
            guard="influence",
            severity="warning",
            text=f"{rows_of(index[:MOST])}{f' and {len(index) - MOST} more' if len(index) > MOST else ''} "
            f"decide{'s' if len(index) == 1 else ''} the fit: without row {index[0] + 1}{f' ({card})' if card else ''} "
            f"{design.names[column]} changes by {number(abs(float(found.dfbetas[worst, column])))} standard errors "
            f"(Cook's distance {number(float(found.cook[worst]))})",
            remedy="check these rows against their log; method='robust' counts them for less",
            columns=(design.names[column],),
            rows=index,
        ),
    )


def check_group_influence(
    design: Design, residuals: Floats, groups: npt.NDArray[Any], *, noun: str = "card", errors: Floats | None = None
) -> tuple[Finding, ...]:
    """Warn of cards without which a coefficient changes by more than its standard error and more than chance allows.

    The change is judged by its own standard deviation under equal cards (Hausman 1978: the variance of the change is
    the difference of the variances), with Bonferroni's bound over cards and columns. Where `errors` (p,) are the fit's
    standard errors, which hold the spread between cards, both are judged by these.
    """
    x, e, n, p = _weighted(design, residuals)
    names = np.unique(groups)
    if len(names) < 2 or n <= p or not independent(design.x).all() or _negligible(design, residuals):
        return ()
    variance = float(e @ e) / (n - p)
    inverse = np.linalg.inv(x.T @ x)
    plain = np.sqrt(variance * np.diag(inverse))
    error = plain if errors is None else np.maximum(plain, errors)
    alone: list[tuple[str, str]] = []
    moved: list[tuple[float, str, str, float]] = []
    for name, rows in members(groups):
        rest = np.delete(x, rows, axis=0)
        if not independent(rest).all():
            alone += [(design.names[at], str(name)) for at in np.flatnonzero(~independent(rest))]
            continue
        other = np.linalg.inv(rest.T @ rest)
        change = -other @ (x[rows].T @ e[rows])
        spread = np.sqrt(np.maximum(variance * np.diag(other - inverse), 1e-300)) * (error / plain)
        ratio = np.abs(change) / error
        named = (ratio > CHANGE) & (np.abs(change) / spread > _bound(len(names) * p))
        if named.any():
            at = int(np.argmax(np.where(named, ratio, 0.0)))
            moved.append((float(ratio[at]), str(name), design.names[at], float(change[at])))
    return (*_alone(alone, noun), *_moved(design, moved, noun))


def _bound(tests: int) -> float:
    from scipy.stats import norm

    return float(norm.ppf(1.0 - ALPHA / (2 * tests)))


def _moved(design: Design, moved: list[tuple[float, str, str, float]], noun: str) -> tuple[Finding, ...]:
    if not moved:
        return ()
    moved.sort(reverse=True)
    told = listed((f"without {name} {column} changes by {number(change)} ({number(ratio)} standard errors)"
                   for ratio, name, column, change in moved), most=3)  # fmt: skip
    return (
        Finding(
            guard="group-influence",
            severity="warning",
            text=f"the fit rests on single {noun}s: {told}",
            remedy=f"judge it by cross-validation over {noun}s; measure more {noun}s like "
            f"{listed(one[1] for one in moved)}",
            columns=tuple(dict.fromkeys(one[2] for one in moved)),
        ),
    )


def _alone(alone: list[tuple[str, str]], noun: str) -> tuple[Finding, ...]:
    # Columns that stand for the groups themselves (gpu[T.v100]) are each known from one group, or against the base.
    shown = [(column, name) for column, name in alone if not column.startswith("gpu[")]
    if not shown:
        return ()
    column, name = shown[0]
    return (
        Finding(
            guard="group-influence",
            severity="warning",
            text=f"{column} is known from {name} alone: without it the column cannot be told from the others",
            remedy=f"measure another {noun} that differs in it",
            columns=tuple(dict.fromkeys(one for one, _ in shown)),
        ),
    )


def _weighted(design: Design, residuals: Floats) -> tuple[Floats, Floats, int, int]:
    n, p = design.x.shape
    root = np.sqrt(design.weights if len(design.weights) else np.ones(n))
    return design.x * root[:, None], residuals * root, n, p


def _negligible(design: Design, residuals: Floats) -> bool:
    """Whether the residuals are rounding: an exact fit has no influential rows."""
    return bool(np.abs(residuals).max() <= 1e-9 * max(float(np.abs(design.y).max()), 1e-300))
