"""Measuring this machine as a host in less than a minute: cost of images, scaling of cores, storage, memory."""

from __future__ import annotations

import json
import os
import platform
import subprocess
import tempfile
import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np

from perfmodel import __version__
from perfmodel.errors import FailureError, InputError
from perfmodel.hardware.cpu import processor_name
from perfmodel.hardware.host import cpu_quota, usable_cores
from perfmodel.hardware.host_profile import HostProfile, profile_path
from perfmodel.loading.cost_fit import CostFit, fit_costs
from perfmodel.loading.file_sample import FileSample, sample_of
from perfmodel.loading.files import FolderFiles
from perfmodel.loading.own_process import start_module
from perfmodel.loading.pictures import EncodedPicture, write_pictures
from perfmodel.loading.pipelines import find_image_set, find_pipeline
from perfmodel.loading.pools import native_pool_missing
from perfmodel.loading.storage_timing import StorageTimes, copy_gbs, time_storage

LEAST_BUDGET_S = 10.0
FILES = 120
_ROUNDS = 3
_RATE_FILES, _RATE_OUT = 24, 256
_RATE_S = 2.0
_MOST_COUNTS = 6
"""Numbers of workers at which scaling is measured, at most."""

Progress = Callable[[str], None]


def calibrate(
    *, budget_s: float = 60.0, storage: str | os.PathLike[str] | None = None, files: int = FILES,
    progress: Progress = lambda text: None,
) -> HostProfile:  # fmt: skip
    """Measure this machine.

    Parameters
    ----------
    budget_s : float
        All of it takes less.
    storage : path, optional
        Folder in which reading is measured; the temporary folder where not given.
    files : int
        Images that are made and timed.
    progress : callable
        Told what is being measured.

    Raises
    ------
    InputError
        For a budget under 10 s.
    DependencyError
        When Pillow is not installed.
    """
    if not budget_s >= LEAST_BUDGET_S:
        raise InputError(f"a budget of {budget_s:g} s is too short", f"give {LEAST_BUDGET_S:g} seconds or more")
    start, ticks = time.monotonic(), busy_ticks()
    share = min(1.0, budget_s / 60.0)
    progress("reading and copying")
    stored = time_storage(storage, seconds=4.0 * share)
    copied = copy_gbs(usable_cores(), seconds=0.5 * share)
    with tempfile.TemporaryDirectory(prefix="perfmodel-") as folder:
        progress(f"making {files} images")
        pictures = list(write_pictures(Path(folder), count=files))
        sample = sample_of([FolderFiles(folder).item(n) for n in range(len(pictures))])
        progress("timing images in one thread")
        timed = _run({"task": "images", "native": not native_pool_missing(), "rounds": _ROUNDS,
                      "seconds": 0.45 * budget_s, "files": _listed(pictures)})  # fmt: skip
        left = budget_s - (time.monotonic() - start)
        scaling = _scaling(pictures, sample, seconds=0.6 * left, progress=progress)
    out = np.array([picture.out for picture in pictures]) ** 2 / 1e6
    fits = {name: fit_costs(sample, out, np.array(ms)) for name, ms in timed["ms"].items()}
    return _profile(fits, stored, copied, scaling, seconds=time.monotonic() - start, ticks=ticks, timed=timed)


def keep(profile: HostProfile, path: str | os.PathLike[str] | None = None) -> Path:
    """Write a profile where predictions find it, or to a path; returns it."""
    where = Path(path) if path is not None else profile_path()
    profile.save(where)
    return where


def _listed(pictures: Sequence[EncodedPicture]) -> list[tuple[str, int]]:
    return [(str(picture.path), picture.out) for picture in pictures]


def _scaling(
    pictures: Sequence[EncodedPicture], sample: FileSample, *, seconds: float, progress: Progress
) -> dict[str, list[list[float]]]:
    """Cores' worth of work that 1 .. all cores get, as processes and as threads."""
    chosen = [picture for picture, kind in zip(pictures, sample.kinds, strict=True) if kind == "jpeg"][:_RATE_FILES]
    ask = {"task": "rate", "files": _listed(chosen), "out": _RATE_OUT}
    counts = worker_counts(usable_cores())
    ways = ["processes"] if native_pool_missing() else ["processes", "threads"]
    each = max(0.3, min(_RATE_S, seconds / (len(counts) * len(ways)) - 0.7))
    result: dict[str, list[list[float]]] = {}
    for way in ways:
        points: list[tuple[int, float]] = []
        for count in counts:
            progress(f"{count} {way}")
            points.append((count, _total_rate(ask | {"seconds": each}, way, count)))
        result[way] = [[float(count), max(1.0, rate / points[0][1])] for count, rate in points]
    return result


