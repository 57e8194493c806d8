"""A process that runs one option of a benchmark: ``python -m perfmodel.loading.bench_process``.

The first line of its input describes the work; each further line asks for one round. Answers are lines of JSON.
"""

from __future__ import annotations

import contextlib
import json
import os
import sys
import time
from pathlib import Path
from typing import Any, TextIO

import numpy as np

from perfmodel.loading.bench_options import CROP, OPTIONS, Epoch, Work

_CHECKED = 16


def cpu_of_tree() -> float:
    """Return processor time of this process and of all below it, s (to a tick, mostly 10 ms)."""
    parents, spent = {}, {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdecimal():
            with contextlib.suppress(OSError, ValueError):
                words = (entry / "stat").read_text().rpartition(")")[2].split()
                parents[int(entry.name)] = int(words[1])
                spent[int(entry.name)] = sum(map(int, words[11:15]))
    own, total = {os.getpid()}, 0
    grown = True
    while grown:
        more = {child for child, parent in parents.items() if parent in own} - own
        grown = bool(more)
        own |= more
    for process in own:
        total += spent.get(process, 0)
    return total / float(os.sysconf("SC_CLK_TCK"))


def one_round(epoch: Epoch, images: int, batch_size: int) -> dict[str, float]:
    """Go through all images once: wall and processor time, s.

    Raises
    ------
    RuntimeError
        When a loader leaves images out.
    """
    cpu, start, seen = cpu_of_tree(), time.perf_counter(), 0
    for batch in epoch():
        seen += len(batch) if hasattr(batch, "__len__") else 0
    if seen and not images <= seen < images + batch_size:  # some fill a last batch up
        raise RuntimeError(f"gave {seen} of {images} images")
    return {"wall": time.perf_counter() - start, "cpu": cpu_of_tree() - cpu, "images": seen or images}


def first_images(work: Work, make: Any) -> list[list[float]] | None:
    """Return some pixels of the first images without anything random, for comparison; None where it only decodes."""
    few = Work(
        folder=work.folder, paths=work.paths[:_CHECKED], batch=work.batch, workers=min(work.workers, 1), random=False
    )
    found: list[Any] = []
    for batch in make(few)():
        found += list(np.asarray(batch))
        if len(found) >= _CHECKED:
            break
    found = found[:_CHECKED]
    if not found or np.shape(found[0]) != (3, CROP, CROP):
        return None
    return [np.asarray((one[:, ::5, ::5] + 1) * 127.5).round(2).ravel().tolist() for one in found]


def serve(asked: TextIO, answered: TextIO) -> None:
    """Answer until the input ends."""
    ask = json.loads(asked.readline())
    make = OPTIONS[ask.pop("option")]
    work = Work(**{**ask, "paths": tuple(ask["paths"])})

    def answer(value: Any) -> None:
        answered.write(json.dumps(value) + "\n")
        answered.flush()

    try:
        pixels = None if make.__name__.startswith("limit") else first_images(work, make)
        epoch = make(work)
    except Exception as error:
        answer({"missing": f"{type(error).__name__}: {error}".splitlines()[0][:200]})
        return
    answer({"pixels": pixels})
    for _ in asked:
        try:
            answer(one_round(epoch, len(work.paths), work.batch))
        except Exception as error:
            answer({"missing": f"{type(error).__name__}: {error}".splitlines()[0][:200]})
            return


if __name__ == "__main__":
    results = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)  # what libraries print must not end up between the answers
    serve(sys.stdin, results)
