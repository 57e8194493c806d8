"""Which clock times a processor with one or more threads, and bursts of calls by it.

With one thread the clock is the processor time of the process: it does not run while another process has the core, so
that a busy machine gives nearly the times of an idle one. With more threads it is the wall clock.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from . import timing
from .measure import import_torch
from .timing import Call, Effort, Timing

Clock = Callable[[], float]


def clock_for(threads: int) -> Clock:
    """Processor time of the process for one thread, else the wall clock."""
    return time.process_time if threads == 1 else time.perf_counter


@dataclass(frozen=True)
class CpuTimer:
    """Times calls by a clock; see `timing.Timer`."""

    clock: Clock

    def time(self, call: Call, *, copies: int, effort: Effort) -> Timing:
        """Median over bursts of calls that together last about ``effort.burst_s``."""
        call(0)
        first = self._burst(call, 1, copies)
        calls = max(1, min(effort.max_calls, round(effort.burst_s / max(first, 1e-9))))
        return timing.summary(
            [self._burst(call, calls, copies) for _ in range(effort.bursts)], calls=calls, method="wall"
        )

    def _burst(self, call: Call, calls: int, copies: int) -> float:
        start = self.clock()
        for index in range(calls):
            call(index % copies)
        return max((self.clock() - start) / calls, 1e-9)


@contextmanager
def torch_threads(threads: int) -> Iterator[Any]:
    """Import torch and let it compute with so many threads."""
    torch = import_torch()
    before = torch.get_num_threads()
    torch.set_num_threads(threads)
    try:
        yield torch
    finally:
        torch.set_num_threads(before)
