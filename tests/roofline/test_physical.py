"""Physical time: never faster with more work, and the right limits."""

from __future__ import annotations

from dataclasses import fields, replace
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from perfmodel.graph.catalogue import load
from perfmodel.graph.operators import KIND_CODE, PASSES, Operators
from perfmodel.hardware.gpu import Gpu, find_gpu
from perfmodel.roofline.coefficients import KernelCoefficients
from perfmodel.roofline.device import Device
from perfmodel.roofline.physical import BYTES_SCALE, ENGINE_OF, VARIANT_OF, physical_time
from perfmodel.roofline.products import Products, product_time

CARDS = ("k80", "p100", "v100", "a100", "h100", "rtx3060")
C = KernelCoefficients()


def gemm_s(
    gpu: Gpu, m: float, n: float, k: float, b: float = 1.0, *, itemsize: float = 4.0, share: float = 1.0
) -> float:
    """Seconds of dense products on a card's ordinary arithmetic units."""
    one: dict[str, npt.NDArray[Any]] = {
        "b": np.array([b]), "m": np.array([m]), "n": np.array([n]), "k": np.array([k]),
        "itemsize": np.array([itemsize]), "traffic": np.array([itemsize * b * (m * k + k * n + m * n)]),
        "flops": np.array([gpu.peaks_tflops["fp32"] * 1e12 * share]), "tensor": np.array([False]),
        "plain": np.array([b == 1]), "least_rows": np.zeros(1),
    }  # fmt: skip
    device = Device.of([gpu])
    where = {"sm": device.sm[0], "bandwidth": device.bandwidth[0], "l2_bytes": device.l2_bytes[0], "old": device.old[0]}
    return float(product_time(Products(**one), **where, c=C)[0])


def operators(kind: str, **values: float) -> Operators:
    """One operator of a kind in the fp32 variant."""
    every = load("resnet50").operators(batch=1, mode="infer")
    base = every.select(np.arange(len(every)) == 0)
    names = {field.name for field in fields(base)}
    zero = {name: np.zeros(1) for name in ("b", "m", "n", "k", "flops", "read", "write", "rows", "cols", "saved")}
    known = {name: np.array([value]) for name, value in values.items()}
    chosen = {**zero, **known, "kind": np.array([KIND_CODE[kind]], np.int8), "count": np.ones(1)}
    chosen |= {name: np.array([values.get(name, 0)], dtype=bool) for name in ("half", "winograd", "depthwise")}
    chosen["pass_"] = np.array([int(values.get("pass_", 0))], np.int8)
    return replace(base, **{name: value for name, value in chosen.items() if name in names})


def conv(batch: float, channels: float, outputs: float, side: float, **options: float) -> Operators:
    """A 3 x 3 convolution, stride 1, forward."""
    pixels = batch * side * side
    return operators(
        "conv", b=1, m=pixels, n=outputs, k=9 * channels, flops=2 * pixels * outputs * 9 * channels,
        read=4 * (pixels * channels + 9 * channels * outputs), write=4 * pixels * outputs, rows=batch, cols=side * side,
        **options,
    )  # fmt: skip


def seconds(ops: Operators, gpu: str, precision: str = "fp32") -> float:
    return float(np.ravel(physical_time(ops, Device.of([find_gpu(gpu)]), precision, C))[0])


sizes = st.integers(1, 4096).map(lambda n: 8 * n)


@given(gpu=st.sampled_from(CARDS), m=sizes, n=sizes, k=sizes, b=st.integers(1, 64), name=st.sampled_from("mnkb"),
       factor=st.sampled_from((2, 4, 16)))  # fmt: skip
@settings(max_examples=200, deadline=None)
def test_more_work_is_never_faster(gpu: str, m: int, n: int, k: int, b: int, name: str, factor: int) -> None:
    small: dict[str, float] = {"m": m, "n": n, "k": k, "b": b}
    batched = 1 if name == "b" and b == 1 else 0  # a single product streams differently from a batch of them
    small["b"] += batched
    large = {**small, name: small[name] * factor}
    card = find_gpu(gpu)
    assert gemm_s(card, **large) >= gemm_s(card, **small) * (1 - 1e-9)


@given(gpu=st.sampled_from(CARDS), kind=st.sampled_from(("norm", "softmax", "elementwise", "pool", "optimizer")),
       read=st.floats(0, 1e10), write=st.floats(1, 1e10), more=st.floats(0, 1e10))  # fmt: skip
@settings(max_examples=100, deadline=None)
def test_more_bytes_are_never_faster(gpu: str, kind: str, read: float, write: float, more: float) -> None:
    few = seconds(operators(kind, read=read, write=write), gpu)
    many = seconds(operators(kind, read=read + more, write=write), gpu)
    assert many >= few > 0


