"""Load 200,000 images and see that memory stays: JPEG of all subsamplings, progressive, grey, PNG, and damaged ones.

    python benchmarks/loader/soak.py --output benchmarks/results/loader_soak.json

Epochs of a `Loader` follow one another, one in ten is left early; the memory of the process is noted after each
twentieth. Exits with 1 where the most of the last half is above that of the first half by more than 2 %.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import time
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import psutil
from PIL import Image

from perfmodel.hardware.cpu import processor_name
from perfmodel.loading import Loader
from perfmodel.loading.pictures import encode, make_picture

_ALLOWED = 1.02
_NOTES = 20
_BATCH = 16


def make_folder(folder: Path, count: int) -> int:
    """Write images of many kinds and sizes, one in 25 cut short; returns how many are."""
    rng = np.random.default_rng(0)
    damaged = 0
    for number in range(count):
        height, width = (int(value) for value in rng.integers(64, 420, size=2))
        image = make_picture(height, width, seed=number, noise=3.0)
        kind = number % 6
        if kind == 0:
            content = encode(image, "PNG")
        elif kind == 1:
            content = encode(np.asarray(Image.fromarray(image).convert("L")), "JPEG", quality=85)
        else:
            content = encode(image, "JPEG", quality=70 + 5 * kind, subsampling=kind % 3, progressive=kind == 5)
        if number % 25 == 24:
            content, damaged = content[: len(content) // 3], damaged + 1
        (folder / f"{number:05d}.{'png' if kind == 0 else 'jpg'}").write_bytes(content)
    return damaged


def soak(folder: Path, images: int, workers: int | None) -> tuple[int, list[float]]:
    """Load so many images; returns how many were tried, and megabytes of memory after each twentieth."""
    memory, tried, process = [], 0, psutil.Process()
    with Loader(folder, "imagenet-train", batch=_BATCH, shuffle=True, workers=workers, on_error="skip") as loader:
        epoch = 0
        while tried < images:
            leave = len(loader) // 2 if epoch % 10 == 9 else len(loader)
            for number, batch in enumerate(loader):
                tried += _BATCH
                assert np.isfinite(batch["image"]).all()
                if tried * _NOTES >= images * (len(memory) + 1):
                    memory.append(process.memory_info().rss / 1e6)
                    print(f"{tried} images, {memory[-1]:.1f} MB", file=sys.stderr, flush=True)
                if number + 1 >= leave:
                    break
            epoch += 1
    return tried, memory


def main(arguments: Sequence[str] | None = None) -> int:
    """Make files, load them again and again, print and store what memory did."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--images", type=int, default=200_000)
    parser.add_argument("--files", type=int, default=1000)
    parser.add_argument("--workers", type=int)
    parser.add_argument("--output", type=Path)
    options = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory() as root:
        damaged = make_folder(Path(root), options.files)
        began = time.monotonic()
        tried, memory = soak(Path(root), options.images, options.workers)
    half = len(memory) // 2
    growth = max(memory[half:]) / max(memory[:half])
    result = {
        "schema_version": 1, "date": datetime.now(UTC).strftime("%Y-%m-%d"), "processor": processor_name(),
        "images": tried, "files": options.files, "damaged_files": damaged, "seconds": round(time.monotonic() - began),
        "memory_mb": [round(value, 1) for value in memory], "growth": round(growth, 4),
    }  # fmt: skip
    print(json.dumps(result))
    if options.output:
        options.output.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")
    return int(growth > _ALLOWED)


if __name__ == "__main__":
    sys.exit(main())
