"""Loaders side by side on the images of a folder: each in its own process, rounds that take turns."""

from __future__ import annotations

import json
import os
import statistics
import subprocess
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from perfmodel.errors import FailureError, InputError
from perfmodel.hardware.host import usable_cores
from perfmodel.loading.bench_options import OPTIONS
from perfmodel.loading.files import FolderFiles
from perfmodel.loading.own_process import start_module

PIL, NATIVE = "PIL DataLoader", "native"
LIMIT = "limit:"
#: Processor time is counted in ticks; less than one is taken as one.
_TICK_S = 0.01
#: Largest mean, 99.9 % and maximum difference from Pillow (of 255) that count as the same output.
SAME = {"jpeg": (0.5, 2.5, 24.0), "png": (0.4, 4.0, 4.0)}


@dataclass(frozen=True, kw_only=True)
class Row:
    """One option on one set.

    Attributes
    ----------
    option, set : str
    images_per_s : float
        Median of the rounds, wall clock.
    cpu_ms_per_image : float
        Median, processor time of all processes and threads.
    ratio_to_pil : float or None
        Images a second over those of the PIL DataLoader, median of the rounds.
    cpu_ratio_to_pil : float or None
        The same of processor time: what a machine without other work would show with all cores busy.
    share_of_decode_limit : float or None
        Processor time of decoding alone over the option's, median of the rounds.
    output : str
        ``same`` as Pillow's within the limits, or how it differs; empty for a limit.
    rounds : int
    """

    option: str
    set: str
    images_per_s: float
    cpu_ms_per_image: float
    ratio_to_pil: float | None
    cpu_ratio_to_pil: float | None
    share_of_decode_limit: float | None
    output: str
    rounds: int


@dataclass(frozen=True, kw_only=True)
class Bench:
    """Rows, and the options that could not run, with the reason."""

    rows: tuple[Row, ...]
    missing: dict[str, str]

    def to_dict(self) -> dict[str, Any]:
        """JSON document."""
        return {"schema_version": 1, "rows": [asdict(row) for row in self.rows], "missing": self.missing}


def bench(
    folder: str | os.PathLike[str], *, rounds: int = 5, batch: int = 16, workers: int | None = None,
    images: int | None = None, options: Sequence[str] = tuple(OPTIONS), name: str | None = None,
    progress: Callable[[str], None] = lambda text: None,
) -> Bench:  # fmt: skip
    """Compare loaders on the images of a folder.

    Parameters
    ----------
    folder : path
    rounds : int
        Of each option, after one that warms it up.
    batch, workers : int
        Workers are processes or threads, as the option has them; all cores where not given.
    images : int, optional
        Only the first so many.
    options : sequence of str
        Of `OPTIONS`; those that are not installed are named in the result.
    name : str, optional
        Of the set in the rows; the folder's where not given.

    Raises
    ------
    InputError
        When the folder holds no images or an option is unknown.
    """
    unknown = [one for one in options if one not in OPTIONS]
    if unknown:
        raise InputError(f"option {unknown[0]!r} is unknown", f"give some of {', '.join(OPTIONS)}")
    files = FolderFiles(folder)
    paths = [files.item(n) for n in range(len(files.names))][:images]
    if not paths:
        raise InputError(f"{folder} holds no images", "give a folder of JPEG or PNG files")
    ask = {"folder": os.fspath(folder), "paths": paths, "batch": batch, "workers": workers or usable_cores()}
    contestants = [_Contestant(option, ask) for option in options]
    try:
        taken = _rounds(contestants, rounds, progress)
    finally:
        for one in contestants:
            one.end()
    kind = "png" if paths[0].lower().endswith(".png") else "jpeg"
    pixels = {one.option: one.pixels for one in contestants}
    rows = _rows(taken, pixels, name or Path(folder).name, kind)
    return Bench(rows=rows, missing={one.option: one.missing for one in contestants if one.missing})


