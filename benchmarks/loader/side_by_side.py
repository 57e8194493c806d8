"""This package's loader, PIL in torch's DataLoader, and others side by side on three standard sets and two more.

The sets come from the seeded generator of `core.py`: JPEG of KITTI's size (1242 x 375, about 145 KB), JPEG of 640 x 480
(about 110 KB), PNG of KITTI's size (about 870 KB); then KITTI's size at quality 60, and at 95 in 4:4:4.
`make bench-deps` installs the others; those that are missing are named. Every option has a process of its own, and
rounds take turns:

    python benchmarks/loader/side_by_side.py --output benchmarks/results/loader_side_by_side.json
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import sys
import tempfile
from collections.abc import Sequence
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import core

from perfmodel import native
from perfmodel.hardware.cpu import processor_name
from perfmodel.hardware.host import usable_cores
from perfmodel.loading.bench import bench
from perfmodel.loading.calibration import busy_ticks, used_share

COUNTS = {"kitti-jpeg": 1000, "640-jpeg": 1000, "kitti-png": 300, "kitti-jpeg-q60": 300, "kitti-jpeg-q95-444": 300}
_DISTINCT = 100
"""Pictures of each set that differ; the others are copies, as making them takes longer than loading them."""

PACKAGES = (
    "torch", "pillow", "numpy", "simplejpeg", "opencv-python-headless", "albumentations", "grain", "spdl",
    "nvidia-dali-cuda120",
)  # fmt: skip


def make_set(images: core.ImageSet, folder: Path, count: int) -> None:
    """Write the files of a set."""
    folder.mkdir(parents=True)
    contents = core.make_files(images, min(count, _DISTINCT))
    suffix = "png" if images.format == "PNG" else "jpg"
    for number in range(count):
        (folder / f"{number:04d}.{suffix}").write_bytes(contents[number % len(contents)])


def versions() -> dict[str, str | None]:
    """Versions of everything that is compared; None where it is missing."""
    found: dict[str, str | None] = {}
    for package in PACKAGES:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            found[package] = None
    return found


def describe(load: float, busy: float | None) -> dict[str, Any]:
    """What the figures depend on."""
    return {
        "date": datetime.now(UTC).strftime("%Y-%m-%d"), "processor": processor_name(), "cores": usable_cores(),
        "isa": native.cpu().isa(), "python": platform.python_version(), "versions": versions(),
        "load_average_before": round(load, 1), "machine_busy": busy,
    }  # fmt: skip


def main(arguments: Sequence[str] | None = None) -> int:
    """Make the sets, run, print, store."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--workers", type=int, default=None)
    parser.add_argument("--images", type=int, help="at most so many of each set")
    parser.add_argument("--sets", nargs="*", default=list(COUNTS))
    parser.add_argument("--output", type=Path)
    options = parser.parse_args(arguments)
    load, ticks = os.getloadavg()[0], busy_ticks()
    rows: list[dict[str, Any]] = []
    missing: dict[str, dict[str, str]] = {}
    with tempfile.TemporaryDirectory() as root:
        for images in core.SETS:
            if images.name not in options.sets:
                continue
            folder = Path(root) / images.name
            make_set(images, folder, min(COUNTS[images.name], options.images or COUNTS[images.name]))
            found = bench(
                folder, rounds=options.rounds, workers=options.workers, name=images.name,
                progress=lambda text: print(text, file=sys.stderr),
            ).to_dict()  # fmt: skip
            rows += found["rows"]
            missing[images.name] = found["missing"]
            for row in found["rows"]:
                print(json.dumps(row), flush=True)
    document = {
        "schema_version": 1, **describe(load, used_share(ticks, busy_ticks())), "rows": rows, "missing": missing,
    }  # fmt: skip
    if options.output:
        options.output.parent.mkdir(parents=True, exist_ok=True)
        options.output.write_text(json.dumps(document, indent=1) + "\n", encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
