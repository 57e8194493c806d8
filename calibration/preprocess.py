"""``python -m perfmodel.calibration.preprocess``: check the preprocessing kernel against the host, and time it.

The check compares bits with the host's version of the same steps. The benchmark gives the kernel's bytes a second from
device memory as a share of what a plain copy reaches on the same GPU; its bytes are the pixels that the crops need,
each once, and the outputs. Without a GPU (``--device cpu --dry-run``) both run the host's version, to try the path.
"""

from __future__ import annotations

import argparse
import itertools
import statistics
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from perfmodel import __version__, native
from perfmodel.errors import FailureError, PerfmodelError
from perfmodel.loading.gpu import open_preprocessor

from . import machine, measure
from .rows import write_atomically

TARGET_SHARE = 0.8
COPY_BYTES = 1 << 30
MOST_BYTES = 6 << 30  # of pixels and outputs of all copies
EXACT = 1


@dataclass(frozen=True, kw_only=True)
class Case:
    """One batch to time.

    Parameters
    ----------
    batch : int
        Images.
    height, width : int
        Of the decoded images.
    resize, crop : int
        Sides in pixels: resized exactly, bicubic, then cropped at random and mirrored.
    dtype, layout : str
        Of the output.
    jitter : bool
        Change brightness, contrast, saturation and hue.
    columns : int
        Of the kernel's tiles.
    """

    batch: int
    height: int
    width: int
    resize: int = 286
    crop: int = 256
    dtype: str = "float32"
    layout: str = "nchw"
    jitter: bool = False
    columns: int = 0


def cases(*, dry: bool) -> Iterator[Case]:
    """Yield the designed cases: batches 16 to 256, three sizes of image, then types, layouts, jitter and tiles."""
    if dry:
        yield from (Case(batch=n, height=40, width=60, resize=36, crop=32, jitter=n > 1) for n in (1, 2))
        return
    sizes = ((375, 1242, (16, 32, 64, 128, 256)), (480, 640, (16, 32, 64, 128, 256)), (1080, 1920, (16, 64)))
    for height, width, batches in sizes:
        for batch, columns in itertools.product(batches, (32, 64)):
            yield Case(batch=batch, height=height, width=width, columns=columns)
    for dtype, layout in itertools.product(("float32", "float16", "bfloat16", "uint8"), ("nchw", "nhwc")):
        yield Case(batch=64, height=375, width=1242, dtype=dtype, layout=layout)
    for batch in (16, 64, 256):
        yield Case(batch=batch, height=480, width=640, resize=256, crop=224, dtype="float16", layout="nhwc")
        yield Case(batch=batch, height=375, width=1242, jitter=True)


