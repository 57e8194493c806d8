"""What a coefficient means, in words a reader can check: "1 % more memory bandwidth: 0.8 % less time"."""

from __future__ import annotations

import re
from collections.abc import Mapping

import numpy as np
import numpy.typing as npt

from perfmodel.regression.formula import Formula
from perfmodel.regression.matrix import back, bare_name
from perfmodel.regression.vocabulary import describe

Floats = npt.NDArray[np.float64]

_LOG = re.compile(r"(log|log2|log10)\((\w+)\)")
_LEVEL = re.compile(r"(.+?)\[(T\.)?(.+)\]")
_BASE = {"log": float(np.e), "log2": 2.0, "log10": 10.0}


def meaning(name: str, value: float, formula: Formula, levels: Mapping[str, tuple[str, ...]]) -> str:
    """Say what one coefficient means.

    Parameters
    ----------
    name : str
        Of a column of the design, such as ``log(cores)`` or ``precision[T.amp]:blocks``.
    value : float
        The coefficient.
    formula : Formula
    levels : mapping of str to tuple of str
        Levels of each factor, the base first.
    """
    if name == "Intercept":
        return _intercept(value, formula, levels)
    parts = re.split(r":(?![^\[]*\](?:$|:))", name)
    if len(parts) > 1:
        return _interaction(parts, value, formula, levels)
    cause, factor = _cause(name, levels)
    return f"{cause}: {effect(factor * value, formula)}"


def _intercept(value: float, formula: Formula, levels: Mapping[str, tuple[str, ...]]) -> str:
    label, unit = describe(formula.measured).label, describe(formula.measured).unit
    base = "".join(f", {name} {found[0]}" for name, found in levels.items())
    if not formula.names:
        return f"{'median' if formula.transform else 'mean'} of the {label}: {_back(value, formula):.4g} {unit}".strip()
    ones = [n for n in formula.names if n not in levels and f"({n})" in formula.right.replace(" ", "")]
    zeros = [name for name in formula.names if name not in levels and name not in ones]
    parts = [f"{', '.join(names)} at {at}" for names, at in ((ones, 1), (zeros, 0)) if names]
    where = f"with {', '.join(parts)}" if parts else "with"
    base = base if parts else base.removeprefix(",")
    return f"{label} {where}{base}: {_back(value, formula):.4g} {unit}".strip()


def parameter_meaning(change: Floats, fitted: Floats, formula: Formula) -> str:
    """Say how the fitted value of the median row follows a parameter of a law.

    Parameters
    ----------
    change : array (n,)
        Change of each fitted response when the parameter doubles, to first order: parameter times derivative.
    fitted : array (n,)
        Fitted responses.
    formula : Formula
    """
    if formula.transform in _BASE:
        share = float(np.median(change)) * np.log(_BASE[formula.transform])
    else:
        share = float(np.median(change / np.where(fitted == 0, np.nan, fitted)))
    variable = describe(formula.measured)
    noun = "time" if variable.level == "time" else variable.label
    if not np.isfinite(share):
        return "not known"
    return f"1 % more of it: {abs(share):.2g} % {'less' if share < 0 else 'more'} {noun} in the median row"


def _back(value: float, formula: Formula) -> float:
    return float(back(formula.transform, np.array([value]))[0])


def _cause(name: str, levels: Mapping[str, tuple[str, ...]]) -> tuple[str, float]:
    """What changes by how much, and the change of the column that makes."""
    log = _LOG.fullmatch(name)
    if log:
        return f"1 % more {describe(log[2]).label}", float(np.log(1.01) / np.log(_BASE[log[1]]))
    level = _level(name, levels)
    if level:
        against = f" instead of {levels[level[0]][0]}" if level[1] else ""
        return f"{describe(level[0]).label} {level[2]}{against}", 1.0
    if bare_name(name) != name or name.isidentifier():
        variable = describe(bare_name(name))
        return f"one {variable.one or variable.label} more", 1.0
    return f"one unit more of {name}", 1.0


def _level(name: str, levels: Mapping[str, tuple[str, ...]]) -> tuple[str, bool, str] | None:
    """Factor, whether it is told against the base, and level of a factor's column; None for other columns."""
    found = _LEVEL.fullmatch(name)
    if found is None or bare_name(found[1]) not in levels:
        return None
    return bare_name(found[1]), bool(found[2]), found[3]


def effect(change: float, formula: Formula, *, further: bool = False) -> str:
    """Say what a change of the response means for the measured quantity."""
    word = "a further " if further else ""
    variable = describe(formula.measured)
    noun = "time" if variable.level == "time" else variable.label
    if not np.isfinite(change):
        return "not known"
    if formula.transform in _BASE:
        percent = 100.0 * np.expm1(change * np.log(_BASE[formula.transform]))
        return f"{word}{_percent(percent)} {'less' if percent < 0 else 'more'} {noun}"
    unit = variable.unit if not formula.transform else f"on the scale of {formula.response}"
    return f"{word}{abs(change):.3g} {unit} {'less' if change < 0 else 'more'}".replace("  ", " ")


def _percent(percent: float) -> str:
    if abs(percent) >= 900:
        return f"{1 + percent / 100:.3g} times the time, {abs(percent):.3g} %"
    return f"{abs(percent):.2g} %" if abs(percent) < 9.95 else f"{abs(percent):.0f} %"


def _interaction(parts: list[str], value: float, formula: Formula, levels: Mapping[str, tuple[str, ...]]) -> str:
    """The effect of the first number of an interaction (or of its first factor) where the others are given."""
    numbers = [part for part in parts if not _level(part, levels)]
    first = numbers[0] if numbers else parts[0]
    cause, factor = _cause(first, levels)
    others = [part for part in parts if part != first]
    conditions = " and ".join(_condition(part, levels) for part in others)
    return f"{cause}, {conditions}: {effect(factor * value, formula, further=True)}"


def _condition(name: str, levels: Mapping[str, tuple[str, ...]]) -> str:
    level = _level(name, levels)
    return f"at {describe(level[0]).label} {level[2]}" if level else f"for each unit of {name}"
