"""Which terms of a preset the rows can tell apart, and why the others are dropped."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from perfmodel.regression.design import Design, Finding
from perfmodel.regression.guards.collinearity import inflation
from perfmodel.regression.guards.rank import aliases, equation, independent
from perfmodel.regression.guards.suggestions import card_matrix, spec_columns
from perfmodel.regression.guards.words import counted, number

#: Variance inflation at which a term of a preset is dropped: its coefficient would say nothing.
INFLATION = 100.0


def identifiable(
    design: Design, priority: Sequence[str] = (), *, most: int | None = None
) -> tuple[tuple[str, ...], tuple[Finding, ...]]:
    """Return the terms to drop from a preset's design, with the reasons.

    Terms are taken one after the other and kept while the rows tell them apart: their columns vary and are independent
    of those kept, a specification column leaves at least one card over to judge by, and no variance is inflated 100
    times.

    Parameters
    ----------
    design : Design
        With all terms of the preset.
    priority : sequence of str
        Terms, most wanted first; others follow in the design's order. The intercept is always kept.
    most : int, optional
        Coefficients that the rows may carry; one less than rows by default.

    Returns
    -------
    dropped : tuple of str
        Terms, in the order in which they were refused.
    findings : tuple of Finding
        One note for each dropped term; its first column is the term.
    """
    first = [name for name in design.terms if name == "Intercept"]
    wanted = [name for name in priority if name in design.terms and name not in first]
    order = [*first, *wanted, *(name for name in design.terms if name not in first and name not in wanted)]
    most = len(design.x) - 1 if most is None else most
    kept: list[str] = []
    findings: list[Finding] = []
    for name in order:
        why = "" if name in first else _why_not(design, kept, name, most)
        if why:
            findings.append(
                Finding(guard="identifiable", severity="note", text=f"{name} is left out: {why}", columns=(name,))
            )
        else:
            kept.append(name)
    return tuple(one.columns[0] for one in findings), tuple(findings)


def part_of(design: Design, terms: Sequence[str]) -> Design:
    """Return the design with some of its terms, in that order."""
    columns = [at for name in terms for at in design.terms[name]]
    places: dict[str, tuple[int, ...]] = {}
    for name in terms:
        start = sum(map(len, places.values()))
        places[name] = tuple(range(start, start + len(design.terms[name])))
    return replace(design, x=design.x[:, columns], names=tuple(design.names[at] for at in columns), terms=places)


def _why_not(design: Design, kept: Sequence[str], name: str, most: int) -> str:
    part = part_of(design, [*kept, name])
    n, p = part.x.shape
    if p > most:
        return f"{counted(n, 'row')} carry {counted(most, 'coefficient')} at most"
    if not independent(part.x).all():
        return _aliased(part, name)
    specs = spec_columns(part)
    cards = len(card_matrix(part, specs)) if specs else 0
    own = set(part.terms[name]) & set(specs)
    if own and cards - len(specs) < 2:
        need = len(specs) + 2 - cards
        return (
            f"{counted(cards, 'card')} cannot tell {counted(len(specs), 'specification column')} apart and leave one "
            f"card over to judge by; {counted(need, 'more card')} would do"
        )
    worst = max(inflation(part).items(), key=lambda item: item[1], default=("", 1.0))
    if worst[1] > INFLATION:
        return f"it moves with the columns kept (variance of {worst[0]} inflated {number(worst[1])} times)"
    return ""


def _aliased(part: Design, name: str) -> str:
    found = aliases(part.x)
    told = equation(part, found[0])
    constant = " in all rows" in told and np.ptp(part.x[:, found[0].column]) <= 1e-12 * abs(part.x[0, found[0].column])
    if constant and len(part.terms[name]) == 1:
        return "it has one value in all rows"
    return f"the rows cannot tell it from what is kept ({told})"