def worker_counts(cores: int) -> list[int]:
    """Return the numbers of workers to measure: one, all cores, and powers of two between."""
    counts = {1, cores} | {2**n for n in range(1, 12) if 2**n < cores}
    return sorted(counts)[: _MOST_COUNTS - 1] + ([cores] if len(counts) >= _MOST_COUNTS else [])


def _total_rate(ask: dict[str, Any], way: str, count: int) -> float:
    """Images a second of processor time of all workers together."""
    if way == "threads":
        return count / float(_run(ask | {"threads": count})["ms"])
    running = [_start(ask) for _ in range(count)]
    try:
        return sum(1 / float(_answer(process, None)["ms"]) for process in running)
    finally:
        _end(running)


def _run(ask: dict[str, Any]) -> dict[str, Any]:
    process = _start(ask)
    try:
        return _answer(process, None)
    finally:
        _end([process])


def _start(ask: dict[str, Any]) -> subprocess.Popen[str]:
    process = start_module("perfmodel.loading.timing_process")
    assert process.stdin is not None
    json.dump(ask, process.stdin)
    process.stdin.close()
    process.stdin = None
    return process


def _answer(process: subprocess.Popen[str], timeout: float | None) -> dict[str, Any]:
    output, errors = process.communicate(timeout=timeout)
    if process.returncode:
        lines = errors.strip().splitlines() or [f"exit {process.returncode}"]
        raise FailureError(f"timing images failed ({lines[-1]})", "run it again")
    answer: dict[str, Any] = json.loads(output)
    return answer


def _end(processes: Sequence[subprocess.Popen[str]]) -> None:
    for process in processes:
        if process.poll() is None:
            process.kill()
        process.wait()
        for pipe in (process.stdout, process.stderr):
            if pipe is not None:
                pipe.close()


def _profile(
    fits: dict[str, CostFit], stored: StorageTimes, copied: float, scaling: dict[str, list[list[float]]], *,
    seconds: float, ticks: tuple[float, float] | None, timed: dict[str, Any],
) -> HostProfile:  # fmt: skip
    kitti = find_image_set("kitti")
    own = fits["pil"].costs["jpeg"].ms(
        kb=kitti.kb, mpx=kitti.mpx, coded_mpx=1.5 * kitti.mpx, out_mpx=kitti.out_mpx
    )  # fmt: skip
    typical = float(kitti.costs_ms(find_pipeline("pil"))[0])
    figures = {
        "pil_handover_ms_per_out_mpx": timed["handover_ms_per_out_mpx"],
        "decode_speed": typical / own,
        "memory_gbs": copied,
        "cached_mbs": stored.cached_mbs,
    }
    return HostProfile(
        processor=processor_name(),
        figures={name: _rounded(value) for name, value in (figures | stored.figures()).items()},
        pipelines={
            name: {
                kind: {term: _rounded(value) for term, value in vars(cost).items()} for kind, cost in fit.costs.items()
            }
            for name, fit in fits.items()
        },
        residual_sd={name: _rounded(fit.residual_sd) for name, fit in fits.items()},
        scaling={way: [[_rounded(value) for value in point] for point in points] for way, points in scaling.items()},
        provenance={
            "perfmodel": __version__, "python": platform.python_version(), "numpy": np.__version__,
            "pillow": _pillow_version(), "torch": timed["torch"], "system": platform.system(),
            "date": datetime.now(UTC).strftime("%Y-%m-%d"), "seconds": round(seconds, 1), "cores": usable_cores(),
            "cpu_quota": cpu_quota(), "clock": "processor time", "rounds": timed["rounds"],
            "files": fits["pil"].rows, "storage_past_the_cache": stored.direct,
            "used_by_all": used_share(ticks, busy_ticks()),
        },
    )  # fmt: skip


def _rounded(value: float) -> float:
    return float(f"{value:.5g}")


def _pillow_version() -> str:
    import PIL

    return PIL.__version__


def busy_ticks() -> tuple[float, float] | None:
    """Return ticks that all cores were busy, and all ticks, since the system started; None where it does not say."""
    try:
        with open("/proc/stat", encoding="ascii") as file:
            ticks = [float(word) for word in file.readline().split()[1:9]]
    except (OSError, ValueError):
        return None
    return sum(ticks) - ticks[3] - ticks[4], sum(ticks)


def used_share(before: tuple[float, float] | None, after: tuple[float, float] | None) -> float | None:
    """Return the share of the machine that was busy between two readings, this process included."""
    if before is None or after is None or after[1] <= before[1]:
        return None
    return round((after[0] - before[0]) / (after[1] - before[1]), 3)
