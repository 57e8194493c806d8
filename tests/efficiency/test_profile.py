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
    """What is measured of a card whose terms are off by `truth`, without noise."""
    return Observation(measured_s=2.0 * float(np.exp(np.dot(shares, truth))), predicted_s=2.0, shares=np.array(shares))


def random_observations(seed: int, count: int, truth: list[float]) -> list[Observation]:
    rng = np.random.default_rng(seed)
    return [observe(truth, [*rng.dirichlet(np.ones(4)), float(rng.integers(0, 2))]) for _ in range(count)]


def test_observations_converge_to_the_truth() -> None:
    truth = [0.3, -0.2, 0.1, 0.4, -0.1]
    profile = Profile(gpu="x").update(random_observations(1, 2000, truth))
    np.testing.assert_allclose(profile.mean, truth, atol=0.01)
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
        Profile(gpu="x").update([Observation(measured_s=measured, predicted_s=1.0, shares=np.ones(5))])


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


def test_shares_sum_to_one_and_mark_whole_steps() -> None:
    seconds = np.arange(1.0, len(GROUPS) + 1)
    shares = term_shares(seconds, 5.0, whole_step=True)
    assert shares[:4].sum() == pytest.approx(1.0)
    assert shares[TERMS.index("step")] == 1.0
    assert shares[TERMS.index("launch")] == pytest.approx(5.0 / (seconds.sum() + 5.0))
    batched = seconds[GROUPS.index("batched")]
    assert shares[TERMS.index("batched")] == pytest.approx(batched / (seconds.sum() + 5.0))
    assert term_shares(seconds, 0.0, whole_step=False)[4] == 0.0
