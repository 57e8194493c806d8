"""A process that times loading pipelines on some files: ``python -m perfmodel.loading.timing_process``.

It reads one JSON document from its input and writes one. A process of its own keeps torch's threads, and what it costs
to import it, out of the caller's; several at once measure how cores scale. All times are processor time of the process,
which does not run while another has the core.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

Call = Callable[[], object]

_FREED_BYTES = 28 << 20
_SAME = 2
"""Copies of a file in one call of the native pool."""


def torch_of_one_thread() -> Any:
    """Return torch, computing in one thread as in a worker of its DataLoader; None where it is not installed."""
    try:
        import torch
    except ImportError:
        return None
    torch.set_num_threads(1)
    return torch


def ordinary_call(paths: Sequence[str], out: int, *, torch: Any) -> Call:
    """Return what loads files as ordinary code does."""
    from perfmodel.loading.ordinary import OrdinaryTransform, stack_shared

    transform, rng = OrdinaryTransform(crop=out, torch=torch), np.random.default_rng(0)
    return lambda: stack_shared([transform(path, rng) for path in paths])


def native_call(pool: Any, paths: Sequence[str], out: int) -> Call:
    """Return what loads files with this package's loader, through the same transform."""
    from perfmodel.loading.ordinary import OrdinaryTransform
    from perfmodel.loading.plan import make_plan
    from perfmodel.loading.pools import plan_dtype
    from perfmodel.loading.transforms import FILTERS, Transform

    load = OrdinaryTransform(crop=out).load
    transform = Transform(
        size=(out, out), resize=(load, load), filter="bicubic", crop="random", flip=0.5, mean=(0.5,) * 3, std=(0.5,) * 3
    )
    plan = make_plan(
        transform, np.arange(len(paths)), seed=0, epoch=0, channel=transform.channel("image"), stream=0, sizes=None,
        dtype=plan_dtype("native"),
    )  # fmt: skip
    batch = np.zeros((len(paths), 3, out, out), dtype=np.float32)

    def call() -> None:
        status, messages = pool.load(
            list(paths), plan, batch, mean=(0.5,) * 3, std=(0.5,) * 3, filter=FILTERS["bicubic"]
        )
        if status.any():
            raise SystemExit(messages[0])

    return call


def time_images(ask: dict[str, Any]) -> dict[str, Any]:
    """Time each file in each pipeline, in rounds that take turns: medians, ms; stops when the time is up."""
    pool = _pool(1) if ask["native"] else None
    torch = torch_of_one_thread()
    calls: dict[str, list[tuple[Call, int]]] = {
        "pil": [(ordinary_call([path], out, torch=torch), 1) for path, out in ask["files"]]
    }
    if pool is not None:
        calls["native"] = [(native_call(pool, [path] * _SAME, out), _SAME) for path, out in ask["files"]]
    deadline = time.monotonic() + ask["seconds"]
    rounds: dict[str, list[list[float]]] = {name: [] for name in calls}
    while len(rounds["pil"]) < ask["rounds"] and not (rounds["pil"] and time.monotonic() > deadline):
        for name, these in calls.items():
            rounds[name].append([_cpu_ms(call, before=True) / images for call, images in these])
    return {
        "ms": {name: np.median(np.array(found), axis=0).tolist() for name, found in rounds.items()},
        "rounds": len(rounds["pil"]),
        "handover_ms_per_out_mpx": time_handover(),
        "torch": str(torch.__version__) if torch is not None else None,
    }


def time_handover(side: int = 256, images: int = 16, repeats: int = 15) -> float:
    """Time what a batch in new shared memory costs beyond one in ordinary memory: ms for each million output pixels."""
    from perfmodel.loading.ordinary import stack_shared

    batch = [np.zeros((3, side, side), dtype=np.float32) for _ in range(images)]
    shared = np.median([_cpu_ms(lambda: stack_shared(batch)) for _ in range(repeats)])
    plain = np.median([_cpu_ms(lambda: np.stack(batch)) for _ in range(repeats)])
    return max(0.0, float(shared - plain)) / (images * side * side / 1e6)


def time_rate(ask: dict[str, Any]) -> dict[str, Any]:
    """Load a list of files again and again for some seconds: processor time of an image, ms."""
    paths, out = [path for path, _ in ask["files"]], ask["out"]
    threads = ask.get("threads")
    call = native_call(_pool(threads), paths, out) if threads else ordinary_call(paths, out, torch=None)
    call()
    deadline = time.monotonic() + ask["seconds"]
    taken: list[float] = []
    while not taken or time.monotonic() < deadline:
        taken.append(_cpu_ms(call) / len(paths))
    return {"ms": float(np.median(taken)), "images": len(taken) * len(paths)}


def _pool(threads: int) -> Any:
    from perfmodel import native

    return native.cpu().ImagePool(threads)


def _cpu_ms(call: Call, *, before: bool = False) -> float:
    """Processor time of a call, ms; one before it puts memory in place, as images of the same size do in training."""
    if before:
        call()
    start = time.process_time()
    call()
    return 1e3 * (time.process_time() - start)


def main() -> None:
    """Answer one question."""
    ask = json.load(sys.stdin)
    np.ones(_FREED_BYTES, dtype=np.uint8)  # glibc's thresholds rise: blocks below are kept, as in a long training
    tasks = {"images": time_images, "rate": time_rate}
    json.dump(tasks[ask["task"]](ask), sys.stdout)


if __name__ == "__main__":
    main()
