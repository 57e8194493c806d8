"""Loader and consumer as queues of bounded length, simulated batch by batch: the step, its stalls, and their cause.

Two ways of loading are known, as exact recursions in the times at which batches start, are ready and are taken.

Torch's DataLoader: batch i is made by worker i modulo p, which works through its batches in order; the request for
batch i is sent when batch i - p * F was taken (F is ``prefetch_factor``); batches are taken in order:

    start(i) = max(ready(i - p), taken(i - p F)),  ready(i) = start(i) + reading + work(i),
    taken(i) = max(taken(i - 1) + T, ready(i))

This package's loader: images are dealt out to n threads as they become free, batch by batch; a batch is begun when it
is at most D ahead and the last but one is ready, so that threads have work while the last images of one are finished:

    begun(i) = max(ready(i - 2), taken(i - D)),  ready(i) = when the last of its images is done

Reading shares one storage, which grants each batch its share of the bandwidth in the order of the batches, one batch
in advance; how long an unhindered read takes is part of the work. Workers beyond the cores share them evenly.
"""

from __future__ import annotations

from dataclasses import dataclass
from heapq import heappop, heappush

import numpy as np
import numpy.typing as npt

from perfmodel.loading.model import LoaderModel, effective_cores

Floats = npt.NDArray[np.float64]

_MADE_AT_A_TIME = 2
"""Batches that this package's loader works on at a time (`perfmodel.loading.prefetch.THREADS`)."""

_BATCHES = 400
_WARM = 0.25
"""Share of the batches that pass before counting starts: start-up is no part of a step."""

_MOST_IMAGES = 60_000


@dataclass(frozen=True, kw_only=True)
class Simulated:
    """What a simulation found, start-up apart.

    Attributes
    ----------
    step_s : float
        Mean time between batches taken.
    stall_s : float
        Of which the consumer waits.
    stall_p95_s : float
        95 % of steps wait less.
    samples_s : float
        Samples a second.
    causes_s : dict of str to float
        The stall by what causes it: the term that binds (one of `perfmodel.loading.model.TERMS`), or ``variation``
        of the batches where the mean rate is enough.
    first_s : float
        From the start to the first batch, without starting workers.
    """

    step_s: float
    stall_s: float
    stall_p95_s: float
    samples_s: float
    causes_s: dict[str, float]
    first_s: float


