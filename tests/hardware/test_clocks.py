"""The estimate of the clock that a card keeps."""

from __future__ import annotations

import statistics

from hypothesis import given
from hypothesis import strategies as st

from perfmodel.hardware.clocks import REFERENCE_W_PER_TFLOP, process_of, sustained_mhz
from perfmodel.hardware.gpu import find_gpu, gpus


def test_power_capped_cards_keep_less_of_their_boost() -> None:
    def share(name: str) -> float:
        card = find_gpu(name)
        return card.sustained_mhz / card.boost_mhz

    assert share("p4") < 0.92 < share("gtx1080")
    assert share("t4") < 0.8 < share("rtx2080ti")
    assert share("l4") < 0.85 < share("rtx4090")
    assert share("a100-pcie-40") < share("a100-sxm-40")
    assert all(0.4 < card.sustained_mhz / card.boost_mhz <= 1 for card in gpus(user=False))


def test_reference_power_is_the_median_of_the_shipped_cards() -> None:
    watts: dict[str, list[float]] = {}
    for card in gpus(user=False):
        if card.form not in ("laptop", "embedded") and "maxq" not in card.key:
            process = process_of(arch=card.arch, compute_capability=card.compute_capability)
            watts.setdefault(process, []).append(card.tdp_w / card.peaks_tflops["fp32"])
    assert set(watts) == set(REFERENCE_W_PER_TFLOP)
    for process, values in watts.items():
        assert abs(statistics.median(values) / REFERENCE_W_PER_TFLOP[process] - 1) < 0.01


@given(
    base=st.floats(300, 2500),
    boost=st.floats(300, 3000),
    watts=st.floats(5, 1500),
    more=st.floats(1, 3),
    peak=st.floats(0.2, 130),
)
def test_more_power_never_slows_and_the_clock_never_exceeds_boost(
    base: float, boost: float, watts: float, more: float, peak: float
) -> None:
    def clock(power: float) -> float:
        return sustained_mhz(
            base_mhz=base, boost_mhz=boost, tdp_w=power, fp32_tflops=peak, arch="Turing", compute_capability=7.5
        )

    assert 0 < clock(watts) <= clock(watts * more) <= boost * (1 + 1e-12)