class _Contestant:
    """A process that runs one option."""

    def __init__(self, option: str, ask: dict[str, Any]) -> None:
        self.option = option
        self.missing, self.pixels = "", None
        self._ask = ask | {"option": option}
        self._process: subprocess.Popen[str] | None = None

    def start(self) -> None:
        """Start, check the output; `missing` says why it cannot run."""
        self._process = start_module("perfmodel.loading.bench_process", errors=subprocess.DEVNULL)
        answer = self._exchange(self._ask)
        self.pixels = answer.get("pixels")

    def round(self) -> dict[str, float]:
        """Load all images once."""
        return self._exchange({})

    def _exchange(self, ask: dict[str, Any]) -> dict[str, Any]:
        process = self._process
        assert process is not None
        assert process.stdin is not None
        assert process.stdout is not None
        try:
            process.stdin.write(json.dumps(ask) + "\n")
            process.stdin.flush()
            answer = json.loads(process.stdout.readline() or '{"missing": "it ended without an answer"}')
        except BrokenPipeError:
            answer = {"missing": "it ended without an answer"}
        self.missing = answer.get("missing", "")
        return dict(answer)

    def end(self) -> None:
        """End the process."""
        process, self._process = self._process, None
        if process is None:
            return
        for pipe in (process.stdin, process.stdout):
            if pipe is not None:
                with suppress(OSError):  # what was not sent to a process that is gone
                    pipe.close()
        try:
            process.wait(timeout=10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _rounds(
    contestants: Sequence[_Contestant], rounds: int, progress: Callable[[str], None]
) -> dict[str, list[dict[str, float]]]:
    for one in contestants:
        progress(f"starting {one.option}")
        one.start()
        if not one.missing:
            one.round()
        if one.missing:
            progress(f"{one.option} cannot run: {one.missing}")
    taken: dict[str, list[dict[str, float]]] = {one.option: [] for one in contestants if not one.missing}
    for number in range(rounds):
        progress(f"round {number + 1} of {rounds}")
        for one in contestants:
            if one.missing:
                continue
            found = one.round()
            if one.missing:
                raise FailureError(f"{one.option} stopped: {one.missing}", "leave it out, or repair its installation")
            taken[one.option].append(found)
    return taken


def _rows(taken: dict[str, list[dict[str, float]]], pixels: dict[str, Any], name: str, kind: str) -> tuple[Row, ...]:
    limits = [option for option in taken if option.startswith(LIMIT)]
    limit = min(limits, key=lambda option: _median(taken[option], "cpu"), default=None)
    rows = []
    for found in taken.values():
        for one in found:
            one["cpu"] = max(one["cpu"], _TICK_S)
    for option, found in taken.items():
        over_pil = [b["wall"] / a["wall"] for a, b in zip(found, taken.get(PIL, []), strict=False)]
        over_cpu = [b["cpu"] / a["cpu"] for a, b in zip(found, taken.get(PIL, []), strict=False)]
        share = [b["cpu"] / a["cpu"] for a, b in zip(found, taken.get(limit or "", []), strict=False)]
        rows.append(
            Row(
                option=option,
                set=name,
                images_per_s=round(1 / _median(found, "wall"), 1),
                cpu_ms_per_image=round(1e3 * _median(found, "cpu"), 3),
                ratio_to_pil=_rounded(over_pil),
                cpu_ratio_to_pil=_rounded(over_cpu),
                share_of_decode_limit=_rounded(share),
                output=compare_output(pixels.get(option), pixels.get(PIL), kind),
                rounds=len(found),
            )
        )  # fmt: skip
    return tuple(rows)


def _median(found: Sequence[dict[str, float]], clock: str) -> float:
    return max(statistics.median(one[clock] / one["images"] for one in found), 1e-9)


def _rounded(values: Sequence[float]) -> float | None:
    return round(statistics.median(values), 3) if values else None


def compare_output(own: Any, reference: Any, kind: str) -> str:
    """Say whether an option's pixels are those of Pillow."""
    if own is None or reference is None:
        return ""
    difference = np.abs(np.array(own) - np.array(reference))
    found = float(difference.mean()), float(np.quantile(difference, 0.999)), float(difference.max())
    if all(value <= most for value, most in zip(found, SAME[kind], strict=True)):
        return "same"
    return f"different output (mean {found[0]:.2f}, maximum {found[2]:.0f} of 255)"