def images(case: Case, seed: int = 0) -> list[npt.NDArray[np.uint8]]:
    """Return images of noise: never zeros, no two alike."""
    rng = np.random.default_rng(seed)
    base = rng.integers(0, 256, (case.height + 16, case.width, 3), dtype=np.uint8)
    return [np.ascontiguousarray(base[i % 16 : i % 16 + case.height]) ^ np.uint8(i // 16) for i in range(case.batch)]


def plan(case: Case, seed: int = 0) -> npt.NDArray[np.void]:
    """Return the plan of a case, with crops, mirroring and jitter drawn from the seed."""
    rng = np.random.default_rng(seed)
    records = np.zeros(case.batch, dtype=native.cpu().plan_dtype())
    records["mode"], records["rh"], records["rw"], records["filter"] = EXACT, case.resize, case.resize, 3
    records["cu"], records["cv"] = rng.random(case.batch), rng.random(case.batch)
    records["flip"], records["channels"] = rng.integers(0, 2, case.batch), 3
    records["order"] = [rng.permutation(4) for _ in range(case.batch)]
    for name in ("brightness", "contrast", "saturation"):
        records[name] = rng.uniform(0.6, 1.4, case.batch) if case.jitter else 1.0
    records["hue"] = rng.uniform(-0.1, 0.1, case.batch) if case.jitter else 0.0
    return records


def options(case: Case) -> dict[str, Any]:
    """Return the options of a call."""
    half = (0.5, 0.5, 0.5)
    return {"dtype": case.dtype, "layout": case.layout, "mean": half, "std": half, "columns": case.columns}


def check(run: Any) -> int:
    """Compare bits with the host's version over types, layouts, sizes and colour changes; returns the comparisons.

    Parameters
    ----------
    run : callable
        ``run(images, plan, size, **options)``, as ``ImagePreprocessor.run``.

    Raises
    ------
    FailureError
        Where a bit differs.
    """
    done = 0
    for height, width, crop in ((61, 83, 32), (7, 300, 29), (200, 40, 66), (130, 4000, 30)):
        for dtype, layout, columns in itertools.product(
            ("float32", "float16", "bfloat16", "uint8"), ("nchw", "nhwc"), (32, 64)
        ):
            case = Case(batch=3, height=height, width=width, resize=crop + 5, crop=crop, dtype=dtype, layout=layout,
                        jitter=True, columns=columns)  # fmt: skip
            found, wanted = (_made(call, case) for call in (run, native.cpu().preprocess_on_host))
            if not (found == wanted).all():
                raise FailureError(f"the kernel's result differs from the host's for {case}", "report this")
            done += 1
    return done


def _made(call: Any, case: Case) -> npt.NDArray[np.uint8]:
    """Bytes of a case's batch."""
    batch = call(images(case), plan(case), (case.crop, case.crop), **options(case))
    storage = {"bfloat16": "uint16"}.get(case.dtype, case.dtype)
    array = np.full(batch.shape, 77, dtype=storage)
    batch.copy_to(array)
    return array.view(np.uint8)


def time_case(session: Any, case: Case, *, cache_bytes: int, copy_gbs: float, repeats: int) -> dict[str, Any]:
    """Time the kernel on a GPU; returns the row.

    Every launch of a pass has other pixels and outputs, which together are at least four times the cache.
    """
    moved = case.batch * (case.height * case.width * 3 + case.crop**2 * 3 * 4)
    copies = max(1, min(-(-4 * cache_bytes // moved), MOST_BYTES // moved))
    read, written, seconds = session.time(
        images(case), plan(case), (case.crop, case.crop), copies=copies, repeats=repeats, **options(case)
    )
    return _row(case, (read, written), seconds, copies=copies, copy_gbs=copy_gbs)


def time_on_host(case: Case) -> dict[str, Any]:
    """Time the host's version, for dry runs."""
    start = time.perf_counter()
    _made(native.cpu().preprocess_on_host, case)
    return _row(case, (0, 0), [time.perf_counter() - start], copies=1, copy_gbs=0.0)


def _row(
    case: Case, moved: tuple[int, int], seconds: Sequence[float], *, copies: int, copy_gbs: float
) -> dict[str, Any]:
    median = statistics.median(seconds)
    rate = sum(moved) / median / 1e9
    return {
        **asdict(case),
        "copies": copies,
        "read_bytes": moved[0],
        "write_bytes": moved[1],
        "time_s": median,
        "time_min_s": min(seconds),
        "repeats": len(seconds),
        "bandwidth_gbs": rate,
        "share_of_copy": rate / copy_gbs if copy_gbs else None,
    }


def benchmark(device: str, *, dry: bool, repeats: int = 21) -> dict[str, Any]:
    """Check, then time all cases; returns the document that is stored."""
    facts = machine.describe(measure.import_torch(), device)
    if device == "cpu":
        compared = check(native.cpu().preprocess_on_host)
        rows, copy_gbs = [time_on_host(case) for case in cases(dry=True)], 0.0
    else:
        session = open_preprocessor(threads=1)
        compared = check(session.run)
        moved, seconds = native.cuda().bandwidth("copy", COPY_BYTES, repeats=repeats)
        copy_gbs = moved / statistics.median(seconds) / 1e9
        limits = {"cache_bytes": int(facts["l2_bytes"]), "copy_gbs": copy_gbs, "repeats": repeats}
        rows = [time_case(session, case, **limits) for case in cases(dry=dry)]
        session.close()
        facts["gpu_state_after"] = machine.gpu_state()
    return {
        "perfmodel": __version__,
        "machine": facts,
        "comparisons": compared,
        "copy_gbs": copy_gbs,
        "target_share": TARGET_SHARE,
        "rows": rows,
    }


def store(document: dict[str, Any], output: Path, *, dry: bool) -> Path:
    """Write the document beside the tables of a measuring session of the same day; returns its path."""
    import json

    day = datetime.now(UTC).strftime("%Y%m%d")
    folder = output / f"{machine.slug(document['machine'])}-{day}{'-dry' if dry else ''}"
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "preprocess.json"
    write_atomically(path, (json.dumps(document, indent=1) + "\n").encode())
    return path


def parser() -> argparse.ArgumentParser:
    """The arguments of the program."""
    result = argparse.ArgumentParser(
        prog="python -m perfmodel.calibration.preprocess", description="Check and time the preprocessing kernel."
    )
    result.add_argument("--device", default="cuda", choices=("cuda", "cpu"), help="what to measure (default: cuda)")
    result.add_argument("--output", type=Path, default=Path("calibration/measurements"), help="folder of all sessions")
    result.add_argument("--check", action="store_true", help="compare with the host only, for sanitizers")
    result.add_argument("--dry-run", action="store_true", help="time a few tiny cases")
    return result


def main(arguments: Sequence[str] | None = None) -> int:
    """Check or measure, and say where the result is; returns the exit status."""
    given = parser().parse_args(arguments)
    try:
        if given.check:
            on_host = given.device == "cpu"
            run = native.cpu().preprocess_on_host if on_host else open_preprocessor(threads=1).run
            print(f"{check(run)} batches equal those of the host, bit by bit")
            return 0
        document = benchmark(given.device, dry=given.dry_run)
        path = store(document, given.output, dry=given.dry_run)
    except PerfmodelError as error:
        print(f"error: {error}", file=sys.stderr)
        return error.exit_code
    shares = [row["share_of_copy"] for row in document["rows"] if row["share_of_copy"] is not None]
    if shares:
        reached = sum(share >= TARGET_SHARE for share in shares)
        print(f"{reached} of {len(shares)} cases reach {TARGET_SHARE:.0%} of a copy's {document['copy_gbs']:.0f} GB/s")
    print(path)
    return 0


if __name__ == "__main__":
    sys.exit(main())
