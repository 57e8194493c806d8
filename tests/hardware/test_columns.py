"""Specification columns of many cards."""

from __future__ import annotations

import numpy as np

from perfmodel.hardware.columns import gpu_columns
from perfmodel.hardware.gpu import find_gpu, gpus


def test_columns_equal_the_cards() -> None:
    cards = gpus(user=False)
    columns = gpu_columns(cards)
    assert all(c.shape == (len(cards),) and c.dtype == np.float64 for c in columns.values())
    for i, card in enumerate(cards):
        assert columns["sustained_mhz"][i] == card.sustained_mhz
        assert columns["peak_fp16_tflops"][i] == card.peaks_tflops["fp16"]


def test_what_a_card_lacks_is_nan() -> None:
    columns = gpu_columns([find_gpu("p100"), find_gpu("h100")])
    assert np.isnan(columns["peak_bf16_tflops"]).tolist() == [True, False]
    assert np.isnan(columns["nvlink_gbs"]).tolist() == [True, False]


def test_no_cards() -> None:
    assert all(column.shape == (0,) for column in gpu_columns([]).values())
