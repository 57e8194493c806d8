"""The queue simulation against what queueing theory and the closed form say."""

from __future__ import annotations

import itertools
import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from perfmodel.hardware.host import Host, find_host
from perfmodel.loading import LoaderModel, step_with_loading
from perfmodel.loading.model import effective_cores
from perfmodel.loading.simulation import dealt_out, draw_costs, in_turns, simulate

HOST = Host(key="x", name="x", cores=8, storage_mbs=1e6, storage_iops=1e9, memory_gbs=1e4, pcie_gbs=1e4, cache_hit=1.0)
SECONDS = st.floats(1e-4, 1.0)


def model(pipeline: str = "pil", **options: object) -> LoaderModel:
    return LoaderModel(pipeline=pipeline, images="kitti", host=HOST, **options)  # type: ignore[arg-type]


@settings(max_examples=30, deadline=None)
@given(SECONDS, SECONDS, st.integers(1, 8), st.integers(1, 4))
def test_constant_batches_take_the_larger_of_both(work: float, consumer: float, workers: int, ahead: int) -> None:
    taken, waits = in_turns(np.full(200, work), consumer, workers=workers, ahead=ahead)
    step = (taken[-1] - taken[-1 - 10 * workers]) / (10 * workers)  # whole turns of the workers
    assert step >= max(work / workers, consumer) * (1 - 1e-9)
    if ahead > 1:
        assert step == pytest.approx(max(work / workers, consumer), rel=1e-6)
    assert (waits >= 0).all()


def test_one_worker_without_prefetching_is_serial() -> None:
    """With F = 1 and p = 1 the next batch is asked for when the last was taken: step = max(work, T)."""
    taken, _ = in_turns(np.full(50, 0.3), 0.5, workers=1, ahead=1)
    assert np.diff(taken)[5:] == pytest.approx(0.5)
    taken, _ = in_turns(np.full(50, 0.5), 0.3, workers=1, ahead=1)
    assert np.diff(taken)[5:] == pytest.approx(0.5)


def test_the_consumer_that_needs_nothing_gets_the_rate_of_the_workers() -> None:
    for workers in (1, 2, 4):
        found = simulate(model(), batch=16, workers=workers, consumer_s=0.0)
        assert found.samples_s == pytest.approx(float(model().rate(workers)), rel=0.03)


def test_a_slow_consumer_never_waits() -> None:
    found = simulate(model(), batch=16, workers=4, consumer_s=10.0)
    assert found.step_s == pytest.approx(10.0)
    assert found.stall_s == pytest.approx(0.0, abs=1e-9)
    assert not found.causes_s


def test_no_workers_add_up() -> None:
    found = simulate(model(), batch=16, workers=0, consumer_s=0.2)
    assert found.step_s == pytest.approx(0.2 + 16 * model().cost_s, rel=0.03)


@pytest.mark.parametrize("pipeline", ["pil", "native"])
def test_more_workers_are_never_slower_until_the_cores_end(pipeline: str) -> None:
    rates = [simulate(model(pipeline), batch=16, workers=p, consumer_s=0.0).samples_s for p in range(1, 9)]
    assert all(after >= before * 0.99 for before, after in itertools.pairwise(rates))
    beyond = simulate(model(pipeline), batch=16, workers=16, consumer_s=0.0).samples_s
    assert beyond <= rates[-1] * 1.05


@settings(max_examples=30, deadline=None)
@given(st.floats(0.2, 3.0), st.integers(1, 6))
def test_closed_form_agrees(load: float, workers: int) -> None:
    """Within 4 % (the closed form's noise is that of a batch; the queue smooths it more) away from the balance."""
    loader = model()
    consumer = 32 / float(loader.rate(workers)) * load
    simulated = simulate(loader, batch=32, workers=workers, consumer_s=consumer)
    closed = step_with_loading(consumer, batch=32, workers=workers, loader=loader)
    assert simulated.step_s == pytest.approx(float(closed.step_s - closed.slowdown_s), rel=0.04)


