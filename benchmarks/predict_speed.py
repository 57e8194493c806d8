"""How fast predictions are: one library call, points of `compare` a second, and the command beside ``import numpy``.

    python benchmarks/predict_speed.py [--repeats N] [--output FILE]

Medians are reported with the processor time beside the wall time, so that it shows when the machine does something else
at the same time. Needs nothing but the installed package.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np

import perfmodel
from perfmodel.hardware.gpu import gpus
from perfmodel.roofline.backend import native_products, thread_count
from perfmodel.step.compare import compare
from perfmodel.step.predict import predict

OUTPUT = Path(__file__).parent / "results" / "predict_speed.json"
MAIN_JOB = ("-m", "perfmodel", "predict", "--gpu", "p100", "--blocks", "6")
IMPORT_NUMPY = ("-c", "import numpy")
#: Grids of `compare` on all cards: many block counts, which are cheap, and few, which is the harder case.
GRIDS: dict[str, dict[str, Any]] = {
    "many blocks": {"batch": range(1, 65), "precision": ("fp32", "tf32", "amp"), "blocks": range(3, 61)},
    "few blocks": {"batch": range(1, 401), "precision": ("fp32", "tf32", "amp", "fp16"), "blocks": range(3, 10)},
}


def timed(call: Callable[[], object]) -> tuple[float, float]:
    """Wall and processor seconds of one call."""
    wall, busy = time.perf_counter(), time.process_time()
    call()
    return time.perf_counter() - wall, time.process_time() - busy


def one_prediction() -> object:
    """Predict a step of CycleGAN with six blocks on a P100; the graph and the prior are loaded already."""
    return predict("cyclegan", gpu="p100", blocks=6)


def measure_predict(calls: int) -> dict[str, float]:
    """Milliseconds of one library prediction."""
    for _ in range(20):
        one_prediction()
    found = [timed(one_prediction) for _ in range(calls)]
    return {
        "wall_ms": 1e3 * statistics.median(wall for wall, _ in found),
        "wall_ms_least": 1e3 * min(wall for wall, _ in found),
        "cpu_ms": 1e3 * statistics.median(busy for _, busy in found),
    }


def measure_compare(grid: dict[str, Any], repeats: int) -> dict[str, float]:
    """Points a second, with intervals; points whose precision the card lacks are not counted."""
    cards = [gpu.key for gpu in gpus()]
    points = int(np.isfinite(compare("cyclegan", gpu=cards, **grid).high_s).sum())
    found = [timed(lambda: compare("cyclegan", gpu=cards, **grid)) for _ in range(repeats)]
    wall = statistics.median(wall for wall, _ in found)
    return {
        "points": points,
        "wall_s": wall,
        "cpu_s": statistics.median(busy for _, busy in found),
        "points_per_s": points / wall,
        "points_per_s_best": points / min(wall for wall, _ in found),
    }


def measure_command(repeats: int) -> dict[str, float]:
    """Wall milliseconds of the command and of ``import numpy`` in fresh interpreters, in turn, and their ratio."""
    jobs = {"command": MAIN_JOB, "import_numpy": IMPORT_NUMPY}
    found: dict[str, list[float]] = {name: [] for name in jobs}
    for _ in range(repeats + 1):
        for name, arguments in jobs.items():
            start = time.perf_counter()
            subprocess.run([sys.executable, *arguments], check=True, stdout=subprocess.DEVNULL)
            found[name].append(time.perf_counter() - start)
    medians = {name: 1e3 * statistics.median(values[1:]) for name, values in found.items()}
    ratios = [a / b for a, b in zip(found["command"][1:], found["import_numpy"][1:], strict=True)]
    return {
        "command_ms": medians["command"],
        "import_numpy_ms": medians["import_numpy"],
        "ratio": statistics.median(ratios),
    }


def metadata() -> dict[str, Any]:
    """What the figures depend on."""
    module = native_products()
    return {
        "date": date.today().isoformat(),
        "perfmodel": perfmodel.__version__,
        "python": platform.python_version(),
        "numpy": np.__version__,
        "processor": processor(),
        "cores": thread_count(),
        "load_average": round(os.getloadavg()[0], 1),
        "backend": "numpy" if module is None else f"native ({module.isa()})",
    }


def processor() -> str:
    """Name of the processor, where the system tells it."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.machine()
    return next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), platform.machine())


def table(found: dict[str, Any]) -> str:
    """Return the results as a Markdown table."""
    one, command = found["predict"], found["command"]
    rows = [
        ("one prediction, graph loaded", f"{one['wall_ms']:.2f} ms", f"{one['cpu_ms']:.2f} ms", "1 ms"),
        *(
            (
                f"compare, {name}",
                f"{grid['points_per_s'] / 1e6:.2f} million points/s",
                f"{grid['cpu_s']:.2f} s for {grid['points'] / 1e6:.2f} million",
                "1 million/s",
            )
            for name, grid in found["compare"].items()
        ),
        (
            "command against import numpy",
            f"{command['command_ms']:.0f} / {command['import_numpy_ms']:.0f} ms",
            f"ratio {command['ratio']:.2f}",
            "ratio 3",
        ),
    ]
    lines = ["| what | wall time | processor time or ratio | limit |", "| --- | --- | --- | --- |"]
    return "\n".join([*lines, *(f"| {' | '.join(row)} |" for row in rows)])


def main() -> None:
    """Measure all, print the table and write the results."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--repeats", type=int, default=9, help="rounds of the longer measurements")
    parser.add_argument("--output", type=Path, default=OUTPUT)
    arguments = parser.parse_args()
    found = {
        "metadata": metadata(),
        "predict": measure_predict(40 * arguments.repeats),
        "compare": {name: measure_compare(grid, arguments.repeats) for name, grid in GRIDS.items()},
        "command": measure_command(arguments.repeats),
    }
    print(table(found))
    arguments.output.parent.mkdir(parents=True, exist_ok=True)
    arguments.output.write_text(json.dumps(found, indent=1) + "\n")


if __name__ == "__main__":
    main()
