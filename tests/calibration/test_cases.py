"""The designed cases: exact work, no duplicates, every family early, data within limits."""

from __future__ import annotations

import math

import pytest

from perfmodel.calibration import cases, design
from perfmodel.calibration.cases import Conv

SCALES = [design.GPU, design.CPU, design.DRY]


@pytest.mark.parametrize("scale", SCALES, ids=lambda scale: scale.name)
def test_cases_are_unique_and_within_limits(scale: design.Scale) -> None:
    found = design.cases_for(scale)
    assert len({case.key for case in found}) == len(found)
    assert all(case.flops <= scale.max_flops for case in found)
    assert all(case.read_bytes + case.write_bytes <= scale.max_bytes for case in found)
    assert all(case.precision in scale.precisions for case in found if case.kind in ("gemm", "conv"))


def test_the_order_is_the_same_every_time() -> None:
    assert [case.key for case in design.cases_for(design.GPU)] == [case.key for case in design.cases_for(design.GPU)]


def test_a_quarter_of_the_gpu_cases_covers_everything() -> None:
    found = design.cases_for(design.GPU)
    early = found[: len(found) // 4]
    assert {case.kind for case in early} == {case.kind for case in found}
    assert {case.precision for case in early} == {"fp32", "tf32", "fp16", "bf16", "fp8", "int8"}
    assert {case.pass_ for case in early} == {"fwd", "dgrad", "wgrad"}


def test_the_gpu_design_holds_what_it_promises() -> None:
    found = design.cases_for(design.GPU)
    products = [case for case in found if case.op == "linear" and case.pass_ == "fwd"]
    aligned = [case for case in products if case.m % 128 == 0 and case.n % 128 == 0 and case.k % 128 == 0]
    odd = [case for case in products if case.m % 8 or case.n % 8 or case.k % 8]
    assert len(aligned) >= 30
    assert len(odd) >= 30
    assert max(case.m for case in products) >= 8192
    assert {case.layout for case in found if case.precision == "fp16"} == {"contiguous", "channels_last"}
    assert all(case.m % 16 == case.n % 16 == case.k % 16 == 0 for case in products if case.precision in ("fp8", "int8"))


def test_log_spaced_points_fill_the_range() -> None:
    points = list(design.log_spaced(40, (16, 16384), (64, 8192)))
    assert all(16 <= m <= 16384 + 128 and 64 <= n <= 8192 + 128 for m, n in points)
    thirds = [int(3 * math.log(m / 16) / math.log(16384 / 16)) for m, _ in points]
    assert min(thirds.count(third) for third in range(3)) >= 10


def test_product_views() -> None:
    views = {pass_: cases.product("linear", pass_, "fp16", m=5, n=7, k=11) for pass_ in ("fwd", "dgrad", "wgrad")}
    assert [(case.m, case.n, case.k) for case in views.values()] == [(5, 7, 11), (5, 11, 7), (7, 11, 5)]
    assert {case.flops for case in views.values()} == {2.0 * 5 * 7 * 11}
    assert views["fwd"].read_bytes == 2 * (5 * 11 + 11 * 7)
    assert views["fwd"].write_bytes == 2 * 5 * 7
    assert cases.product("linear", "fwd", "int8", m=16, n=16, k=16).write_bytes == 4 * 256


def test_convolution_views() -> None:
    conv = Conv(batch=2, cin=6, size=9, cout=4, window=3, stride=2, padding=1, groups=2)
    assert conv.out_size == 5
    views = {pass_: cases.convolution(conv, pass_, "fp32") for pass_ in ("fwd", "dgrad", "wgrad")}
    assert [(case.b, case.m, case.n, case.k) for case in views.values()] == [
        (2, 50, 2, 27),
        (2, 162, 3, 18),
        (2, 2, 27, 50),
    ]
    assert {case.flops for case in views.values()} == {2.0 * 2 * 25 * 4 * 3 * 9}
    weights, inputs, outputs = 4 * 3 * 9, 2 * 6 * 81, 2 * 4 * 25
    assert views["fwd"].read_bytes + views["fwd"].write_bytes == 4 * (weights + inputs + outputs)


def test_dense_convolution_is_the_product_of_its_view() -> None:
    case = cases.convolution(Conv(batch=1, cin=3, size=8, cout=5, window=3), "fwd", "fp32")
    assert case.flops == 2.0 * case.b * case.m * case.n * case.k
