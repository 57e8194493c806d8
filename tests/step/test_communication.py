"""Communication of data-parallel training."""

from __future__ import annotations

import statistics
from collections import defaultdict
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from perfmodel.errors import UnknownGpuError
from perfmodel.hardware.gpu import find_gpu
from perfmodel.step.communication import (
    BUCKET_BYTES,
    STRAGGLER,
    Link,
    all_reduce_time_s,
    bucket_count,
    communication,
    exposed_communication_s,
    link_of,
)

CARD = st.sampled_from(["p100", "v100", "a100", "h100", "rtx3090", "rtx4090", "k80", "a100-pcie-40"])
BYTES = st.floats(0, 1e11)


@pytest.mark.parametrize(
    ("card", "kind"),
    [
        ("v100", "nvlink"),
        ("h100", "nvlink"),
        ("p100", "pcie"),
        ("a100-pcie-40", "pcie"),
        ("rtx4090", "staged"),
        ("rtx3090", "staged"),
    ],
)
def test_links(card: str, kind: str) -> None:
    assert link_of(find_gpu(card)).kind == kind


def test_a_bridge_must_be_asked_for() -> None:
    card = find_gpu("rtx3090")
    assert link_of(card, kind="nvlink").bandwidth_gbs > link_of(card, kind="pcie").bandwidth_gbs
    assert link_of(card, kind="pcie").bandwidth_gbs == pytest.approx(2 * link_of(card).bandwidth_gbs)


def test_wrong_links() -> None:
    with pytest.raises(ValueError, match="has no NVLink"):
        link_of(find_gpu("p100"), kind="nvlink")
    with pytest.raises(ValueError, match="link must be one of"):
        link_of(find_gpu("p100"), kind="radio")


def test_ring_and_tree_by_hand() -> None:
    link = Link(kind="pcie", bandwidth_gbs=10.0, latency_s=1e-5)
    card = find_gpu("p100")
    ring = all_reduce_time_s(1e9, 4, card, algorithm="ring", link=link)
    tree = all_reduce_time_s(1e9, 4, card, algorithm="tree", link=link)
    assert ring == pytest.approx(2 * 3 / 4 * 0.1 + 6e-5)
    assert tree == pytest.approx(0.2 + 4e-5)
    assert all_reduce_time_s(1e9, 4, card, link=link) == ring
    assert all_reduce_time_s(8.0, 64, card, link=link) == pytest.approx(12e-5, rel=1e-3)  # small: the tree


@given(CARD, BYTES, st.floats(1, 4), st.integers(2, 512))
def test_more_bytes_and_more_cards_are_never_faster(card: str, nbytes: float, factor: float, gpus: int) -> None:
    gpu = find_gpu(card)
    for algorithm in ("ring", "tree", "auto"):
        one, more = all_reduce_time_s([nbytes, nbytes * factor], gpus, gpu, algorithm=algorithm)
        assert one <= more
        few, many = all_reduce_time_s(nbytes, [gpus, 2 * gpus], gpu, algorithm=algorithm)
        assert few <= many


@given(CARD, BYTES, st.integers(1, 64), st.floats(0, 10), st.integers(1, 16))
def test_exposed_is_part_of_the_total(card: str, nbytes: float, gpus: int, backward_s: float, accumulate: int) -> None:
    gpu = find_gpu(card)
    whole = communication(nbytes, gpus, gpu, backward_s)
    assert 0 <= whole.exposed_s <= whole.total_s * (1 + 1e-12)
    shared = exposed_communication_s(nbytes, gpus, gpu, backward_s, accumulate=accumulate)
    assert shared == pytest.approx(float(whole.exposed_s) / accumulate)
    if gpus == 1 or nbytes == 0:
        assert whole.total_s == 0


@given(CARD, st.floats(1e6, 1e10), st.integers(2, 16), st.floats(1e-4, 1), st.floats(1, 10))
def test_a_longer_backward_hides_more(card: str, nbytes: float, gpus: int, backward_s: float, factor: float) -> None:
    short, long = (
        communication(nbytes, gpus, find_gpu(card), b, step_s=1.0).exposed_s for b in (backward_s, backward_s * factor)
    )
    assert long <= short * (1 + 1e-12)


def test_one_bucket_cannot_hide() -> None:
    card = find_gpu("p100")
    whole = communication(1e5, 2, card, 10.0, step_s=0.0)
    assert whole.exposed_s == whole.total_s == all_reduce_time_s(1e5, 2, card)