def simulate(
    loader: LoaderModel, *, batch: int, workers: int, consumer_s: float, seed: int = 0, batches: int | None = None
) -> Simulated:
    """Simulate a loader that feeds a consumer.

    Parameters
    ----------
    loader : LoaderModel
    batch : int
        Samples of a batch.
    workers : int
        Worker processes, or threads of this package's loader; 0 loads in the consumer.
    consumer_s : float
        What the consumer does with a batch, s.
    seed : int
        Of the costs drawn.
    batches : int, optional
        Length of the simulation.
    """
    files = batch * loader.spec[1].files
    count = batches or int(max(60, min(_BATCHES, _MOST_IMAGES // files)))
    costs = draw_costs(loader, count=count, files=files, seed=seed)
    read_s, shared_s = _reading(loader, batch)
    floor = batch / _other_rate(loader)
    if workers == 0:
        alone = costs.sum(axis=1) * (loader.alone_s / loader.cost_s)
        taken = np.cumsum(np.maximum(alone + read_s, max(shared_s, floor)) + consumer_s)
        waits = np.diff(taken, prepend=0.0) - consumer_s
    elif loader.threads:
        slow = workers / float(effective_cores(workers, loader.spec[2], threads=True))
        taken, waits = dealt_out(
            costs * slow + read_s / files, consumer_s, threads=workers, ahead=loader.prefetch,
            shared_s=max(shared_s, floor),
        )  # fmt: skip
    else:
        slow = workers / float(effective_cores(workers, loader.spec[2]))
        taken, waits = in_turns(
            costs.sum(axis=1) * slow, consumer_s, workers=workers, ahead=loader.prefetch, own_read_s=read_s,
            shared_read_s=max(shared_s, floor),
        )  # fmt: skip
    return _summary(loader, taken, waits, batch=batch, workers=workers, consumer_s=consumer_s)


def draw_costs(loader: LoaderModel, *, count: int, files: int, seed: int = 0) -> Floats:
    """Draw the CPU times of the files of batches, s (count, files): from the sample of files, else log-normal."""
    rng = np.random.default_rng(seed)
    pipeline, images, _ = loader.spec
    mean = loader.cost_s / images.files
    known = images.costs_ms(pipeline)
    if known.size > 1:
        return np.asarray(rng.choice(known * (mean / known.mean()), size=(count, files)))
    sigma = np.sqrt(np.log1p(loader.spread**2))
    return np.asarray(mean * rng.lognormal(-(sigma**2) / 2, sigma, size=(count, files)))


def in_turns(
    work: Floats, consumer_s: float, *, workers: int, ahead: int, own_read_s: float = 0.0, shared_read_s: float = 0.0
) -> tuple[Floats, Floats]:
    """Return when batches are taken, and how long the consumer waited for each: torch's DataLoader.

    Parameters
    ----------
    work : array (n,)
        What each batch takes a worker, s.
    consumer_s : float
    workers, ahead : int
        p and F above.
    own_read_s, shared_read_s : float
        Reading a batch: what its worker waits, and what it takes of the storage's time, which all share.
    """
    ready: list[float] = []
    taken: list[float] = []
    waits: list[float] = []
    stored = asked = 0.0
    for i, one in enumerate(work.tolist()):
        free = ready[i - workers] if i >= workers else 0.0
        sent = taken[i - workers * ahead] if i >= workers * ahead else 0.0
        start = max(free, sent)
        stored = max(stored + shared_read_s, start)
        ready.append(max(start + own_read_s, stored) + one)
        taken.append(max(asked, ready[i]))
        waits.append(taken[i] - asked)
        asked = taken[i] + consumer_s
    return np.array(taken), np.array(waits)


def dealt_out(
    costs: Floats, consumer_s: float, *, threads: int, ahead: int, shared_s: float = 0.0
) -> tuple[Floats, Floats]:
    """Return when batches are taken, and how long the consumer waited: this package's loader.

    Parameters
    ----------
    costs : array (batches, images)
        What each image takes a thread, s.
    consumer_s : float
    threads, ahead : int
        n and D above.
    shared_s : float
        What a batch takes of the time of something that all share: storage, memory, the bus.
    """
    free = [0.0] * threads
    ready: list[float] = []
    taken: list[float] = []
    waits: list[float] = []
    stored = asked = 0.0
    for i, images in enumerate(costs.tolist()):
        begun = max(
            ready[i - _MADE_AT_A_TIME] if i >= _MADE_AT_A_TIME else 0.0, taken[i - ahead] if i >= ahead else 0.0
        )
        done = stored = max(stored + shared_s, begun)
        for one in images:
            end = max(heappop(free), begun) + one
            heappush(free, end)
            done = max(done, end)
        ready.append(done)
        taken.append(max(asked, done))
        waits.append(taken[i] - asked)
        asked = taken[i] + consumer_s
    return np.array(taken), np.array(waits)


def _reading(loader: LoaderModel, batch: int) -> tuple[float, float]:
    """What a batch's reads make its worker wait, and what they take of the storage that all share, s."""
    limits = loader.limits(1)
    shared = max(batch / float(limits["storage"]), batch / float(limits["iops"]))
    return batch * loader.read_s, shared


def _other_rate(loader: LoaderModel) -> float:
    """Samples a second that memory, bus and device allow."""
    limits = loader.limits(1)
    return min(float(limits[name]) for name in ("memory", "h2d", "gpu_preprocess"))


def _summary(
    loader: LoaderModel, taken: Floats, waits: Floats, *, batch: int, workers: int, consumer_s: float
) -> Simulated:
    first = int(_WARM * taken.size)
    stalls = waits[first + 1 :]
    step = float((taken[-1] - taken[first]) / (taken.size - 1 - first))
    stall = float(stalls.mean())
    lacking = min(stall, max(0.0, batch / float(loader.rate(workers)) - consumer_s)) if workers else stall
    causes = {loader.bound(max(workers, 1)): lacking, "variation": stall - lacking}
    return Simulated(
        step_s=step,
        stall_s=stall,
        stall_p95_s=float(np.quantile(stalls, 0.95)),
        samples_s=batch / step,
        causes_s={name: value for name, value in causes.items() if value > 1e-9},
        first_s=float(taken[0]),
    )
