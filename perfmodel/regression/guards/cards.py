"""Figures of a card: a board's total beside one die's, a desktop card's carried by a laptop card, other wrong ones."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np

from perfmodel.errors import PerfmodelError
from perfmodel.hardware.gpu import find_gpu, gpus
from perfmodel.hardware.spec import CPU_ARCH, Gpu
from perfmodel.regression.design import Finding
from perfmodel.regression.guards.cells import Floats, Ints, column, members, texts
from perfmodel.regression.guards.words import counted, listed, number

#: Share by which a given figure may differ from the table of cards.
TOLERANCE = 0.05

#: Variables of a card, and the figure of the table that each is.
FIGURES: Mapping[str, str] = {
    "cores": "cuda_cores",
    "sms": "sm",
    "fp32_tflops": "fp32",
    "bandwidth": "bandwidth_gbs",
    "l2_mb": "l2_mb",
    "tdp_w": "tdp_w",
    "memory_gb": "memory_gb",
}
#: Variables that are facts of a card (the peak at a row's precision, and clocks, too).
SPECS = (*FIGURES, "flops", "clock_ghz")


@dataclass(frozen=True, kw_only=True)
class CardCheck:
    """Figures put right.

    Attributes
    ----------
    corrected : mapping of str to array (n,)
        Columns of the variables that the check changes, whole.
    findings : tuple of Finding
    """

    corrected: Mapping[str, Any]
    findings: tuple[Finding, ...]


def figure(card: Gpu, name: str) -> float:
    """Figure of a card by the variable's name: cores, SMs, GB/s, MB, W, GB; flops are the fp32 peak, TFLOP/s."""
    field = FIGURES.get(name, "fp32")
    return float(card.peaks_tflops["fp32"] if field == "fp32" else getattr(card, field))


def check_cards(frame: Any) -> CardCheck:
    """Compare the figures that rows carry with the table of cards.

    A row of a board with two dies (``k80-board``) becomes a row of one die, because a step runs on one die; its
    figures are then the die's. Given figures (columns named ``given_cores`` ..., or the variables themselves) that
    differ from the card's by more than 5 % are named with both values: as a board's total, as another card's of the
    same model number (the desktop card of a laptop card), both replaced by the card's own, or as plainly other.
    """
    corrected: dict[str, Any] = {}
    findings: list[Finding] = []
    _boards(frame, corrected, findings)
    keys = texts(frame, "gpu") if "gpu" not in corrected else corrected["gpu"]
    for key, rows in members(keys):
        card = _card(str(key))
        if card is None or card.arch == CPU_ARCH:
            continue
        for name in (*FIGURES, "flops"):
            finding = _given(frame, rows, card, name, corrected)
            if finding is not None:
                findings.append(finding)
    return CardCheck(corrected=corrected, findings=tuple(findings))


def _boards(frame: Any, corrected: dict[str, Any], findings: list[Finding]) -> None:
    keys = texts(frame, "gpu")
    for key, rows in members(keys):
        card = _card(str(key))
        if card is None or card.dies == 1:
            continue
        die = _card(card.key.removesuffix("-board")) or card
        mixed = bool((keys == die.key).any())
        changed = corrected.setdefault("gpu", frame["gpu"].to_numpy(dtype=object).copy())
        changed[rows] = die.key
        for name in (name for name in (*FIGURES, "flops") if name in frame.columns):
            values = corrected.setdefault(name, column(frame, name).copy())
            values[rows] = _right(frame, rows, die, name)
        findings.append(_board_finding(frame, rows, card, die, mixed=mixed))


def _board_finding(frame: Any, rows: Ints, card: Gpu, die: Gpu, *, mixed: bool) -> Finding:
    beside = f" beside rows of {die.key}, one die," if mixed else ""
    return Finding(
        guard="board-or-die",
        severity="warning",
        text=f"{counted(len(rows), 'row')} of {card.key}{beside} carry the board's figures ({card.cuda_cores} cores on "
        f"{card.dies} dies): a step runs on one die, so the die's are used ({die.cuda_cores} cores)",
        remedy=f"name the card {die.key}, and give n_gpu={card.dies} where both dies worked",
        columns=("gpu",),
        rows=_index(frame, rows),
    )


def _given(frame: Any, rows: Ints, card: Gpu, name: str, corrected: dict[str, Any]) -> Finding | None:
    """Judge the figures that rows of one card carry; a board's or another card's are replaced by the card's own."""
    right = _right(frame, rows, card, name)
    carried: Floats = np.asarray(corrected.get(name, column(frame, name)), dtype=np.float64)
    values = column(frame, f"given_{name}") if f"given_{name}" in frame.columns else carried
    given = values[rows]
    off = np.isfinite(given) & (np.abs(given - right) > TOLERANCE * right)
    if not off.any():
        return None
    value, own = float(given[off][0]), float(right[off][0])
    guard, meaning = _meaning(card, name, value, own)
    told = f"{counted(int(off.sum()), 'row')} of {card.key} carry {name} {number(value)}{meaning}; {card.key} has "
    if guard == "card-figures":
        text = f"{told}{number(own)} in the table of cards: the rows' own figure was kept"
    else:
        changed = corrected.setdefault(name, column(frame, name).copy())
        changed[rows[off]] = right[off]
        text = f"{told}{number(own)}, which is used"
    return Finding(
        guard=guard, severity="warning", text=text,
        remedy=f"leave {name} out: it is joined from the table of cards (`perfmodel gpus show {card.key}`)",
        columns=(name,), rows=_index(frame, rows[off]),
    )  # fmt: skip


def _right(frame: Any, rows: Ints, card: Gpu, name: str) -> Floats:
    """Figure of the table of cards for each row; NaN where the card lacks the row's precision."""
    if name != "flops":
        return np.full(len(rows), figure(card, name))
    return np.array([_peak(card, precision) for precision in texts(frame, "precision")[rows]])


@lru_cache(maxsize=1024)
def _peak(card: Gpu, precision: str) -> float:
    try:
        return card.peak_tflops(precision or "fp32")
    except PerfmodelError:
        return float("nan")


def _meaning(card: Gpu, name: str, value: float, own: float) -> tuple[str, str]:
    """Guard and words for a wrong figure: whose it is."""
    if card.dies_per_board > 1 and _near(value, card.dies_per_board * own):
        return "board-or-die", f", the total of a board of {card.dies_per_board} dies"
    if card.form == "laptop":
        stem = card.key.split("-")[0]
        for other in gpus(user=False):
            if other.key != card.key and other.key.split("-")[0] == stem and _near(value, figure(other, name)):
                return "laptop-card", f", a figure of the {other.form} card {other.key}"
    return "card-figures", ""


def _near(value: float, other: float) -> bool:
    return abs(value - other) <= 0.01 * abs(other)


@lru_cache(maxsize=512)
def _card(key: str) -> Gpu | None:
    try:
        return find_gpu(key) if key else None
    except PerfmodelError:
        return None


def _index(frame: Any, rows: Ints) -> tuple[int, ...]:
    return tuple(int(row) for row in frame.index.to_numpy()[rows])


def cards_in(frame: Any, rows: Any = slice(None)) -> str:
    """Return the cards of some rows as words."""
    return listed(sorted(set(texts(frame, "gpu")[rows])))
