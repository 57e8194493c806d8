"""Nonlinear least squares: laws such as ``t = a + b / cores``, from given or from searched start values."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from importlib import import_module
from typing import Any

import numpy as np
import numpy.typing as npt

from perfmodel.errors import InputError
from perfmodel.regression.design import Design
from perfmodel.regression.estimators import Estimate, heard
from perfmodel.regression.formula import Formula
from perfmodel.regression.laws import Law
from perfmodel.regression.matrix import forward, law, rank_of, scaled, usable_rows

Floats = npt.NDArray[np.float64]

_CANDIDATES, _POLISHED = 400, 8
_TOLERANCE = 1e-14


def law_design(formula: Formula, frame: Any, weights: Floats) -> Design:
    """Rows of a law; the matrix is empty until the parameters are known.

    Raises
    ------
    InputError
        When there are too few rows for the parameters.
    """
    keep = usable_rows(formula, frame)
    part = frame[keep]
    if len(part) <= len(formula.parameters):
        raise InputError(
            f"{len(part)} rows cannot tell {len(formula.parameters)} parameters ({', '.join(formula.parameters)})",
            f"measure more than {len(formula.parameters)} rows",
        )
    if not formula.parameters:
        raise InputError(f"{formula.text!r} has no parameter to fit", "names that are no variables are parameters")
    return Design(
        formula=formula.text, response=formula.response,
        y=forward(formula.transform, part[formula.measured].to_numpy(dtype=np.float64)),
        x=np.zeros((len(part), len(formula.parameters))), names=formula.parameters,
        terms={name: (at,) for at, name in enumerate(formula.parameters)}, frame=part,
        rows=part.index.to_numpy(dtype=np.intp), weights=weights[keep],
    )  # fmt: skip


def nonlinear(formula: Formula, design: Design, *, start: Mapping[str, float] | None = None) -> tuple[Design, Estimate]:
    """Fit a law.

    Parameters
    ----------
    formula : Formula
    design : Design
        From `law_design`.
    start : mapping of str to float, optional
        Start values. Without them, parameters that enter linearly are solved for, the others are drawn over many
        orders of magnitude, and the best of these are improved.

    Returns
    -------
    design : Design
        With the Jacobian at the solution as its matrix.
    estimate : Estimate

    Raises
    ------
    InputError
        When no start leads to finite values, or the rows cannot tell the parameters apart.
    """
    model = law(formula, design.frame)
    root = np.sqrt(design.weights)
    starts = [_given(formula, start)] if start else _starts(model, formula, design.y, root)
    solutions = [_improved(model, design.y, root, point) for point in starts]
    finite = [one for one in solutions if one is not None]
    if not finite:
        raise InputError(
            f"no values of {', '.join(formula.parameters)} make {formula.right!r} finite", "give start values"
        )
    best, _ = min(finite, key=lambda one: one[1])
    best = _polished(model, design.y, root, best)
    fitted = replace(design, x=model.jacobian(best))
    return fitted, _estimate(fitted, best, design.y - model(best), formula)


def _given(formula: Formula, start: Mapping[str, float]) -> Floats:
    for name in (*start, *formula.parameters):
        if name not in formula.parameters:
            raise InputError(f"{name!r} is no parameter of the law", f"it has {', '.join(formula.parameters)}")
        if name not in start:
            raise InputError(f"no start value for {name!r}", "give one for every parameter, or none at all")
    return np.array([float(start[name]) for name in formula.parameters])


def _improved(model: Law, y: Floats, root: Floats, point: Floats) -> tuple[Floats, float] | None:
    """Levenberg-Marquardt from a start: parameters and sum of squares; None where the law is not finite."""
    size = float(np.sqrt(np.mean(np.square(root * y)))) or 1.0

    def residuals(values: Floats) -> Floats:
        found = root * (model(values) - y) / size
        return np.where(np.isfinite(found), found, 1e6)

    def slopes(values: Floats) -> Floats:
        found = root[:, None] * model.jacobian(values) / size
        return np.where(np.isfinite(found), found, 0.0)

    if not np.isfinite(model(point)).all():
        return None
    optimise = import_module("scipy.optimize").least_squares
    with heard([]):
        options = {"xtol": _TOLERANCE, "ftol": _TOLERANCE, "gtol": _TOLERANCE, "max_nfev": 3000}
        found = optimise(residuals, point, jac=slopes, method="lm", x_scale="jac", **options)
        again = optimise(residuals, found.x, jac=slopes, method="lm", x_scale="jac", **options)
    best = min((found, again), key=lambda one: one.cost)
    return (np.asarray(best.x), float(best.cost)) if np.isfinite(model(best.x)).all() else None


def _polished(model: Law, y: Floats, root: Floats, best: Floats) -> Floats:
    """A few Gauss-Newton steps at the solution, for its last digits."""

    def misfit(values: Floats) -> float:
        return float(np.square(root * (y - model(values))).sum())

    for _ in range(4):
        x, length = scaled(root[:, None] * model.jacobian(best))
        with np.errstate(all="ignore"):
            step = np.linalg.lstsq(x, root * (y - model(best)), rcond=None)[0] / length
            better = misfit(best + step) <= misfit(best) * (1 + 1e-12)
        if not better:
            break
        best = best + step
    return best


def _starts(model: Law, formula: Formula, y: Floats, root: Floats) -> list[Floats]:
    """Good starts among many drawn ones."""
    with np.errstate(all="ignore"):
        return _best_draws(model, len(formula.parameters), y, root)


def _best_draws(model: Law, count: int, y: Floats, root: Floats) -> list[Floats]:
    random = np.random.default_rng(20240229)
    inner = _linear_parameters(model, count, random)
    outer = np.setdiff1d(np.arange(count), inner)
    scored = []
    for draw in range(_CANDIDATES if len(outer) else 1):
        point = np.ones(count)
        if len(outer):
            size = 10.0 ** random.uniform(-4, 2 if draw % 2 else 0.7, len(outer))
            point[outer] = size * np.where(random.random(len(outer)) < 0.7, 1, -1)
        solved = _solved(model, y, root, point, inner)
        misfit = float(np.square(root * (model(solved) - y)).sum())
        if np.isfinite(misfit):
            scored.append((misfit, draw, solved))
    return [point for _, _, point in sorted(scored, key=lambda one: one[:2])[:_POLISHED]]


def _linear_parameters(model: Law, count: int, random: np.random.Generator) -> npt.NDArray[np.intp]:
    """Parameters in which the law is linear together, so that they need no start value."""
    chosen: list[int] = []
    for candidate in range(count):
        trial = np.array([*chosen, candidate])
        if all(_is_affine(model, count, trial, random) for _ in range(4)):
            chosen.append(candidate)
    return np.array(chosen, dtype=np.intp)


def _is_affine(model: Law, count: int, along: npt.NDArray[np.intp], random: np.random.Generator) -> bool:
    first = 10.0 ** random.uniform(-2, 0, count)
    second = first.copy()
    second[along] = random.normal(size=len(along))
    half = np.where(np.isin(np.arange(count), along), (first + second) / 2, first)
    ends, middle = (model(first) + model(second)) / 2, model(half)
    size = np.abs(model(first)) + np.abs(model(second)) + np.abs(middle)
    bound = 1e-10 * size
    return bool(np.isfinite(size).all() and (np.abs(ends - middle) <= bound).all())


def _solved(model: Law, y: Floats, root: Floats, point: Floats, inner: npt.NDArray[np.intp]) -> Floats:
    """Put the best values of the linear parameters into a point."""
    if not len(inner):
        return point
    base = point.copy()
    base[inner] = 0.0
    rest, slopes = model(base), model.jacobian(base)[:, inner]
    if not (np.isfinite(rest).all() and np.isfinite(slopes).all()):
        return point
    x, length = scaled(root[:, None] * slopes)
    base[inner] = np.linalg.lstsq(x, root * (y - rest), rcond=None)[0] / length
    return base


def _estimate(design: Design, best: Floats, residuals: Floats, formula: Formula) -> Estimate:
    """Standard errors from the Jacobian at the solution (Bates and Watts 1988)."""
    root = np.sqrt(design.weights)
    if rank_of(root[:, None] * design.x) < len(best):
        raise InputError(
            f"these rows cannot tell the parameters {', '.join(_tangled(design))} apart",
            f"leave one out, or measure rows in which {', '.join(formula.names) or 'the variables'} vary more",
        )
    degrees = float(len(design.y) - len(best))
    variance = float(np.square(root * residuals).sum() / degrees)
    x, length = scaled(root[:, None] * design.x)
    triangle = np.linalg.qr(x, mode="r")
    inverse = np.linalg.inv(triangle)
    total = float((design.weights * np.square(design.y - np.average(design.y, weights=design.weights))).sum())
    return Estimate(
        coefficients=best, covariance=inverse @ inverse.T * variance / np.outer(length, length), residuals=residuals,
        residual_sd=float(np.sqrt(variance)), degrees=degrees, residual_degrees=degrees,
        r_squared=1.0 - variance * degrees / total if total > 0 else 0.0,
        errors="from the law's derivatives at the solution",
    )  # fmt: skip


def _tangled(design: Design) -> list[str]:
    """Parameters that take part in the direction which the rows do not fix."""
    x = scaled(design.x)[0]
    direction = np.abs(np.linalg.svd(x, full_matrices=True)[2][-1])
    return [name for name, share in zip(design.names, direction, strict=True) if share > 0.1]
