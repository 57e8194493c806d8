"""Calibrating a host: the fit, the storage, the whole of it in short."""

from __future__ import annotations

import json
import tempfile
from pathlib import Path

import numpy as np
import pytest

from perfmodel.errors import InputError
from perfmodel.hardware.host import find_host
from perfmodel.hardware.host_profile import HostProfile
from perfmodel.loading import ImageSet, LoaderModel
from perfmodel.loading.calibration import calibrate, keep, worker_counts
from perfmodel.loading.cost_fit import fit_costs
from perfmodel.loading.file_sample import FileSample
from perfmodel.loading.pictures import ENCODINGS, encode, make_picture, write_pictures
from perfmodel.loading.pipelines import Cost
from perfmodel.loading.pools import native_pool_missing
from perfmodel.loading.storage_timing import copy_gbs, time_storage

TRUE = {
    "jpeg": Cost(kb=0.0128, mpx=2.0, coded_mpx=0.6, out_mpx=5.0, fixed=0.3),
    "progressive": Cost(kb=0.03, mpx=2.0, coded_mpx=3.0, out_mpx=5.0, fixed=0.3),
    "png": Cost(kb=0.01, mpx=7.0, out_mpx=5.0, fixed=0.3),
}


def drawn(count: int, seed: int = 0) -> tuple[FileSample, np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    kinds = tuple(rng.choice(["jpeg", "jpeg", "progressive", "png"], count).tolist())
    mpx, kb = rng.uniform(0.05, 2.0, count), rng.uniform(10, 900, count)
    coded = mpx * np.where(np.array(kinds) == "png", 3.0, rng.choice([1.5, 2.0, 3.0], count))
    out = rng.choice([128, 224, 256, 384], count) ** 2 / 1e6
    sample = FileSample(kinds=kinds, kb=kb, mpx=mpx, coded_mpx=coded, height=mpx, width=mpx)
    ms = np.array(
        [
            TRUE[k].ms(kb=a, mpx=b, coded_mpx=c, out_mpx=d)
            for k, a, b, c, d in zip(kinds, kb, mpx, coded, out, strict=True)
        ]
    )
    return sample, out, ms


def test_fit_recovers_coefficients() -> None:
    found = fit_costs(*drawn(120))
    for kind, cost in TRUE.items():
        assert vars(found.costs[kind]) == pytest.approx(vars(cost), rel=1e-6, abs=1e-6)
    assert found.residual_sd < 1e-6
    assert sum(found.rows.values()) == 120


def test_fit_of_noisy_times_is_near_and_never_negative() -> None:
    sample, out, ms = drawn(120)
    found = fit_costs(sample, out, ms * np.random.default_rng(1).lognormal(0, 0.05, ms.size))
    assert found.residual_sd == pytest.approx(0.05, rel=0.25)
    assert all(value >= 0 for cost in found.costs.values() for value in vars(cost).values())
    assert found.costs["jpeg"].kb == pytest.approx(TRUE["jpeg"].kb, rel=0.1)


def test_pictures_compress_as_photographs_do(tmp_path: Path) -> None:
    """Camera JPEGs have about 1 to 3 bits a pixel at quality 80 to 90; white noise has three times that."""
    picture = make_picture(375, 500, seed=1, noise=3.0)
    bits = 8 * len(encode(picture, "JPEG", quality=85)) / (375 * 500)
    assert 0.8 < bits < 3.5
    files = list(write_pictures(tmp_path, count=24))
    assert len({one.path.read_bytes() for one in files}) == 24
    assert {one.path.suffix for one in files} == {".jpg", ".png"}
    assert {one.out for one in files} == {128, 192, 256, 384}
    assert len(ENCODINGS) == 12


def test_numbers_of_workers() -> None:
    assert worker_counts(1) == [1]
    assert worker_counts(2) == [1, 2]
    assert worker_counts(6) == [1, 2, 4, 6]
    assert worker_counts(128) == [1, 2, 4, 8, 16, 128]


def test_storage_is_measured_and_nothing_is_left(tmp_path: Path) -> None:
    found = time_storage(tmp_path, seconds=0.5)
    assert found.storage_mbs >= found.stream_mbs > 0
    assert found.storage_iops * found.read_latency_ms >= 1e3 * 0.99
    assert found.cached_mbs > 0
    assert not list(tmp_path.iterdir())
    assert copy_gbs(1, seconds=0.05) > 0.1


def test_too_short_a_budget_is_refused() -> None:
    with pytest.raises(InputError, match="too short"):
        calibrate(budget_s=3.0)


@pytest.fixture(scope="module")
def profile() -> HostProfile:
    pytest.importorskip("PIL")
    return calibrate(budget_s=10.0, files=36)


def test_a_short_calibration(profile: HostProfile, tmp_path: Path) -> None:
    assert set(profile.pipelines) == ({"pil"} if native_pool_missing() else {"pil", "native"})
    path = keep(profile, tmp_path / "new" / "host.json")
    assert HostProfile.load(path).to_dict() == profile.to_dict()
    names = json.dumps(profile.to_dict())
    import getpass
    import socket

    assert socket.gethostname() not in names or len(socket.gethostname()) < 4
    assert f'"{getpass.getuser()}"' not in names
    assert not list(Path(tempfile.gettempdir()).glob("perfmodel-*/0000.jpg"))


def test_a_calibrated_host_predicts_what_was_measured(profile: HostProfile) -> None:
    """A larger image costs more, by Pillow more than by this package's loader."""
    host = profile.apply(find_host("default"))

    def cost(pipeline: str, width: int) -> float:
        images = ImageSet(key="x", name="x", kb=width * 0.4, width=width, height=480, out_width=256, out_height=256)
        return LoaderModel(pipeline=pipeline, images=images, host=host).cost_s

    assert cost("pil", 1280) > cost("pil", 640) > 0
    if "native" in profile.pipelines:
        assert cost("pil", 640) > 1.5 * cost("native", 640)
