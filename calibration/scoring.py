"""Scores of cross-validated answers: cells, conformal factors, interval comparisons, repeat noise."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from perfmodel.calibration.cross_validation import Fold, Table
from perfmodel.validation.scores import COVERAGE, Score, macro_average, score

Floats = npt.NDArray[np.float64]
Strings = npt.NDArray[np.str_]

LEVELS = (0.5, 0.8, 0.9, 0.95, 0.99)


def cell_weights(cell: Strings) -> Floats:
    """Weight of each row such that every cell counts the same; sums to 1."""
    _, inverse, count = np.unique(cell, return_inverse=True, return_counts=True)
    weight = 1.0 / count[inverse]
    result: Floats = weight / weight.sum()
    return result


def weighted_quantile(values: Floats, weight: Floats, share: float) -> float:
    """Smallest value below or at which ``share`` of the weight lies."""
    order = np.argsort(values)
    cumulative = np.cumsum(weight[order])
    at = int(np.searchsorted(cumulative, share * cumulative[-1]))
    return float(values[order][min(at, len(values) - 1)])


def conformal_factors(ratio: Floats, cell: Strings) -> dict[str, float]:
    """Factors from standard deviation to half-width, by coverage.

    Parameters
    ----------
    ratio : array (r,)
        Absolute log error over its standard deviation, on rows left out of their fits.
    cell : array of str (r,)
    """
    weight = cell_weights(cell)
    return {f"{level:g}": weighted_quantile(ratio, weight, level) for level in LEVELS}


def cross_conformal(fold: Fold, table: Table, key: Strings, *, constant: bool = False) -> Floats:
    """Half-widths of 90 % intervals whose factor comes from the other groups' errors only.

    Parameters
    ----------
    fold : Fold
        Out-of-sample answers.
    key : array of str (r,)
        What was left out together.
    constant : bool
        One width for all rows (the usual split conformal interval) instead of one in proportion to sigma.
    """
    measured = np.array([one.time_s for one in table.questions])
    sigma = np.ones_like(fold.sigma) if constant else fold.sigma
    ratio = np.abs(np.log(measured / fold.time_s)) / sigma
    half: Floats = np.empty_like(ratio)
    for value in np.unique(key):
        own = key == value
        if own.all():
            half[own] = np.nan
            continue
        others = ~own
        half[own] = sigma[own] * weighted_quantile(ratio[others], cell_weights(table.cell[others]), COVERAGE)
    return half


@dataclass(frozen=True)
class CellScores:
    """Scores of cells, and their average."""

    cells: dict[str, Score]

    @property
    def overall(self) -> Score:
        """Macro average."""
        return macro_average(list(self.cells.values()))


def score_cells(fold: Fold, table: Table, half: Floats, chosen: npt.NDArray[np.bool_] | None = None) -> CellScores:
    """Score every cell of the chosen rows."""
    measured = np.array([one.time_s for one in table.questions])
    cells = {}
    picked = np.ones(len(measured), dtype=bool) if chosen is None else chosen
    for name in np.unique(table.cell[picked]):
        at = np.flatnonzero((table.cell == name) & picked)
        base = {key: values[at] for key, values in fold.baselines.items()}
        cells[str(name)] = score(measured[at], fold.time_s[at], half[at], base)
    return CellScores(cells)


def constant_share(fold: Fold, table: Table, label: Strings) -> float:
    """Share (percent) of the squared log error, every cell weighted alike, that one constant for each label explains.

    Errors count up to a factor e.
    """
    measured = np.array([one.time_s for one in table.questions])
    error, weight = np.clip(np.log(measured / fold.time_s), -1.0, 1.0), cell_weights(table.cell)
    _, index = np.unique(label, return_inverse=True)
    mean = np.bincount(index, weight * error) / np.bincount(index, weight)
    return 100.0 * float(1.0 - np.sum(weight * (error - mean[index]) ** 2) / np.sum(weight * error**2))


def repeat_noise(table: Table) -> float:
    """Median spread (percent) of the times of settings measured five times or more: what no model can go below."""
    groups: dict[tuple[object, ...], list[float]] = {}
    for one in table.questions:
        key = (one.plan.setting, one.gpu.key, one.gpus, one.batch, one.size, one.plan.scope)
        groups.setdefault(key, []).append(one.time_s)
    spreads = [np.std(t) / np.median(t) for t in groups.values() if len(t) >= 5]
    return 100.0 * float(np.median(spreads)) if spreads else float("nan")
