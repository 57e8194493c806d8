"""Scores: quantiles, conformal factors that cover what they claim, the noise of repeats."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from perfmodel.calibration.cross_validation import Fold, Table
from perfmodel.calibration.scoring import (
    LEVELS,
    cell_weights,
    conformal_factors,
    constant_share,
    cross_conformal,
    repeat_noise,
    score_cells,
    weighted_quantile,
)

Rows = list[dict[str, Any]]


def measured(table: Table) -> np.ndarray[Any, np.dtype[np.float64]]:
    """Seconds of the table's rows."""
    return np.array([one.time_s for one in table.questions])


@pytest.mark.parametrize(("share", "value"), [(0.0, 1.0), (0.1, 1.0), (0.11, 2.0), (0.5, 2.0), (0.6, 3.0), (1.0, 3.0)])
def test_weighted_quantile(share: float, value: float) -> None:
    assert weighted_quantile(np.array([3.0, 1.0, 2.0]), np.array([0.5, 0.1, 0.4]), share) == value


def test_a_quantile_of_equal_weights_is_the_ordinary_one() -> None:
    values = np.random.default_rng(0).standard_normal(999)
    for share in (0.25, 0.5, 0.9):
        found = weighted_quantile(values, np.ones(999), share)
        assert found == pytest.approx(float(np.quantile(values, share)), abs=0.02)


def test_every_cell_counts_the_same() -> None:
    cell = np.array(["big"] * 8 + ["small"] * 2)
    weight = cell_weights(cell)
    assert weight.sum() == pytest.approx(1.0)
    assert weight[cell == "big"].sum() == pytest.approx(0.5)
    np.testing.assert_allclose(weight[:8], 0.5 / 8)


def test_conformal_factors_of_normal_errors_are_normal_quantiles() -> None:
    ratio = np.abs(np.random.default_rng(2).standard_normal(20_000))
    factors = conformal_factors(ratio, np.array(["a"] * 20_000))
    expected = {"0.5": 0.674, "0.8": 1.282, "0.9": 1.645, "0.95": 1.960, "0.99": 2.576}
    assert factors == pytest.approx(expected, rel=0.03)
    assert list(factors) == [f"{level:g}" for level in LEVELS]


@pytest.mark.parametrize("freedom", [2, 30])
def test_conformal_factors_cover_what_they_claim(freedom: int) -> None:
    rng = np.random.default_rng(3)
    cell = rng.choice(["a", "b", "c"], 12_000, p=[0.8, 0.15, 0.05])
    ratio = np.abs(rng.standard_t(freedom, 12_000))
    factors = conformal_factors(ratio[:6000], cell[:6000])
    weight = cell_weights(cell[6000:])
    for level in LEVELS:
        covered = float(np.sum(weight * (ratio[6000:] <= factors[f"{level:g}"])))
        assert covered == pytest.approx(level, abs=0.03)


def noisy(table: Table, spread: dict[str, float], sigma: float = 0.1) -> Fold:
    """Answers that miss by a spread of each card's own."""
    rng = np.random.default_rng(4)
    error = np.array([spread.get(gpu, 0.1) for gpu in table.gpu]) * rng.standard_normal(len(table.gpu))
    time_s = measured(table) * np.exp(error)
    return Fold(time_s, np.full(len(time_s), sigma), {"share_of_peak": 2.0 * time_s})


def test_cross_conformal_ignores_a_groups_own_errors(tables: Callable[[Rows], Table], step_table: Rows) -> None:
    table = tables(step_table)
    calm, wild = noisy(table, {}), noisy(table, {"t4": 5.0})
    own = table.gpu == "t4"
    for constant in (False, True):
        before = cross_conformal(calm, table, table.gpu, constant=constant)
        after = cross_conformal(wild, table, table.gpu, constant=constant)
        np.testing.assert_array_equal(before[own], after[own])
        assert (after[~own] > before[~own]).any()


