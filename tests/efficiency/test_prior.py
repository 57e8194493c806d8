"""The prior: which effects apply, what is not known has none, and files."""

from __future__ import annotations

import gzip
import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from perfmodel.efficiency.combine import combine
from perfmodel.efficiency.features import GROUPS
from perfmodel.efficiency.levels import (
    DISTINCT,
    ENGINE_LABEL,
    GROUP_FACTORS,
    LAUNCH,
    SPREAD,
    TOTAL_FACTORS,
    WIDTH,
    Setting,
    card_offsets,
    covariate_masks,
    covariates,
    group_levels,
    total_levels,
)
from perfmodel.efficiency.prior import Prior, shipped_prior
from perfmodel.errors import FailureError
from perfmodel.hardware.gpu import find_gpu, gpus
from perfmodel.hardware.precision import PRECISIONS
from perfmodel.roofline.coefficients import KernelCoefficients
from perfmodel.step.request import make_request

PLAIN = Setting(
    precision="amp_fp16", mode="train", era="pytorch2", version="pytorch 2.4", layout="nhwc", compiled=True,
    campaign="somebody", model="resnet50", family="resnet",
)  # fmt: skip
CARD = find_gpu("v100")


def empty(**changes: object) -> Prior:
    """A prior that knows nothing."""
    prior = Prior(
        kernel=KernelCoefficients(), launch_s=np.full(4, 1e-5), covariate=np.zeros(8), group={}, total={}, counts={},
        conformal={"0.5": 0.7, "0.9": 1.7}, support={},
    )  # fmt: skip
    return replace(prior, **changes)  # type: ignore[arg-type]


def test_levels_are_those_of_the_factors() -> None:
    assert group_levels(PLAIN, "Volta").keys() == GROUP_FACTORS.keys()
    assert total_levels(PLAIN, "v100-sxm2-16", "Volta").keys() == TOTAL_FACTORS.keys()
    assert WIDTH == len(GROUPS) + 1 == LAUNCH + 1


def test_levels_name_what_they_depend_on() -> None:
    known = group_levels(PLAIN, "Volta")
    assert all(known.values())
    other = group_levels(replace(PLAIN, precision="fp32"), "Volta")
    assert {name for name in known if known[name] != other[name]} >= {"engine", "era", "version", "layout", "arch"}
    plain = group_levels(replace(PLAIN, layout="nchw", compiled=False), "Volta")
    assert {name for name in plain if not plain[name]} == {
        name for name in plain if name.startswith(("layout", "compiled"))
    }
    whole = total_levels(replace(PLAIN, campaign=""), "v100-sxm2-16", "Volta")
    assert {name for name, level in whole.items() if not level} == {
        name for name in whole if "campaign" in name or name == "stack_mode"
    }


def test_sums_of_operators_have_effects_of_their_own() -> None:
    kernels = replace(PLAIN, operators=True)
    steps, sums = group_levels(PLAIN, "Volta"), group_levels(kernels, "Volta")
    assert sums["engine"] == sums["era"] == sums["arch"] == ""
    assert kernels.engine != PLAIN.engine
    assert steps["version"] != sums["version"]
    assert (covariates(CARD, kernels) == 0).all()


def test_every_modelled_precision_has_an_engine() -> None:
    assert set(PRECISIONS) - {"fp64"} <= ENGINE_LABEL.keys()


@pytest.mark.parametrize("gpu", gpus(), ids=lambda gpu: gpu.key)
def test_covariates_are_finite_and_moderate(gpu: object) -> None:
    found = covariates(gpu, PLAIN)  # type: ignore[arg-type]
    assert found.shape == (4,)
    assert np.isfinite(found).all()
    assert (np.abs(found) < 4).all()
    assert found[0] <= 0
    assert found[3] in (0.0, 1.0)


def test_offsets_act_on_their_groups() -> None:
    offsets = card_offsets(0.3, -0.2)
    assert offsets[GROUPS.index("conv")] == offsets[GROUPS.index("gemm_backward")] == 0.3
    assert offsets[GROUPS.index("norm")] == offsets[GROUPS.index("optimizer")] == -0.2
    assert offsets[LAUNCH] == 0.0
    masks = covariate_masks()
    assert masks.shape == (8, WIDTH)
    assert (masks[:4] & masks[4:]).sum() == 0
    assert not masks[:, LAUNCH].any()


def test_unseen_levels_have_no_effect_and_widen() -> None:
    nothing = empty().corrections(PLAIN, CARD)
    assert (nothing.theta == 0).all()
    assert nothing.total == 0
    assert nothing.variance > SPREAD["noise"]
    levels = total_levels(PLAIN, CARD.key, CARD.arch)
    counts = {name: {level: 1000} for name, level in levels.items() if level}
    group = {name: {level: np.zeros(WIDTH)} for name, level in group_levels(PLAIN, CARD.arch).items() if level}
    known = {**group_levels(PLAIN, CARD.arch), **levels}
    counts |= {name: {known[factor]: 1000} for name, (factor, _) in DISTINCT.items()}
    seen = empty(counts=counts, group=group).corrections(PLAIN, CARD)
    assert (seen.theta == 0).all()
    assert SPREAD["noise"] < seen.variance < 0.15 * nothing.variance
    assert 0 < seen.card < 0.1 * nothing.card < nothing.variance


