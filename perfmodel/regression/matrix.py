"""From a formula and the variables of rows to a design matrix, the same for the rows fitted and for new ones."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib import import_module
from typing import Any

import numpy as np
import numpy.typing as npt

from perfmodel.errors import InputError, TableError
from perfmodel.regression.design import Design, Finding
from perfmodel.regression.formula import FUNCTIONS, Formula
from perfmodel.regression.laws import Law

Floats = npt.NDArray[np.float64]
Levels = Mapping[str, tuple[str, ...]]

#: Most levels of a factor: more are better told by numbers, or by a random intercept, and take minutes.
_MOST_LEVELS = 250
#: Most columns of a design.
_WIDEST = 400
_FORWARD: Mapping[str, Callable[[Floats], Any]] = {
    "": lambda y: y,
    "log": np.log,
    "log2": np.log2,
    "log10": np.log10,
    "sqrt": np.sqrt,
}
_BACK: Mapping[str, Callable[[Floats], Any]] = {
    "": lambda y: y,
    "log": np.exp,
    "log2": np.exp2,
    "log10": lambda y: np.power(10.0, y),
    "sqrt": np.square,
}


@dataclass(frozen=True)
class Matrix:
    """Columns of a right-hand side at n rows: array (n, p), their p names, and each term's columns."""

    x: Floats
    names: tuple[str, ...]
    terms: Mapping[str, tuple[int, ...]]


def forward(transform: str, times: Floats) -> Floats:
    """Apply the response's transform; NaN where it has no value."""
    with np.errstate(all="ignore"):
        return np.asarray(_FORWARD[transform](times), dtype=np.float64)


def back(transform: str, values: Floats) -> Floats:
    """Undo the response's transform: the median of a log response becomes the median of the times."""
    with np.errstate(over="ignore"):
        inner = np.maximum(values, 0.0) if transform == "sqrt" else values
        return np.asarray(_BACK[transform](inner), dtype=np.float64)


def is_factor(formula: Formula, frame: Any, name: str) -> bool:
    """Whether a variable of a formula is a factor: words, or a number in ``C(...)``."""
    return name in formula.factors or frame[name].dtype.kind not in "fiub"


def make_design(formula: Formula, frame: Any, weights: Floats) -> tuple[Design, Levels, tuple[Finding, ...]]:
    """Build the design of a linear formula from the rows that have all of its variables.

    Parameters
    ----------
    formula : Formula
    frame : pandas.DataFrame (n rows)
        Variables, index = row in the table.
    weights : array (n,)

    Returns
    -------
    design : Design
    levels : mapping of str to tuple of str
        Levels of each factor, the first one the base.
    findings : tuple of Finding
        Rows that were left out.

    Raises
    ------
    InputError
        When no row has all variables, or a factor has one level.
    """
    keep = usable_rows(formula, frame)
    matrix, levels = None, {}
    while matrix is None:
        part = frame[keep]
        _check_some(formula, frame, keep)
        levels = factor_levels(formula, part)
        matrix = _checked_matrix(formula, part, levels)
        finite = np.isfinite(matrix.x).all(axis=1)
        if not finite.all():
            keep[np.flatnonzero(keep)[~finite]] = False
            matrix = None
    design = Design(
        formula=formula.text, response=formula.response,
        y=forward(formula.transform, part[formula.measured].to_numpy(dtype=np.float64)),
        x=matrix.x, names=matrix.names, terms=matrix.terms, frame=part,
        rows=part.index.to_numpy(dtype=np.intp), weights=weights[keep],
    )  # fmt: skip
    return design, levels, left_out(formula, frame, keep)


def usable_rows(formula: Formula, frame: Any) -> npt.NDArray[np.bool_]:
    """Rows that have a measured time and every variable, bool array (n,)."""
    keep = np.isfinite(forward(formula.transform, _numbers(frame, formula.measured)))
    for name in formula.names:
        keep &= known_values(frame, name)
    return keep


def known_values(frame: Any, name: str) -> npt.NDArray[np.bool_]:
    """Rows in which a variable is known, bool array (n,)."""
    column = frame[name]
    if column.dtype.kind in "fiub":
        return np.asarray(np.isfinite(column.to_numpy(dtype=np.float64)))
    return np.asarray(column.notna() & (column.astype(str).str.strip() != ""), dtype=bool)


def _numbers(frame: Any, name: str) -> Floats:
    if frame[name].dtype.kind not in "fiub":
        raise InputError(f"{name} holds text where a number is needed", f"correct that column, or leave {name} out")
    return np.asarray(frame[name].to_numpy(dtype=np.float64))


def _check_some(formula: Formula, frame: Any, keep: npt.NDArray[np.bool_]) -> None:
    """Say which variable is to blame when no row is left."""
    if keep.any():
        return
    if not np.isfinite(forward(formula.transform, _numbers(frame, formula.measured))).any():
        what = "is no finite number" + (" above 0" if formula.transform else "")
        raise TableError(f"{formula.measured} {what} in any of the {len(frame)} rows", "check that column")
    empty = [name for name in formula.names if not known_values(frame, name).any()]
    if empty:
        known = "the column is missing or empty; give it with --set NAME=VALUE or leave it out"
        raise InputError(f"{empty[0]} is known in none of the {len(frame)} rows", known)
    raise InputError("no row has all variables of the formula", f"it needs {', '.join(formula.names)} in one row")


def factor_levels(formula: Formula, frame: Any) -> dict[str, tuple[str, ...]]:
    """Levels of each factor in the rows of `frame`, in alphabetical or numerical order."""
    return {
        name: tuple(sorted(set(level_text(frame[name])), key=_level_order))
        for name in formula.names
        if is_factor(formula, frame, name)
    }


