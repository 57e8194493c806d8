"""Rank of a design: columns that others fix, as equations in words. A design that lacks rank has no estimate."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from perfmodel.regression.design import Design, Finding, Floats
from perfmodel.regression.guards.cards import SPECS
from perfmodel.regression.guards.cells import texts, variables_in
from perfmodel.regression.guards.suggestions import cards_to_add
from perfmodel.regression.guards.words import counted, listed, number

Mask = npt.NDArray[np.bool_]


@dataclass(frozen=True, kw_only=True)
class Alias:
    """A column that others fix: ``column = sum of coefficient x other``, numbers of columns."""

    column: int
    others: tuple[int, ...]
    coefficients: tuple[float, ...]


def tolerance(x: Floats) -> float:
    """Length below which what is left of a column of length 1 is rounding (Golub and Van Loan 2013, 5.5.8)."""
    return float(8.0 * max(*x.shape, 1) * np.finfo(np.float64).eps)


def independent(x: Floats) -> Mask:
    """Which columns are independent of those before them.

    Columns are scaled to length 1 and taken in order by Gram-Schmidt, orthogonalised twice (Giraud, Langou and
    Rozloznik 2005), so that a large constant or a high power costs no digits. Shape (p,).
    """
    kept = np.zeros(x.shape[1], dtype=bool)
    basis = np.zeros((x.shape[0], 0))
    for at in range(x.shape[1]):
        length = float(np.linalg.norm(x[:, at]))
        if length == 0:
            continue
        rest = x[:, at] / length
        for _ in range(2):
            rest = rest - basis @ (basis.T @ rest)
        left = float(np.linalg.norm(rest))
        if left > tolerance(x):
            kept[at] = True
            basis = np.column_stack([basis, rest / left])
    return kept


def aliases(x: Floats) -> tuple[Alias, ...]:
    """Return each dependent column with the columns before it that fix it."""
    kept = independent(x)
    lengths = np.where(np.linalg.norm(x, axis=0) > 0, np.linalg.norm(x, axis=0), 1.0)
    found = []
    for at in np.flatnonzero(~kept):
        before = np.flatnonzero(kept[:at])
        scaled, *_ = np.linalg.lstsq(x[:, before] / lengths[before], x[:, at] / lengths[at], rcond=None)
        counts = np.flatnonzero(np.abs(scaled) > 1e-7)
        others = before[counts]
        values = scaled[counts] * lengths[at] / lengths[others]
        found.append(Alias(column=int(at), others=tuple(others.tolist()), coefficients=tuple(values.tolist())))
    return tuple(found)


def check_rank(design: Design) -> tuple[Finding, ...]:
    """Refuse a design whose columns are not independent; each equation is told in words, with the data that helps."""
    found = aliases(design.x)
    if not found:
        return ()
    n, p = design.x.shape
    told = "; ".join(equation(design, one) for one in found[:4])
    more = f"; and {len(found) - 4} more" if len(found) > 4 else ""
    columns = tuple(dict.fromkeys(design.names[at] for one in found for at in (one.column, *one.others)))
    dummies = [
        f"{names} take {distinct} distinct rows of values, so they are {counted(distinct - 1, 'dummy variable')}"
        for names, _, distinct in _disguised(design, found)
    ]
    hidden = f" ({'; '.join(dummies)})" if dummies else ""
    rank = p - len(found)
    head = f"{counted(p, 'column')} carry only {rank} independent {'one' if rank == 1 else 'ones'}: "
    if p > n:
        head = f"{counted(p, 'column')} and {counted(n, 'row')}: "
    return (
        Finding(
            guard="rank",
            severity="refuse",
            text=f"{head}{told}{more}{hidden}",
            remedy=_remedy(design, found),
            columns=tuple(name for name in columns if name != "Intercept"),
        ),
    )


def equation(design: Design, alias: Alias) -> str:
    """Return an alias in words: ``log(cores) = 0.98 log(bandwidth) + 1.2 on these 3 cards``."""
    name = design.names[alias.column]
    place = _where(design, name)
    if not alias.others:
        return f"{name} is 0 in all rows"
    if [design.names[at] for at in alias.others] == ["Intercept"]:
        return f"{name} is {number(alias.coefficients[0])} in all rows"
    if len(alias.others) > 4:
        return f"{name} is fixed by {listed((design.names[at] for at in alias.others), most=4)}{place}"
    pairs = sorted(
        zip(alias.others, alias.coefficients, strict=True), key=lambda pair: design.names[pair[0]] == "Intercept"
    )
    parts = [_part(design.names[at], value, first=not index) for index, (at, value) in enumerate(pairs)]
    return f"{name} = {' '.join(parts)}{place}"


def _part(name: str, value: float, *, first: bool) -> str:
    sign = ("-" if value < 0 else "") if first else ("- " if value < 0 else "+ ")
    size = number(abs(value))
    if name == "Intercept":
        return f"{sign}{size}"
    return f"{sign}{name}" if size == "1" else f"{sign}{size} {name}"


def _where(design: Design, name: str) -> str:
    if not set(variables_in(name)) & set(SPECS):
        return ""
    cards = len(set(texts(design.frame, "gpu")))
    return " on this card" if cards == 1 else f" on these {cards} cards"


def _disguised(design: Design, found: tuple[Alias, ...]) -> list[tuple[str, int, int]]:
    """Columns that together take few distinct rows of values, with their number and that of the distinct rows."""
    told = []
    for block in _blocks(design.x, [at for one in found for at in (one.column, *one.others)], design.names):
        distinct = len(np.unique(design.x[:, block], axis=0))
        if len(block) > distinct - 1 >= 1 and len(block) > 1:
            told.append((listed((design.names[at] for at in block), most=5), len(block), distinct))
    return told


def _blocks(x: Floats, columns: list[int], names: tuple[str, ...]) -> list[list[int]]:
    """Columns that split the rows alike."""
    blocks: dict[bytes, list[int]] = {}
    for at in sorted(set(columns)):
        if names[at] == "Intercept":
            continue
        _, first, inverse = np.unique(x[:, at], return_index=True, return_inverse=True)
        order = np.argsort(np.argsort(first))  # parts named by where they first appear
        blocks.setdefault(order[inverse.ravel()].tobytes(), []).append(at)
    return list(blocks.values())


def _remedy(design: Design, found: tuple[Alias, ...]) -> str:
    names = [design.names[one.column] for one in found]
    involved = [at for one in found for at in (one.column, *one.others)]
    out = f"leave out {listed(names, conjunction='or' if len(names) == 1 else 'and')}"
    specs = [at for at in dict.fromkeys(involved) if set(variables_in(design.names[at])) & set(SPECS)]
    if specs:
        cards = cards_to_add(design, how_many=len(found))
        measured = (
            f"measure {'a card' if len(found) == 1 else f'{len(found)} more cards'} on which they do not move together"
        )
        return f"{out}, or {measured}{f', such as {listed(cards)}' if cards else ''}"
    blocks = _disguised(design, found)
    if blocks:
        wanted = "; ".join(f"at least {size + 1} distinct rows of {names}" for names, size, _ in blocks)
        return f"{out}, or measure {wanted}: no claim about unseen ones can be made from these"
    free = [name for one in found for name in _free(design, one)]
    return (
        f"{out}, or add rows in which {listed(free)} differ{'s' if len(set(free)) == 1 else ''} while the others stay"
    )


def _free(design: Design, alias: Alias) -> tuple[str, ...]:
    return variables_in(design.names[alias.column])
