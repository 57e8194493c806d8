"""The fit of kernel coefficients finds what made the times."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from perfmodel.calibration.fit_kernels import KernelFit, device_time, fit_kernels, predict_rows, subsample
from perfmodel.calibration.kernel_rows import KernelRows, read_kernel_rows
from perfmodel.roofline.coefficients import KernelCoefficients

CARDS = ("v100-pcie-32", "p100-pcie-16", "a100-pcie-40")
CLASSES = ("linear", "bmm", "conv", "norm", "softmax", "elementwise")
NAMES = ("convolution", "norm_old", "norm_new", "softmax_new", "wave_fill", "occupancy_half")
TRUE = KernelCoefficients(
    convolution=0.65, norm_old=0.5, norm_new=0.8, softmax_new=0.6, wave_fill=0.6, occupancy_half=0.2
)
EFFECTS = {
    (gpu, side): value
    for gpu, pair in zip(CARDS, ((0.10, -0.08), (-0.10, 0.0), (0.0, 0.08)), strict=True)
    for side, value in zip(("product", "bytes"), pair, strict=True)
}
FLOORS = {("neusight", gpu, cls): 20e-6 * (1 + at) for at, gpu in enumerate(CARDS) for cls in CLASSES}
TRUTH = KernelFit(TRUE, EFFECTS, FLOORS)


@pytest.fixture
def measured(kernel_table: Callable[..., Path], random_kernels: Callable[..., Any]) -> Callable[..., KernelRows]:
    """Return a function that makes rows whose times follow `TRUTH`, with noise."""

    def rows(seed: int = 0, noise: float = 0.02, each: int = 40) -> KernelRows:
        found = read_kernel_rows(kernel_table(random_kernels(CARDS, each, seed)))
        rng = np.random.default_rng(seed + 100)
        return replace(found, time_s=predict_rows(found, TRUTH) * np.exp(noise * rng.standard_normal(len(found))))

    return rows


def median_error(rows: KernelRows, fit: KernelFit) -> float:
    """Median absolute error of log time."""
    return float(np.median(np.abs(np.log(predict_rows(rows, fit) / rows.time_s))))


def test_known_coefficients_are_recovered(measured: Callable[..., KernelRows]) -> None:
    fit = fit_kernels(measured(), names=NAMES, iterations=8)
    start = KernelCoefficients()
    assert fit.coefficients.convolution == pytest.approx(TRUE.convolution, rel=0.05)
    for cls, gpu, name in (("norm", "p100-pcie-16", "norm_old"), ("norm", "v100-pcie-32", "norm_new"),
                           ("softmax", "a100-pcie-40", "softmax_new")):  # fmt: skip
        found = np.log(getattr(fit.coefficients, name)) - fit.effect(gpu, cls)
        assert found == pytest.approx(np.log(getattr(TRUE, name)) - TRUTH.effect(gpu, cls), abs=0.06), name
    for name in set(start.to_dict()) - set(NAMES):
        assert getattr(fit.coefficients, name) == pytest.approx(getattr(start, name), rel=1e-12)


def test_one_card_does_not_decide_a_share_of_all_cards_of_its_age(measured: Callable[..., KernelRows]) -> None:
    """One old card has slow norms: half of it is the card's own; new cards, of which there are two, tell more."""
    fit = fit_kernels(measured(), names=NAMES, iterations=8)
    start = KernelCoefficients()

    def moved(name: str) -> float:
        before, true = np.log(getattr(start, name)), np.log(getattr(TRUE, name))
        return float((np.log(getattr(fit.coefficients, name)) - before) / (true - before))

    assert 0.0 < moved("norm_old") < 0.5
    assert fit.effects["p100-pcie-16", "norm"] > 0.1
    assert moved("norm_new") > moved("norm_old")


def test_a_card_that_was_not_fitted_is_like_those_of_its_age() -> None:
    fit = KernelFit(KernelCoefficients(), {("p100-pcie-16", "bytes"): 0.2, ("p4", "bytes"): 0.1, ("t4", "bytes"): -0.3})
    assert fit.effect("gtx1080ti", "elementwise") == pytest.approx(0.3 / 3)
    assert fit.effect("v100-sxm2-16", "elementwise") == pytest.approx(-0.3 / 2)
    assert fit.effect("p4", "elementwise") == 0.1
    assert fit.effect("p4", "linear") == fit.effect("gtx1080ti", "linear") == 0.0


