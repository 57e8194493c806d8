"""The closed form of data loading."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from perfmodel.errors import InputError
from perfmodel.hardware.host import find_host
from perfmodel.loading import IMAGE_SETS, PIPELINES, ImageSet, LoaderModel, recommend_workers, step_with_loading
from perfmodel.loading.model import TERMS, effective_cores
from perfmodel.loading.pipelines import find_image_set, find_pipeline

PIPELINE = st.sampled_from(sorted(PIPELINES))
IMAGES = st.sampled_from(sorted(IMAGE_SETS))
HOST = st.sampled_from(["default", "laptop", "server", "colab", "cloud-8"])


@pytest.mark.parametrize(("pipeline", "ms"), [("pil", 16.9), ("native", 3.9), ("opencv", 12.4), ("grain", 10.2)])
def test_measured_cost_of_a_kitti_image(pipeline: str, ms: float) -> None:
    assert LoaderModel(pipeline=pipeline, images="kitti").cost_s * 1e3 == pytest.approx(ms, rel=0.03)


def test_native_coefficients_are_the_fitted_ones() -> None:
    def cost(kb: float, width: int) -> float:
        images = ImageSet(key="x", name="x", kb=kb, width=width, height=1000, out_width=256, out_height=256)
        return LoaderModel(pipeline="native", images=images).cost_s * 1e3

    assert cost(0, 0) == pytest.approx(0.59)
    assert cost(100, 0) - cost(0, 0) == pytest.approx(1.28)
    assert cost(0, 2000) - cost(0, 1000) == pytest.approx(2.90)


def test_native_png_is_4_3_times_pil() -> None:
    pil, native = (LoaderModel(pipeline=p, images="kitti-png").cost_s for p in ("pil", "native"))
    assert pil / native == pytest.approx(4.3)


def test_a_cyclegan_sample_is_two_images() -> None:
    pair, one = LoaderModel(images="cyclegan"), LoaderModel(images="kitti")
    assert pair.cost_s == pytest.approx(2 * one.cost_s)
    assert pair.out_bytes == 2 * 3 * 256 * 256 * 4


def test_a_faster_host_costs_less_and_calibration_scales() -> None:
    host = find_host("default")
    plain = LoaderModel(images="kitti", host=host)
    assert LoaderModel(images="kitti", host=replace(host, decode_speed=2.0)).cost_s == pytest.approx(plain.cost_s / 2)
    assert LoaderModel(images="kitti", host=host, cost_factor=1.5).cost_s == pytest.approx(plain.cost_s * 1.5)


@given(PIPELINE, IMAGES, HOST, st.integers(1, 256), st.integers(0, 64))
def test_more_workers_are_never_slower(pipeline: str, images: str, host: str, workers: int, more: int) -> None:
    model = LoaderModel(pipeline=pipeline, images=images, host=host)
    slow, fast = model.rate([workers, workers + more])
    assert 0 < slow <= fast


@given(PIPELINE, HOST, st.floats(1, 2000), st.integers(16, 4000), st.floats(1, 3))
def test_bigger_files_and_images_are_never_faster(
    pipeline: str, host: str, kb: float, width: int, factor: float
) -> None:
    small = ImageSet(key="x", name="x", kb=kb, width=width, height=500, out_width=224, out_height=224)
    for big in (replace(small, kb=kb * factor), replace(small, width=int(width * factor)), replace(small, files=2)):
        rates = [LoaderModel(pipeline=pipeline, images=i, host=host).rate(8) for i in (small, big)]
        assert rates[1] <= rates[0]


@given(PIPELINE, HOST, st.floats(1e-4, 10), st.integers(1, 512), st.integers(0, 64))
def test_a_step_with_input_is_no_shorter_than_its_parts(
    pipeline: str, host: str, compute_s: float, batch: int, workers: int
) -> None:
    loader = LoaderModel(pipeline=pipeline, host=host)
    overlapped = step_with_loading(compute_s, batch=batch, workers=workers, loader=loader)
    serial = step_with_loading(compute_s, batch=batch, workers=workers, loader=loader, overlapped=False)
    assert overlapped.step_s >= max(compute_s, float(overlapped.load_s)) * (1 - 1e-12)
    assert serial.step_s == pytest.approx(compute_s + float(serial.load_s))
    assert overlapped.step_s <= serial.step_s * 1.35
    total = compute_s + float(overlapped.wait_s) + float(overlapped.slowdown_s)
    assert overlapped.step_s == pytest.approx(total, rel=1e-9)
    if workers == 0:
        assert overlapped.step_s == serial.step_s


@given(st.floats(1e-4, 5), st.integers(1, 256), st.integers(1, 32), st.floats(1, 2))
def test_the_step_grows_with_compute_and_batch(compute_s: float, batch: int, workers: int, factor: float) -> None:
    loader = LoaderModel()
    times = [compute_s, compute_s * factor]
    by_compute = step_with_loading(times, batch=batch, workers=workers, loader=loader).step_s
    by_batch = step_with_loading(compute_s, batch=[batch, batch * factor], workers=workers, loader=loader).step_s
    assert by_compute[0] <= by_compute[1] * (1 + 1e-9)
    assert by_batch[0] <= by_batch[1] * (1 + 1e-9)


def test_arrays_equal_scalars() -> None:
    loader = LoaderModel(images="cyclegan", host="colab")
    compute, batch, workers = np.array([0.01, 0.2]), np.array([1.0, 16.0]), np.array([[0], [2], [8]])
    whole = step_with_loading(compute, batch=batch, workers=workers, loader=loader)
    assert whole.step_s.shape == (3, 2)
    for i, p in enumerate(workers[:, 0]):
        for j in range(2):
            one = step_with_loading(compute[j], batch=batch[j], workers=p, loader=loader)
            assert whole.step_s[i, j] == pytest.approx(float(one.step_s), rel=1e-12)


def test_a_loader_that_is_far_ahead_costs_nothing_but_its_share_of_launching() -> None:
    step = step_with_loading(10.0, batch=1, workers=4, loader=LoaderModel())
    assert step.wait_s == pytest.approx(0.0, abs=1e-9)
    assert 10.0 <= step.step_s < 10.001


def test_a_loader_that_is_far_behind_sets_the_step() -> None:
    step = step_with_loading(1e-3, batch=256, workers=1, loader=LoaderModel(images="kitti"))
    assert step.step_s == pytest.approx(256 * 0.0169, rel=1e-6)


def test_each_term_can_bind() -> None:
    host = find_host("server")
    cases = {
        "cpu": LoaderModel(images="kitti", host="default"),
        "storage": LoaderModel(images="kitti", host=replace(host, storage_mbs=1.0)),
        "iops": LoaderModel(images="kitti", host=replace(host, storage_iops=1.0)),
        "memory": LoaderModel(images="kitti", host=replace(host, memory_gbs=0.001)),
        "h2d": LoaderModel(images="kitti", host=replace(host, pcie_gbs=0.001)),
        "gpu_preprocess": LoaderModel(images="kitti", gpu_preprocess_rate=1.0),
    }
    assert set(cases) == set(TERMS)
    for term, model in cases.items():
        assert model.bound(4) == term
        assert model.rate(4) == model.limits(4)[term]


def test_the_cache_relieves_the_disk() -> None:
    host = find_host("default")
    slow = replace(host, storage_mbs=1.0)
    assert LoaderModel(images="kitti", host=slow, cache_hit=1.0).rate(4) == LoaderModel(images="kitti").rate(4)
    assert LoaderModel(images="kitti", host=slow, cache_hit=0.5).rate(4) == pytest.approx(2e6 / 145e3)


def test_effective_cores_count_second_threads_less() -> None:
    laptop = find_host("laptop")
    assert effective_cores([1, 8, 16, 99], laptop).tolist() == [1.0, 8.0, 8 + 0.3 * 8, 8 + 0.3 * 8]
    assert effective_cores([8, 9], find_host("default")).tolist() == [8.0, 8.0]


def test_recommended_workers_are_the_fewest_that_keep_up() -> None:
    loader = LoaderModel(images="kitti")
    advice = recommend_workers(0.1, batch=16, loader=loader)
    assert advice.enough
    assert loader.rate(advice.workers) >= 1.1 * 160 > loader.rate(advice.workers - 1)


def test_advice_where_workers_cannot_help() -> None:
    cpu = recommend_workers(0.01, batch=64, loader=LoaderModel(images="kitti"))
    assert (cpu.enough, cpu.workers, cpu.bound) == (False, 7, "cpu")
    assert "native loader" in cpu.text
    disk = LoaderModel(images="kitti", host=replace(find_host("default"), storage_mbs=10.0))
    advice = recommend_workers(0.01, batch=64, loader=disk)
    assert (advice.enough, advice.bound) == (False, "storage")
    assert advice.workers == 2  # two workers already saturate the disk
    assert "packed shards" in advice.text


@pytest.mark.parametrize("host", ["colab", "default", "server"])
def test_a_core_is_left_to_launch_kernels(host: str) -> None:
    advice = recommend_workers(1e-6, batch=64, loader=LoaderModel(host=host))
    assert advice.workers <= max(1, find_host(host).cores - 1)


def test_text_costs_next_to_nothing() -> None:
    assert LoaderModel(images="tokens").rate(1) > 1000


def test_unknown_names_and_wrong_values() -> None:
    with pytest.raises(InputError, match="unknown loader 'dali'; use one of pil, native"):
        find_pipeline("dali")
    with pytest.raises(InputError, match="unknown image set"):
        find_image_set("films")
    with pytest.raises(InputError, match="cache cannot hit"):
        LoaderModel(cache_hit=2.0)
    with pytest.raises(ValueError, match="must be positive"):
        LoaderModel(prefetch=0)
    with pytest.raises(ValueError, match="kind"):
        ImageSet(key="x", name="x", kind="gif", kb=1, width=1, height=1, out_width=1, out_height=1)
    with pytest.raises(ValueError, match="files"):
        ImageSet(key="x", name="x", kb=1, width=1, height=1, out_width=1, out_height=1, files=0)


def test_torch_is_pil() -> None:
    assert find_pipeline("torch") is PIPELINES["pil"]
