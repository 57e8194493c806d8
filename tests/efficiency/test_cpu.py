"""Profiles of this machine's processor: kept, found, refused."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from perfmodel.efficiency.cpu import (
    UNMEASURED_SD,
    CpuProfile,
    profile_of,
    profile_path,
    typical_profile,
)
from perfmodel.errors import FailureError, InputError
from perfmodel.hardware.gpu import find_gpu


@pytest.fixture(autouse=True)
def data_dir(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("PERFMODEL_DATA_DIR", str(tmp_path))
    return tmp_path


def measured() -> CpuProfile:
    typical = typical_profile(find_gpu("cpu:1"))
    return replace(typical, rows=120, residual_sd=0.2, provenance={"date": "2026-01-02"})


def test_a_profile_survives_its_file_and_is_found_by_its_processor(data_dir: Path) -> None:
    card, profile = find_gpu("cpu:1"), measured()
    assert profile_of(card).rows == 0
    profile.save(profile_path(card))
    assert profile_path(card).parent == data_dir / "cpu"
    assert profile_of(card) == profile
    faster = replace(profile, coefficients=replace(profile.coefficients, flops=2 * profile.coefficients.flops))
    faster.save(profile_path(card))
    assert profile_of(card) == faster


def test_a_measured_profile_narrows_the_interval() -> None:
    assert typical_profile(find_gpu("cpu:1")).variance == UNMEASURED_SD**2
    assert 0.05**2 <= measured().variance < 0.5 * UNMEASURED_SD**2
    assert replace(measured(), residual_sd=0.4).variance > measured().variance
    assert replace(measured(), provenance={"used_by_others": 0.8}).variance > measured().variance


@pytest.mark.parametrize(
    ("text", "error"),
    [
        ("not json", "is not a profile"),
        ("[]", "is not a profile of a processor"),
        ('{"kind": "cpu", "schema_version": 1}', "is damaged"),
        (
            '{"kind": "cpu", "schema_version": 1, "processor": "x", "rows": 1, "residual_sd": 0, "coefficients": {}}',
            "is damaged",
        ),
    ],
)
def test_files_that_are_no_profile(data_dir: Path, text: str, error: str) -> None:
    path = profile_path(find_gpu("cpu:1"))
    path.parent.mkdir(parents=True)
    path.write_text(text, encoding="utf-8")
    with pytest.raises(InputError, match=error):
        profile_of(find_gpu("cpu:1"))


def test_a_missing_file_and_another_schema(data_dir: Path) -> None:
    with pytest.raises(InputError, match="no profile"):
        CpuProfile.load(data_dir / "none.json")
    path = data_dir / "old.json"
    path.write_text(json.dumps(measured().to_dict() | {"schema_version": 99}), encoding="utf-8")
    with pytest.raises(FailureError, match="another schema version"):
        CpuProfile.load(path)
