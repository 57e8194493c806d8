"""Profiles: measurements of a card move its terms to the truth, and are stored safely."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from perfmodel.efficiency.features import GROUPS
from perfmodel.efficiency.levels import Setting
from perfmodel.efficiency.prior import Corrections
from perfmodel.efficiency.profile import (
    OBSERVATION_SD,
    TERM_SD,
    TERMS,
    Observation,
    Profile,
    load_profile,
    term_shares,
)
from perfmodel.errors import FailureError, InputError


def observe(truth: list[float], shares: list[float]) -> Observation:
    """What is measured of a card whose first terms are off by `truth`, without noise; shares not given are 0."""
    full = np.zeros(len(TERMS))
    full[: len(shares)] = shares
    off = float(full[: len(truth)] @ np.array(truth))
    return Observation(measured_s=2.0 * float(np.exp(off)), predicted_s=2.0, shares=full)


def random_observations(seed: int, count: int, truth: list[float]) -> list[Observation]:
    rng = np.random.default_rng(seed)
    return [observe(truth, [*rng.dirichlet(np.ones(4)), float(rng.integers(0, 2))]) for _ in range(count)]


def test_observations_converge_to_the_truth() -> None:
    truth = [0.3, -0.2, 0.1, 0.4, -0.1]
    profile = Profile(gpu="x").update(random_observations(1, 2000, truth))
    np.testing.assert_allclose(profile.mean[:5], truth, atol=0.01)
    np.testing.assert_array_equal(profile.mean[5:], 0.0)
    assert profile.observations == 2000


def test_every_observation_shrinks_the_variance() -> None:
    profile = Profile(gpu="x")
    for one in random_observations(2, 20, [0.0] * 5):
        known = profile.update([one])
        assert np.trace(known.covariance) < np.trace(profile.covariance)
        assert (np.linalg.eigvalsh(known.covariance) > 0).all()
        profile = known


def test_one_observation_by_hand() -> None:
    """A single term, directly observed: the conjugate posterior of a normal mean."""
    known = Profile(gpu="x").update([observe([0.2, 0, 0, 0, 0], [1.0, 0, 0, 0, 0])])
    weight = TERM_SD[0] ** 2 / (TERM_SD[0] ** 2 + OBSERVATION_SD**2)
    assert known.mean[0] == pytest.approx(0.2 * weight)
    assert known.covariance[0, 0] == pytest.approx(TERM_SD[0] ** 2 * (1 - weight))
    np.testing.assert_array_equal(known.mean[1:], 0)


@given(st.integers(0, 50), st.integers(0, 12), st.integers(0, 12))
@settings(max_examples=30, deadline=None)
def test_merging_is_updating_with_both(seed: int, first: int, second: int) -> None:
    ones = random_observations(seed, first + second, [0.2, 0.1, -0.3, 0.5, 0.0])
    joint = Profile(gpu="x").update(ones)
    merged = Profile(gpu="x").update(ones[:first]).merge(Profile(gpu="x").update(ones[first:]))
    np.testing.assert_allclose(merged.mean, joint.mean, atol=1e-8)
    np.testing.assert_allclose(merged.covariance, joint.covariance, atol=1e-8)
    assert merged.observations == joint.observations == first + second


def test_the_order_of_observations_does_not_matter() -> None:
    ones = random_observations(3, 10, [0.2, 0.1, -0.3, 0.5, 0.0])
    there, back = Profile(gpu="x").update(ones), Profile(gpu="x").update(ones[::-1])
    np.testing.assert_allclose(there.mean, back.mean, atol=1e-12)


def test_profiles_of_two_cards_do_not_merge() -> None:
    with pytest.raises(InputError, match="a and b cannot be merged"):
        Profile(gpu="a").merge(Profile(gpu="b"))


@pytest.mark.parametrize("measured", [0.0, -1.0, float("nan"), float("inf")])
def test_times_must_be_positive(measured: float) -> None:
    with pytest.raises(InputError, match="cannot update a profile"):
        Profile(gpu="x").update([Observation(measured_s=measured, predicted_s=1.0, shares=np.ones(len(TERMS)))])


def test_saved_profiles_come_back(tmp_path: Path) -> None:
    profile = replace(
        Profile(gpu="v100-sxm2-16").update(random_observations(4, 7, [0.1] * 5)), provenance={"driver": "550.1"}
    )
    profile.save(tmp_path / "new" / "one.json")
    known = Profile.load(tmp_path / "new" / "one.json")
    np.testing.assert_array_equal(known.mean, profile.mean)
    np.testing.assert_array_equal(known.covariance, profile.covariance)
    assert (known.gpu, known.observations, known.provenance["driver"]) == ("v100-sxm2-16", 7, "550.1")


def test_profiles_are_found_by_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PERFMODEL_DATA_DIR", str(tmp_path))
    Profile(gpu="k80").save(tmp_path / "profiles" / "mine.json")
    assert load_profile("mine").gpu == "k80"
    assert load_profile(tmp_path / "profiles" / "mine.json").gpu == "k80"
    with pytest.raises(InputError, match="no profile"):
        load_profile("other")


def document() -> dict[str, Any]:
    return Profile(gpu="x").to_dict()


@pytest.mark.parametrize(
    ("change", "error", "text"),
    [
        ({"schema_version": 99}, FailureError, "another schema version"),
        ({"terms": ["arithmetic"]}, FailureError, "another schema version"),
        ({"mean": [0.0]}, InputError, "wrong number of terms"),
        ({"mean": ["a"] * 5}, InputError, "holds no numbers"),
        ({"covariance": [[0.0] * 5]}, InputError, "wrong number of terms"),
        ({"covariance": None}, InputError, "wrong number of terms|holds no numbers"),
        ({"observations": "many"}, InputError, "holds no numbers"),
    ],
)
def test_broken_profiles(tmp_path: Path, change: dict[str, Any], error: type[Exception], text: str) -> None:
    path = tmp_path / "broken.json"
    path.write_text(json.dumps({**document(), **change}))
    with pytest.raises(error, match=text):
        Profile.load(path)


@pytest.mark.parametrize("name", ["mean", "covariance", "gpu", "observations", "terms"])
def test_a_profile_that_lacks_something(tmp_path: Path, name: str) -> None:
    path = tmp_path / "broken.json"
    path.write_text(json.dumps({key: value for key, value in document().items() if key != name}))
    with pytest.raises(InputError, match="is not a profile"):
        Profile.load(path)


@pytest.mark.parametrize("content", [b"", b"not json", b"[]", b"\xff\xfe\x00", b"3"])
def test_files_that_are_no_profile(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "broken.json").write_bytes(content)
    with pytest.raises(InputError, match="is not a profile"):
        Profile.load(tmp_path / "broken.json")


def test_a_folder_is_no_profile(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="is not a profile"):
        Profile.load(tmp_path)


def test_shares_are_derivatives_of_the_step() -> None:
    seconds, host = np.arange(1.0, len(GROUPS) + 1), 30.0
    shares = term_shares(seconds, host, whole_step=True)
    device = seconds.sum()

    def log_step(arithmetic: float, launch: float) -> float:
        group = seconds * np.exp(np.where([name.startswith(("conv", "gemm")) for name in GROUPS], arithmetic, 0.0))
        return float(np.log((group.sum() ** 4 + (host * np.exp(launch)) ** 4) ** 0.25))

    assert shares[:4].sum() == pytest.approx(1.0)
    assert shares[TERMS.index("arithmetic")] == pytest.approx((log_step(1e-6, 0) - log_step(-1e-6, 0)) / 2e-6, rel=1e-5)
    assert shares[TERMS.index("launch")] == pytest.approx((log_step(0, 1e-6) - log_step(0, -1e-6)) / 2e-6, rel=1e-5)
    busy = device**4 / (device**4 + host**4)
    assert shares[TERMS.index("batched")] == pytest.approx(busy * seconds[GROUPS.index("batched")] / device)


def test_shares_mark_steps_mode_and_engine() -> None:
    seconds = np.ones(len(GROUPS))
    named = dict(zip(TERMS, term_shares(seconds, 0.0, whole_step=True, precision="fp32"), strict=True))
    assert (named["step"], named["training"], named["inference"]) == (1.0, 1.0, 0.0)
    assert (named["wide"], named["tensor"], named["tensor arithmetic"]) == (1.0, 0.0, 0.0)
    low = term_shares(seconds, 1.0, whole_step=True, mode="infer", precision="amp_fp16", scale=0.5)
    named = dict(zip(TERMS, low, strict=True))
    assert (named["step"], named["training"], named["inference"], named["tensor"]) == (0.5, 0.0, 0.5, 0.5)
    assert named["tensor arithmetic"] == named["arithmetic"] > 0
    assert named["tensor launch"] == named["launch"] > 0
    assert not term_shares(seconds, 0.0, whole_step=False)[TERMS.index("step") : TERMS.index("tensor") + 1].any()


def setting(**changes: Any) -> Setting:
    """A training step in fp32."""
    plain = Setting(
        precision="fp32", mode="train", era="", version="", layout="nchw", compiled=False, campaign="", model="",
        family="",
    )  # fmt: skip
    return replace(plain, **changes)


def test_applying_corrects_what_was_measured_and_shrinks_the_cards_variance() -> None:
    shares = term_shares(np.eye(len(GROUPS))[0], 0.1, whole_step=True)
    one = Observation(measured_s=1.3, predicted_s=1.0, shares=shares)
    plain = Corrections(theta=np.zeros(len(GROUPS) + 1), total=0.0, variance=0.05, card=0.03)
    nothing = Profile(gpu="x").apply(plain, setting())
    np.testing.assert_array_equal(nothing.theta, plain.theta)
    assert nothing.variance == pytest.approx(plain.variance)
    known = Profile(gpu="x").update([one] * 20)
    moved = known.apply(plain, setting())
    change = moved.theta[0] + moved.total
    assert change == pytest.approx(np.log(1.3), abs=0.03)
    assert moved.theta[GROUPS.index("norm")] == 0.0
    assert plain.variance - plain.card < moved.variance < plain.variance
    other = known.apply(plain, setting(mode="infer", precision="amp_fp16"))
    assert 0 < other.theta[0] + other.total < change
    assert known.apply(plain, setting(operators=True)).total == 0.0


def test_told_names_the_terms_that_were_measured() -> None:
    shares = term_shares(np.eye(len(GROUPS))[GROUPS.index("norm")], 0.0, whole_step=False)
    known = Profile(gpu="x").update([Observation(measured_s=1.2, predicted_s=1.0, shares=shares)] * 9)
    assert set(known.told()) == {"memory"}
    assert known.told()["memory"][0] == pytest.approx(np.log(1.2), abs=0.01)
    assert Profile(gpu="x").told() == {}
