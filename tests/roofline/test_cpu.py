"""The time model of a processor: limits, directions, classes."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from perfmodel.graph import load
from perfmodel.graph.operators import KINDS, PASSES, PHASES, Operators
from perfmodel.roofline.cpu import (
    CLASSES,
    LARGEST_HEAP_BLOCK,
    CpuClass,
    CpuCoefficients,
    byte_seconds,
    classify,
    cpu_time,
    memory_seconds,
    touched_bytes,
)

ONE = CpuCoefficients(threads=1, flops=1e11, lanes=8, bandwidth=1e10, cache_bandwidth=4e10, cache_bytes=1e7)


def operator(kind: str, name: str, *, phase: str = "forward", pass_: str = "fwd", **columns: float) -> Operators:
    values: dict[str, Any] = dict.fromkeys(("b", "m", "n", "k", "flops", "read", "write", "rows", "cols", "saved"), 0.0)
    values |= {"count": 1.0, "window": 0.0, "stride": 1.0} | columns
    return Operators(
        kind=np.array([KINDS.index(kind)], np.int8),
        phase=np.array([PHASES.index(phase)], np.int8),
        pass_=np.array([PASSES.index(pass_)], np.int8),
        name=(name,),
        half=np.array([False]),
        depthwise=np.array([False]),
        winograd=np.array([False]),
        **{key: np.array([value]) for key, value in values.items()},
    )


def product(m: float, n: float, k: float) -> Operators:
    moved = {"read": 4 * k * (m + n), "write": 4 * m * n}
    return operator("gemm", "addmm", b=1, m=m, n=n, k=k, flops=2 * m * n * k, **moved)


def conv(cin: float, cout: float, *, pixels: float = 4096.0, window: float = 9.0) -> Operators:
    flops = 2 * pixels * cin * cout * window
    return operator("conv", "convolution", b=1, m=pixels, n=cout, k=cin * window, flops=flops, window=window)


def add(numel: float) -> Operators:
    return operator("elementwise", "add", rows=numel, cols=1, flops=numel, read=8 * numel, write=4 * numel)


def seconds(ops: Operators, c: CpuCoefficients = ONE) -> float:
    return float(cpu_time(ops, c).sum())


def test_large_products_reach_their_share_of_the_peak_and_small_ones_the_cost_of_a_call() -> None:
    share = ONE.classes["gemm"].share
    assert seconds(product(8192, 8192, 8192)) == pytest.approx(2 * 8192**3 / (ONE.flops * share), rel=0.1)
    call = ONE.classes["gemm"].overhead_s + ONE.call_s[0]
    assert seconds(product(1, 1, 1)) == pytest.approx(call, rel=0.01)


@pytest.mark.parametrize("axis", range(3))
def test_time_grows_with_every_dimension_of_a_product(axis: int) -> None:
    times = []
    for size in (1, 7, 64, 100, 1000, 5000):
        shape = [64.0, 64.0, 64.0]
        shape[axis] = size
        times.append(seconds(product(*shape)))
    assert times == sorted(times)
    assert times[-1] > 20 * times[1]


def test_channels_fill_whole_vectors() -> None:
    assert seconds(conv(32, 33)) == pytest.approx(seconds(conv(32, 40)), rel=0.05)
    assert seconds(conv(32, 40)) > 1.15 * seconds(conv(32, 32))
    free = replace(ONE, classes={**ONE.classes, "conv_fwd": CpuClass(overhead_s=0.0, share=1.0, memory=0.0)})
    assert seconds(conv(3, 32), free) - ONE.call_s[0] == pytest.approx(2 * 4096 * 3 * 32 * 9 / ONE.flops)


def test_streaming_is_bound_by_the_memory_and_faster_from_the_cache() -> None:
    fast = replace(ONE, churn_s_per_byte=0.0, fresh_s_per_byte=0.0)
    big, small = 2e8, 1e5
    assert seconds(add(big), fast) == pytest.approx(12 * big / ONE.bandwidth, rel=0.05)
    assert seconds(add(small), fast) / small < 0.7 * seconds(add(big), fast) / big


def test_byte_seconds_go_from_the_cache_to_the_memory() -> None:
    sets = np.logspace(3, 12, 50)
    found = byte_seconds(sets, ONE)
    assert np.all(np.diff(found) >= 0)
    assert found[0] == pytest.approx(1 / ONE.cache_bandwidth, rel=1e-3)
    assert found[-1] == pytest.approx(1 / ONE.bandwidth, rel=1e-3)


def test_what_a_step_touches_between_two_uses_is_what_it_keeps_and_its_weights() -> None:
    graph = load("pilotnet")
    infer, train = (graph.operators(batch=8, mode=mode) for mode in ("infer", "train"))
    assert float(touched_bytes(infer)[0]) == 0.0
    kept = float((train.count * train.saved).sum())
    assert float(touched_bytes(train)[0]) == pytest.approx(kept + 16 * graph.parameters())


def test_new_memory_costs_what_writes_in_place_do_not() -> None:
    big = LARGEST_HEAP_BLOCK / 2
    fresh, heap = (operator("elementwise", "relu", rows=size / 4, cols=1, write=size) for size in (4 * big, big))
    assert float(memory_seconds(fresh, ONE)[0]) == pytest.approx(4 * big * ONE.fresh_s_per_byte)
    assert float(memory_seconds(heap, ONE)[0]) == pytest.approx(big * ONE.churn_s_per_byte)
    for name, size in (("relu_", 4 * big), ("relu", 1000.0)):
        assert float(memory_seconds(operator("elementwise", name, rows=1, cols=1, write=size), ONE)[0]) == 0.0


def test_every_operator_of_a_graph_has_a_class_and_a_time() -> None:
    ops = load("cyclegan").operators(batch=1, size=64, blocks=3)
    names = {CLASSES[code] for code in classify(ops)}
    assert {"conv_fwd", "conv_dgrad", "conv_wgrad", "norm_fwd", "norm_bwd", "elementwise", "gather", "root"} <= names
    assert np.all(cpu_time(ops, ONE) > 0)
    assert np.all(np.isfinite(cpu_time(ops, ONE)))


def test_transposed_convolutions_are_data_gradients() -> None:
    ops = load("cyclegan").operators(batch=1, size=64, blocks=3)
    codes = classify(ops)
    forward = [CLASSES[codes[i]] for i in range(len(ops)) if ops.phase[i] == 0 and KINDS[ops.kind[i]] == "conv"]
    assert forward.count("conv_dgrad") == 2  # the two that enlarge the image, counted once for all calls
    assert "conv_fwd" in forward


def test_normalisation_by_running_statistics_is_a_class_of_inference() -> None:
    graph = load("dmnet_cnn")
    classes = {
        mode: {CLASSES[code] for code in classify(graph.operators(batch=1, mode=mode))} for mode in ("train", "infer")
    }
    assert "norm_infer" in classes["infer"]
    assert "norm_fwd" not in classes["infer"]
    assert "norm_fwd" in classes["train"]
    assert "norm_infer" not in classes["train"]


def test_points_are_those_of_scalars() -> None:
    graph, batches = load("pilotnet"), np.array([1.0, 8.0, 64.0])
    many = (cpu_time(ops := graph.operators(batch=batches), ONE) * ops.count).sum(axis=-1)
    each = [float((cpu_time(ops, ONE) * ops.count).sum()) for ops in (graph.operators(batch=b) for b in batches)]
    assert many == pytest.approx(each, rel=1e-12)
    assert np.all(np.diff(many) > 0)


def test_coefficients_survive_their_document() -> None:
    changed = replace(
        ONE, call_s=(1e-6, 2e-6, 3e-6, 4e-6), classes={**ONE.classes, "gemm": CpuClass(half=(1.0, 2.0, 3.0))}
    )
    assert CpuCoefficients.from_dict(changed.to_dict()) == changed
    with pytest.raises(ValueError, match="one value a phase"):
        CpuCoefficients.from_dict(changed.to_dict() | {"call_s": [1.0]})
