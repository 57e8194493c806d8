"""Too few cards: a card's specification is measured once for each card, however many rows it has."""

from __future__ import annotations

import numpy as np

from perfmodel.regression.design import Design, Finding, Floats
from perfmodel.regression.guards.cells import members, texts
from perfmodel.regression.guards.rank import independent
from perfmodel.regression.guards.suggestions import card_matrix, cards_to_add, spec_columns
from perfmodel.regression.guards.words import counted, listed, number

#: Below this many cards the width of a coefficient's interval must be told (Cameron and Miller 2015 on few clusters).
FEW = 5
#: Variance inflation between cards above which two figures differ by rounding only.
ROUNDING = 1e8


def check_groups(design: Design) -> tuple[Finding, ...]:
    """Refuse as many specification columns as cards, or columns that differ by rounding; warn below 5 cards.

    The effective number of observations of a specification column is the number of cards with distinct figures: two
    memory sizes of one card are one. Of a law (``a + b / cores``), whose columns are derivatives, those count that
    differ between cards and not within one.
    """
    columns = spec_columns(design) if "~" in design.formula else card_parameters(design)
    if not columns:
        return ()
    table = card_matrix(design, columns)
    cards = len(table)
    names = tuple(design.names[at] for at in columns)
    if len(columns) >= cards:
        return (_too_many(design, names, cards),)
    found = _rounding(design, names, table)
    if found:
        return found
    return (_few(names, cards),) if cards < FEW or cards == len(columns) + 1 else ()


def card_parameters(design: Design) -> tuple[int, ...]:
    """Parameters of a law that cards alone tell: their columns are constant within each card."""
    means = np.zeros_like(design.x)
    for _, rows in members(texts(design.frame, "gpu")):
        means[rows] = design.x[rows].mean(axis=0)
    size = np.abs(design.x).max(axis=0)
    within, between = np.abs(design.x - means).max(axis=0), np.ptp(means, axis=0)
    return tuple(np.flatnonzero((within <= 1e-9 * size) & (between > 1e-9 * size)).tolist())


def _too_many(design: Design, names: tuple[str, ...], cards: int) -> Finding:
    need = len(names) + 2 - cards
    such = cards_to_add(design, how_many=need)
    keep = cards - 2
    leave = f"keep {counted(keep, 'column')} of them" if keep > 0 else "leave them out"
    return Finding(
        guard="too-few-groups",
        severity="refuse",
        text=f"{counted(len(names), 'column')} of the card's specification ({listed(names)}) and "
        f"{counted(cards, 'card')} with distinct figures: more rows of the same cards add nothing",
        remedy=f"{leave}, or measure {counted(need, 'more card')}{f', such as {listed(such)}' if such else ''}",
        columns=names,
    )


def _few(names: tuple[str, ...], cards: int) -> Finding:
    freedom = cards - len(names) - 1
    if freedom < 1:
        told = "no card is left over to judge the fit by, so that cards are taken to differ as they do elsewhere"
    else:
        told = (
            f"{counted(freedom, 'degree')} of freedom between cards, so that a 95 % interval is "
            f"{number(_multiplier(freedom))} standard errors wide either way instead of 1.96"
        )
    return Finding(
        guard="too-few-groups",
        severity="warning",
        text=f"{counted(cards, 'card')} for {listed(names)}: {told}",
        remedy=f"measure {counted(max(FEW - cards, 1), 'more card')}, or read them as describing these cards only",
        columns=names,
    )


def _multiplier(freedom: int) -> float:
    from scipy.stats import t

    return float(t.ppf(0.975, freedom))


def _rounding(design: Design, names: tuple[str, ...], table: Floats) -> tuple[Finding, ...]:
    """Columns that others fix up to the rounding of data sheets (FLOP/s = cores x clock x 2)."""
    full = np.column_stack([np.ones(len(table)), table])
    if not independent(full).all():
        return ()  # the rank guard tells it
    for at in range(1, full.shape[1]):
        others = np.delete(full, at, axis=1)
        weights, *_ = np.linalg.lstsq(others, full[:, at], rcond=None)
        centred = full[:, at] - full[:, at].mean()
        left = full[:, at] - others @ weights
        if centred @ centred > ROUNDING * (left @ left):
            return (_rounded(names, at - 1, np.delete(np.r_[np.nan, weights], 1)),)
    return ()


def _rounded(names: tuple[str, ...], at: int, weights: Floats) -> Finding:
    others = [name for index, name in enumerate(names) if index != at]
    return Finding(
        guard="rank",
        severity="refuse",
        text=f"{names[at]} differs from what {listed(others)} say{'s' if len(others) == 1 else ''} only by the "
        f"rounding of data sheets, so its coefficient would be an estimate of that rounding",
        remedy=f"leave out {names[at]} or {others[-1]}",
        columns=names,
    )
