"""Sound tables of measured rows to break, and designs made of them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import product
from typing import Any

import numpy as np
import pytest

from perfmodel.hardware import find_gpu
from perfmodel.regression.design import Design, Floats
from perfmodel.regression.guards.expressions import value_of

CARDS = ("k80", "gtx1080ti", "p100-pcie-16", "titan-v", "t4", "v100-sxm2-16", "rtx3090", "a100-sxm-40")


def _row(card: str, blocks: int, batch: int, pair: str) -> dict[str, Any]:
    gpu = find_gpu(card)
    step_ms = 25.0 + batch * (330.0 + 174.0 * blocks) / gpu.peaks_tflops["fp32"]
    return {
        "file": f"{card}.csv", "gpu": gpu.key, "gpu_text": card, "n_gpu": 1.0, "model": "cyclegan", "phase": "train",
        "precision": "fp32", "blocks": float(blocks), "batch": float(batch), "data_pair": pair, "source": "lab",
        "cores": float(gpu.cuda_cores), "sms": float(gpu.sm), "clock_ghz": gpu.boost_mhz / 1e3,
        "flops": gpu.peaks_tflops["fp32"], "fp32_tflops": gpu.peaks_tflops["fp32"], "bandwidth": gpu.bandwidth_gbs,
        "l2_mb": gpu.l2_mb, "tdp_w": gpu.tdp_w, "memory_gb": gpu.memory_gb,
        "step_ms": step_ms, "data_ms": 8.0 * batch, "image_ms": np.nan, "cold": np.nan, "epoch": np.nan,
        "gflop_step": batch * (330.0 + 174.0 * blocks),
    }  # fmt: skip


@pytest.fixture
def table() -> Callable[..., Any]:
    """Return a function that makes a sound table: every card at every setting, several times, 1 % of noise."""
    pandas = pytest.importorskip("pandas")

    def make(
        cards: Sequence[str] = CARDS,
        *,
        blocks: Sequence[int] = (3, 6, 9),
        batch: Sequence[int] = (1, 4),
        pairs: Sequence[str] = ("VKITTI-KITTI",),
        repeats: int = 4,
        noise: float = 0.01,
        seed: int = 0,
    ) -> Any:
        rng = np.random.default_rng(seed)
        settings = product(cards, blocks, batch, pairs)
        rows = [_row(*setting) for setting in settings for _ in range(repeats)]
        frame = pandas.DataFrame(rows)
        for name in ("step_ms", "data_ms"):
            frame[name] *= np.exp(noise * rng.standard_normal(len(frame)))
        return frame

    return make


@pytest.fixture
def log_table(table: Callable[..., Any]) -> Callable[..., Any]:
    """Return a function that makes the log of one run: epochs of ten rows each, in order."""

    def make(*, epochs: int = 3, rows: int = 10, file: str = "run.csv", card: str = "p100-pcie-16") -> Any:
        frame = table((card,), blocks=(9,), batch=(4,), repeats=epochs * rows)
        return frame.assign(file=file, epoch=np.repeat(np.arange(1.0, epochs + 1), rows))

    return make


def _columns(frame: Any, term: str) -> tuple[list[str], list[Floats]]:
    if term == "Intercept":
        return [term], [np.ones(len(frame))]
    if term in frame.columns and frame[term].dtype.kind != "f":
        words = frame[term].to_numpy(dtype=object)
        levels = sorted(set(words))[1:]
        return [f"{term}[T.{level}]" for level in levels], [(words == level).astype(float) for level in levels]
    value = value_of(term, {name: frame[name].to_numpy() for name in frame.columns})
    assert value is not None, term
    return [term], [value]


@pytest.fixture
def design() -> Callable[..., Design]:
    """Return a function that makes a design of a table's columns."""

    def make(frame: Any, *terms: str, response: str = "log(step_ms)", intercept: bool = True) -> Design:
        names: list[str] = []
        columns: list[Floats] = []
        places: dict[str, tuple[int, ...]] = {}
        for term in ("Intercept", *terms) if intercept else terms:
            new_names, new_columns = _columns(frame, term)
            places[term] = tuple(range(len(names), len(names) + len(new_names)))
            names += new_names
            columns += new_columns
        y = value_of(response, {name: frame[name].to_numpy() for name in frame.columns})
        assert y is not None
        return Design(
            formula=f"{response} ~ {' + '.join(terms)}", response=response, y=y, x=np.column_stack(columns),
            names=tuple(names), terms=places, frame=frame, rows=np.arange(len(frame)), weights=np.ones(len(frame)),
        )  # fmt: skip

    return make


@pytest.fixture
def residuals() -> Callable[[Design], Floats]:
    """Return a function that gives the residuals of least squares."""

    def of(design: Design) -> Floats:
        result: Floats = design.y - design.x @ np.linalg.lstsq(design.x, design.y, rcond=None)[0]
        return result

    return of
