"""What the predictions of loading say."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from perfmodel.errors import InputError
from perfmodel.hardware.host import find_host
from perfmodel.loading import LoaderModel
from perfmodel.loading.advice import advise_workers, predict_loading

CACHED = LoaderModel(pipeline="pil", images="kitti", host="default", cache_hit=1.0)


@pytest.mark.parametrize("needed", [0.5, 1.0, 2.3, 4.0])
def test_fewest_workers_with_ten_percent_to_spare(needed: float) -> None:
    step = 16 * CACHED.cost_s / needed
    advice = advise_workers(CACHED, batch=16, compute_s=step)
    assert advice.enough
    assert CACHED.rate(advice.workers) >= 1.1 * 16 / step
    assert advice.workers == 1 or CACHED.rate(advice.workers - 1) < 1.1 * 16 / step
    assert f"{advice.workers} worker" in advice.text


def test_a_core_is_left_unless_the_gpu_waits_anyway() -> None:
    step = 16 * CACHED.cost_s / 7.5  # between 7 and 8 cores
    assert advise_workers(CACHED, batch=16, compute_s=step).workers == 8
    step = 16 * CACHED.cost_s / 20
    advice = advise_workers(CACHED, batch=16, compute_s=step)
    assert (advice.workers, advice.enough) == (8, False)
    assert "no number keeps up" in advice.text


def test_a_slow_disk_needs_few_workers() -> None:
    host = replace(find_host("default"), storage_mbs=20.0)
    advice = advise_workers(replace(CACHED, host=host, cache_hit=0.0), batch=16, compute_s=0.01)
    assert advice.workers < 8
    assert advice.bound == "storage"


def test_what_helps_is_what_binds() -> None:
    slow = replace(find_host("default"), storage_iops=50.0, read_latency_ms=20.0)
    found = predict_loading(replace(CACHED, host=slow, cache_hit=0.0), batch=16, workers=4, compute_s=0.05)
    assert found.bound == "iops"
    assert found.changes["files in the page cache"] > 2
    assert found.changes["packed shards"] > 2
    decoding = predict_loading(CACHED, batch=16, workers=2, compute_s=0.01)
    assert next(iter(decoding.changes)) == "native loader"
    assert decoding.changes["native loader"] > 2
    assert "packed shards" not in decoding.changes
    nothing = predict_loading(CACHED, batch=16, workers=4, compute_s=5.0)
    assert nothing.changes == {}
    assert nothing.simulated.stall_s == pytest.approx(0.0, abs=1e-9)


def test_interval_and_document() -> None:
    found = predict_loading(CACHED, batch=16, workers=2, compute_s=0.05)
    median, low, high = found.samples_s
    assert low < median < high
    document = json.loads(json.dumps(found.to_dict(), allow_nan=False))
    assert document["samples_per_s"]["median"] == pytest.approx(median)
    step = document["step_ms"]
    assert step["total"] == pytest.approx(50.0 + step["stall"], rel=1e-6)
    assert sum(step["causes"].values()) == pytest.approx(step["stall"], rel=1e-3)
    assert any("loader calibrate" in note for note in document["notes"])


@pytest.mark.parametrize("wrong", [{"batch": 0}, {"workers": -1}, {"compute_s": -1.0}, {"compute_s": float("nan")}])
def test_numbers_that_make_no_sense(wrong: dict[str, float]) -> None:
    with pytest.raises(InputError):
        predict_loading(CACHED, **({"batch": 4, "workers": 1} | wrong))  # type: ignore[arg-type]
