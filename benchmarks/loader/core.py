"""CPU time of an image in the native loader, against decoding alone and against Pillow, on one thread.

Images come from a seeded generator with the spectrum of photographs. The pipeline is CycleGAN's: bicubic to 286 x 286,
a random crop of 256 x 256, a random flip, normalised to [-1, 1]. All options take turns within a round, so that a busy
machine slows all of them; figures are medians of the rounds, in CPU time:

    python benchmarks/loader/core.py --rounds 9 --output build/core.json
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image

from perfmodel import native
from perfmodel.loading.pictures import encode, make_picture

SIZE, CROP, BATCH = 286, 256, 16
TARGETS = {"kitti-jpeg": 0.90, "640-jpeg": 0.80, "kitti-png": 0.85}
"""Share of the speed of decoding alone that the loader is to reach."""

_QUALITIES = range(50, 97)


@dataclass(frozen=True, kw_only=True)
class ImageSet:
    """Files to be made: size in pixels, format, and the file size in KB that the quality is chosen for.

    Where `quality` is given, the size follows from it. `subsampling` is that of JPEG: 2 for 4:2:0, 0 for 4:4:4.
    """

    name: str
    height: int
    width: int
    format: str
    kb: int = 0
    quality: int | None = None
    subsampling: int = 2


SETS = (
    ImageSet(name="kitti-jpeg", height=375, width=1242, format="JPEG", kb=145),
    ImageSet(name="640-jpeg", height=480, width=640, format="JPEG", kb=110),
    ImageSet(name="kitti-png", height=375, width=1242, format="PNG", kb=870),
    ImageSet(name="kitti-jpeg-q60", height=375, width=1242, format="JPEG", quality=60),
    ImageSet(name="kitti-jpeg-q95-444", height=375, width=1242, format="JPEG", quality=95, subsampling=0),
)


def make_files(images: ImageSet, count: int) -> list[bytes]:
    """Return encoded images of about the wanted size: by the quality of JPEG, by the noise in PNG."""
    if images.format == "PNG":
        levels = [0.1 * step for step in range(31)]
        sizes = [len(encode(make_picture(images.height, images.width, seed=0, noise=n), "PNG")) for n in levels[::5]]
        noise = float(np.interp(images.kb * 1000, sizes, levels[::5]))
        return [
            encode(make_picture(images.height, images.width, seed=seed, noise=noise), "PNG") for seed in range(count)
        ]
    pictures = [make_picture(images.height, images.width, seed=seed, noise=3.0) for seed in range(count)]
    how: dict[str, Any] = {"subsampling": images.subsampling}
    quality = images.quality
    if quality is None:
        sizes = [len(encode(pictures[0], "JPEG", quality=each, **how)) for each in _QUALITIES]
        quality = _QUALITIES[int(np.argmin(np.abs(np.array(sizes) - images.kb * 1000)))]
    return [encode(picture, "JPEG", quality=quality, **how) for picture in pictures]


def make_plan(cpu: Any, count: int) -> npt.NDArray[np.void]:
    """Return the plan of CycleGAN's pipeline with drawn crops and flips."""
    rng = np.random.default_rng(1)
    plan = np.zeros(count, dtype=cpu.plan_dtype())
    plan["mode"], plan["rh"], plan["rw"], plan["channels"], plan["filter"] = 1, SIZE, SIZE, 3, 3
    plan["order"] = np.arange(4)
    plan["brightness"] = plan["contrast"] = plan["saturation"] = 1.0
    plan["cu"], plan["cv"], plan["flip"] = rng.random(count), rng.random(count), rng.random(count) < 0.5
    return plan


def load_by_pillow(path: str, record: Any) -> npt.NDArray[np.float32]:
    """Return (3, CROP, CROP) as torchvision's transforms make it of a Pillow image."""
    with Image.open(path) as file:
        image = file.convert("RGB").resize((SIZE, SIZE), Image.Resampling.BICUBIC)
    left, top = (int(record[name] * (SIZE - CROP + 1)) for name in ("cu", "cv"))
    image = image.crop((left, top, left + CROP, top + CROP))
    if record["flip"]:
        image = image.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
    values = np.ascontiguousarray(np.asarray(image).transpose(2, 0, 1)).astype(np.float32) / np.float32(255)
    return (values - np.float32(0.5)) / np.float32(0.5)


def cpu_ms(call: Callable[[], object], images: int) -> float:
    """Return the CPU time that a call takes of this process, ms an image."""
    start = time.process_time()
    call()
    return 1e3 * (time.process_time() - start) / images


def measure(images: ImageSet, files: Sequence[bytes], folder: Path, rounds: int) -> dict[str, Any]:
    """Return the row of one set."""
    cpu = native.cpu()
    paths = [str(folder / f"{images.name}-{number}") for number in range(len(files))]
    for path, content in zip(paths, files, strict=True):
        Path(path).write_bytes(content)
    plan = make_plan(cpu, len(files))
    out = np.zeros((len(files), 3, CROP, CROP), dtype=np.float32)
    pool = cpu.ImagePool(1)

    def by_native() -> None:
        for start in range(0, len(files), BATCH):
            part = slice(start, start + BATCH)
            status, messages = pool.load(paths[part], plan[part], out[part], mean=(0.5,) * 3, std=(0.5,) * 3)
            if status.any():
                raise SystemExit(messages[0])

    by_pillow = np.zeros_like(out)

    def pillow() -> None:
        by_pillow[...] = np.stack([load_by_pillow(path, record) for path, record in zip(paths, plan, strict=True)])

    taken: dict[str, list[float]] = {"native": [], "limit": [], "pillow": []}
    for turn in range(rounds + 1):
        found = {
            "native": cpu_ms(by_native, len(files)),
            "limit": 1e3 * sum(map(cpu.decode_seconds, files)) / len(files),
            "pillow": cpu_ms(pillow, len(files)),
        }
        if turn > 0:  # the first warms up
            for name, value in found.items():
                taken[name].append(value)
    pool.close()
    shares = [limit / own for limit, own in zip(taken["limit"], taken["native"], strict=True)]
    error = np.abs(out - by_pillow) * 127.5
    return {
        "set": images.name,
        "kb": round(sum(map(len, files)) / len(files) / 1000, 1),
        **{f"{name}_ms": round(statistics.median(values), 3) for name, values in taken.items()},
        "share_of_limit": round(statistics.median(shares), 3),
        "target": TARGETS.get(images.name),
        "over_pillow": round(statistics.median(taken["pillow"]) / statistics.median(taken["native"]), 2),
        "error": {
            "mean": round(float(error.mean()), 3),
            "p99.9": round(float(np.quantile(error, 0.999)), 2),
            "max": round(float(error.max()), 1),
        },
    }


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure, print and store."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--images", type=int, default=16, help="files of each set")
    parser.add_argument("--sets", nargs="*", default=[images.name for images in SETS])
    parser.add_argument("--output", type=Path)
    options = parser.parse_args(arguments)
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        for images in SETS:
            if images.name in options.sets:
                files = make_files(images, options.images)
                rows.append(measure(images, files, Path(folder), options.rounds))
                print(json.dumps(rows[-1]), flush=True)
    if options.output:
        options.output.write_text(json.dumps({"isa": native.cpu().isa(), "rows": rows}, indent=2) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
