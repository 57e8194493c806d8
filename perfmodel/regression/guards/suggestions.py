"""Which cards to measure next: those that tell a formula's specification columns apart."""

from __future__ import annotations

import numpy as np

from perfmodel.hardware.gpu import gpus
from perfmodel.hardware.spec import Gpu
from perfmodel.regression.design import Design, Floats
from perfmodel.regression.guards.cards import FIGURES, SPECS, figure
from perfmodel.regression.guards.cells import texts, variables_in
from perfmodel.regression.guards.expressions import value_of

#: Variance of a coefficient before anything is measured, relative to the columns' spread over all cards.
_PRIOR = 1e6


def spec_columns(design: Design) -> tuple[int, ...]:
    """Columns of a design made of nothing but a card's specification."""
    return tuple(
        at for at, name in enumerate(design.names) if variables_in(name) and set(variables_in(name)) <= set(SPECS)
    )


def card_matrix(design: Design, columns: tuple[int, ...]) -> Floats:
    """Distinct rows that cards have in some columns, each card's mean, shape (cards, columns)."""
    gpu = texts(design.frame, "gpu")
    rows = [design.x[gpu == name][:, columns].mean(axis=0) for name in np.unique(gpu)]
    return np.unique(np.round(np.array(rows).reshape(-1, len(columns)), 9), axis=0)


def cards_to_add(design: Design, *, how_many: int = 1) -> tuple[str, ...]:
    """Return keys of known cards that would tell the specification columns apart best, most helpful first.

    Greedy D-optimal choice (Fedorov 1972): each card raises the determinant of the information on the columns, scaled
    by their spread over all known cards, the most.
    """
    columns = spec_columns(design)
    candidates = {card.key: row for card in _candidates(design) if (row := _row(card, design, columns)) is not None}
    if not columns or not candidates:
        return ()
    table = np.array(list(candidates.values()))
    spread = np.maximum(table.std(axis=0), 1e-12)
    have = np.column_stack([np.ones(len(card_matrix(design, columns))), card_matrix(design, columns) / spread])
    information = have.T @ have + np.eye(len(columns) + 1) / _PRIOR
    return _greedy(information, list(candidates), np.column_stack([np.ones(len(table)), table / spread]), how_many)


def cards_that_part(design: Design, *, how_many: int = 2) -> tuple[str, ...]:
    """Return keys of known cards each of which lowers the inflation between cards most, best first.

    The inflation of the columns together is the trace of the inverse of their correlations.
    """
    columns = spec_columns(design)
    rows = {card.key: row for card in _candidates(design) if (row := _row(card, design, columns)) is not None}
    have = card_matrix(design, columns)
    if len(columns) < 2 or len(have) < len(columns) + 1:
        return cards_to_add(design)
    inflation = {key: _together(np.vstack([have, row])) for key, row in rows.items()}
    return tuple(sorted(inflation, key=lambda key: inflation[key])[:how_many])


def _together(table: Floats) -> float:
    with np.errstate(invalid="ignore", divide="ignore"):
        correlation = np.corrcoef(table, rowvar=False)
    if not np.isfinite(correlation).all():
        return np.inf
    values = np.linalg.eigvalsh(correlation)
    return float(np.sum(1.0 / np.maximum(values, 1e-12)))


def _greedy(information: Floats, keys: list[str], rows: Floats, how_many: int) -> tuple[str, ...]:
    chosen: list[str] = []
    for _ in range(min(how_many, len(keys), 4)):
        gain = np.einsum("ij,ji->i", rows, np.linalg.solve(information, rows.T))
        gain[[keys.index(key) for key in chosen]] = -np.inf
        best = int(np.argmax(gain))
        chosen.append(keys[best])
        information = information + np.outer(rows[best], rows[best])
    return tuple(chosen)


def _candidates(design: Design) -> list[Gpu]:
    measured = set(texts(design.frame, "gpu"))
    return [card for card in gpus(user=False) if card.key not in measured and card.form not in ("embedded", "laptop")]


def _row(card: Gpu, design: Design, columns: tuple[int, ...]) -> Floats | None:
    variables = {name: np.asarray(figure(card, name)) for name in FIGURES}
    variables |= {"clock_ghz": np.asarray(card.boost_mhz / 1e3), "flops": variables["fp32_tflops"]}
    values = [value_of(design.names[at], variables) for at in columns]
    return (
        None if any(value is None or not np.isfinite(value) for value in values) else np.array(values, dtype=np.float64)
    )
