"""A CycleGAN table like the first reference system's: cards, block counts, batches, two data pairs."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import product
from typing import Any

import numpy as np
import pytest

from perfmodel.hardware import find_gpu

CARDS = ("v100", "p100", "k80", "rtx 3060 mobile", "t4", "a100", "rtx3090", "titan v")


@pytest.fixture
def cyclegan() -> Callable[..., Any]:
    """Return a function that makes the table: step = c e^(0.12 blocks) batch^0.9 bandwidth^-0.8 cores^-0.3."""
    pandas = pytest.importorskip("pandas")

    def make(
        cards: Sequence[str] = CARDS, *, blocks: Sequence[int] = (3, 6, 9), batch: Sequence[int] = (1, 4),
        noise: float = 0.02, card_noise: float = 0.0, repeats: int = 1, seed: int = 0,
    ) -> Any:  # fmt: skip
        rng = np.random.default_rng(seed)
        offset = {card: card_noise * rng.standard_normal() for card in cards}
        rows = []
        for card, n, size, pair, _ in product(
            cards, blocks, batch, ("Synthia-Cityscapes", "VKITTI-KITTI"), range(repeats)
        ):
            gpu = find_gpu(card)
            log_ms = (
                12.0 + 0.12 * n + 0.9 * np.log(size) - 0.8 * np.log(gpu.bandwidth_gbs) - 0.3 * np.log(gpu.cuda_cores)
            )
            step = np.exp(log_ms + offset[card] + noise * rng.standard_normal())
            rows.append(
                {"gpu": card, "model": "cyclegan", "phase": "train", "blocks": n, "batch": size, "data_pair": pair,
                 "step_ms": step, "data_ms": 0.1 * step, "workers": 4}
            )  # fmt: skip
        return pandas.DataFrame(rows)

    return make


LAB_CARDS = ("k80", "gtx1080ti", "p100-pcie-16", "titan-v", "t4", "v100-sxm2-16", "rtx3090", "a100-sxm-40")


@pytest.fixture
def measured() -> Callable[..., Any]:
    """Return a function that makes rows whose steps follow a power law of the fp32 peak, the blocks and the batch."""
    pandas = pytest.importorskip("pandas")

    def make(
        cards: Sequence[str] = LAB_CARDS,
        *,
        exponent: float = -0.9,
        noise: float = 0.05,
        card_noise: float = 0.0,
        blocks: Sequence[int] = (3, 6, 9),
        batch: Sequence[int] = (1, 4),
        pairs: Sequence[str] = ("VKITTI-KITTI",),
        seed: int = 0,
    ) -> Any:
        rng = np.random.default_rng(seed)
        own = dict(zip(cards, card_noise * rng.standard_normal(len(cards)), strict=True))
        rows = [
            {
                "gpu": card, "model": "cyclegan", "phase": "train", "precision": "fp32", "blocks": n, "batch": size,
                "data_pair": pair, "source": f"lab {at % 3}",
                "latency_ms": 2000.0 * find_gpu(card).peaks_tflops["fp32"] ** exponent * n**0.6 * size**0.95
                * np.exp(own[card] + noise * rng.standard_normal()),
            }
            for at, (card, n, size, pair) in enumerate(product(cards, blocks, batch, pairs))
        ]  # fmt: skip
        return pandas.DataFrame(rows)

    return make
