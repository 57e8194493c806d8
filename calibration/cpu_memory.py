"""What new memory costs: blocks that the system maps for one call, and blocks of the heap as a step uses them.

The second is measured in a process of its own, because what the allocator keeps depends on what ran before: tensors of
many sizes are made, kept, and freed in reverse order, as the forward and backward pass of a network do, and compared
with the same operations on memory that is there.
"""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
from collections.abc import Callable, Sequence
from typing import Any

from perfmodel.errors import FailureError

from .cpu_clock import Clock, clock_for, torch_threads

_FRESH_BYTES = 48 << 20
#: Elements of the tensors of the probe, in the order in which they are made: 0.25 to 8 MB, about 60 MB together.
_SIZES = tuple(
    count << 10 for count in (2048, 2048, 1024, 1024, 512, 512, 256, 128, 64, 64, 256, 512, 1024, 2048, 1024, 512)
)
_STEPS = 15
_PROCESSES = 4


def fresh_s_per_byte(torch: Any, clock: Clock) -> float:
    """Seconds a byte of filling memory that the system has just mapped, beyond filling memory that is there."""
    count = _FRESH_BYTES // 4
    kept = torch.empty(count)
    again = _median(clock, lambda: kept.fill_(2.0), 5)
    fresh = _median(clock, lambda: torch.empty(count).fill_(2.0), 5)
    return max(fresh - again, 0.0) / _FRESH_BYTES


def _median(clock: Clock, call: Callable[[], object], repeats: int) -> float:
    call()
    seconds = []
    for _ in range(repeats):
        start = clock()
        call()
        seconds.append(clock() - start)
    return statistics.median(seconds)


def churn_s_per_byte(torch: Any, clock: Clock) -> float:
    """Seconds a byte that a step writes to tensors it makes, beyond the same on memory that is there."""
    sources = [torch.randn(count) for count in _SIZES]
    backward = torch.ops.aten.threshold_backward

    def step() -> None:
        kept = [torch.relu(source) for source in sources]
        while kept:
            saved = kept.pop()
            backward(saved, saved, 0.0)

    fresh = _median(clock, step, _STEPS)
    forward_out = [torch.empty_like(source) for source in sources]
    backward_out = torch.empty_like(max(sources, key=lambda source: source.numel()))

    def again() -> None:
        for source, out in zip(sources, forward_out, strict=True):
            torch.clamp_min(source, 0.0, out=out)
        for out in reversed(forward_out):
            backward.grad_input(out, out, 0.0, grad_input=backward_out[: out.numel()])

    written = 2 * 4 * sum(_SIZES)
    return max(fresh - _median(clock, again, _STEPS), 0.0) / written


def measure_apart(threads: int) -> tuple[float, float]:
    """Seconds a byte of mapped and of reused memory: means over new processes, as the second differs between them.

    Raises
    ------
    FailureError
        When such a process fails.
    """
    found = [_measure_once(threads) for _ in range(_PROCESSES)]
    return statistics.mean(fresh for fresh, _ in found), statistics.mean(churn for _, churn in found)


def _measure_once(threads: int) -> tuple[float, float]:
    command = [sys.executable, "-m", "perfmodel.calibration.cpu_memory", str(threads)]
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    if result.returncode != 0:
        reason = (result.stderr.strip().splitlines() or ["no message"])[-1]
        raise FailureError(f"measuring memory failed: {reason}", "run it again; --debug shows more")
    fresh, churn = json.loads(result.stdout.splitlines()[-1])
    return float(fresh), float(churn)


def main(arguments: Sequence[str]) -> None:
    """Print both as JSON, for the number of threads that is given."""
    threads = int(arguments[0])
    with torch_threads(threads) as torch:
        churn = churn_s_per_byte(torch, clock_for(threads))
        print(json.dumps([fresh_s_per_byte(torch, clock_for(threads)), churn]))


if __name__ == "__main__":
    main(sys.argv[1:])
