"""Where the guards are asked: before the design, on the design, on the fit, on a prediction."""

from __future__ import annotations

from importlib import import_module
from importlib.util import find_spec
from typing import Any

import numpy as np
import numpy.typing as npt

from perfmodel.errors import InputError
from perfmodel.regression.design import Design, Finding
from perfmodel.regression.estimating import group_labels
from perfmodel.regression.matrix import scaled

Floats = npt.NDArray[np.float64]
_ORDER = {"refuse": 0, "warning": 1, "note": 2}


def _guards() -> Any:
    name = "perfmodel.regression.guards"
    return import_module(name) if find_spec(name) else None


def rows_checked(frame: Any, response: str) -> tuple[npt.NDArray[np.bool_], Floats, tuple[Finding, ...]]:
    """Which rows to keep (n,), the weight of each (n,), and what was found in them."""
    guards = _guards()
    if guards is None:
        return np.ones(len(frame), dtype=bool), np.ones(len(frame)), ()
    found = guards.check_rows(frame, response)
    return np.asarray(found.keep, dtype=bool), np.asarray(found.weights, dtype=np.float64), tuple(found.findings)


def design_checked(design: Design) -> tuple[Finding, ...]:
    """What is wrong with a design: rank, aliases, few groups, near aliases."""
    guards = _guards()
    return () if guards is None else tuple(guards.check_design(design))


def fit_checked(design: Design, residuals: Floats) -> tuple[Finding, ...]:
    """What the residuals show: influential rows, unequal spread."""
    guards = _guards()
    if guards is None:
        return ()
    groups = group_labels(design, "gpu") if "gpu" in design.frame else None
    return tuple(guards.check_fit(design, residuals, leverage(design), groups))


def leverage(design: Design) -> Floats:
    """Weight of each row's own response in its fitted value, array (n,): the diagonal of the hat matrix."""
    root = np.sqrt(design.weights)
    orthogonal = np.linalg.qr(scaled(design.x * root[:, None])[0])[0]
    return np.asarray(np.square(orthogonal).sum(axis=1))


def extrapolation(design: Design, frame: Any) -> tuple[Finding, ...]:
    """What lies outside of the fitted rows in rows to predict."""
    guards = _guards()
    if guards is None:
        return ()
    found = guards.check_extrapolation(design, frame)
    if found is None:
        return ()
    return (found,) if isinstance(found, Finding) else tuple(one for one in found if one is not None)


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
    return tuple(sorted(reversed(seen.values()), key=lambda one: _ORDER[one.severity]))
