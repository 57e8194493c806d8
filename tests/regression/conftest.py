"""Measured rows for regressions: what a lab might log of CycleGAN steps on several cards."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import product
from typing import Any

import numpy as np
import pytest

from perfmodel.hardware import find_gpu

CARDS = ("k80", "gtx1080ti", "p100-pcie-16", "titan-v", "t4", "v100-sxm2-16", "rtx3090", "a100-sxm-40")


@pytest.fixture
def measured() -> Callable[..., Any]:
    """Return a function that makes rows whose steps follow a power law of the fp32 peak, the blocks and the batch."""
    pandas = pytest.importorskip("pandas")

    def make(
        cards: Sequence[str] = CARDS,
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
