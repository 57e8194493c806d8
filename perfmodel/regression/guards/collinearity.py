"""Columns that move together: variance inflation and condition indices."""

from __future__ import annotations

import numpy as np

from perfmodel.regression.design import Design, Finding, Floats
from perfmodel.regression.guards.suggestions import cards_that_part, spec_columns
from perfmodel.regression.guards.words import listed, number

#: Variance inflation worth a note, and a warning (Marquardt 1970; O'Brien 2007 on reading it).
NOTE, WARN = 5.0, 10.0
#: Condition index from which a dependency harms, and the share of a variance it explains (Belsley, Kuh, Welsch 1980).
CONDITION, SHARE = 30.0, 0.5


def inflation(design: Design) -> dict[str, float]:
    """Return variance inflation by term, the intercept's left out.

    A term of several columns has the generalised factor of Fox and Monette (1992), GVIF^(1/df), which equals the common
    factor for one column. All rows count with their weight.
    """
    x, terms = _centred(design)
    if x.shape[1] < 2:
        return {}
    length = np.linalg.norm(x, axis=0)
    unit = x / np.where(length > 0, length, 1.0)
    found = {}
    for name, columns in terms.items():
        others = [at for at in range(unit.shape[1]) if at not in columns]
        if others:
            explained = _log_det(unit[:, columns]) + _log_det(unit[:, others]) - _log_det(unit)
            found[name] = float(np.exp(np.clip(explained, 0.0, 600.0) / len(columns)))
    return found


def condition_indices(x: Floats) -> tuple[Floats, Floats]:
    """Condition indices of columns scaled to length 1, and the shares of each variance that each explains.

    Returns
    -------
    indices : array (p,)
        Largest singular value over each.
    shares : array (p, p)
        Rows: indices; columns: columns of `x`; each column adds up to 1 (Belsley, Kuh and Welsch 1980, 3.2).
    """
    length = np.linalg.norm(x, axis=0)
    _, singular, right = np.linalg.svd(x / np.where(length > 0, length, 1.0), full_matrices=False)
    safe = np.maximum(singular, singular[0] * 1e-15)
    parts = (right / safe[:, None]) ** 2
    return singular[0] / safe, parts / parts.sum(axis=0)


def check_collinearity(design: Design) -> tuple[Finding, ...]:
    """Tell terms whose variance is inflated 10 times or more (a note from 5 on) with the term they move with."""
    factors = inflation(design)
    high = {name: value for name, value in factors.items() if value > NOTE}
    done: set[frozenset[str]] = set()
    found = []
    for name, value in sorted(high.items(), key=lambda item: -item[1]):
        other, correlation = _partner(design, name)
        pair = frozenset((name, other))
        if pair in done:
            continue
        done.add(pair)
        found.append(_inflated(design, name, value, other, correlation))
    return tuple(found) or _ill_conditioned(design)


def _inflated(design: Design, name: str, value: float, other: str, correlation: float) -> Finding:
    specs = {design.names[at] for at in spec_columns(design)}
    such = cards_that_part(design) if {name, other} <= specs else ()
    named = f", such as {listed(such, conjunction='or')}" if such else ""
    wider = number(np.sqrt(value))
    return Finding(
        guard="vif",
        severity="warning" if value > WARN else "note",
        text=f"{name} moves with {other} (correlation {correlation:.2f}): its variance is inflated {number(value)} "
        f"times, so its interval is {wider} times as wide as if it stood alone",
        remedy=f"leave one of them out, or add {'a card' if such else 'rows'} where they differ{named}; predictions "
        "within the range of the rows are not harmed",
        columns=(name, other),
    )


def _ill_conditioned(design: Design) -> tuple[Finding, ...]:
    x, terms = _centred(design)
    if x.shape[1] < 2:
        return ()
    indices, shares = condition_indices(x)
    names = [name for name, columns in terms.items() for _ in columns]
    worst = int(np.argmax(indices))
    involved = [names[at] for at in np.flatnonzero(shares[worst] > SHARE)]
    if indices[worst] < CONDITION or len(set(involved)) < 2:
        return ()
    text = f"{listed(involved)} depend on each other (condition index {number(indices[worst])})"
    remedy = "leave one of them out, or add rows where they differ"
    return (Finding(guard="vif", severity="warning", text=text, remedy=remedy, columns=tuple(dict.fromkeys(involved))),)


def _partner(design: Design, name: str) -> tuple[str, float]:
    """Term with the highest correlation to a term, column by column."""
    x, terms = _centred(design)
    length = np.linalg.norm(x, axis=0)
    unit = x / np.where(length > 0, length, 1.0)
    best = ("", 0.0)
    for other, columns in terms.items():
        if other != name:
            table = unit[:, terms[name]].T @ unit[:, columns]
            value = float(table.ravel()[np.argmax(np.abs(table))])
            if abs(value) >= abs(best[1]):
                best = (other, value)
    return best


def _centred(design: Design) -> tuple[Floats, dict[str, list[int]]]:
    """Weighted columns without the intercept, centred where there is one, and the columns of each term."""
    x, weights = design.x, design.weights if len(design.weights) else np.ones(len(design.x))
    constant = [at for at, name in enumerate(design.names) if name == "Intercept"]
    if constant:
        x = x - np.average(x, axis=0, weights=weights)
    terms: dict[str, list[int]] = {}
    place = 0
    order: list[int] = []
    for name, columns in design.terms.items():
        mine = [at for at in columns if at not in constant]
        if mine:
            terms[name] = list(range(place, place + len(mine)))
            order += mine
            place += len(mine)
    return (x * np.sqrt(weights)[:, None])[:, order], terms


def _log_det(unit: Floats) -> float:
    """Logarithm of the determinant of the cross products, by singular values."""
    singular = np.linalg.svd(unit, compute_uv=False)
    return float(2.0 * np.log(np.maximum(singular, 1e-150)).sum())
