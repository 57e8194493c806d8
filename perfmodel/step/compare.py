"""Compare cards, batches, precisions and block counts: the same model as `predict`, on whole grids at once.

A grid is answered precision by precision, for some cards at a time. Operators are evaluated once for each batch; because
counts and parameters are linear in the blocks, two block counts give all of them, and only operators that differ between
the two (the optimizer's) are timed twice.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from perfmodel.efficiency.features import group_seconds, phase_launches
from perfmodel.efficiency.prior import Corrections, Prior, shipped_prior
from perfmodel.errors import InputError, PrecisionError
from perfmodel.graph.graph import Graph
from perfmodel.graph.operators import Operators
from perfmodel.hardware.gpu import Gpu, find_gpu
from perfmodel.hardware.precision import resolve_precision
from perfmodel.roofline.device import Device
from perfmodel.roofline.physical import physical_time
from perfmodel.step.compute import Plan, added_launch, launches_seconds, phase_seconds, phase_weights
from perfmodel.step.evidence import judge
from perfmodel.step.memory import memory_parts
from perfmodel.step.predict import LOADER_SD, copied_bytes, copy_rate, put_together
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
        blocks = None if ask.blocks is None else self.blocks.astype(float)
        memory = sum(memory_parts(ask, batch[:, None], blocks).values())
        self.memory[rows, column] = np.asarray(memory) / 1e9
        ends = _Ends(ask.plan, self.prior, batch, ask.size, self.blocks)
        common = _Common(
            copied_bytes(ask, batch)[:, None],
            np.array([4.0 * ask.graph.parameters(int(n) or None) for n in self.blocks]),
            batch[:, None],
        )
        each = 1 if ask.gpus > 1 else max(1, _PIECE // self.step[0, 0].size)
        for start in range(0, len(rows), each):
            some = rows[start : start + each]
            self._some_cards(some, column, replace(ask, gpu=self.cards[some[0]]), ends, common)

    def _some_cards(self, rows: list[int], column: int, ask: Request, ends: _Ends, common: _Common) -> None:
        """Fill the points of some cards at one precision; `ask.gpu` matters where several of it train together."""
        setting, cards = ask.plan.setting, [self.cards[row] for row in rows]
        corrections = [self.prior.corrections(setting, card) for card in cards]
        if ask.profile is not None:
            corrections = [ask.profile.apply(one, setting) for one in corrections]
        evidence = [judge(self.prior, setting, card, ask.profile) for card in cards]
        self.grade[rows, column] = [one.grade for one in evidence]
        variance = np.array([one.variance for one in corrections])
        extra = np.array([one.variance for one in evidence])
        half = np.asarray(self.prior.half_width(variance + extra, ask.coverage))
        spread = np.exp(LOADER_SD * half / np.maximum(np.sqrt(variance), 1e-9))
        device, launch = ends.times(cards, corrections)
        copy = common.copied_bytes / _by_card([copy_rate(ask, card) for card in cards])
        for out, factor, load in (
            (self.step, np.ones_like(half), np.ones_like(half)),
            (self.low, np.exp(-half), 1.0 / spread),
            (self.high, np.exp(half), spread),
        ):
            out[rows, column] = put_together(
                ask,
                device * _by_card(factor)[..., None],
                launch * _by_card(factor),
                batch=common.batch,
                copy_s=copy,
                gradient_bytes=common.gradient_bytes,
                load_factor=_by_card(load),
            )[2]


#: Points that are put together at once: their arrays stay in the processor's cache.
_PIECE = 8192


def _by_card(values: Any) -> Floats:
    """One value a card, to broadcast over batches and blocks."""
    return np.asarray(values, dtype=np.float64)[:, None, None]


@dataclass(frozen=True)
class _Common:
    """What the points of all cards share: input bytes (batches, 1), gradient bytes (blocks), samples (batches, 1)."""

    copied_bytes: Floats
    gradient_bytes: Floats
    batch: Floats


class _Ends:
    """Physical seconds at the smallest and the largest block count; between them everything is linear."""

    def __init__(
        self, plan: Plan, prior: Prior, batch: Floats, size: int | None, blocks: npt.NDArray[np.int64]
    ) -> None:
        self.plan, self.prior = plan, prior
        sizes = None if size is None else np.full_like(batch, float(size))
        ends = dict.fromkeys((int(blocks[0]) or None, int(blocks[-1]) or None))
        self.ops = [plan.operators(batch, sizes, count) for count in ends]
        span = float(blocks[-1] - blocks[0])
        self.share = (blocks - blocks[0]) / span if span else np.zeros(1)
        self.changed = _differ(self.ops[0], self.ops[-1])
        weights = phase_weights(plan)
        self.weights = weights
        self.host = [launches_seconds(phase_launches(ops) * weights, prior, plan.scope) for ops in self.ops]

    def times(self, cards: list[Gpu], corrections: list[Corrections]) -> tuple[Floats, Floats]:
        """Device seconds (cards, batches, blocks, 4) and what launching adds (cards, batches, blocks)."""
        factor = np.exp(np.array([one.theta for one in corrections]))
        total = np.exp(np.array([one.total for one in corrections]))
        found = [phase_seconds(one, factor[:, None, :-1]) * self.weights for one in self._seconds(cards)]
        # Phases first in memory: sums over them then run along whole rows of points.
        device = np.moveaxis(self._between([np.moveaxis(one, -1, 0) for one in found]), 0, -1)
        launch = added_launch(device, self._between(self.host) * _by_card(factor[:, -1]))
        device *= _by_card(total)[..., None]
        return device, launch * _by_card(total)

    def _between(self, ends: list[Floats]) -> Floats:
        """Values at all block counts, as a new last axis."""
        first, last = ends[0][..., None], ends[-1][..., None]
        result: Floats = first + (last - first) * self.share
        return result

    def _seconds(self, cards: list[Gpu]) -> list[Floats]:
        """Physical seconds (cards, batches, 4, G) at each end."""
        device = Device.of(cards).rows(np.arange(len(cards))[:, None])
        time = physical_time(self.ops[0], device, self.plan.precision, self.prior.kernel)
        found = [group_seconds(self.ops[0], time)]
        for last in self.ops[1:]:
            if self.changed.any():
                part = last.select(self.changed)
                time[..., self.changed] = physical_time(part, device, self.plan.precision, self.prior.kernel)
            found.append(group_seconds(last, time))
        return found


def _differ(first: Operators, last: Operators) -> npt.NDArray[np.bool_]:
    """Whether operators differ in anything but how often they run, shape (n,)."""
    changed = np.zeros(len(first), dtype=bool)
    for field in fields(Operators):
        if field.name not in ("name", "count"):
            a, b = (np.asarray(getattr(ops, field.name)) for ops in (first, last))
            changed |= (a != b).reshape(-1, len(first)).any(axis=0)
    return changed