def test_waiting_for_the_slowest_card_grows_with_the_step() -> None:
    card = find_gpu("h100")
    short, long = (float(communication(1e3, 4, card, 0.1, step_s=s).exposed_s) for s in (1.0, 2.0))
    assert long - short == pytest.approx(2 * STRAGGLER)


def test_buckets() -> None:
    assert bucket_count([0, 1, 2**20, 2**20 + 1, 2**20 + BUCKET_BYTES, 4 * 25.6e6]).tolist() == [1, 1, 1, 2, 2, 5]


def test_arrays_equal_scalars() -> None:
    card = find_gpu("rtx3090")
    sizes, counts = np.array([1e6, 1e8, 1e9]), np.array([[1], [2], [8]])
    whole = exposed_communication_s(sizes, counts, card, 0.05)
    assert whole.shape == (3, 3)
    for i, n in enumerate(counts[:, 0]):
        for j, size in enumerate(sizes):
            assert whole[i, j] == pytest.approx(float(exposed_communication_s(size, n, card, 0.05)), rel=1e-12)


@pytest.mark.parametrize(
    "call",
    [
        lambda gpu: all_reduce_time_s(1e6, 0, gpu),
        lambda gpu: all_reduce_time_s(-1.0, 2, gpu),
        lambda gpu: all_reduce_time_s(1e6, 2, gpu, algorithm="star"),
        lambda gpu: communication(1e6, 2, gpu, 0.1, bucket_bytes=0),
        lambda gpu: exposed_communication_s(1e6, 2, gpu, 0.1, accumulate=0),
    ],
)
def test_wrong_arguments(call: object) -> None:
    with pytest.raises(ValueError, match="must be"):
        call(find_gpu("p100"))  # type: ignore[operator]


PARAMETERS_M = {
    "resnet50": 25.6,
    "resnet152": 60.2,
    "inception3": 23.8,
    "vgg16": 138.4,
    "alexnet": 61.1,
    "ssd": 26.3,
    "bert_base_squad": 108.9,
    "bert_large_squad": 334.1,
    "maskrcnn": 44.2,
}


def test_measured_scaling_is_predicted_better_than_by_none_at_all(shared_data: Path) -> None:
    """Throughput of n cards over n times that of one, same source, card, network, precision and batch a card."""
    from perfmodel.runs import read_runs

    runs = read_runs(shared_data / "measurements" / "end_to_end.csv.gz")
    mine = np.char.startswith(runs.text("source").astype(str), "lambda") & np.isin(
        runs.text("model"), list(PARAMETERS_M)
    )
    runs = runs.select(mine & runs.training)
    rates: dict[tuple[object, ...], list[float]] = defaultdict(list)
    counts = runs.gpu_count
    columns = [runs.text(name) for name in ("source", "gpu", "model", "precision")]
    per_card = runs.number("batch") / counts
    for *setting, batch, n, rate in zip(*columns, per_card, counts, runs.number("throughput_per_s"), strict=True):
        rates[(*setting, batch, n)].append(rate)
    errors: dict[str, list[tuple[float, float]]] = defaultdict(list)
    for (*setting, batch, n), found in rates.items():
        one = rates.get((*setting, batch, 1.0))
        if n > 1 and one:
            gpu = find_gpu(str(setting[1]))
            single = statistics.median(one)
            measured = statistics.median(found) / n / single
            step = batch / single
            nbytes = 4e6 * PARAMETERS_M[str(setting[2])]
            predicted = step / (step + float(exposed_communication_s(nbytes, n, gpu, 0.63 * step, step_s=step)))
            errors[gpu.key].append((abs(predicted / measured - 1), abs(1 / measured - 1)))
    medians = np.array([np.median(np.array(found), axis=0) for found in errors.values()])
    assert len(errors) >= 12
    assert sum(map(len, errors.values())) > 400
    ours, none = medians.mean(axis=0)
    assert ours < 0.07
    assert ours < 0.75 * none


def test_measured_cards_are_known(shared_data: Path) -> None:
    from perfmodel.runs import read_runs

    for name in set(read_runs(shared_data / "measurements" / "end_to_end.csv.gz").text("gpu")):
        try:
            find_gpu(name)
        except UnknownGpuError:
            pytest.fail(f"{name} is not found")