def test_waiting_in_a_queue_of_one_server() -> None:
    """A producer far ahead of random work and a regular consumer: D/G/1 turned round, Lindley's recursion."""
    rng = np.random.default_rng(1)
    work = rng.exponential(0.7, 100_000)
    _, waits = dealt_out(work[:, None], 0.0, threads=1, ahead=1)
    assert waits.mean() == pytest.approx(0.7, rel=0.01)  # nothing overlaps with nothing
    _, waits = dealt_out(work[:, None], 1.0, threads=1, ahead=1)
    # one batch ahead: work starts when the last batch was taken, so the wait is E max(S - T, 0) = 0.7 exp(-1 / 0.7)
    assert waits[10:].mean() == pytest.approx(0.7 * math.exp(-1 / 0.7), rel=0.03)


def test_deeper_queues_wait_less() -> None:
    work = np.random.default_rng(2).exponential(0.8, 50_000)
    means = [dealt_out(work[:, None], 1.0, threads=1, ahead=depth)[1].mean() for depth in (1, 2, 4, 16, 64)]
    assert all(after < before for before, after in itertools.pairwise(means))
    assert means[-1] < 0.02 * means[0]


def test_order_is_kept_when_one_batch_is_slow() -> None:
    work = np.full(20, 0.1)
    work[4] = 2.0
    taken, waits = in_turns(work, 0.05, workers=2, ahead=2)
    assert (np.diff(taken) > 0).all()
    assert waits.argmax() == 4


def test_dealing_out_by_hand() -> None:
    """Threads go on with the next batch while one image of the first is not done, but not with the one after."""
    costs = np.array([[3.0, 1.0], [1.0, 1.0], [1.0, 1.0]])
    taken, _ = dealt_out(costs, 0.0, threads=2, ahead=2)
    assert taken.tolist() == [3.0, 3.0, 4.0]
    taken, _ = dealt_out(costs, 0.0, threads=2, ahead=1)  # nothing ahead: one batch after the other
    assert taken.tolist() == [3.0, 4.0, 5.0]
    taken, _ = dealt_out(costs, 0.0, threads=1, ahead=2)
    assert taken.tolist() == [4.0, 6.0, 8.0]


def test_threads_lose_little_at_the_end_of_a_batch() -> None:
    loader = model("native")
    for threads in (2, 4, 8):
        found = simulate(loader, batch=16, workers=threads, consumer_s=0.0)
        assert found.samples_s >= 0.85 * float(loader.rate(threads))


def test_drawn_costs_have_the_mean_of_the_model() -> None:
    costs = draw_costs(model(), count=400, files=64)
    assert costs.mean() == pytest.approx(model().cost_s, rel=0.02)
    assert costs.std() / costs.mean() == pytest.approx(0.35, rel=0.1)


def test_throttled_storage_binds() -> None:
    host = replace(HOST, storage_mbs=10.0, stream_mbs=10.0, cache_hit=0.0)
    loader = LoaderModel(pipeline="pil", images="kitti", host=host)
    found = simulate(loader, batch=16, workers=8, consumer_s=0.0)
    assert found.samples_s == pytest.approx(10e6 / 145e3, rel=0.02)
    assert max(found.causes_s, key=lambda name: found.causes_s[name]) == "storage"
    alone = simulate(loader, batch=16, workers=1, consumer_s=0.0)
    assert alone.samples_s == pytest.approx(1 / (loader.cost_s + 145e3 / 10e6), rel=0.03)
    assert alone.samples_s == pytest.approx(float(loader.rate(1)), rel=0.03)


def test_a_cpu_quota_caps_the_cores() -> None:
    host = replace(HOST, cpu_quota=1.5)
    assert effective_cores([1, 2, 8], host).tolist() == [1.0, 1.5, 1.5]
    loader = LoaderModel(pipeline="pil", images="kitti", host=host)
    found = simulate(loader, batch=16, workers=4, consumer_s=0.0)
    assert found.samples_s == pytest.approx(1.5 / loader.cost_s, rel=0.03)


def test_the_same_seed_gives_the_same_answer() -> None:
    one, two = (simulate(model(), batch=16, workers=3, consumer_s=0.1, seed=5) for _ in range(2))
    assert one == two


def test_default_host_is_known() -> None:
    assert simulate(LoaderModel(host=find_host("default")), batch=1, workers=4, consumer_s=0.3).step_s == pytest.approx(
        0.3
    )
