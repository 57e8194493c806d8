"""Steps on a grid of cards, precisions, batches and block counts: what `compare` computes with.

A grid is answered precision by precision and stack by stack, for some cards at a time. Operators are evaluated once
for each batch; because counts and parameters are linear in the blocks, two block counts give all of them, and only
operators that differ between the two (the optimizer's) are timed twice.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, fields, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from perfmodel.efficiency.features import group_seconds, phase_launches
from perfmodel.efficiency.prior import Corrections, Prior
from perfmodel.errors import PrecisionError
from perfmodel.graph.operators import Operators
from perfmodel.hardware.gpu import Gpu
from perfmodel.hardware.spec import CPU_ARCH
from perfmodel.roofline.backend import thread_count
from perfmodel.roofline.device import Device
from perfmodel.roofline.physical import physical_time
from perfmodel.runs.stack import Stack
from perfmodel.step.compute import Plan, added_launch, launches_seconds, phase_seconds, phase_weights
from perfmodel.step.evidence import judge
from perfmodel.step.memory import memory_parts
from perfmodel.step.predict import copied_bytes, copy_rate, loader_sd, put_together
from perfmodel.step.request import Request, steps_in

Floats = npt.NDArray[np.float64]

#: Points that are put together at once: their arrays stay in the processor's cache.
_PIECE = 1 << 15
#: Operators times batches that are timed at once.
_TIMES = 1 << 20
#: Points that one thread answers alone.
_ONE_THREAD = 1 << 16


class Grid:
    """Computes all points of a grid; results have the shape (cards, precisions, batches, blocks).

    Parameters
    ----------
    ask : Request
        What all points share.
    cards, stacks : sequence
        One stack a card.
    precisions : sequence of str
    batches, blocks : array of int
        Blocks ascend; one 0 for a network without blocks.
    prior : Prior

    Attributes
    ----------
    step, low, high : array
        Seconds; NaN where the card lacks the precision.
    memory : array
        GB at the peak.
    grade : array of str (cards, precisions)
    """

    def __init__(
        self,
        ask: Request,
        cards: Sequence[Gpu],
        stacks: Sequence[Stack],
        precisions: Sequence[str],
        batches: npt.NDArray[np.int64],
        blocks: npt.NDArray[np.int64],
        prior: Prior,
    ) -> None:
        self.ask, self.cards, self.stacks, self.precisions, self.prior = ask, cards, stacks, precisions, prior
        self.batches, self.blocks = batches, blocks
        shape = (len(cards), len(precisions), len(batches), len(blocks))
        self.step, self.low, self.high, self.memory = (np.full(shape, np.nan) for _ in range(4))
        self.grade = np.full(shape[:2], "-")
        self._known: dict[tuple[str, bool, bool], _Points] = {}

    def run(self) -> None:
        """Fill the results, on all cores where there is enough to do."""
        jobs = [job for column in range(len(self.precisions)) for job in self._jobs(column)]
        if self.step.size < _ONE_THREAD or len(jobs) < 2:
            for job in jobs:
                self._some_cards(job)
            return
        from concurrent.futures import ThreadPoolExecutor

        with ThreadPoolExecutor(thread_count()) as pool:
            for _ in pool.map(self._some_cards, jobs):
                pass

    def _jobs(self, column: int) -> Iterator[_Job]:
        """Cards that share what a precision and a stack stand for, in pieces that stay in the processor's cache."""
        alike: dict[tuple[str, Stack], list[int]] = {}
        for row, (card, stack) in enumerate(zip(self.cards, self.stacks, strict=True)):
            if card.arch == CPU_ARCH:
                continue  # its operators are timed by another model: see `compare`
            try:
                alike.setdefault((steps_in(self.precisions[column], card), stack), []).append(row)
            except PrecisionError:
                continue
        for (name, stack), rows in alike.items():
            ask = replace(self.ask, precision=name, stack=stack)
            points = self._points(ask)
            self.memory[rows, column] = points.memory / 1e9
            ends = _Ends(ask.plan, self.prior, points, self.blocks)
            each = 1 if ask.gpus > 1 else max(1, min(_PIECE // points.memory.size, _TIMES // points.ops[0].read.size))
            for start in range(0, len(rows), each):
                some = rows[start : start + each]
                yield _Job(some, column, replace(ask, gpu=self.cards[some[0]]), ends)

    def _points(self, ask: Request) -> _Points:
        key = (ask.plan.variant, ask.plan.half_storage, ask.stack.fused_attention)
        if key not in self._known:
            self._known[key] = _points(ask, self.batches, self.blocks)
        return self._known[key]

    def _some_cards(self, job: _Job) -> None:
        """Fill the points of some cards at one precision; `ask.gpu` matters where several of it train together."""
        rows, column, ask, points = job.rows, job.column, job.ask, job.ends.points
        setting, cards = ask.plan.setting, [self.cards[row] for row in rows]
        profiles = {card.key: ask.profile for card in cards if ask.profile is not None and ask.profile.gpu == card.key}
        corrections = [self.prior.corrections(setting, card) for card in cards]
        corrections = [
            profiles[card.key].apply(one, setting) if card.key in profiles else one
            for card, one in zip(cards, corrections, strict=True)
        ]
        evidence = [judge(self.prior, setting, card, profiles.get(card.key)) for card in cards]
        self.grade[rows, column] = [one.grade for one in evidence]
        variance = np.array([one.variance for one in corrections])
        extra = np.array([one.variance for one in evidence])
        half = np.asarray(self.prior.half_width(variance + extra, ask.coverage))
        spread = np.exp(loader_sd(ask) * half / np.maximum(np.sqrt(variance + extra), 1e-9))
        device, launch = job.ends.times(cards, corrections)
        copy = points.copied_bytes / _by_card([copy_rate(ask, card) for card in cards])
        for out, factor, load in (
            (self.step, np.ones_like(half), np.ones_like(half)),
            (self.low, np.exp(-half), 1.0 / spread),
            (self.high, np.exp(half), spread),
        ):
            out[rows, column] = put_together(
                ask,
                device * _by_card(factor)[..., None],
                launch * _by_card(factor),
                batch=points.batch,
                copy_s=copy,
                gradient_bytes=points.gradient_bytes,
                load_factor=_by_card(load),
            )[2]


def _by_card(values: Any) -> Floats:
    """One value a card, to broadcast over batches and blocks."""
    return np.asarray(values, dtype=np.float64)[:, None, None]


@dataclass(frozen=True)
class _Points:
    """What the points of all cards share; arrays broadcast to (batches, blocks).

    Attributes
    ----------
    ops : list of Operators
        At the smallest and the largest block count; at one where there is only one.
    changed : array of bool (n,)
        Operators that differ between the two in more than their count.
    memory : array
        Bytes at the peak.
    batch, copied_bytes, gradient_bytes : array
    """

    ops: list[Operators]
    changed: npt.NDArray[np.bool_]
    memory: Floats
    batch: Floats
    copied_bytes: Floats
    gradient_bytes: Floats


def _points(ask: Request, batches: npt.NDArray[np.int64], blocks: npt.NDArray[np.int64]) -> _Points:
    batch = batches.astype(float)
    size = None if ask.size is None else np.full_like(batch, float(ask.size))
    ends = dict.fromkeys((int(blocks[0]) or None, int(blocks[-1]) or None))
    ops = [ask.plan.operators(batch, size, count) for count in ends]
    parts = memory_parts(ask, batch[:, None], None if ask.blocks is None else blocks.astype(float))
    return _Points(
        ops=ops,
        changed=_differ(ops[0], ops[-1]),
        memory=np.asarray(sum(parts.values())),
        batch=batch[:, None],
        copied_bytes=copied_bytes(ask, batch)[:, None],
        gradient_bytes=np.array([4.0 * ask.graph.parameters(int(count) or None) for count in blocks]),
    )


class _Ends:
    """Physical seconds at the smallest and the largest block count; between them everything is linear."""

    def __init__(self, plan: Plan, prior: Prior, points: _Points, blocks: npt.NDArray[np.int64]) -> None:
        self.plan, self.prior, self.points, self.ops = plan, prior, points, points.ops
        span = float(blocks[-1] - blocks[0])
        self.share = (blocks - blocks[0]) / span if span else np.zeros(1)
        self.changed = points.changed
        self.weights = phase_weights(plan)
        self.host = [launches_seconds(phase_launches(ops) * self.weights, prior, plan.scope) for ops in self.ops]

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


@dataclass(frozen=True)
class _Job:
    """Cards (their rows in the grid) at one precision (its column)."""

    rows: list[int]
    column: int
    ask: Request
    ends: _Ends


def _differ(first: Operators, last: Operators) -> npt.NDArray[np.bool_]:
    """Whether operators differ in anything but how often they run, shape (n,)."""
    changed = np.zeros(len(first), dtype=bool)
    for field in fields(Operators):
        if field.name not in ("name", "count"):
            a, b = (np.asarray(getattr(ops, field.name)) for ops in (first, last))
            changed |= (a != b).reshape(-1, len(first)).any(axis=0)
    return changed