def test_card_effects_are_recovered(measured: Callable[..., KernelRows]) -> None:
    fit = fit_kernels(measured(), names=NAMES, iterations=8)
    for gpu in CARDS:
        found, true = fit.cards[gpu], (EFFECTS[gpu, "product"], EFFECTS[gpu, "bytes"])
        assert found == pytest.approx(true, abs=0.04), gpu


def test_other_kernels_of_the_cards_are_predicted(measured: Callable[..., KernelRows]) -> None:
    fresh = measured(seed=7, noise=0.0)
    fit = fit_kernels(measured(), names=NAMES, iterations=8)
    start = KernelFit(KernelCoefficients(), {}, FLOORS)
    assert median_error(fresh, fit) < 0.02
    assert median_error(fresh, start) > 0.06


def test_floors_are_recovered(measured: Callable[..., KernelRows]) -> None:
    rows = measured(each=60)
    fit = fit_kernels(rows, names=NAMES, iterations=8)
    seen = 0
    for key, true in FLOORS.items():
        at = (rows.gpu == key[1]) & (rows.cls == key[2])
        if np.mean(true / rows.time_s[at] > 0.3) > 0.3:  # only then does the data tell the floor
            assert fit.floors[key] == pytest.approx(true, rel=0.15), key
            seen += 1
    assert seen >= 3


def test_outliers_do_not_move_the_fit(measured: Callable[..., KernelRows]) -> None:
    rows = measured()
    rng = np.random.default_rng(5)
    wrong = rng.random(len(rows)) < 0.05
    spoilt = replace(rows, time_s=np.where(wrong, 10.0 * rows.time_s, rows.time_s))
    fit = fit_kernels(spoilt, names=NAMES, iterations=8)
    assert median_error(measured(seed=7, noise=0.0), fit) < 0.03
    assert fit.coefficients.convolution == pytest.approx(TRUE.convolution, rel=0.08)


def test_the_centre_of_the_prior_is_the_start(measured: Callable[..., KernelRows]) -> None:
    rows = measured().select(np.arange(3))
    start = KernelCoefficients(norm_new=0.33, convolution=0.44)
    fit = fit_kernels(rows, start=start, names=("norm_new", "convolution"), iterations=3)
    assert fit.coefficients.norm_new == pytest.approx(0.33, rel=1e-6)  # the three rows are plain products
    assert fit.coefficients.convolution == pytest.approx(0.44, rel=1e-6)


def test_an_unknown_card_has_the_mean_floor_of_the_others() -> None:
    floors = {("s", "a", "conv"): 1e-5, ("s", "b", "conv"): 4e-5, ("s", "a", "norm"): 8e-5, ("t", "a", "conv"): 1.0}
    fit = KernelFit(KernelCoefficients(), {}, floors)
    assert fit.floor("s", "a", "conv") == 1e-5
    assert fit.floor("s", "new", "conv") == pytest.approx(2e-5)
    assert fit.floor("s", "new", "softmax") == pytest.approx((1e-5 * 4e-5 * 8e-5) ** (1 / 3))
    assert fit.floor("deepbench", "new", "conv") == 8e-6
    assert fit.floor("never heard of", "new", "conv") == 3e-5


def test_predictions_are_device_time_with_effect_and_floor(measured: Callable[..., KernelRows]) -> None:
    rows = measured()
    device = device_time(rows, TRUE)
    plain = predict_rows(rows, KernelFit(TRUE, {}, {("neusight", "elsewhere", "norm"): 1e-4}))
    np.testing.assert_allclose(plain, device + 1e-4, rtol=1e-12)
    at = int(np.flatnonzero((rows.gpu == "p100-pcie-16") & (rows.cls == "conv"))[0])
    assert predict_rows(rows, TRUTH)[at] == pytest.approx(device[at] * np.exp(-0.10) + 40e-6, rel=1e-12)


def test_no_cell_has_more_rows_than_asked_for(measured: Callable[..., KernelRows]) -> None:
    rows = measured(each=20)
    some = subsample(rows, 5)
    cells = list(zip(some.gpu.tolist(), some.cls.tolist(), strict=True))
    assert {cells.count(cell) for cell in set(cells)} == {5}
    assert len(set(cells)) == len(CARDS) * len(CLASSES)
    np.testing.assert_array_equal(some.time_s, subsample(rows, 5).time_s)
    assert not np.array_equal(some.time_s, subsample(rows, 5, seed=1).time_s)
    assert len(subsample(rows, 1000)) == len(rows)
