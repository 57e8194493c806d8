"""Every operator of the design runs, on data that is not zero, and computes what its case says."""

from __future__ import annotations

import pytest

from perfmodel.calibration import cases, design, operators, timing
from perfmodel.calibration.cases import Conv

torch = pytest.importorskip("torch")

BENCH = operators.Bench(torch=torch, device="cpu", cache_bytes=0)
ONE_OF_EACH = {(case.op, case.pass_): case for case in reversed(design.cases_for(design.CPU))}


@pytest.mark.parametrize("which", sorted(ONE_OF_EACH), ids="-".join)
def test_every_operator_runs(which: tuple[str, str]) -> None:
    call, copies = operators.prepare(BENCH, ONE_OF_EACH[which])
    assert copies == 1
    call(0)


@pytest.mark.parametrize("pass_", ["fwd", "dgrad", "wgrad"])
def test_convolution_passes_have_the_shapes_of_their_case(pass_: str) -> None:
    case = cases.convolution(
        Conv(batch=2, cin=6, size=9, cout=4, window=3, stride=2, padding=1, groups=2), pass_, "fp32"
    )
    call, _ = operators.prepare(BENCH, case)
    result = call(0)
    wanted = result if pass_ == "fwd" else result[("dgrad", "wgrad").index(pass_)]
    shape = {"fwd": (2, 4, 5, 5), "dgrad": (2, 6, 9, 9), "wgrad": (4, 3, 3, 3)}[pass_]
    assert tuple(wanted.shape) == shape
    assert float(wanted.abs().max()) > 0
    if pass_ != "fwd":
        assert result[1 - ("dgrad", "wgrad").index(pass_)] is None


@pytest.mark.parametrize(("pass_", "shape"), [("fwd", (5, 7)), ("dgrad", (5, 11)), ("wgrad", (7, 11))])
def test_product_passes_have_the_shapes_of_their_case(pass_: str, shape: tuple[int, int]) -> None:
    call, _ = operators.prepare(BENCH, cases.product("linear", pass_, "fp32", m=5, n=7, k=11))
    assert tuple(call(0).shape) == shape


def test_copies_exceed_the_cache() -> None:
    bench = operators.Bench(torch=torch, device="cpu", cache_bytes=1 << 20)
    case = cases.elementwise("add", "elementwise", "fwd", "fp32", numel=1 << 14, inputs=2)
    assert bench.copies(case) * (case.read_bytes + case.write_bytes) >= 2 << 20
    large = cases.elementwise("add", "elementwise", "fwd", "fp32", numel=1 << 24, inputs=2)
    assert bench.copies(large) == 1


def test_cases_of_other_devices_say_so() -> None:
    with pytest.raises(operators.UnsupportedCaseError, match="int8 products are measured on GPUs only"):
        operators.prepare(BENCH, cases.product("linear", "fwd", "int8", m=16, n=16, k=16))


def test_summary_of_times() -> None:
    result = timing.summary([4.0, 1.0, 2.0, 3.0, 100.0], calls=10, method="wall")
    assert (result.time_s, result.time_min_s, result.repeats) == (3.0, 1.0, 50)
    assert result.spread == pytest.approx((4.0 - 2.0) / 3.0)


def test_wall_timer_uses_every_copy_in_turn() -> None:
    seen: list[int] = []
    effort = timing.Effort(bursts=2, burst_s=1e-3, max_calls=6)
    timing.WallTimer().time(seen.append, copies=3, effort=effort)
    assert seen[-6:] == [0, 1, 2, 0, 1, 2]
