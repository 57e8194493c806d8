"""A card whose times vary at equal settings far more than the others': time-shared, throttled, or not warmed up."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from perfmodel.regression.design import Finding
from perfmodel.regression.guards.cells import Floats, cells, log_times, members, texts
from perfmodel.regression.guards.words import counted

#: Ratio of spreads above which a card is inconsistent.
RATIO = 3.0
#: Significance of the test.
ALPHA = 1e-3
#: Rows in cells of two or more that a card needs, and the others together.
LEAST = 8
#: Standard deviation of log time below which no card is called inconsistent: 3 %.
SMALLEST = 0.03
#: Spread of the other cards above which rows called equal are not: the table does not say all settings.
LARGEST = 0.10
#: Least spread that the others are credited with: 0.5 %, so that one weight does not vanish.
FLOOR = 0.005


@dataclass(frozen=True, kw_only=True)
class Spread:
    """Spread of a card's times at equal settings (robust standard deviations of log time)."""

    gpu: str
    own: float
    others: float
    n: int
    p_value: float

    @property
    def weight(self) -> float:
        """Inverse variance of the card's rows relative to the others'."""
        return (max(self.others, FLOOR) / self.own) ** 2


def spreads(frame: Any, response: str, keep: npt.NDArray[np.bool_]) -> tuple[Spread, ...]:
    """Compare each card's spread within cells of equal settings with all other cards' (Brown and Forsythe 1974).

    Parameters
    ----------
    frame : DataFrame (n rows)
    response : str
        Time column.
    keep : bool array (n,)
        Rows that count.
    """
    gpu = texts(frame, "gpu")
    deviation = _deviations(log_times(frame, response), cells(frame), keep)
    usable = np.isfinite(deviation)
    found = []
    for name in np.unique(gpu[usable]):
        own, others = deviation[usable & (gpu == name)], deviation[usable & (gpu != name)]
        if len(own) >= LEAST and len(others) >= LEAST:
            found.append(
                Spread(gpu=str(name), own=_scale(own), others=_scale(others), n=len(own), p_value=_test(own, others))
            )
    return tuple(found)


def check_consistency(frame: Any, response: str, keep: npt.NDArray[np.bool_]) -> tuple[Floats, tuple[Finding, ...]]:
    """Weights that count an inconsistent card's rows for less, and what was found.

    Where the other cards' equal rows differ by more than 10 %, the table lacks a setting and no card is blamed.

    Returns
    -------
    weights : array (n,)
        1, or for the rows of an inconsistent card the inverse of its variance relative to the others'.
    findings : tuple of Finding
    """
    weights, findings = np.ones(len(frame)), []
    gpu = texts(frame, "gpu")
    for one in spreads(frame, response, keep):
        differs = one.own >= max(RATIO * max(one.others, FLOOR), SMALLEST) and one.p_value <= ALPHA
        if not differs or one.others > LARGEST:
            continue
        rows = gpu == one.gpu
        weights[rows] = one.weight
        findings.append(
            Finding(
                guard="inconsistent-card",
                severity="warning",
                text=f"{one.gpu}: times at equal settings vary by {100 * one.own:.0f} % "
                f"(other cards: {100 * one.others:.1f} %; {counted(one.n, 'row')}): a time-shared or throttled card; "
                f"its rows count with weight {one.weight:.2g}",
                remedy="measure it with no one else on the card, or leave it out",
                columns=(response,),
                rows=tuple(int(row) for row in frame.index.to_numpy()[rows]),
            )
        )
    return weights, tuple(findings)


def _deviations(logs: Floats, labels: npt.NDArray[np.intp], keep: npt.NDArray[np.bool_]) -> Floats:
    """Deviation of log time from the median of its cell, scaled for the degree of freedom that the median takes."""
    usable = np.flatnonzero(keep & np.isfinite(logs))
    deviation = np.full(len(logs), np.nan)
    for _, where in members(labels[usable], least=2):
        rows = usable[where]
        deviation[rows] = (logs[rows] - np.median(logs[rows])) * np.sqrt(len(rows) / (len(rows) - 1.0))
    return deviation


def _scale(deviation: Floats) -> float:
    """Robust standard deviation about zero; the larger of that and half the plain one, should most rows be equal."""
    return max(1.4826 * float(np.median(np.abs(deviation))), 0.5 * float(np.sqrt(np.mean(deviation**2))))


def _test(own: Floats, others: Floats) -> float:
    """p-value of the analysis of variance of absolute deviations from medians."""
    from scipy.stats import f_oneway

    first, second = np.abs(own), np.abs(others)
    if np.ptp(first) == 0 and np.ptp(second) == 0:
        return 1.0 if first[0] == second[0] else 0.0
    return float(f_oneway(first, second).pvalue)