@given(gpu=st.sampled_from(CARDS), batch=st.integers(0, 6), channels=st.integers(3, 9),
       side=st.sampled_from((7, 14, 56)), winograd=st.booleans(),
       name=st.sampled_from(("batch", "channels", "outputs", "side")))  # fmt: skip
@settings(max_examples=150, deadline=None)
def test_larger_convolutions_are_never_faster(
    gpu: str, batch: int, channels: int, side: int, name: str, winograd: bool
) -> None:
    small: dict[str, float] = {"batch": 2**batch, "channels": 2**channels, "outputs": 2**channels, "side": side}
    large = {**small, name: 2 * small[name]}
    times = [seconds(conv(**shape, winograd=winograd), gpu) for shape in (small, large)]
    assert times[1] >= times[0] * (1 - 1e-9)


@pytest.mark.parametrize("gpu", CARDS)
def test_a_huge_product_reaches_the_engine(gpu: str) -> None:
    card = find_gpu(gpu)
    bound = 2 * 16384.0**3 / (card.peaks_tflops["fp32"] * 1e12)
    assert bound <= gemm_s(card, 16384, 16384, 16384) < 1.25 * bound


@pytest.mark.parametrize("gpu", CARDS)
def test_a_thin_product_reaches_the_bandwidth(gpu: str) -> None:
    card = find_gpu(gpu)
    bound = 4.0 * (1e7 * 128 + 128 * 8 + 1e7 * 8) / (card.bandwidth_gbs * 1e9)
    assert bound <= gemm_s(card, 1e7, 8, 128) < 3 * bound


@pytest.mark.parametrize("gpu", CARDS)
def test_an_elementwise_operator_is_bytes_over_bandwidth(gpu: str) -> None:
    card = find_gpu(gpu)
    time = seconds(operators("elementwise", read=4e9, write=4e9), gpu)
    share = C.bandwidth_old if card.compute_capability < 7 else C.bandwidth_new
    assert time == pytest.approx(8e9 / (card.bandwidth_gbs * 1e9 * share) + C.kernel_s, rel=1e-12)
    assert seconds(operators("elementwise", read=4, write=4), gpu) == pytest.approx(C.kernel_s, rel=0.01)


def test_a_last_wave_that_is_nearly_empty_costs_time() -> None:
    """One tile more than whole waves takes longer by far more than its share of the work."""
    card = find_gpu("v100")
    whole = card.sm * 128 * 8
    times = [gemm_s(card, rows, 128, 4096) for rows in (whole, whole + 128, whole + 64 * 128)]
    extra = times[1] / times[0] - 1
    assert extra > 5 * 128 / whole
    assert times[2] / times[1] < 1 + 64 * 128 / whole


def test_more_multiprocessors_or_bandwidth_are_never_slower() -> None:
    card = find_gpu("v100")
    wide = replace(card, bandwidth_gbs=2 * card.bandwidth_gbs)
    for shape in ((4096, 4096, 4096), (64, 64, 8192), (100_000, 8, 64)):
        assert gemm_s(wide, *shape) <= gemm_s(card, *shape)
        assert gemm_s(card, *shape, share=2.0) <= gemm_s(card, *shape)
    assert gemm_s(wide, 1e7, 32, 128, share=8.0) < 0.6 * gemm_s(card, 1e7, 32, 128, share=8.0)


def test_unaligned_products_are_slower_on_old_cards() -> None:
    old, new = find_gpu("p100"), find_gpu("v100")
    assert gemm_s(old, 4096, 4095, 4095) > 1.05 * gemm_s(old, 4096, 4096, 4096)
    assert gemm_s(new, 4096, 4095, 4095) < 1.05 * gemm_s(new, 4096, 4096, 4096)


@pytest.mark.parametrize("gpu", ["p100", "v100", "a100"])
def test_winograd_beats_direct_convolution_in_fp32(gpu: str) -> None:
    direct = seconds(conv(32, 256, 256, 28), gpu)
    fast = seconds(conv(32, 256, 256, 28, winograd=1), gpu)
    assert fast < 0.8 * direct
    least = 2 * 32 * 28 * 28 * 256 * 256 * 9 / (find_gpu(gpu).peaks_tflops["fp32"] * 1e12)
    assert fast > least / 4


