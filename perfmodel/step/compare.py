"""Compare cards, batches, precisions and block counts: the same model as `predict`, on whole grids at once.

A grid is answered card by card and precision by precision; operators are evaluated once for each batch, and because
counts and parameters are linear in the blocks, two block counts give all of them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from perfmodel.efficiency.features import StepFeatures
from perfmodel.efficiency.prior import Prior, shipped_prior
from perfmodel.errors import InputError, PrecisionError
from perfmodel.graph.graph import Graph
from perfmodel.hardware.gpu import Gpu, find_gpu
from perfmodel.hardware.precision import resolve_precision
from perfmodel.step.compute import apply_corrections, features, host_seconds, phase_weights, weighted
from perfmodel.step.evidence import judge
from perfmodel.step.memory import memory_parts
from perfmodel.step.predict import LOADER_SD, input_copy_s, put_together
from perfmodel.step.request import Request, make_request

if TYPE_CHECKING:
    import pandas as pd

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True, kw_only=True)
class Comparison:
    """Answers on a grid; arrays have the shape (gpus, precisions, batches, blocks).

    Attributes
    ----------
    gpus : tuple of Gpu
    precisions : tuple of str
    batches : array of int
    blocks : array of int
        One 0 for a network without blocks.
    step_s, low_s, high_s : array
        NaN where the card lacks the precision.
    memory_gb : array
    fits : array of bool
    grade : array of str, shape (gpus, precisions)
    request : Request
        What all points share.
    """

    gpus: tuple[Gpu, ...]
    precisions: tuple[str, ...]
    batches: npt.NDArray[np.int64]
    blocks: npt.NDArray[np.int64]
    step_s: Floats
    low_s: Floats
    high_s: Floats
    memory_gb: Floats
    fits: npt.NDArray[np.bool_]
    grade: npt.NDArray[np.str_]
    request: Request

    @property
    def samples_per_s(self) -> Floats:
        """Samples a second of all cards of a point."""
        ask = self.request
        result: Floats = (self.batches[:, None] * (ask.gpus * ask.accumulate)) / self.step_s
        return result

    def columns(self) -> dict[str, npt.NDArray[Any]]:
        """Flat columns, one row a point."""
        shape, ask = self.step_s.shape, self.request
        index = np.indices(shape).reshape(4, -1)
        found: dict[str, npt.NDArray[Any]] = {
            "gpu": np.array([gpu.key for gpu in self.gpus])[index[0]],
            "precision": np.array(self.precisions)[index[1]],
            "batch": self.batches[index[2]],
            "blocks": self.blocks[index[3]],
            "step_ms": 1e3 * self.step_s.ravel(),
            "low_ms": 1e3 * self.low_s.ravel(),
            "high_ms": 1e3 * self.high_s.ravel(),
            "samples_per_s": self.samples_per_s.ravel(),
            "memory_gb": self.memory_gb.ravel(),
            "fits": self.fits.ravel(),
            "evidence": self.grade[index[0], index[1]],
        }
        if ask.dataset_size is not None:
            steps = np.ceil(ask.dataset_size / (found["batch"] * ask.gpus * ask.accumulate))
            found["epoch_s"] = steps * self.step_s.ravel()
            if ask.price is not None:
                found["cost_per_epoch"] = found["epoch_s"] * ask.price * ask.gpus / 3600
        elif ask.price is not None:
            found["cost_per_1000_steps"] = self.step_s.ravel() * ask.price * ask.gpus / 3.6
        return found

    def to_frame(self) -> pd.DataFrame:
        """Rows as a pandas DataFrame."""
        import pandas as pd

        return pd.DataFrame(self.columns())


def compare(
    model: str | Graph = "cyclegan",
    *,
    gpu: Sequence[str | Gpu] = ("p100", "v100", "a100", "h100"),
    batch: Sequence[int] = (1,),
    precision: Sequence[str] = ("fp32",),
    blocks: Sequence[int] | None = None,
    prior: Prior | None = None,
    **options: Any,
) -> Comparison:
    """Predict every combination of cards, batches, precisions and blocks.

    Parameters
    ----------
    model : str or Graph
    gpu, batch, precision, blocks : sequences
        Axes of the grid; a precision that a card lacks gives NaN there.
    prior : Prior, optional
    **options
        Everything else that `perfmodel.predict` takes.

    Raises
    ------
    InputError
        When an axis is empty or an option makes no sense.
    """
    for name, axis in (("gpu", gpu), ("batch", batch), ("precision", precision)):
        if not len(axis):
            raise InputError(f"compare needs at least one {name}", f"give --{name}")
    cards = tuple(one if isinstance(one, Gpu) else find_gpu(one) for one in gpu)
    counts = None if blocks is None else np.array(sorted(set(blocks)), dtype=np.int64)
    ask = make_request(
        model, gpu=cards[0], batch=int(min(batch)), precision=_first_supported(cards[0], precision),
        blocks=None if counts is None else int(counts[0]), **options,
    )  # fmt: skip
    if counts is None:
        counts = np.array([ask.blocks or 0], dtype=np.int64)
    return _Grid(ask, cards, tuple(precision), np.array(batch, dtype=np.int64), counts, prior or shipped_prior()).run()


def _first_supported(card: Gpu, precisions: Sequence[str]) -> str:
    for name in precisions:
        try:
            return resolve_precision(name, card)
        except PrecisionError:
            continue
    return "fp32"


class _Grid:
    def __init__(
        self, ask: Request, cards: tuple[Gpu, ...], precisions: tuple[str, ...], batches: npt.NDArray[np.int64],
        blocks: npt.NDArray[np.int64], prior: Prior,
    ) -> None:  # fmt: skip
        self.ask, self.cards, self.precisions, self.prior = ask, cards, precisions, prior
        self.batches, self.blocks = batches, blocks
        shape = (len(cards), len(precisions), len(batches), len(blocks))
        self.step, self.low, self.high, self.memory = (np.full(shape, np.nan) for _ in range(4))
        self.grade = np.full(shape[:2], "-")

    def run(self) -> Comparison:
        for column, text in enumerate(self.precisions):
            by_name: dict[str, list[int]] = {}
            for row, card in enumerate(self.cards):
                try:
                    by_name.setdefault(resolve_precision(text, card), []).append(row)
                except PrecisionError:
                    continue
            for name, rows in by_name.items():
                self._fill(column, name, rows)
        capacity = np.array([card.memory_gb for card in self.cards])[:, None, None, None]
        return Comparison(
            gpus=self.cards, precisions=self.precisions, batches=self.batches, blocks=self.blocks, step_s=self.step,
            low_s=self.low, high_s=self.high, memory_gb=self.memory, fits=self.memory <= capacity, grade=self.grade,
            request=self.ask,
        )  # fmt: skip

    def _fill(self, column: int, precision: str, rows: list[int]) -> None:
        ask = replace(self.ask, precision=precision)
        batch = self.batches.astype(float)
        memory = np.stack([self._memory(replace(ask, blocks=int(n) or None), batch) for n in self.blocks], axis=-1)
        found = self._features(ask, [self.cards[row] for row in rows], batch)
        for at, row in enumerate(rows):
            self.memory[row, column] = memory
            one = StepFeatures(*(getattr(found, name)[at] for name in ("seconds", "launches", "flops", "bytes")))
            self._card(row, column, replace(ask, gpu=self.cards[row]), one)

    def _memory(self, ask: Request, batch: Floats) -> Floats:
        result: Floats = sum(memory_parts(ask, batch).values()) / 1e9  # type: ignore[assignment]
        return result

    def _features(self, ask: Request, cards: list[Gpu], batch: Floats) -> StepFeatures:
        """Features (cards, batches, blocks, ...)."""
        size = None if ask.size is None else np.full_like(batch, float(ask.size))
        index = np.arange(len(cards), dtype=np.intp)

        def at(blocks: int | None) -> StepFeatures:
            return features(ask.plan, self.prior, cards, index[:, None], batch, size, blocks)

        first = at(int(self.blocks[0]) or None)
        if len(self.blocks) == 1:
            ends = (first, first)
            share = np.zeros(1)
        else:
            ends = (first, at(int(self.blocks[-1])))
            share = (self.blocks - self.blocks[0]) / float(self.blocks[-1] - self.blocks[0])
        parts = []
        for name in ("seconds", "launches", "flops", "bytes"):
            a, b = getattr(ends[0], name)[:, :, None], getattr(ends[1], name)[:, :, None]
            weight = share.reshape(-1, *([1] * (a.ndim - 3)))
            parts.append(a + (b - a) * weight)
        return weighted(StepFeatures(*parts), phase_weights(ask.plan))

    def _card(self, row: int, column: int, ask: Request, found: StepFeatures) -> None:
        prior, setting = self.prior, ask.plan.setting
        corrections = prior.corrections(setting, ask.gpu)
        if ask.profile is not None:
            corrections = ask.profile.apply(corrections, setting)
        evidence = judge(prior, setting, ask.gpu, ask.profile)
        self.grade[row, column] = evidence.grade
        times = apply_corrections(
            found, host_seconds(found, prior, ask.plan.scope), [corrections], np.zeros((), dtype=np.intp)
        )
        variance = float(times.variance)
        half = float(prior.half_width(variance + evidence.variance, ask.coverage))
        spread = float(np.exp(LOADER_SD * half / max(np.sqrt(variance), 1e-9)))
        batch = np.broadcast_to(self.batches.astype(float)[:, None], times.launch.shape)
        gradient = np.array([4.0 * ask.graph.parameters(int(n) or None) for n in self.blocks])
        copy = input_copy_s(ask, self.batches.astype(float))[:, None]
        for out, factor, load in (
            (self.step, 1.0, 1.0), (self.low, np.exp(-half), 1 / spread), (self.high, np.exp(half), spread),
        ):  # fmt: skip
            out[row, column] = put_together(
                ask, times.device * factor, times.launch * factor, batch=batch,
                copy_s=np.broadcast_to(copy, batch.shape), gradient_bytes=gradient, load_factor=load,
            )[2]  # fmt: skip
