"""The GPU's timer, on a stand-in for torch.cuda that keeps a simulated clock."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from perfmodel.calibration.timing import Effort, EventTimer, summary


class SimulatedGpu:
    """A stream that runs what is queued after the host has queued it; times in seconds."""

    def __init__(self, *, clock_hz: float) -> None:
        self.clock_hz = clock_hz
        self.done_s = 0.0
        self.log: list[str] = []
        gpu = self

        class Event:
            def __init__(self, *, enable_timing: bool) -> None:
                assert enable_timing
                self.at_s = 0.0

            def record(self) -> None:
                self.at_s = gpu.done_s
                gpu.log.append("event")

            def synchronize(self) -> None:
                gpu.log.append("wait")

            def elapsed_time(self, other: Event) -> float:
                return (other.at_s - self.at_s) * 1e3

        self.torch = SimpleNamespace(cuda=SimpleNamespace(Event=Event, _sleep=self.sleep, synchronize=lambda: None))

    def sleep(self, cycles: int) -> None:
        self.log.append("sleep")
        self.done_s += cycles / self.clock_hz

    def kernel(self, seconds: float) -> None:
        self.log.append("kernel")
        self.done_s += seconds


def test_time_is_that_of_the_kernels_and_not_of_the_sleep() -> None:
    gpu = SimulatedGpu(clock_hz=1e9)
    used: list[int] = []

    def call(index: int) -> None:
        used.append(index)
        gpu.kernel(5e-5)

    effort = Effort(bursts=4, burst_s=1e-3, max_calls=50)
    result = EventTimer(gpu.torch, clock_hz=1e9).time(call, copies=3, effort=effort)
    assert result.time_s == pytest.approx(5e-5)
    assert result.spread == pytest.approx(0.0, abs=1e-6)
    assert (result.repeats, result.method) == (4 * 20, "events")
    assert set(used) == {0, 1, 2}
    last = gpu.log[len(gpu.log) - 1 - gpu.log[::-1].index("sleep") :]
    assert last == ["sleep", "event", *["kernel"] * 20, "event", "wait"]


def test_short_kernels_are_called_at_most_so_often() -> None:
    gpu = SimulatedGpu(clock_hz=1e9)
    result = EventTimer(gpu.torch, clock_hz=1e9).time(
        lambda _: gpu.kernel(1e-7), copies=1, effort=Effort(bursts=2, burst_s=1.0, max_calls=1000)
    )
    assert result.repeats == 2 * EventTimer.MAX_QUEUED


def test_one_burst_has_no_spread() -> None:
    assert summary([2.0], calls=1, method="wall").spread == 0.0
