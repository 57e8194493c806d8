"""The measured profile of a host."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from perfmodel.errors import FailureError, InputError
from perfmodel.hardware.cpu import processor_name
from perfmodel.hardware.host import cpu_quota, find_host
from perfmodel.hardware.host_profile import HostProfile, local_profile, profile_path
from perfmodel.loading import LoaderModel
from perfmodel.loading.model import effective_cores

JPEG = {"kb": 0.006, "mpx": 6.0, "coded_mpx": 0.7, "out_mpx": 20.0, "fixed": 0.4}
PROFILE = HostProfile(
    processor="x",
    figures={"decode_speed": 2.0, "storage_mbs": 900.0, "storage_iops": 5e4, "read_latency_ms": 0.1,
             "stream_mbs": 500.0, "memory_gbs": 60.0, "cached_mbs": 9000.0},
    pipelines={"pil": {"jpeg": JPEG}},
    residual_sd={"pil": 0.05},
    scaling={"processes": [[1.0, 1.0], [2.0, 1.9], [4.0, 3.4]]},
    provenance={"date": "2026-01-02", "cores": 4},
)  # fmt: skip


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("PERFMODEL_DATA_DIR", str(tmp_path))
    return tmp_path


def test_round_trip() -> None:
    PROFILE.save(profile_path())
    assert HostProfile.load(profile_path()) == PROFILE


def test_a_host_takes_what_was_measured() -> None:
    host = PROFILE.apply(find_host("default"))
    assert (host.decode_speed, host.storage_mbs, host.read_latency_ms) == (2.0, 900.0, 0.1)
    assert "2026-01-02" in host.source
    loader = LoaderModel(pipeline="pil", images="kitti", host=host)
    images = loader.spec[1]
    expected = 0.006 * 145 + 6.0 * images.mpx + 0.7 * 1.5 * images.mpx + 20.0 * images.out_mpx + 0.4
    assert loader.cost_s * 1e3 == pytest.approx(expected)
    assert loader.spec[0].calibrated
    other = LoaderModel(pipeline="grain", images="kitti", host=host)
    assert other.cost_s == pytest.approx(LoaderModel(pipeline="grain", images="kitti").cost_s / 2.0)


def test_scaling_is_read_between_the_points_and_beyond() -> None:
    host = PROFILE.apply(find_host("default", cores=8))
    assert effective_cores([1, 2, 3, 4, 8, 20], host).tolist() == pytest.approx([1, 1.9, 2.65, 3.4, 6.8, 6.8])
    assert effective_cores(3, PROFILE.apply(find_host("default", cores=2))) == pytest.approx(1.9)


def test_local_is_measured_where_a_profile_is_there() -> None:
    assert local_profile() is None
    assert find_host("local").profile is None
    from dataclasses import replace

    replace(PROFILE, processor=processor_name()).save(profile_path())
    assert find_host("local").storage_mbs == 900.0
    assert find_host("default").profile is None
    replace(PROFILE, processor="another one").save(profile_path())
    assert find_host("local").profile is None


@pytest.mark.parametrize(
    ("change", "error", "text"),
    [
        ({"kind": "cpu"}, InputError, "not a profile of a host"),
        ({"schema_version": 9}, FailureError, "another schema version"),
        ({"figures": {"storage_mbs": -1.0}}, InputError, "damaged"),
        ({"pipelines": {"pil": {}}}, InputError, "damaged"),
        ({"scaling": {"processes": [["one", 1]]}}, InputError, "damaged"),
        ({"figures": 3}, InputError, "damaged"),
    ],
)
def test_bad_profiles_are_named(folder: Path, change: dict[str, object], error: type[Exception], text: str) -> None:
    path = folder / "one.json"
    path.write_text(json.dumps(PROFILE.to_dict() | change))
    with pytest.raises(error, match=f"one.json.*{text}"):
        HostProfile.load(path)


def test_missing_and_unreadable_profiles(folder: Path) -> None:
    with pytest.raises(InputError, match="no profile"):
        HostProfile.load(folder / "none.json")
    (folder / "bad.json").write_text("{")
    with pytest.raises(InputError, match="not a profile"):
        HostProfile.load(folder / "bad.json")


def test_quotas_of_both_versions(folder: Path) -> None:
    groups = folder / "groups"
    groups.write_text("2:cpu,cpuacct:/a/b\n0::/c\n")
    assert cpu_quota(str(folder), str(groups)) is None
    (folder / "cpu,cpuacct" / "a" / "b").mkdir(parents=True)
    (folder / "cpu,cpuacct" / "a" / "cpu.cfs_quota_us").write_text("150000\n")
    (folder / "cpu,cpuacct" / "a" / "cpu.cfs_period_us").write_text("100000\n")
    assert cpu_quota(str(folder), str(groups)) == 1.5
    (folder / "cpu,cpuacct" / "a" / "b" / "cpu.cfs_quota_us").write_text("-1\n")
    (folder / "cpu,cpuacct" / "a" / "b" / "cpu.cfs_period_us").write_text("100000\n")
    assert cpu_quota(str(folder), str(groups)) == 1.5
    (folder / "c").mkdir()
    (folder / "c" / "cpu.max").write_text("50000 100000\n")
    assert cpu_quota(str(folder), str(groups)) == 0.5
    (folder / "c" / "cpu.max").write_text("max 100000\n")
    (folder / "cpu.max").write_text("25000 100000\n")
    assert cpu_quota(str(folder), str(groups)) == 0.25
