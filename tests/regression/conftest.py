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
