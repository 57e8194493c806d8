"""Predicted against measured steps on this machine's processor.

Measures the processor's profile (a minute), then whole training and inference steps of PilotNet, DMNet_CNN and
CycleGAN, each in a process of its own, and writes both with the errors:

    python benchmarks/cpu_steps.py --device cpu:1 --rounds 2 --output benchmarks/results/cpu_steps.json
"""

from __future__ import annotations

import argparse
import json
import platform
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from perfmodel import __version__
from perfmodel.calibration.cpu_profile import measure_profile
from perfmodel.calibration.cpu_steps import POINTS, Result, compare_points, median_error
from perfmodel.efficiency.cpu import CpuProfile
from perfmodel.hardware.cpu import local_cpu
from perfmodel.hardware.host import usable_cores

SCHEMA_VERSION = 1


def row(result: Result) -> dict[str, Any]:
    """One point as it is stored: times in milliseconds, error as a share."""
    point = result.point
    return {
        "workload": point.workload,
        "mode": point.mode,
        "batch": point.batch,
        "size": point.size,
        "blocks": point.blocks,
        "measured_ms": round(1e3 * result.measured_s, 3),
        "spread": round(result.spread, 3),
        "predicted_ms": round(1e3 * result.predicted_s, 3),
        "low_ms": round(1e3 * result.low_s, 3),
        "high_ms": round(1e3 * result.high_s, 3),
        "error": round(result.error, 4),
        "covered": result.covered,
    }


def document(device: str, profile: CpuProfile, results: Sequence[Result]) -> dict[str, Any]:
    """Everything that is stored: machine, profile, points, summary."""
    gpu = local_cpu(device)
    errors = sorted(abs(one.error) for one in results)
    return {
        "schema_version": SCHEMA_VERSION,
        "perfmodel": __version__,
        "date": datetime.now(UTC).strftime("%Y-%m-%d"),
        "machine": {
            "processor": gpu.chip,
            "cores": usable_cores(),
            "threads": gpu.sm,
            "memory_gb": round(gpu.memory_gb, 1),
            "system": platform.system(),
            "python": platform.python_version(),
            "torch": profile.provenance.get("torch"),
            "clock": profile.provenance.get("clock"),
            "used_by_others": profile.provenance.get("used_by_others"),
        },
        "profile": {"rows": profile.rows, "residual_sd": round(profile.residual_sd, 4)},
        "summary": {
            "points": len(results),
            "median_error": round(median_error(results), 4),
            "mean_error": round(sum(errors) / len(errors), 4),
            "largest_error": round(errors[-1], 4),
            "covered": round(sum(one.covered for one in results) / len(results), 3),
        },
        "points": [row(one) for one in results],
    }


def main() -> None:
    """Measure, predict, print and store."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--device", default="cpu", help="cpu, or cpu:N for N threads")
    parser.add_argument("--budget", type=float, default=60.0, help="seconds for the profile")
    parser.add_argument("--rounds", type=int, default=2, help="processes a point is measured in")
    parser.add_argument("--output", type=Path, help="JSON document to add this device's results to")
    options = parser.parse_args()
    profile = measure_profile(options.device, budget_s=options.budget)
    results = compare_points(POINTS, options.device, rounds=options.rounds)
    found = document(options.device, profile, results)
    print(f"{'point':<36} {'measured':>10} {'predicted':>10} {'error':>7}")
    for one in results:
        print(f"{one.point.key:<36} {1e3 * one.measured_s:>8.1f}ms {1e3 * one.predicted_s:>8.1f}ms {one.error:>+7.1%}")
    print(f"median error {median_error(results):.1%} over {len(results)} points")
    if options.output is not None:
        threads = found["machine"]["threads"]
        store(options.output, f"{threads} thread{'s' if threads > 1 else ''}", found)


def store(path: Path, name: str, found: dict[str, Any]) -> None:
    """Put the document of a device beside those of others in one file."""
    known = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps({**known, name: found}, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
