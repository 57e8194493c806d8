"""One pass over an epoch's batches, prepared ahead by threads."""

from __future__ import annotations

import math
import os
import time
import weakref
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from perfmodel.instrument.nvtx import ranges
from perfmodel.loading.assemble import Assembler, Batch
from perfmodel.loading.prefetch import Prefetcher
from perfmodel.loading.sampling import Sampling
from perfmodel.loading.sources import Index

_RANGES = ranges(("input_wait",))

_NOWHERE = -1
"""In place of the process whose threads prepare batches."""

Block = list[tuple[int, Index]]


@dataclass
class Progress:
    """How far an epoch was consumed.

    Attributes
    ----------
    epoch : int
    batch : int
        The next that is due.
    done : bool
        There is none.
    waited_ns : int
        Spent by the consumer waiting for batches.
    """

    epoch: int
    batch: int
    done: bool = False
    waited_ns: int = 0


@dataclass(frozen=True, kw_only=True)
class Schedule:
    """How batches are prepared.

    Attributes
    ----------
    assembler : Assembler
    sampling : Sampling
    prefetch : int
        Batches prepared ahead, and batches that stay valid.
    pinned : bool
        Memory of the buffers.
    first, stride : int
        This process makes batches first, first + stride, ...
    """

    assembler: Assembler
    sampling: Sampling
    prefetch: int
    pinned: bool
    first: int = 0
    stride: int = 1

    @property
    def block(self) -> int:
        """Batches that one call makes: enough for two images a thread, where batches are small."""
        images = self.sampling.batch * len(self.assembler.source.roles)
        return max(1, min(math.ceil(2 * self.assembler.pool.threads / images), self.sampling.batches or 1))

    def prefetcher(self, epoch: int, batch: int) -> Prefetcher[Block, list[Batch]]:
        """Return what prepares the batches of an epoch from one on, not started."""
        ahead = math.ceil(self.prefetch / self.block)
        slots = 2 * ahead + (self.block > 1)
        memory: dict[int, Any] = {}
        assembler, samples = self.assembler, self.block * self.sampling.batch
        pinned = self.pinned

        def produce(slot: int, block: Block) -> list[Batch]:
            if slot not in memory:
                memory[slot] = assembler.memory(samples, pinned=pinned)
            return assembler.fill(memory[slot], block, epoch=epoch)

        return Prefetcher(produce, self._blocks(epoch, batch), slots=slots, ahead=ahead)

    def _blocks(self, epoch: int, batch: int) -> Iterator[Block]:
        numbers = self._numbers(batch)
        if not numbers:
            return
        order = self.sampling.order(epoch)
        for at in range(0, len(numbers), self.block):
            yield [(number, self.sampling.batch_of(order, number)) for number in numbers[at : at + self.block]]

    def _numbers(self, batch: int) -> Sequence[int]:
        skipped = -(-max(0, batch - self.first) // self.stride)
        return range(self.first + skipped * self.stride, self.sampling.batches, self.stride)


class Iteration:
    """An iterator over batches; ends its threads when it is used up, closed, dropped, or the process ends.

    They begin with `start`, or the first batch.

    Parameters
    ----------
    schedule : Schedule
    progress : Progress
        Where to start; kept up to date.
    present : callable
        Makes of a `Batch` what the consumer sees, or None to leave it out; may raise.
    settle : callable
        Called before a batch is taken, and memory of earlier ones may be written to.
    """

    def __init__(
        self,
        schedule: Schedule,
        progress: Progress,
        present: Callable[[Batch], Any],
        *,
        settle: Callable[[], None] = lambda: None,
    ) -> None:
        self._schedule, self._progress, self._present, self._settle = schedule, progress, present, settle
        self._pending: deque[Batch] = deque()
        self._process = _NOWHERE
        self._closed = False

    def __iter__(self) -> Iteration:
        return self

    def __next__(self) -> Any:
        if self._closed:
            raise StopIteration
        self.start()
        while True:
            batch = self._take()
            if batch is None:
                self._progress.done = True
                self.close()
                raise StopIteration
            self._progress.batch = batch.number + 1
            try:
                shown = self._present(batch)
            except BaseException:
                self.close()
                raise
            if shown is not None:
                return shown

    def start(self) -> None:
        """Prepare the batches from where the consumer is: at first, in a forked child, and after Ctrl-C."""
        if self._process == os.getpid():
            return
        self._pending.clear()
        self._prefetcher = self._schedule.prefetcher(self._progress.epoch, self._progress.batch)
        self._finalizer = weakref.finalize(self, self._prefetcher.stop)
        self._process = os.getpid()
        self._prefetcher.start()

    def close(self) -> None:
        """End the threads; there are no more batches."""
        self._closed = True
        self._pending.clear()
        if self._process != _NOWHERE:
            self._finalizer()

    def _take(self) -> Batch | None:
        if not self._pending:
            self._settle()
            start = time.perf_counter_ns()
            try:
                with _RANGES["input_wait"]:
                    block = self._prefetcher.take()
            except KeyboardInterrupt:  # what was on its way may be lost: whoever goes on gets it made again
                self._process = _NOWHERE
                self._finalizer()
                raise
            self._progress.waited_ns += time.perf_counter_ns() - start
            if block is None:
                return None
            self._pending.extend(block)
        return self._pending.popleft()
