"""Timing of calls on a device: medians of repeated bursts, with the host kept out of the device's way.

On a GPU a burst is a run of calls between two events on one stream. The GPU is first put to sleep for as long as the
host needs to queue the burst, so that the time is that of the kernels back to back and never that of the host issuing
them. On the CPU a burst is timed by the wall clock. Every call of a burst uses another copy of its data, so many that
together they exceed the last cache.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

Call = Callable[[int], object]


@dataclass(frozen=True, kw_only=True)
class Timing:
    """Result of timing one call.

    Parameters
    ----------
    time_s : float
        Median over bursts of the time of one call.
    time_min_s : float
        Shortest burst's time of one call.
    spread : float
        Interquartile range over the median, over bursts.
    repeats : int
        Calls timed, over all bursts.
    method : str
        ``events`` (GPU, host hidden) or ``wall``.
    """

    time_s: float
    time_min_s: float
    spread: float
    repeats: int
    method: str


@dataclass(frozen=True, kw_only=True)
class Effort:
    """How long to time one case: bursts, seconds of each, and at most how many calls in one."""

    bursts: int = 7
    burst_s: float = 2e-3
    max_calls: int = 50


DRY = Effort(bursts=2, burst_s=1e-4, max_calls=2)
CPU = Effort(bursts=5, burst_s=8e-3, max_calls=200)


class Timer(Protocol):
    """Times calls on one device."""

    def time(self, call: Call, *, copies: int, effort: Effort) -> Timing:
        """Time ``call(i)``, which uses the i-th of ``copies`` copies of its data."""


def summary(seconds: Sequence[float], *, calls: int, method: str) -> Timing:
    """Summarise the times of one call in each burst."""
    ordered = sorted(seconds)
    median = statistics.median(ordered)
    low, high = ordered[len(ordered) // 4], ordered[(3 * len(ordered)) // 4 if len(ordered) > 3 else -1]
    return Timing(
        time_s=median,
        time_min_s=ordered[0],
        spread=(high - low) / median if median > 0 else 0.0,
        repeats=calls * len(ordered),
        method=method,
    )


def _calls(call_s: float, effort: Effort) -> int:
    return max(1, min(effort.max_calls, round(effort.burst_s / max(call_s, 1e-9))))


@dataclass(frozen=True)
class WallTimer:
    """Times calls that return when they are done, by the monotonic clock."""

    def time(self, call: Call, *, copies: int, effort: Effort) -> Timing:
        """Time bursts of calls; see `Timer`."""
        call(0)
        first = _burst(call, calls=1, copies=copies)
        calls = _calls(first, effort)
        return summary(
            [_burst(call, calls=calls, copies=copies) for _ in range(effort.bursts)], calls=calls, method="wall"
        )


def _burst(call: Call, *, calls: int, copies: int) -> float:
    start = time.perf_counter()
    for index in range(calls):
        call(index % copies)
    return (time.perf_counter() - start) / calls


class EventTimer:
    """Times calls on the current CUDA stream by events.

    Parameters
    ----------
    torch : module
        The imported torch.
    clock_hz : float
        The GPU's clock, to turn the host's seconds into cycles of sleep.
    """

    # Kernels that may wait in a stream before the host blocks; with some operators launching several.
    MAX_QUEUED = 200

    def __init__(self, torch: Any, *, clock_hz: float) -> None:
        self._torch = torch
        self._clock_hz = clock_hz

    def time(self, call: Call, *, copies: int, effort: Effort) -> Timing:
        """Time bursts of calls; see `Timer`."""
        synchronize = self._torch.cuda.synchronize
        for index in range(min(3, copies + 1)):
            call(index % copies)
        synchronize()
        host_s = _burst(call, calls=3, copies=copies)
        synchronize()
        first = self._burst(call, calls=2, copies=copies, host_s=host_s)
        calls = min(_calls(first, effort), self.MAX_QUEUED)
        seconds = [self._burst(call, calls=calls, copies=copies, host_s=host_s) for _ in range(effort.bursts)]
        return summary(seconds, calls=calls, method="events")

    def _burst(self, call: Call, *, calls: int, copies: int, host_s: float) -> float:
        cuda = self._torch.cuda
        start, stop = cuda.Event(enable_timing=True), cuda.Event(enable_timing=True)
        cuda._sleep(int((2.0 * host_s * calls + 1e-4) * self._clock_hz))
        start.record()
        for index in range(calls):
            call(index % copies)
        stop.record()
        stop.synchronize()
        return float(start.elapsed_time(stop)) * 1e-3 / calls