def test_a_stack_measured_on_one_card_is_less_sure_than_one_measured_on_many() -> None:
    levels = {**group_levels(PLAIN, CARD.arch), **total_levels(PLAIN, CARD.key, CARD.arch)}
    one, many = (
        empty(counts={"version_cards": {levels["version"]: cards}, "arch_cards": {levels["arch"]: cards}})
        .corrections(PLAIN, CARD)
        .variance
        for cards in (1, 9)
    )
    weight = SPREAD["version_cards"] + SPREAD["arch_cards"]
    assert one - many == pytest.approx(weight * (1 / 2 - 1 / 10))


def test_weights_of_the_variance_are_the_priors_own() -> None:
    heavy = empty(spread={**SPREAD, "gpu": 1.0}).corrections(PLAIN, CARD)
    assert heavy.variance - empty().corrections(PLAIN, CARD).variance == pytest.approx(1.0 - SPREAD["gpu"])
    unknown = empty().unknown(PLAIN, CARD)
    assert unknown.shape == (len(SPREAD),)
    assert ((unknown >= 0) & (unknown <= 1)).all()


def test_effects_add_up() -> None:
    levels = group_levels(PLAIN, CARD.arch)
    group = {"engine": {levels["engine"]: np.full(WIDTH, 0.1)}, "compiled": {levels["compiled"]: np.full(WIDTH, -0.3)},
             "layout": {"another": np.full(WIDTH, 9.0)}}  # fmt: skip
    total = {"gpu": {CARD.key: 0.05, "k80": 9.0}, "model": {"resnet50": 0.02}}
    found = empty(group=group, total=total, cards={CARD.key: (0.01, 0.02)}).corrections(PLAIN, CARD)
    assert found.total == pytest.approx(0.07)
    assert found.theta[GROUPS.index("conv")] == pytest.approx(-0.2 + 0.01)
    assert found.theta[GROUPS.index("norm")] == pytest.approx(-0.2 + 0.02)
    assert found.theta[LAUNCH] == pytest.approx(-0.2)


def test_a_prediction_without_a_campaign_is_less_sure() -> None:
    prior = empty(counts={"campaign_mode": {"somebody|train": 99}})
    anywhere = prior.corrections(replace(PLAIN, campaign=""), CARD)
    assert anywhere.variance > prior.corrections(PLAIN, CARD).variance - TOTAL_FACTORS["campaign_model"] ** 2 * 2


def test_half_width_grows_with_coverage_and_variance() -> None:
    prior = empty()
    assert prior.half_width(0.04, 0.9) == pytest.approx(1.7 * 0.2)
    assert prior.half_width(0.04, 0.7) == pytest.approx(1.2 * 0.2)
    assert prior.half_width(0.04, 0.25) == pytest.approx(0.35 * 0.2)
    beyond = float(prior.half_width(0.04, 0.99))
    assert beyond == pytest.approx(1.7 * 0.2 * 2.5758 / 1.6449, rel=1e-3)
    assert float(prior.half_width(0.04, 0.999)) > beyond
    np.testing.assert_allclose(prior.half_width(np.array([0.01, 0.04]), 0.9), [0.17, 0.34])


def test_a_saved_prior_comes_back(tmp_path: Path) -> None:
    prior = shipped_prior()
    prior.save(tmp_path / "one.json.gz")
    prior.save(tmp_path / "two.json.gz")
    assert (tmp_path / "one.json.gz").read_bytes() == (tmp_path / "two.json.gz").read_bytes()
    known = Prior.from_dict(json.loads(gzip.decompress((tmp_path / "one.json.gz").read_bytes())))
    assert known.to_dict() == prior.to_dict()
    plan = make_request("resnet50", gpu="v100").plan
    first, second = (one.corrections(plan.setting, CARD) for one in (known, prior))
    np.testing.assert_allclose(first.theta, second.theta, atol=1e-12)
    assert first.variance == second.variance


@pytest.mark.parametrize("version", [0, 1, "2", None])
def test_an_unknown_schema_is_refused(version: object) -> None:
    with pytest.raises(FailureError, match="this version reads 2"):
        Prior.from_dict({**shipped_prior().to_dict(), "schema_version": version})


def test_the_shipped_prior_is_sound() -> None:
    prior = shipped_prior()
    assert (prior.launch_s > 0).all()
    assert prior.spread.keys() == SPREAD.keys()
    assert all(0 < value < 1 for value in prior.spread.values())
    widths = [prior.conformal[key] for key in sorted(prior.conformal, key=float)]
    assert widths == sorted(widths)
    assert "0.9" in prior.conformal
    assert prior.provenance
    for levels in prior.group.values():
        for effect in levels.values():
            assert effect.shape == (WIDTH,)
            assert (np.abs(effect) < 3).all()


def test_the_longer_of_device_and_host_decides() -> None:
    device, host = np.array([1.0, 1.0, 1.0]), np.array([0.0, 1e-3, 10.0])
    found = combine(device, host)
    assert found[0] == 1.0
    assert found[1] == pytest.approx(1.0, rel=1e-9)
    assert found[2] == pytest.approx(10.0, rel=1e-4)
    both = float(combine(np.array(1.0), np.array(1.0)))
    assert 1.0 < both < 2.0
