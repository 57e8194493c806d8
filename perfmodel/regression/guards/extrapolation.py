"""Predictions outside of what was fitted: a variable beyond its range, an unseen level, a corner no row lies near."""

from __future__ import annotations

from typing import Any

import numpy as np

from perfmodel.regression.design import Design, Finding, Floats
from perfmodel.regression.guards.cells import column, texts, variables_in
from perfmodel.regression.guards.rank import independent
from perfmodel.regression.guards.words import counted, listed, number

#: Share of a range by which a value may exceed it: rounding of units.
SLACK = 1e-6


def check_extrapolation(design: Design, frame_new: Any, x_new: Floats | None = None) -> tuple[Finding, ...]:
    """Warn of rows to predict that lie outside the fitted ones.

    Parameters
    ----------
    design : Design
        What was fitted.
    frame_new : DataFrame (m rows)
        Variables of the rows to predict.
    x_new : array (m, p), optional
        Their rows of the design; without them combinations are not judged.

    Returns
    -------
    tuple of Finding
        One for each variable out of range or with unseen levels, and one for rows within all ranges whose leverage is
        above the largest of the fitted rows (hidden extrapolation: Cook 1977; Weisberg 2014, 9.1).
    """
    outside = np.zeros(len(frame_new), dtype=bool)
    found = []
    for name in _variables(design):
        numeric = _is_number(design.frame, name)
        at, text = _range(design, frame_new, name) if numeric else _levels(design, frame_new, name)
        if at.any():
            outside |= at
            wanted = f"add rows that {'reach' if numeric else 'have'} these values of {name}"
            remedy = f"{wanted}, or read the interval as too narrow"
            found.append(_finding(frame_new, at, text, remedy, (name,)))
    return (*found, *_hidden(design, frame_new, x_new, outside))


def _variables(design: Design) -> tuple[str, ...]:
    names = (name for term in (*design.terms, *design.names) for name in variables_in(term))
    return tuple(dict.fromkeys(name for name in names if name in design.frame.columns))


def _is_number(frame: Any, name: str) -> bool:
    return frame[name].dtype.kind in "fiub"


def _range(design: Design, new: Any, name: str) -> tuple[Any, str]:
    fitted, values = column(design.frame, name), column(new, name)
    low, high = float(np.nanmin(fitted)), float(np.nanmax(fitted))
    slack = SLACK * max(abs(low), abs(high))
    at = np.isfinite(values) & ((values < low - slack) | (values > high + slack))
    told = listed(map(number, np.unique(values[at])), most=3)
    return at, f"{name} {told} lies outside the fitted {number(low)} to {number(high)}"


def _levels(design: Design, new: Any, name: str) -> tuple[Any, str]:
    fitted, values = set(texts(design.frame, name)), texts(new, name)
    at = np.array([value not in fitted for value in values], dtype=bool)
    return at, f"{name} {listed(np.unique(values[at]))} is not among the fitted {listed(sorted(fitted))}"


def _hidden(design: Design, new: Any, x_new: Floats | None, outside: Any) -> tuple[Finding, ...]:
    if x_new is None or not independent(design.x).all():
        return ()
    root = np.sqrt(design.weights if len(design.weights) else np.ones(len(design.x)))
    # Weights say how well a row is known, not where it lies: the hull counts every row alike.
    _, r = np.linalg.qr(design.x * (root[:, None] > 0))
    largest = float((np.linalg.solve(r.T, design.x.T) ** 2).sum(axis=0).max())
    leverage = (np.linalg.solve(r.T, np.asarray(x_new).T) ** 2).sum(axis=0)
    at = ~outside & (leverage > largest * (1.0 + 1e-9))
    if not at.any():
        return ()
    names = listed(_variables(design))
    worst = number(float(leverage[at].max() / largest))
    text = (
        f"no fitted row is near this combination of {names}, though each is in its range "
        f"(leverage {worst} times the largest fitted)"
    )
    return (_finding(new, at, text, "add rows near it, or read the interval as too narrow", _variables(design)),)


def _finding(new: Any, at: Any, text: str, remedy: str, columns: tuple[str, ...]) -> Finding:
    rows = tuple(int(row) for row in new.index.to_numpy()[at])
    many = "" if len(at) == 1 else f"{counted(int(at.sum()), 'row')}: "
    return Finding(
        guard="extrapolation",
        severity="warning",
        text=f"extrapolated: {many}{text}",
        remedy=remedy,
        columns=columns,
        rows=rows,
    )