@pytest.mark.parametrize(
    ("gpu", "precision"), [("v100", "fp16"), ("a100", "tf32"), ("h100", "bf16"), ("a100", "amp_fp16")]
)
def test_winograd_never_runs_on_tensor_cores(gpu: str, precision: str) -> None:
    direct, fast = conv(32, 256, 256, 28, half=1), conv(32, 256, 256, 28, half=1, winograd=1)
    assert seconds(direct, gpu, precision) == seconds(fast, gpu, precision)


def weight_gradient(batch: float, channels: float, outputs: float, side: float, **options: float) -> Operators:
    """The gradient of a 3 x 3 convolution's weights: filters x positions, summed over pixels."""
    pixels = batch * side * side
    traffic = 4 * pixels * (channels + outputs)
    sizes = {"m": outputs, "n": 9 * channels, "k": pixels, "flops": 2 * pixels * outputs * 9 * channels}
    step = PASSES.index("wgrad")
    return operators(
        "conv", b=1, read=traffic, write=36 * channels * outputs, pass_=step, **sizes, **options
    )  # fmt: skip


@pytest.mark.parametrize("gpu", ["p100", "v100"])
def test_winograd_beats_direct_products_for_gradients_of_weights(gpu: str) -> None:
    """DeepBench's P100 and V100 take them at 1.7 times the fp32 peak (median), which no direct product can."""
    direct, fast = (seconds(weight_gradient(32, 256, 256, 28, winograd=on), gpu) for on in (0, 1))
    least = 2 * 32 * 28 * 28 * 256 * 256 * 9 / (find_gpu(gpu).peaks_tflops["fp32"] * 1e12)
    assert least / 4 < fast < 0.7 * direct
    assert seconds(weight_gradient(32, 256, 256, 28, winograd=1), "k80") == seconds(
        weight_gradient(32, 256, 256, 28), "k80"
    )


def test_winograd_of_weight_gradients_works_on_whole_tiles() -> None:
    """Images of 7 pixels a side take four tiles of four a side, as 8 do; images of unknown size no more than needed."""
    known = {"rows": 512.0, "cols": 49.0}
    whole, unknown = (seconds(weight_gradient(512, 512, 512, 7, winograd=1, **how), "v100") for how in (known, {}))
    assert 1.1 < whole / unknown < 64 / 49 + 0.05


@pytest.mark.parametrize(
    ("gpu", "precision", "least"), [("v100", "fp16", 2.5), ("a100", "tf32", 2.5), ("h100", "fp8", 3.0)]
)
def test_tensor_cores_are_faster(gpu: str, precision: str, least: float) -> None:
    ops = operators(
        "gemm", b=1, m=8192, n=8192, k=8192, flops=2 * 8192.0**3, read=8 * 8192.0**2, write=4 * 8192.0**2, half=1
    )
    assert seconds(ops, gpu) > least * seconds(ops, gpu, precision)


def test_half_precision_without_tensor_cores_is_not_slower() -> None:
    ops = operators("gemm", b=1, m=4096, n=4096, k=4096, flops=2 * 4096.0**3, read=8 * 4096.0**2, write=4 * 4096.0**2)
    half = replace(ops, half=np.array([True]))
    for gpu in ("p100", "gtx1080ti", "k80"):
        assert seconds(half, gpu, "fp16") <= seconds(ops, gpu) * (1 + 1e-9)


def test_several_cards_at_once_equal_each_alone() -> None:
    ops = load("resnet50").operators(batch=np.full(len(CARDS), 8.0), mode="train")
    cards = [find_gpu(name) for name in CARDS]
    together = physical_time(ops, Device.of(cards), "fp32", C)
    single = load("resnet50").operators(batch=8, mode="train")
    for at, card in enumerate(cards):
        alone = np.ravel(physical_time(single, Device.of([card]), "fp32", C))
        np.testing.assert_allclose(together[at], alone, rtol=1e-12)


@pytest.mark.parametrize("model", ["cyclegan", "resnet50", "mobilenet_v2", "bert_base", "pilotnet"])
@pytest.mark.parametrize("mode", ["train", "infer"])
def test_every_operator_takes_some_time(model: str, mode: str) -> None:
    for precision, variant in VARIANT_OF.items():
        card = find_gpu("h100")
        ops = load(model).operators(batch=2, mode=mode, variant=variant)
        time = physical_time(ops, Device.of([card]), precision, C)
        assert np.isfinite(time).all()
        assert (time >= C.kernel_s).all()
    assert BYTES_SCALE.keys() <= VARIANT_OF.keys() == ENGINE_OF.keys()


def test_coefficients_round_trip_and_refuse_unknown_names() -> None:
    assert KernelCoefficients.from_dict(C.to_dict()) == C
    with pytest.raises(TypeError, match="nosuch"):
        KernelCoefficients.from_dict({"nosuch": 1.0})