def level_text(column: Any) -> list[str]:
    """Return a column's cells as the levels of a factor."""
    if column.dtype.kind in "fiub":
        return [f"{value:.12g}" for value in column.to_numpy(dtype=np.float64)]
    return [str(value) for value in column]


def _level_order(text: str) -> tuple[float, str]:
    try:
        return float(text), ""
    except ValueError:
        return np.inf, text


def _checked_matrix(formula: Formula, frame: Any, levels: Levels) -> Matrix:
    single = [name for name, found in levels.items() if len(found) == 1]
    if single:
        raise InputError(
            f"{single[0]} has one value in all {len(frame)} rows ({levels[single[0]][0]}), so it has no effect to fit",
            f"leave it out of the formula, or add rows with another {single[0]}",
        )
    matrix = linear_matrix(formula, frame, levels)
    if not matrix.names:
        raise InputError(f"{formula.text!r} has no column to fit", "name a variable, or 1 for a constant")
    return matrix


def linear_matrix(formula: Formula, frame: Any, levels: Levels) -> Matrix:
    """Columns of a linear formula at the rows of `frame`.

    Their number, order and meaning depend on the formula and the levels only, never on the rows.

    Raises
    ------
    InputError
        When a factor has a level that is not among `levels`, or patsy cannot read the formula.
    """
    patsy = import_module("patsy")
    functions = {name: getattr(np, name) for name in FUNCTIONS}
    _check_width(formula.right, levels)
    try:
        with np.errstate(all="ignore"):
            made = patsy.dmatrix(
                formula.right, _patsy_data(formula, frame, levels), eval_env=patsy.EvalEnvironment([functions]),
                NA_action=patsy.NAAction(on_NA="drop", NA_types=[]),
            )  # fmt: skip
    except patsy.PatsyError as error:
        raise InputError(
            f"cannot read {formula.right!r}: {str(error).splitlines()[0]}", "see docs/regression.md"
        ) from None
    info = made.design_info
    x = np.asarray(made, dtype=np.float64)
    terms = {name: tuple(range(part.start, part.stop)) for name, part in info.term_name_slices.items()}
    return Matrix(x, tuple(info.column_names), terms)


def bare_name(column: str) -> str:
    """Return the variable of ``C(blocks)`` or ``Q("name")``, and any other text as it is."""
    found = re.fullmatch(r"(?:C\(|Q\([\"'])(.+?)[\"']?\)", column)
    return found[1] if found else column


def _check_width(right: str, levels: Levels) -> None:
    for name, found in levels.items():
        if len(found) > _MOST_LEVELS:
            raise InputError(
                f"{name} has {len(found)} different values, which is too many for a factor",
                f"make it a random intercept (--group {name}), or use what the values stand for",
            )
    patsy = import_module("patsy")
    columns = 0
    for term in patsy.ModelDesc.from_formula(right).rhs_termlist:
        names = [bare_name(factor.name()) for factor in term.factors]
        columns += int(np.prod([float(len(levels.get(name, "1"))) for name in names]))
    if columns > _WIDEST:
        raise InputError(
            f"{right!r} has {columns} columns",
            f"use at most {_WIDEST}: fewer crossed factors, or one of them as --group",
        )


def _patsy_data(formula: Formula, frame: Any, levels: Levels) -> Any:
    pandas = import_module("pandas")
    data: dict[str, Any] = {}
    for name in formula.names:
        if name not in levels:
            data[name] = _numbers(frame, name)
            continue
        words = level_text(frame[name])
        new = sorted(set(words) - set(levels[name]))
        if new:
            raise InputError(
                f"{name} {new[0]!r} is not among the {len(levels[name])} fitted: {_few(levels[name])}",
                "use one of those, or fit rows that have it",
            )
        data[name] = pandas.Categorical(words, categories=list(levels[name]))
    return pandas.DataFrame(data or {"_rows": np.zeros(len(frame))})


def _few(words: tuple[str, ...], most: int = 8) -> str:
    return ", ".join(words[:most]) + (", ..." if len(words) > most else "")


def law(formula: Formula, frame: Any) -> Law:
    """Return a law at the rows of `frame`."""
    columns = {name: _numbers(frame, name) for name in formula.names}
    return Law(formula.right, formula.parameters, columns, len(frame))


def left_out(formula: Formula, frame: Any, keep: npt.NDArray[np.bool_]) -> tuple[Finding, ...]:
    """Say how many rows were left out for which missing variable."""
    missing = int((~keep).sum())
    if not missing:
        return ()
    reasons = []
    for name in (formula.measured, *formula.names):
        count = int((~known_values(frame, name)).sum())
        if count:
            reasons.append(f"{name} unknown in {count}")
    reasons = reasons or [f"{formula.text.split('~')[0].split('=')[0].strip()} or a term has no finite value"]
    return (
        Finding(
            guard="missing",
            severity="warning" if missing > 0.2 * len(frame) else "note",
            text=f"{missing} of {len(frame)} rows were left out: {'; '.join(reasons)}",
            remedy="fill these columns, or fit without them",
            columns=tuple(name for name in formula.names if not known_values(frame, name).all()),
            rows=tuple(int(row) for row in frame.index[~keep][:1000]),
        ),
    )


def scaled(x: Floats) -> tuple[Floats, Floats]:
    """Columns of unit length, and the lengths (p,); a column of zeros keeps length 1."""
    length = np.sqrt(np.square(x).sum(axis=0))
    length = np.where(length > 0, length, 1.0)
    return x / length, length


def rank_of(x: Floats) -> int:
    """Rank of a design whose columns are scaled to unit length first."""
    if not x.size:
        return 0
    values = np.linalg.svd(scaled(x)[0], compute_uv=False)
    return int((values > max(x.shape) * np.finfo(float).eps * values[0]).sum())
