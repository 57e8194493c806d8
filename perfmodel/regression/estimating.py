"""One fit of one formula to one set of rows: the design, the estimator, and refusal of what cannot be estimated."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from perfmodel.errors import InputError
from perfmodel.regression.design import Design, Finding
from perfmodel.regression.estimators import FEWEST_CLUSTERS, Estimate, least_squares, quantile, robust
from perfmodel.regression.few_cards import spread_between_cards
from perfmodel.regression.formula import Formula
from perfmodel.regression.guards.groups import card_parameters
from perfmodel.regression.guards.suggestions import spec_columns
from perfmodel.regression.matrix import Levels, make_design, rank_of
from perfmodel.regression.mixed import mixed
from perfmodel.regression.nonlinear import law_design, nonlinear
from perfmodel.regression.vocabulary import BY_NAME

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True, kw_only=True)
class Options:
    """How a formula is fitted.

    Attributes
    ----------
    method : str
        One of `estimators.METHODS`.
    group : str or None
        Variable whose values share a random intercept.
    quantile : float
        Of quantile regression.
    start : mapping of str to float
        Start values of a law's parameters; empty to search for them.
    """

    method: str = "ols"
    group: str | None = None
    quantile: float = 0.5
    start: Mapping[str, float] = field(default_factory=dict)


def design_for(formula: Formula, frame: Any, weights: Floats) -> tuple[Design, Levels, tuple[Finding, ...]]:
    """Rows and matrix of a formula of either kind."""
    if formula.nonlinear:
        from perfmodel.regression.matrix import left_out, usable_rows

        return law_design(formula, frame, weights), {}, left_out(formula, frame, usable_rows(formula, frame))
    return make_design(formula, frame, weights)


def estimate(formula: Formula, design: Design, options: Options) -> tuple[Design, Estimate]:
    """Fit a design.

    Returns
    -------
    design : Design
        The same one; of a law with the Jacobian at the solution as its matrix.
    estimate : Estimate

    Raises
    ------
    InputError
        When there are too few rows, or the columns cannot be told apart.
    """
    if formula.nonlinear:
        design, found = nonlinear(formula, design, start=options.start)
    else:
        check_rank(design)
        found = _linear(formula, design, options)
    cards = _clusters(formula, design)
    if cards is None or options.method == "mixed":
        return design, found
    if options.method in ("ols", "wls") and len(set(cards)) >= FEWEST_CLUSTERS:
        return design, found
    return design, spread_between_cards(
        design, found, cards, _figures(formula, design), transform=formula.transform,
        parted=options.method != "quantile",
    )  # fmt: skip


def _linear(formula: Formula, design: Design, options: Options) -> Estimate:
    if options.method == "robust":
        return robust(design)
    if options.method == "quantile":
        return quantile(design, options.quantile)
    if options.method == "mixed":
        assert options.group is not None
        return mixed(design, group_labels(design, options.group), options.group)
    return least_squares(design, clusters=_clusters(formula, design))


def _figures(formula: Formula, design: Design) -> int:
    """Columns that only cards tell: figures of the card; of a law at least a parameter for each figure in it."""
    if not formula.nonlinear:
        return len(spec_columns(design))
    named = sum(name in BY_NAME and BY_NAME[name].level == "gpu" and name != "gpu" for name in formula.names)
    return max(len(card_parameters(design)), min(named, len(formula.parameters) - 1))


def check_rank(design: Design) -> None:
    """Refuse a design whose columns are not independent, or that has as many columns as rows."""
    count, width = design.x.shape
    if count <= width:
        raise InputError(
            f"{count} row{'s' * (count != 1)} cannot tell {width} coefficients ({', '.join(design.names[:8])})",
            "measure more rows or name fewer terms",
        )
    if rank_of(design.x) < width:
        column, others = aliased_column(design)
        raise InputError(
            f"{column} follows from {' and '.join(others) or 'the others'} in these rows, so that their effects "
            "cannot be told apart",
            f"leave {column} out, or add rows in which it differs",
        )


def aliased_column(design: Design) -> tuple[str, list[str]]:
    """Return the first column that those before it determine, and the ones that do."""
    for at in range(design.x.shape[1]):
        if rank_of(design.x[:, : at + 1]) <= at:
            return design.names[at], determining(design.x[:, :at], design.x[:, at], design.names)
    return design.names[-1], []


def determining(x: Floats, column: Floats, names: tuple[str, ...]) -> list[str]:
    """Names of the columns of `x` whose combination is `column`, the intercept left out."""
    length = np.sqrt(np.square(x).sum(axis=0))
    length = np.where(length > 0, length, 1.0)
    solved = np.linalg.lstsq(x / length, column, rcond=None)[0]
    share = np.abs(solved) / max(float(np.sqrt(np.square(column).sum())), 1e-300)
    return [name for name, part in zip(names, share, strict=False) if part > 1e-6 and name != "Intercept"]


def group_labels(design: Design, group: str) -> npt.NDArray[np.object_]:
    """Each row's group as text, shape (n,)."""
    column = design.frame[group]
    return np.array([f"{v:g}" if isinstance(v, float) else str(v) for v in column], dtype=object)


def _clusters(formula: Formula, design: Design) -> npt.NDArray[np.object_] | None:
    """Cards of the rows, where the formula has figures of the card; else None."""
    spec = [name for name in formula.names if name in BY_NAME and BY_NAME[name].level == "gpu" and name != "gpu"]
    if not spec or "gpu" not in design.frame:
        return None
    cards = group_labels(design, "gpu")
    return cards if any(cards) else None
