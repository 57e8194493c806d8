"""Where the guards are asked: before the design, on the design, on the fit, on a prediction."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from perfmodel.errors import InputError
from perfmodel.regression import guards
from perfmodel.regression.design import Design, Finding
from perfmodel.regression.estimating import group_labels
from perfmodel.regression.matrix import scaled

Floats = npt.NDArray[np.float64]
_ORDER = {"refuse": 0, "warning": 1, "note": 2}


def rows_checked(frame: Any, response: str, names: Sequence[str] = ()) -> tuple[Any, Floats, tuple[Finding, ...]]:
    """Rows to keep with their variables put right (m rows), the weight of each (m,), and what was found in them.

    Raises
    ------
    InputError
        When the rows mean different things.
    """
    found = guards.check_rows(frame, response, names)
    refuse(found.findings)
    return found.apply(frame)[found.keep], found.weights[found.keep], found.findings


def design_checked(design: Design) -> tuple[Finding, ...]:
    """What is wrong with a design: rank, aliases, few cards, near aliases.

    Raises
    ------
    InputError
        When the design is not identifiable.
    """
    found = guards.check_design(design)
    refuse(found)
    return found


def law_checked(design: Design) -> tuple[Finding, ...]:
    """Whether there are cards enough for the parameters of a law; its columns are the derivatives at the solution.

    Raises
    ------
    InputError
        When the cards cannot tell them.
    """
    found = guards.check_groups(design)
    refuse(found)
    return found


def fit_checked(design: Design, residuals: Floats, errors: Floats | None = None) -> tuple[Finding, ...]:
    """What the residuals show: influential rows and cards, unequal spread; `errors` (p,) of the coefficients."""
    groups = group_labels(design, "gpu") if "gpu" in design.frame and design.frame["gpu"].nunique() > 1 else None
    return guards.check_fit(design, residuals, leverage(design), groups, errors)


def leverage(design: Design) -> Floats:
    """Weight of each row's own response in its fitted value, array (n,): the diagonal of the hat matrix."""
    root = np.sqrt(design.weights)
    orthogonal = np.linalg.qr(scaled(design.x * root[:, None])[0])[0]
    return np.asarray(np.square(orthogonal).sum(axis=1))


def refuse(findings: tuple[Finding, ...]) -> None:
    """Raise the first finding that refuses.

    Raises
    ------
    InputError
    """
    for finding in findings:
        if finding.severity == "refuse":
            raise InputError(finding.text, finding.remedy)


def ordered(findings: tuple[Finding, ...]) -> tuple[Finding, ...]:
    """Findings with the serious ones first, each once."""
    seen = {(one.guard, one.text): one for one in reversed(findings)}
    first = list(reversed(seen.values()))
    return tuple(sorted(first, key=lambda one: _ORDER[one.severity]))
