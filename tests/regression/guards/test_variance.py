"""Residuals whose spread differs."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from perfmodel.regression.guards.variance import breusch_pagan, brown_forsythe, check_variance, variance_weights

Make = Callable[..., Any]


def test_the_tests_are_those_of_statsmodels_and_scipy(table: Make, design: Make, residuals: Make) -> None:
    diagnostic = pytest.importorskip("statsmodels.stats.diagnostic")
    stats = pytest.importorskip("scipy.stats")
    frame = table(noise=0.1)
    made = design(frame, "log(fp32_tflops)", "blocks", "batch")
    left = residuals(made)
    assert breusch_pagan(made.x, left) == pytest.approx(diagnostic.het_breuschpagan(left, made.x)[1])
    groups = frame["gpu"].to_numpy()
    parts = [left[groups == name] for name in np.unique(groups)]
    assert brown_forsythe(left, groups)[0] == pytest.approx(stats.levene(*parts, center="median").pvalue)


def test_noise_in_proportion_to_the_time_is_found_and_the_logarithm_recommended(
    table: Make, design: Make, residuals: Make
) -> None:
    frame = table(batch=(1, 4, 16, 64), noise=0.1)
    frame["work"] = frame["gflop_step"] / frame["fp32_tflops"]
    plain = design(frame, "work", response="step_ms")
    (finding,) = check_variance(plain, residuals(plain))
    assert finding.guard == "heteroscedasticity"
    assert "large fitted values" in finding.text
    assert "log(step_ms)" in finding.remedy
    assert "wls" in finding.remedy
    frame["exact"] = frame["work"] + 25.0
    logs = design(frame, "log(exact)")
    assert not check_variance(logs, residuals(logs))


def test_a_card_with_wide_residuals_is_named(table: Make, design: Make, residuals: Make) -> None:
    frame = table(noise=0.02)
    rows = frame["gpu"] == "t4"
    frame.loc[rows, "step_ms"] *= np.exp(0.3 * np.random.default_rng(0).standard_normal(int(rows.sum())))
    frame["exact"] = frame["gflop_step"] / frame["fp32_tflops"] + 25.0
    made = design(frame, "log(exact)")
    found = check_variance(made, residuals(made), frame["gpu"].to_numpy())
    assert any("residuals of t4 spread" in one.text and "wls" in one.remedy for one in found)


def test_weights_are_inverse_variances(table: Make) -> None:
    rng = np.random.default_rng(0)
    groups = np.repeat(["a", "b"], 2000)
    weights = variance_weights(np.where(groups == "a", 1.0, 3.0) * rng.standard_normal(4000), groups)
    assert weights.mean() == pytest.approx(1)
    assert weights[0] / weights[-1] == pytest.approx(9, rel=0.15)


@pytest.mark.parametrize("seed", range(20))
def test_equal_noise_is_silent(table: Make, design: Make, residuals: Make, seed: int) -> None:
    frame = table(noise=0.05, seed=seed)
    frame["exact"] = frame["gflop_step"] / frame["fp32_tflops"] + 25.0
    made = design(frame, "log(exact)")
    assert not check_variance(made, residuals(made), frame["gpu"].to_numpy())
