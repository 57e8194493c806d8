"""Predicted against measured steps on this machine's processor: the loop that needs no GPU.

Every point is measured in a process of its own, because what the allocator keeps depends on what ran before.
"""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from perfmodel.errors import FailureError
from perfmodel.hardware.cpu import local_cpu
from perfmodel.step.predict import predict

from .cpu_clock import clock_for, torch_threads
from .programs import StepCase, build_program, driving_network
from .steps import Probe, Program, module_program


@dataclass(frozen=True, kw_only=True)
class Point:
    """One step to measure and predict.

    Attributes
    ----------
    workload : str
        A shipped workload: ``pilotnet``, ``dmnet_cnn``, ``cyclegan``, ...
    batch : int
    size : int or None
        Image size; None where the network has one size.
    blocks : int or None
        Residual blocks of CycleGAN.
    mode : str
        ``train`` or ``infer``.
    """

    workload: str
    batch: int
    size: int | None = None
    blocks: int | None = None
    mode: str = "train"

    @property
    def key(self) -> str:
        """Text that names this point and no other."""
        words = [self.workload, self.mode, f"batch {self.batch}"]
        return ", ".join([*words, *([f"{self.size} px"] if self.size else [])])


@dataclass(frozen=True, kw_only=True)
class Result:
    """A point with its times in seconds; ``spread`` is the interquartile range of measured steps over the median."""

    point: Point
    measured_s: float
    spread: float
    predicted_s: float
    low_s: float
    high_s: float

    @property
    def error(self) -> float:
        """Relative error of the prediction."""
        return self.predicted_s / self.measured_s - 1.0

    @property
    def covered(self) -> bool:
        """Whether the interval holds the measured time."""
        return self.low_s <= self.measured_s <= self.high_s


POINTS = (
    *(Point(workload="pilotnet", batch=batch) for batch in (1, 8, 32)),
    *(Point(workload="pilotnet", batch=batch, mode="infer") for batch in (8, 32)),
    *(Point(workload="dmnet_cnn", batch=batch, size=size) for batch, size in ((1, 64), (1, 96), (2, 96))),
    *(Point(workload="dmnet_cnn", batch=batch, size=size, mode="infer") for batch, size in ((1, 96), (4, 64))),
    *(Point(workload="cyclegan", batch=1, size=size, blocks=3) for size in (64, 96, 128)),
    Point(workload="pilotnet_same", batch=8),
    *(Point(workload="deepest_lstm_tiny_pilotnet", batch=batch) for batch in (8, 32)),
    *(Point(workload=name, batch=2, size=64) for name in ("dmnet_cnn_v1", "dmnet_resnet")),
)
#: Points of a run of half a minute.
SHORT = tuple(point for point in POINTS if point.workload in ("pilotnet", "dmnet_cnn") and point.batch != 32)


def program_of(point: Point) -> Program:
    """The step of a point on random data, on the CPU."""
    if point.mode == "train":
        case = StepCase(
            workload=point.workload, batch=point.batch, size=point.size or 0, precision="fp32", blocks=point.blocks or 0
        )
        return build_program(case, device="cpu")
    import torch

    from perfmodel.workloads import depthmap

    if "pilotnet" in point.workload:
        return module_program(driving_network(point.workload), [torch.randn(point.batch, 3, 200, 66)], mode="infer")
    shape = (point.batch, depthmap.CHANNELS, point.size or depthmap.SIZE, point.size or depthmap.SIZE)
    return module_program(getattr(depthmap, point.workload)(), [torch.randn(*shape)], mode="infer")


def measure_point(
    point: Point, threads: int, *, repeats: int = 15, warm_up: int = 3, budget_s: float = 6.0
) -> list[float]:
    """Seconds of each of at least 3 steps, by the clock of `cpu_profile.clock_for`."""
    clock = clock_for(threads)
    with torch_threads(threads) as torch:
        torch.manual_seed(0)
        program, probe = program_of(point), Probe()
        for _ in range(warm_up):
            program.step(probe)
        seconds: list[float] = []
        end = time.monotonic() + budget_s
        while len(seconds) < 3 or (len(seconds) < repeats and time.monotonic() < end):
            start = clock()
            program.step(probe)
            seconds.append(clock() - start)
    return seconds


def measure_apart(point: Point, threads: int, *, budget_s: float = 6.0) -> list[float]:
    """`measure_point` in a process of its own.

    Raises
    ------
    FailureError
        When that process fails.
    """
    request = json.dumps({"point": asdict(point), "threads": threads, "budget_s": budget_s})
    command = [sys.executable, "-m", "perfmodel.calibration.cpu_steps", request]
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    if result.returncode != 0:
        reason = (result.stderr.strip().splitlines() or ["no message"])[-1]
        raise FailureError(f"measuring {point.key} failed: {reason}", "run it again; --debug shows more")
    return [float(value) for value in json.loads(result.stdout.splitlines()[-1])]


def compare_points(
    points: Sequence[Point], device: str = "cpu", *, rounds: int = 1, budget_s: float = 6.0
) -> list[Result]:
    """Measure points, in rounds that interleave them, and predict each with the stored profile of the device."""
    threads = local_cpu(device).sm
    measured: dict[Point, list[float]] = {point: [] for point in points}
    for _ in range(rounds):
        for point in points:
            measured[point] += measure_apart(point, threads, budget_s=budget_s)
    return [result_of(point, measured[point], device) for point in points]


def result_of(point: Point, seconds: Sequence[float], device: str) -> Result:
    """Put the measured steps of a point beside its prediction."""
    answer = predict(
        point.workload,
        gpu=device,
        batch=point.batch,
        size=point.size,
        blocks=point.blocks,
        mode=point.mode,
        loader=None,
    )
    median = statistics.median(seconds)
    low, high = np.quantile(seconds, [0.25, 0.75])
    return Result(
        point=point, measured_s=median, spread=float(high - low) / median, predicted_s=answer.step_s.median,
        low_s=answer.step_s.low, high_s=answer.step_s.high,
    )  # fmt: skip


def median_error(results: Sequence[Result]) -> float:
    """Median absolute relative error."""
    return statistics.median(abs(one.error) for one in results)


def main(arguments: Sequence[str]) -> None:
    """Measure the point that a JSON document names and print its seconds."""
    request: dict[str, Any] = json.loads(arguments[0])
    seconds = measure_point(Point(**request["point"]), request["threads"], budget_s=request["budget_s"])
    print(json.dumps(seconds))


if __name__ == "__main__":
    main(sys.argv[1:])
