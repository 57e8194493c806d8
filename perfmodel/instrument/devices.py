"""Devices as a timer sees them: points in a queue of work, and when the device reached them on the host's clock.

A processor does its work before a call returns, so a point is the time at which it was set. A GPU runs behind the host:
a point is an event in its queue, set without waiting, whose time is known once the device has passed it.
"""

from __future__ import annotations

import time
from collections import deque
from dataclasses import dataclass
from typing import Any, Protocol

from perfmodel.errors import CudaUnavailableError, InputError


@dataclass(frozen=True, kw_only=True)
class DeviceMemory:
    """Memory of a device in bytes: held by tensors, held by the allocator, and the most that tensors held."""

    allocated: int
    reserved: int
    peak: int


class Device(Protocol):
    """What the timers need of a device."""

    name: str
    asynchronous: bool
    """Whether calls return before their work is done."""

    def now_ns(self) -> int:
        """Host's monotonic clock, ns."""

    def mark(self) -> Any:
        """Set a point after all work queued so far; never waits."""

    def passed(self, mark: Any) -> bool:
        """Whether the device has reached a point."""

    def time_ns(self, mark: Any) -> int:
        """When the device reached a point, on the host's clock, ns; call in the order of marks, after `passed`."""

    def synchronize(self) -> None:
        """Wait until all queued work is done."""

    def memory(self) -> DeviceMemory | None:
        """Memory now, None where the device does not tell."""


class HostDevice:
    """The processor: work is done when a call returns."""

    name = "cpu"
    asynchronous = False

    def now_ns(self) -> int:
        """Clock, ns."""
        return time.perf_counter_ns()

    def mark(self) -> int:
        """The time now."""
        return time.perf_counter_ns()

    def passed(self, mark: int) -> bool:
        """Always."""
        return True

    def time_ns(self, mark: int) -> int:
        """The mark itself."""
        return mark

    def synchronize(self) -> None:
        """Nothing to wait for."""

    def memory(self) -> DeviceMemory | None:
        """None: the process's memory is not the device's."""
        return None


class CudaDevice:
    """The current CUDA device of torch, timed by events on the current stream.

    Events are taken from a pool, and every mark's time is counted from the mark before it: torch gives the distance of
    two events in float32 milliseconds, which is exact to 0.5 us only over short distances.

    Parameters
    ----------
    index : int or None
        Number of the device; torch's current one by default.

    Raises
    ------
    CudaUnavailableError
        When torch finds no device.
    """

    asynchronous = True

    def __init__(self, index: int | None = None) -> None:
        import torch

        if not torch.cuda.is_available():
            raise CudaUnavailableError("torch finds no CUDA device to time", "use device='cpu'")
        self._cuda: Any = torch.cuda
        self._index = torch.cuda.current_device() if index is None else index
        self.name = str(torch.cuda.get_device_name(self._index))
        self._free: deque[Any] = deque()
        self._cuda.synchronize(self._index)
        self._last = self.mark()
        self._last.synchronize()
        self._last_ns = time.perf_counter_ns()
        self._cuda.reset_peak_memory_stats(self._index)

    def now_ns(self) -> int:
        """Clock, ns."""
        return time.perf_counter_ns()

    def mark(self) -> Any:
        """Record an event."""
        event = self._free.popleft() if self._free else self._cuda.Event(enable_timing=True)
        event.record()
        return event

    def passed(self, mark: Any) -> bool:
        """Whether the event is done."""
        return bool(mark.query())

    def time_ns(self, mark: Any) -> int:
        """Time of the event; the event before it goes back to the pool."""
        self._last_ns += round(self._last.elapsed_time(mark) * 1e6)
        self._free.append(self._last)
        self._last = mark
        return self._last_ns

    def synchronize(self) -> None:
        """Wait for the device."""
        self._cuda.synchronize(self._index)

    def memory(self) -> DeviceMemory | None:
        """What torch's allocator holds; the peak since the last call."""
        stats = self._cuda
        found = DeviceMemory(
            allocated=stats.memory_allocated(self._index),
            reserved=stats.memory_reserved(self._index),
            peak=stats.max_memory_allocated(self._index),
        )
        stats.reset_peak_memory_stats(self._index)
        return found


class SimulatedDevice:
    """An asynchronous device on a clock of its own, to show and to test what timers make of one.

    `submit` queues work and costs the host a launch; `block` is a call that waits for the queue, as a copy from
    pageable memory does; `host` is work of the host alone.
    """

    name = "simulated"
    asynchronous = True

    def __init__(self, *, launch_s: float = 5e-6) -> None:
        self._now = 0
        self._done = 0
        self._launch_ns = round(launch_s * 1e9)

    def now_ns(self) -> int:
        """Simulated host clock, ns."""
        return self._now

    def host(self, seconds: float) -> None:
        """Let the host work."""
        self._now += round(seconds * 1e9)

    def submit(self, seconds: float) -> None:
        """Queue work for the device."""
        self._now += self._launch_ns
        self._done = max(self._done, self._now) + round(seconds * 1e9)

    def block(self, seconds: float) -> None:
        """Queue work and wait for it, and for everything before it."""
        self.submit(seconds)
        self.synchronize()

    def mark(self) -> int:
        """Time at which the queue will be done."""
        self._done = max(self._done, self._now)
        return self._done

    def passed(self, mark: int) -> bool:
        """Whether the clock is past it."""
        return self._now >= mark

    def time_ns(self, mark: int) -> int:
        """The mark itself."""
        return mark

    def synchronize(self) -> None:
        """Let the clock reach the end of the queue."""
        self._now = max(self._now, self._done)

    def memory(self) -> DeviceMemory | None:
        """None."""
        return None


def find_device(name: str | Device) -> Device:
    """Return the device of a name: ``cpu``, ``cuda``, ``cuda:1`` or ``auto`` (CUDA where torch has it).

    Raises
    ------
    InputError
        For another name.
    """
    if not isinstance(name, str):
        return name
    kind, _, index = name.partition(":")
    if kind == "cpu":
        return HostDevice()
    if kind == "cuda" and (not index or index.isdigit()):
        return CudaDevice(int(index) if index else None)
    if kind != "auto":
        raise InputError(f"no device {name!r} to time", "give cpu, cuda, cuda:N or auto")
    import sys

    torch = sys.modules.get("torch")
    return CudaDevice() if torch is not None and torch.cuda.is_available() else HostDevice()
