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
#: Elements of the parameters of the optimizer's probe: few large ones and many small ones, as networks have them.
_TENSORS = (1_500_000, 300_000, 300_000, 100_000, *[30_000] * 4, *[1000] * 8)
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


def update_s_per_byte(torch: Any, clock: Clock) -> float:
    """Seconds a byte of the temporaries of an Adam step (two of each tensor's size), beyond the same in place."""
    parameters = [torch.nn.Parameter(torch.randn(count)) for count in _TENSORS]
    for parameter in parameters:
        parameter.grad = torch.randn_like(parameter)
    adam = torch.optim.Adam(parameters, lr=1e-6)

    def step() -> None:  # gradients are freed and made anew by every step of training
        for parameter in parameters:
            parameter.grad = None
        for parameter, one in zip(parameters, sources, strict=True):
            parameter.grad = one.clone()
        adam.step()

    sources = [torch.randn_like(parameter) for parameter in parameters]
    fresh = _median(clock, step, _STEPS)
    states = [(p.data, one, one.clone(), one.square(), one.clone()) for p, one in zip(parameters, sources, strict=True)]

    def again() -> None:
        for weight, gradient, average, square, out in states:
            out.copy_(gradient)
            average.lerp_(gradient, 0.1)
            square.mul_(0.999).addcmul_(gradient, gradient, value=0.001)
            torch.sqrt(square, out=out)
            out.div_(0.9).add_(1e-8)
            weight.addcdiv_(average, out, value=-1e-6)

    return max(fresh - _median(clock, again, _STEPS), 0.0) / (3 * 4 * sum(_TENSORS))


def measure_apart(threads: int) -> dict[str, float]:
    """Seconds a byte of mapped, reused and the optimizer's memory: means over new processes, as they differ much.

    Raises
    ------
    FailureError
        When such a process fails.
    """
    found = [_measure_once(threads) for _ in range(_PROCESSES)]
    return {name: statistics.mean(one[name] for one in found) for name in found[0]}


def _measure_once(threads: int) -> dict[str, float]:
    command = [sys.executable, "-m", "perfmodel.calibration.cpu_memory", str(threads)]
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    if result.returncode != 0:
        reason = (result.stderr.strip().splitlines() or ["no message"])[-1]
        raise FailureError(f"measuring memory failed: {reason}", "run it again; --debug shows more")
    return {name: float(value) for name, value in json.loads(result.stdout.splitlines()[-1]).items()}


def main(arguments: Sequence[str]) -> None:
    """Print all three as JSON, for the number of threads that is given."""
    threads = int(arguments[0])
    clock = clock_for(threads)
    with torch_threads(threads) as torch:
        found = {
            "update_s_per_byte": update_s_per_byte(torch, clock),
            "churn_s_per_byte": churn_s_per_byte(torch, clock),
            "fresh_s_per_byte": fresh_s_per_byte(torch, clock),
        }
    print(json.dumps(found))


if __name__ == "__main__":
    main(sys.argv[1:])
