"""Contradictions in specifications."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from perfmodel.hardware.checks import EXCUSED, check_card, check_cards
from perfmodel.hardware.gpu import find_gpu, gpus, shipped_gpus


def test_the_shipped_table_is_clean_but_for_named_exceptions() -> None:
    boards = [card.board() for card in gpus(user=False) if card.dies_per_board > 1]
    found = check_cards([*gpus(user=False), *boards])
    assert [c.text for c in found if not c.excused] == []
    assert {(c.key, c.subject) for c in found} == set(EXCUSED)
    assert len(boards) == 3


@pytest.mark.parametrize(
    ("card", "subject", "change"),
    [
        ("v100", "cores", {"cuda_cores": 5000}),
        ("v100", "tensor_cores", {"tensor_cores": 320}),
        ("v100", "arch", {"arch": "Pascal"}),
        ("v100", "arch", {"compute_capability": 4.0}),
        ("v100", "clocks", {"base_mhz": 2000.0}),
        ("v100", "peak", {"boost_mhz": 1380.0}),
        ("v100", "bandwidth", {"bandwidth_gbs": 1134.0}),
        ("k80", "power", {"tdp_w": 300.0}),
        ("k80", "dies", {"dies_per_board": 1}),
        ("a100", "memory", {"smem_kb_per_sm": 228.0}),
        ("a100", "tensor", {"peaks_tflops": {**find_gpu("a100").peaks_tflops, "bf16": 624.0}}),
        ("k80", "peak", {"peaks_tflops": {"fp32": 8.73, "fp16": 8.73}}),  # board total on one die
        ("k80", "peak", {"peaks_tflops": {"fp32": 4.113}}),
        ("rtx3060-mobile", "peak", {"peaks_tflops": {**find_gpu("3060m").peaks_tflops, "fp32": 12.74}}),  # desktop
    ],
)
def test_each_contradiction_is_found(card: str, subject: str, change: dict[str, Any]) -> None:
    wrong = replace(find_gpu(card), **change)
    assert subject in {c.subject for c in check_card(wrong) if not c.excused}


def test_two_cards_of_one_key() -> None:
    card = shipped_gpus()["t4"]
    assert [c.subject for c in check_cards([card, card])] == ["key"]


def test_an_excuse_names_its_reason() -> None:
    assert all(c.reason for c in check_card(find_gpu("h100")))
