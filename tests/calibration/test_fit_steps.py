"""The fit of step effects finds what made the times, and levels that it never saw have no effect."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from perfmodel.calibration.fit_steps import StepFit, StepRows, effects, fit_steps, predict_steps
from perfmodel.efficiency.features import GROUP_CODE, GROUPS
from perfmodel.efficiency.levels import COVARIATES, LAUNCH, WIDTH

GPUS = {"k80": -0.15, "p100": -0.05, "v100": 0.0, "t4": 0.20, "a100": 0.10, "h100": -0.10}
MODELS = {"resnet50": 0.1, "vgg16": -0.1, "bert": 0.15, "gpt2": -0.15, "mobile": 0.0, "unet": 0.05, "dlrm": -0.05}
CONV, NORM = GROUP_CODE["conv"], GROUP_CODE["norm"]
ENGINE = {"fp32": {CONV: 0.2, NORM: -0.2}, "amp": {CONV: -0.15, NORM: 0.1, LAUNCH: 0.25}}
ERA = {"fp32|pytorch1": {CONV: 0.15}, "fp32|pytorch2": {}, "amp|pytorch1": {}, "amp|pytorch2": {NORM: 0.15}}


def vectors(levels: dict[str, dict[int, float]]) -> dict[str, npt.NDArray[np.float64]]:
    """Effects on some groups as vectors."""
    return {name: np.array([some.get(at, 0.0) for at in range(WIDTH)]) for name, some in levels.items()}


TRUTH = StepFit(
    covariate=np.zeros(2 * len(COVARIATES)),
    group={"engine": vectors(ENGINE), "era": vectors(ERA)},
    total={"gpu": GPUS, "model": MODELS, "gpu_engine": {}},
)


def make(count: int = 900, seed: int = 0, noise: float = 0.02, **other: Any) -> StepRows:
    """Rows whose times follow `TRUTH`."""
    rng = np.random.default_rng(seed)
    engine, era = rng.choice(list(ENGINE), count), rng.choice(["pytorch1", "pytorch2"], count)
    gpu, model = rng.choice(list(GPUS), count), rng.choice(list(MODELS), count)
    rows = StepRows(
        seconds=rng.dirichlet(np.full(len(GROUPS), 0.3), count) * np.exp(rng.uniform(-6, 0, count))[:, None],
        host=np.exp(rng.uniform(-6, -3, count)),
        extra=rng.choice([0.0, 1e-3], count),
        time_s=np.ones(count),
        covariates=np.zeros((count, len(COVARIATES))),
        group_levels={"engine": engine, "era": np.char.add(np.char.add(engine, "|"), era)},
        total_levels={"gpu": gpu, "model": model, "gpu_engine": np.char.add(np.char.add(gpu, "|"), engine)},
        cell=np.char.add(gpu, era),
    )
    rows = replace(rows, **other)
    return replace(rows, time_s=predict_steps(rows, TRUTH) * np.exp(noise * rng.standard_normal(count)))


def differences(values: dict[str, float]) -> npt.NDArray[np.float64]:
    """Effects less their mean: what data can tell of factors that add up."""
    array = np.array([values[name] for name in sorted(values)])
    return np.asarray(array - array.mean())


def test_cards_and_networks_are_recovered() -> None:
    fit = fit_steps(make())
    np.testing.assert_allclose(differences(fit.total["gpu"]), differences(GPUS), atol=0.04)
    np.testing.assert_allclose(differences(fit.total["model"]), differences(MODELS), atol=0.03)
    assert fit.rows == 900


def test_engines_and_stacks_are_recovered() -> None:
    fit = fit_steps(make())
    for level, engine in (("fp32|pytorch1", "fp32"), ("amp|pytorch2", "amp")):
        for at in (CONV, NORM):
            found = fit.group["engine"][engine][at] + fit.group["era"][level][at]
            true = TRUTH.group["engine"][engine][at] + TRUTH.group["era"][level][at]
            assert found == pytest.approx(true, abs=0.06), (level, GROUPS[at])
    launch = fit.group["engine"]["amp"][LAUNCH] - fit.group["engine"]["fp32"][LAUNCH]
    launch += fit.group["era"]["amp|pytorch1"][LAUNCH] - fit.group["era"]["fp32|pytorch1"][LAUNCH]
    assert launch == pytest.approx(0.25, abs=0.06)


def test_other_steps_are_predicted() -> None:
    fresh = make(seed=3, noise=0.0)
    fit = fit_steps(make())
    error = np.abs(np.log(predict_steps(fresh, fit) / fresh.time_s))
    nothing = StepFit(covariate=np.zeros(2 * len(COVARIATES)), group={}, total={})
    without = np.abs(np.log(predict_steps(fresh, nothing) / fresh.time_s))
    assert np.median(error) < 0.01
    assert np.quantile(error, 0.95) < 0.04
    assert np.median(without) > 0.1


def test_covariates_act_on_their_groups() -> None:
    rng = np.random.default_rng(9)
    covariate = np.zeros(2 * len(COVARIATES))
    covariate[1], covariate[len(COVARIATES)] = 0.3, -0.2  # balance on arithmetic, power on memory
    rows = make(covariates=rng.uniform(-1, 1, (900, len(COVARIATES))))
    truth = replace(TRUTH, covariate=covariate)
    rows = replace(rows, time_s=predict_steps(rows, truth))
    fit = fit_steps(rows)
    np.testing.assert_allclose(fit.covariate, covariate, atol=0.03)
    theta, _ = effects(rows, StepFit(covariate=covariate, group={}, total={}))
    np.testing.assert_allclose(theta[:, CONV], 0.3 * rows.covariates[:, 1])
    np.testing.assert_allclose(theta[:, NORM], -0.2 * rows.covariates[:, 0])
    assert not theta[:, LAUNCH].any()


def test_outliers_do_not_move_the_fit() -> None:
    rows = make()
    wrong = np.random.default_rng(4).random(len(rows)) < 0.05
    fit = fit_steps(replace(rows, time_s=np.where(wrong, 10 * rows.time_s, rows.time_s)))
    fresh = make(seed=3, noise=0.0)
    assert np.median(np.abs(np.log(predict_steps(fresh, fit) / fresh.time_s))) < 0.02


def test_levels_that_were_left_out_have_no_effect() -> None:
    rows = make()
    gpu = rows.total_levels["gpu"]
    fit = fit_steps(rows.select(np.flatnonzero(gpu != "t4")))
    assert "t4" not in fit.total["gpu"]
    assert set(fit.total["gpu"]) == set(GPUS) - {"t4"}
    own = rows.select(np.flatnonzero(gpu == "t4"))
    nowhere = replace(own, total_levels={**own.total_levels, "gpu": np.full(len(own), "never seen")})
    np.testing.assert_array_equal(predict_steps(own, fit), predict_steps(nowhere, fit))
    bias = np.median(np.log(own.time_s / predict_steps(own, fit)))
    assert bias == pytest.approx(0.20, abs=0.06)


def test_the_first_guess_does_not_matter() -> None:
    rows = make()
    cold = fit_steps(rows, iterations=20)
    elsewhere = make(seed=8, noise=0.3)
    warm = fit_steps(rows, start=fit_steps(elsewhere), iterations=20)
    ratio = predict_steps(rows, cold) / predict_steps(rows, warm)
    np.testing.assert_allclose(ratio, 1.0, atol=2e-3)


def test_a_first_guess_may_have_other_levels() -> None:
    rows = make()
    some = rows.select(np.flatnonzero(rows.total_levels["gpu"] != "k80"))
    warm = fit_steps(some, start=fit_steps(rows), iterations=20)
    assert "k80" not in warm.total["gpu"]
    np.testing.assert_allclose(
        predict_steps(some, warm) / predict_steps(some, fit_steps(some, iterations=20)), 1.0, atol=2e-3
    )


def test_levels_that_repeat_a_level_of_their_factor_are_not_fitted() -> None:
    rows = make()
    gpu, engine = rows.total_levels["gpu"], rows.group_levels["engine"]
    keep = np.flatnonzero((gpu != "h100") | (engine == "amp"))
    found = fit_steps(rows.select(keep)).total["gpu_engine"]
    assert "h100|amp" not in found
    assert {"a100|amp", "a100|fp32"} <= set(found)
    assert "h100|amp" in fit_steps(rows).total["gpu_engine"]


def test_empty_levels_have_no_effect() -> None:
    rows = make()
    model = np.where(rows.total_levels["model"] == "dlrm", "", rows.total_levels["model"])
    fit = fit_steps(replace(rows, total_levels={**rows.total_levels, "model": model}))
    assert set(fit.total["model"]) == set(MODELS) - {"dlrm"}


def test_narrow_priors_hold_effects_back() -> None:
    rows = make()
    narrow = fit_steps(rows, total_sd={"gpu": 1e-6}, group_sd={"engine": 1e-6})
    assert max(map(abs, narrow.total["gpu"].values())) < 1e-4
    assert max(float(np.abs(values).max()) for values in narrow.group["engine"].values()) < 1e-4
    assert max(map(abs, fit_steps(rows).total["gpu"].values())) > 0.05


def test_without_total_drops_effects_of_the_named_factors() -> None:
    rows = make()
    fit = fit_steps(rows)
    bare = fit.without_total("gpu", "gpu_engine")
    assert (bare.total["gpu"], bare.total["model"]) == ({}, fit.total["model"])
    _, total = effects(rows, bare)
    expected = np.array([fit.total["model"][str(name)] for name in rows.total_levels["model"]])
    np.testing.assert_allclose(total, expected)


def test_blocking_copies_add_to_the_step_whatever_its_efficiency() -> None:
    rows = make()
    fit = fit_steps(rows)
    none = replace(rows, extra=np.zeros(len(rows)))
    np.testing.assert_allclose(predict_steps(rows, fit) - predict_steps(none, fit), rows.extra, rtol=1e-9, atol=1e-12)
