"""Tables of single kernels: every kind of operator, and what is left out."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from perfmodel.calibration.kernel_rows import KernelRows, read_kernel_rows
from perfmodel.errors import UnknownGpuError
from perfmodel.graph.operators import KINDS, PASSES
from perfmodel.hardware.gpu import find_gpu

Write = Callable[..., Path]
HALF = "16 bit inputs, 16 bit multiplication, 32 bit addition"
HALF_STORAGE = "16 bit inputs, 32 bit multiplication, 32 bit addition"
INT8 = "GEMM, Conv: Int8 multiplication, 32 bit accumulation"
CONV2D = {
    "source": "deepbench", "op": "conv2d", "precision": "Float", "latency_ms": 2, "B": 8, "H": 56, "W": 28, "C": 64,
    "Kf": 128, "R": 3, "S": 5, "stride_h": 2, "P": 28, "Q": 14.5,
}  # fmt: skip


def kernel(**changes: Any) -> dict[str, Any]:
    """A neusight row on the V100."""
    return {"source": "neusight", "gpu": "v100-pcie-32", "precision": "fp32(tf32 off)", "latency_ms": 1.5} | changes


def product(rows: KernelRows, at: int) -> tuple[float, ...]:
    """GEMM view, arithmetic and bytes of one row."""
    ops = rows.ops
    return tuple(float(x[at]) for x in (ops.b, ops.m, ops.n, ops.k, ops.flops, ops.read, ops.write))


def test_linear_and_batched_products(kernel_table: Write) -> None:
    rows = read_kernel_rows(
        kernel_table([
            kernel(op="linear", B=1, M=58, N=13, K=141),
            kernel(op="bmm", B=6, M=27, N=21, K=390),
        ])
    )  # fmt: skip
    assert rows.cls.tolist() == ["linear", "bmm"]
    assert {KINDS[kind] for kind in rows.ops.kind} == {"gemm"}
    assert product(rows, 0) == (1, 58, 13, 141, 2 * 58 * 13 * 141, 4 * (58 * 141 + 141 * 13), 4 * 58 * 13)
    assert product(rows, 1)[4:] == (2 * 6 * 27 * 21 * 390, 4 * 6 * (27 * 390 + 390 * 21), 4 * 6 * 27 * 21)
    np.testing.assert_array_equal(rows.time_s, [1.5e-3, 1.5e-3])


def test_a_product_without_a_batch_is_one(kernel_table: Write) -> None:
    one = {"source": "deepbench", "op": "gemm", "gpu": "p100-pcie-16", "precision": "Float", "latency_ms": 1}
    rows = read_kernel_rows(kernel_table([{**one, "M": 64, "N": 32, "K": 16}]))
    assert product(rows, 0)[:5] == (1, 64, 32, 16, 2 * 64 * 32 * 16)
    assert (rows.cls[0], rows.source[0], rows.precision[0]) == ("linear", "deepbench", "fp32")


@pytest.mark.parametrize(("stride", "winograd"), [(1, True), (2, False)])
def test_square_convolution(kernel_table: Write, stride: int, winograd: bool) -> None:
    row = kernel(op="conv", B=4, in_ch=16, out_ch=32, kernel_size=3, in_size=10, stride=stride)
    rows = read_kernel_rows(kernel_table([row]))
    assert product(rows, 0)[:5] == (1, 400, 32, 144, 2 * 400 * 32 * 144)
    assert product(rows, 0)[5:] == (4 * (16 * 32 * 9 + 4 * 16 * 100), 4 * 4 * 32 * 100)
    assert bool(rows.ops.winograd[0]) is winograd
    assert (rows.cls[0], rows.ops.window[0], rows.ops.rows[0], rows.ops.cols[0]) == ("conv", 9, 4, 100)


def test_the_three_passes_of_a_convolution(kernel_table: Write) -> None:
    base = {**CONV2D, "gpu": "v100-sxm2-16"}
    rows = read_kernel_rows(kernel_table([{**base, "sub": sub} for sub in ("fwd", "bwd_input", "bwd_weight")]))
    assert rows.cls.tolist() == ["conv", "conv_dgrad", "conv_wgrad"]
    assert [PASSES[step] for step in rows.ops.pass_] == ["fwd", "dgrad", "wgrad"]
    pixels, inputs, window = 8 * 28 * 14, 8 * 56 * 28, 15
    assert product(rows, 0)[1:4] == (pixels, 128, 64 * window)
    assert product(rows, 1)[1:4] == (inputs, 64, 128 * window)
    assert product(rows, 2)[1:4] == (128, 64 * window, pixels)
    assert set(rows.ops.flops) == {2.0 * pixels * 128 * 64 * window}
    weight, x, y = 64 * 128 * window, inputs * 64, pixels * 128
    np.testing.assert_array_equal(rows.ops.write, 4.0 * np.array([y, x, weight]))
    np.testing.assert_array_equal(rows.ops.read + rows.ops.write, np.full(3, 4.0 * (weight + x + y)))
    assert not rows.ops.winograd.any()


def test_operators_bound_by_memory(kernel_table: Write) -> None:
    names = ("ln", "softmax", "add", "mul", "div", "pow", "relu", "gelu", "tanh", "addu")
    rows = read_kernel_rows(kernel_table([kernel(op=name, B=20, H=30) for name in names]))
    assert rows.cls.tolist() == ["norm", "softmax"] + ["elementwise"] * 8
    assert [KINDS[kind] for kind in rows.ops.kind] == rows.cls.tolist()
    two = np.array([name in ("add", "mul", "div", "pow") for name in names])
    np.testing.assert_array_equal(rows.ops.read, np.where(two, 4800.0, 2400.0))
    np.testing.assert_array_equal(rows.ops.write, np.full(len(names), 2400.0))
    assert not rows.ops.flops.any()
    assert set(zip(rows.ops.rows, rows.ops.cols, strict=True)) == {(20.0, 30.0)}


def test_precisions(kernel_table: Write) -> None:
    base = {"source": "deepbench", "gpu": "v100-sxm2-16", "op": "gemm", "latency_ms": 1, "M": 8, "N": 8, "K": 8}
    texts = ("Float", HALF, INT8)
    rows = read_kernel_rows(kernel_table([{**base, "precision": text} for text in texts]))
    assert rows.precision.tolist() == ["fp32", "fp16", "int8"]
    assert rows.ops.half.tolist() == [False, True, True]
    np.testing.assert_array_equal(rows.ops.write, [256.0, 128.0, 128.0])


def test_what_is_left_out(kernel_table: Write) -> None:
    good = kernel(op="linear", B=1, M=8, N=8, K=8)
    left = [
        {**good, "gpu": "mi25"},
        {**good, "gpu": "vega-fe"},
        {**good, "gpu": "cpu-knl7250"},
        {**good, "op": "rnn_lstm"},
        {**good, "op": "rnn_vanilla"},
        {**good, "precision": HALF_STORAGE},
        {**good, "latency_ms": 0},
        {**good, "latency_ms": ""},
        {**good, "op": "unheard_of", "source": "deepbench"},
    ]
    rows = read_kernel_rows(kernel_table([*left[:4], good, *left[4:]]))
    assert len(rows) == 1
    assert (rows.gpu[0], rows.cls[0], rows.time_s[0]) == ("v100-pcie-32", "linear", 1.5e-3)


def test_an_unknown_card_is_an_error_that_names_it(kernel_table: Write) -> None:
    path = kernel_table([kernel(op="linear", gpu="nosuchcard", B=1, M=8, N=8, K=8)])
    with pytest.raises(UnknownGpuError, match="nosuchcard"):
        read_kernel_rows(path)


def test_every_row_has_the_columns_of_its_own_card(kernel_table: Write) -> None:
    cards = ("v100-pcie-32", "p4", "a100-pcie-40", "p4")
    rows = read_kernel_rows(kernel_table([kernel(op="linear", gpu=gpu, B=1, M=8, N=8, K=8) for gpu in cards]))
    assert rows.gpu.tolist() == list(cards)
    np.testing.assert_allclose(rows.device.bandwidth, [find_gpu(gpu).bandwidth_gbs * 1e9 for gpu in cards])
    np.testing.assert_array_equal(rows.device.sm, [find_gpu(gpu).sm for gpu in cards])


def test_selected_rows_stay_together(kernel_table: Write) -> None:
    cards = ("v100-pcie-32", "p4", "a100-pcie-40")
    table = [kernel(op="linear", gpu=gpu, B=1, M=8 * at, N=8, K=8) for at, gpu in enumerate(cards, 1)]
    rows = read_kernel_rows(kernel_table([*table, kernel(op="ln", B=3, H=5)]))
    some = rows.select(np.array([3, 1]))
    assert (some.gpu.tolist(), some.cls.tolist()) == (["v100-pcie-32", "p4"], ["norm", "linear"])
    assert (some.ops.name, some.ops.m.tolist(), some.ops.rows.tolist()) == (("norm", "linear"), [0, 16], [3, 0])
    np.testing.assert_array_equal(some.device.bandwidth, rows.device.bandwidth[[3, 1]])


def test_the_whole_table_reads(shared_data: Path) -> None:
    rows = read_kernel_rows(shared_data / "measurements" / "kernels.csv.gz")
    assert len(rows) > 150_000
    assert set(rows.cls) == {"linear", "bmm", "conv", "conv_dgrad", "conv_wgrad", "norm", "softmax", "elementwise"}
    for name in ("read", "write", "flops", "m", "n", "k"):
        assert np.isfinite(getattr(rows.ops, name)).all(), name
    assert (rows.ops.read + rows.ops.write > 0).all()