def test_cross_conformal_follows_sigma_unless_constant(tables: Callable[[Rows], Table], step_table: Rows) -> None:
    table = tables(step_table)
    fold = noisy(table, {})
    sigma = np.linspace(0.05, 0.2, len(table.gpu))
    fold = Fold(fold.time_s, sigma, {})
    half = cross_conformal(fold, table, table.gpu)
    flat = cross_conformal(fold, table, table.gpu, constant=True)
    for gpu in np.unique(table.gpu):
        own = table.gpu == gpu
        np.testing.assert_allclose(half[own] / sigma[own], half[own][0] / sigma[own][0])
        assert len(set(flat[own])) == 1


def test_cross_conformal_covers(tables: Callable[[Rows], Table], step_table: Rows) -> None:
    table = tables(step_table)
    fold = noisy(table, {})
    inside = np.abs(np.log(measured(table) / fold.time_s)) <= cross_conformal(fold, table, table.gpu)
    assert np.mean(inside) == pytest.approx(0.9, abs=0.06)


def test_one_group_alone_has_no_interval(tables: Callable[[Rows], Table], step_table: Rows) -> None:
    table = tables(step_table)
    assert np.isnan(cross_conformal(noisy(table, {}), table, np.full(len(table.gpu), "all"))).all()


def test_cells_are_scored_apart_and_averaged(tables: Callable[[Rows], Table], step_table: Rows) -> None:
    table = tables(step_table)
    factor = np.where(table.gpu == "k80", 1.5, 1.1)
    fold = Fold(measured(table) * factor, np.full(len(factor), 0.1), {"share_of_peak": 2.0 * measured(table)})
    scores = score_cells(fold, table, np.full(len(factor), 0.2))
    assert set(scores.cells) == set(table.cell)
    assert scores.cells["lab|k80|train"].median_ape == pytest.approx(50.0)
    assert scores.cells["lab|k80|train"].coverage90 == 0.0
    assert scores.cells["cloud|t4|infer"].median_ape == pytest.approx(10.0)
    assert scores.cells["cloud|t4|infer"].coverage90 == 100.0
    cells = len(scores.cells)
    assert scores.overall.median_ape == pytest.approx((2 * 50 + (cells - 2) * 10) / cells)
    assert scores.overall.baselines["share_of_peak"] == pytest.approx(100.0)
    some = score_cells(fold, table, np.full(len(factor), 0.2), table.gpu == "k80")
    assert set(some.cells) == {"lab|k80|train", "lab|k80|infer"}


_FACTORS = (0.94, 0.97, 1.0, 1.03, 1.06)


def test_repeat_noise_is_the_spread_of_equal_settings(tables: Callable[[Rows], Table], step_table: Rows) -> None:
    repeats = [{**row, "latency_ms": row["latency_ms"] * factor} for row in step_table for factor in _FACTORS]
    expected = 100.0 * np.std(_FACTORS)
    assert repeat_noise(tables(repeats)) == pytest.approx(expected)
    one = [{**row, "latency_ms": 1.0} for row in step_table[:1] for _ in range(5)]
    assert repeat_noise(tables([*one, *repeats])) == pytest.approx(expected)  # one setting does not decide
    assert np.isnan(repeat_noise(tables(step_table)))


def test_share_of_the_error_that_constants_explain(tables: Callable[[Rows], Table], step_table: Rows) -> None:
    table = tables(step_table)
    level = {gpu: 0.1 * number for number, gpu in enumerate(np.unique(table.gpu), start=1)}
    offset = np.array([level[gpu] for gpu in table.gpu])
    constant = Fold(measured(table) * np.exp(offset), np.ones(len(offset)), {})
    assert constant_share(constant, table, table.gpu) == pytest.approx(100.0)
    assert constant_share(constant, table, np.full(len(offset), "all")) < 95.0
    calm = noisy(table, {})
    everyone = np.arange(len(offset)).astype(str)
    assert constant_share(calm, table, table.gpu) < constant_share(calm, table, everyone) == pytest.approx(100.0)
