"""Guards: what a regression refuses, warns of and puts right, with the reason and the remedy in words.

`check_rows` before a design is made, `check_design` before it is fitted, `check_fit` after, `check_extrapolation` when
it predicts; `identifiable` for presets. docs/guards.md lists each guard.
"""

from __future__ import annotations

from typing import Any

import numpy.typing as npt

from perfmodel.regression.design import Design, Finding, Floats
from perfmodel.regression.guards.collinearity import check_collinearity
from perfmodel.regression.guards.extrapolation import check_extrapolation
from perfmodel.regression.guards.groups import check_groups
from perfmodel.regression.guards.identifiable import identifiable, part_of
from perfmodel.regression.guards.influence import check_group_influence, check_rows_influence
from perfmodel.regression.guards.rank import check_rank
from perfmodel.regression.guards.rows import RowChecks, check_rows
from perfmodel.regression.guards.variance import check_variance, variance_weights

__all__ = [
    "RowChecks",
    "check_design",
    "check_extrapolation",
    "check_fit",
    "check_groups",
    "check_rows",
    "identifiable",
    "part_of",
    "variance_weights",
]


def check_design(design: Design) -> tuple[Finding, ...]:
    """Check a design before it is fitted: rank and aliasing, too few cards, columns that move together."""
    found = (*check_rank(design), *check_groups(design))
    if any(one.severity == "refuse" for one in found):
        return found
    return (*found, *check_collinearity(design))


def check_fit(
    design: Design,
    residuals: Floats,
    leverage: Floats | None = None,
    groups: npt.NDArray[Any] | None = None,
    errors: Floats | None = None,
    *,
    noun: str = "card",
) -> tuple[Finding, ...]:
    """Check a fit: rows and groups on which it rests, and the spread of its residuals.

    Parameters
    ----------
    design : Design
    residuals : array (n,)
        Response minus fitted, not weighted.
    leverage : array (n,), optional
        Diagonal of the hat matrix, where known.
    groups : array (n,), optional
        Group of each row, such as its card.
    errors : array (p,), optional
        Standard errors of the coefficients that hold the spread between cards.
    noun : str
        What a group is.
    """
    found = check_rows_influence(design, residuals, leverage)
    if groups is not None:
        found += check_group_influence(design, residuals, groups, noun=noun, errors=errors)
    return (*found, *check_variance(design, residuals, groups))
