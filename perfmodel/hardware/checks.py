"""Contradictions in a card's specification: figures that cannot all be right.

`gpus check` runs these on the shipped table and on the user's cards. Where a published figure really departs from the
arithmetic (a tensor clock of its own, memory run below its rated clock) the exception is named here with its reason.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

from perfmodel.hardware.architecture import TRANSFERS_PER_CLOCK, architecture
from perfmodel.hardware.derive import derive_peaks
from perfmodel.hardware.spec import Gpu

PEAK_TOLERANCE = 0.01
TENSOR_TOLERANCE = 0.03
BANDWIDTH_TOLERANCE = 0.01

_TENSOR_CLOCK = "NVIDIA states tensor peaks at a clock of their own, below the maximum boost clock"
EXCUSED: dict[tuple[str, str], str] = {
    **{
        (key, "tensor"): _TENSOR_CLOCK
        for key in ("h100-pcie", "h100-sxm", "h100-nvl", "gh200-96", "h200-sxm", "h200-nvl", "b200", "b300")
    },
    ("a10g", "tensor"): "the data sheet of the cloud provider states 70 TFLOP/s, half of cores x clock",
}
"""(key, subject) of contradictions that are real, with the reason."""


@dataclass(frozen=True, kw_only=True)
class Contradiction:
    """Two figures of one card that do not agree.

    Attributes
    ----------
    key : str
        The card.
    subject : str
        What disagrees: ``cores, tensor_cores, arch, clocks, peak, tensor, bandwidth, dies, power, memory``.
    text : str
        Both figures.
    reason : str
        Why it is right all the same; empty for a true contradiction.
    """

    key: str
    subject: str
    text: str
    reason: str = ""

    @property
    def excused(self) -> bool:
        """Whether a named reason explains it."""
        return bool(self.reason)


def check_cards(cards: Iterable[Gpu]) -> list[Contradiction]:
    """Return the contradictions of all cards, and those between cards (double keys)."""
    cards = list(cards)
    found = [c for card in cards for c in check_card(card)]
    seen: set[str] = set()
    for card in cards:
        if card.key in seen:
            found.append(Contradiction(key=card.key, subject="key", text=f"two cards are called {card.key}"))
        seen.add(card.key)
    return found


def check_card(card: Gpu) -> list[Contradiction]:
    """Return the contradictions of one card (per die or per board alike), excused ones marked."""
    rules = (_cores, _clocks, _peaks, _bandwidth, _dies, _ranges)
    found = [(subject, text) for rule in rules for subject, text in rule(card)]
    key = card.key.removesuffix("-board")
    return [
        Contradiction(key=card.key, subject=subject, text=text, reason=EXCUSED.get((key, subject), ""))
        for subject, text in found
    ]


_Found = Iterator[tuple[str, str]]
_Rule = Callable[[Gpu], _Found]


def _cores(card: Gpu) -> _Found:
    facts = architecture(card.compute_capability)
    if facts is None:
        yield "arch", f"compute capability {card.compute_capability} is not known"
        return
    if card.arch != facts.arch:
        yield "arch", f"{card.arch} against {facts.arch} for compute capability {card.compute_capability}"
    if card.cuda_cores != card.sm * facts.cores_per_sm:
        yield "cores", f"{card.cuda_cores} cores against {card.sm} SMs x {facts.cores_per_sm}"
    tensor = card.sm * facts.tensor_cores_per_sm
    no_tensor = card.compute_capability == 7.5 and card.tensor_cores == 0  # TU116, TU117
    if card.tensor_cores != tensor and not no_tensor:
        yield "tensor_cores", f"{card.tensor_cores} tensor cores against {card.sm} SMs x {facts.tensor_cores_per_sm}"


def _clocks(card: Gpu) -> _Found:
    if card.base_mhz > card.boost_mhz:
        yield "clocks", f"base {card.base_mhz:g} MHz above boost {card.boost_mhz:g} MHz"


def _peaks(card: Gpu) -> _Found:
    facts = architecture(card.compute_capability)
    peak = card.cuda_cores * 2 * card.boost_mhz / 1e6
    stated = card.peaks_tflops.get("fp32", 0.0)
    if _apart(stated, peak, PEAK_TOLERANCE):
        yield "peak", f"fp32 {stated:g} TFLOP/s against {peak:.4g} = cores x 2 x boost clock"
    if facts is None or not card.tensor_cores:
        return
    derived = derive_peaks(
        facts=facts,
        compute_capability=card.compute_capability,
        name=card.name,
        sm=card.sm,
        boost_mhz=card.boost_mhz,
    )
    for name in ("fp16", "bf16", "tf32", "fp8"):
        if name in derived and name in card.peaks_tflops:
            value = card.peaks_tflops[name]
            if _apart(value, derived[name], TENSOR_TOLERANCE):
                yield "tensor", f"{name} {value:g} TFLOP/s against {derived[name]:.4g} = SMs x rate x boost clock"


def _bandwidth(card: Gpu) -> _Found:
    rate = TRANSFERS_PER_CLOCK.get(card.memory_type)
    if card.memory_mhz is None or rate is None or not card.memory_bus_bits:
        return
    product = card.memory_bus_bits / 8 * card.memory_mhz * rate / 1000
    if _apart(card.bandwidth_gbs, product, BANDWIDTH_TOLERANCE):
        yield "bandwidth", f"{card.bandwidth_gbs:g} GB/s against {product:.4g} = bus x memory clock x {rate}"


def _dies(card: Gpu) -> _Found:
    watts = re.search(r"board = (\d+) dies, (\d+) W", card.note)
    if watts is None:
        return
    dies, board_w = int(watts[1]), float(watts[2])
    if dies != card.dies_per_board:
        yield "dies", f"{card.dies_per_board} dies a board against {dies} in the note"
    if _apart(card.tdp_w, board_w * card.dies / dies, 0.001):
        yield "power", f"{card.tdp_w:g} W for {card.dies} of {dies} dies against {board_w:g} W for the board"


def _ranges(card: Gpu) -> _Found:
    if card.smem_kb_per_sm > card.l1_kb_per_sm and card.compute_capability >= 7.0:
        yield "memory", f"shared memory {card.smem_kb_per_sm:g} KB above L1 and shared together"
    missing = {"fp32", "fp16"} - set(card.peaks_tflops)
    if missing:
        yield "peak", f"no peak for {', '.join(sorted(missing))}"


def _apart(value: float, other: float, tolerance: float) -> bool:
    return abs(value - other) > tolerance * max(abs(other), 1e-12)
