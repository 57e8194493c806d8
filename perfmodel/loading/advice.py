"""What a loader will do to a step, in words: throughput, stall and its cause, workers worth having, what would help."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np

from perfmodel.errors import InputError
from perfmodel.loading.model import HEADROOM, MAX_WORKERS, LoaderModel, WorkerAdvice, rate_sd
from perfmodel.loading.pipelines import PIPELINES, ImageSet
from perfmodel.loading.simulation import Simulated, simulate

_Z90 = 1.645
_ENOUGH_FASTER = 1.05
"""Changes that help by less are not worth mentioning."""

_SMALLER_PX = 300
"""Shorter side of packed copies: what a crop of 256 needs and some more."""

_SHARD_BLOCK = 1 << 20
"""Bytes that a reader of shards gets with one access."""


@dataclass(frozen=True, kw_only=True)
class LoadingPrediction:
    """How a loader feeds a step.

    Attributes
    ----------
    loader : LoaderModel
    batch, workers : int
    compute_s : float
        The step without loading; 0 where only loading is asked for.
    simulated : Simulated
        What these workers do.
    samples_s : (float, float, float)
        Throughput of the loader alone, and the ends of its interval with coverage 0.9.
    bound : str
        What limits the loader.
    advice : WorkerAdvice
    changes : dict of str to float
        What would make the whole faster, and how many times.
    notes : tuple of str
    """

    loader: LoaderModel
    batch: int
    workers: int
    compute_s: float
    simulated: Simulated
    samples_s: tuple[float, float, float]
    bound: str
    advice: WorkerAdvice
    changes: dict[str, float]
    notes: tuple[str, ...]

    def to_dict(self) -> dict[str, Any]:
        """JSON document."""
        pipeline, images, host = self.loader.spec
        median, low, high = self.samples_s
        return {
            "schema_version": 1,
            "pipeline": pipeline.key,
            "calibrated": pipeline.calibrated,
            "host": {"key": host.key, "cores": host.cores, "source": host.source},
            "files": _files_dict(images),
            "batch": self.batch,
            "workers": self.workers,
            "cpu_ms_per_sample": 1e3 * self.loader.cost_s,
            "samples_per_s": {"median": median, "low": low, "high": high, "coverage": 0.9},
            "step_ms": {
                "compute": 1e3 * self.compute_s,
                "total": 1e3 * self.simulated.step_s,
                "stall": 1e3 * self.simulated.stall_s,
                "stall_p95": 1e3 * self.simulated.stall_p95_s,
                "causes": {name: 1e3 * value for name, value in self.simulated.causes_s.items()},
            },
            "bound": self.bound,
            "recommended": asdict(self.advice),
            "changes": self.changes,
            "notes": list(self.notes),
        }


def _files_dict(images: ImageSet) -> dict[str, Any]:
    sample = images.sample
    return {
        "kb": images.kb,
        "mpx": images.mpx,
        "out": [images.out_height, images.out_width],
        "files_per_sample": images.files,
        "mix": sample.mix if sample is not None else {images.kind: 1.0},
        "sampled": len(sample) if sample is not None else 0,
        "unreadable": sample.unreadable if sample is not None else 0,
    }


def predict_loading(
    loader: LoaderModel, *, batch: int, workers: int, compute_s: float = 0.0, seed: int = 0
) -> LoadingPrediction:
    """Predict how a loader feeds a step.

    Parameters
    ----------
    loader : LoaderModel
    batch : int
    workers : int
        Processes, or threads of this package's loader; 0 loads in the training process.
    compute_s : float
        Step without loading, s.
    seed : int
        Of the simulation.

    Raises
    ------
    InputError
        For numbers that make no sense.
    """
    for name, value, least in (("batch", batch, 1), ("workers", workers, 0)):
        if value < least:
            raise InputError(f"{name} must be at least {least}, not {value}", f"give --{name} {least} or more")
    if not 0.0 <= compute_s < math.inf:
        raise InputError(f"a step cannot take {compute_s * 1e3:g} ms", "give --step-ms 0 or more")
    found = simulate(loader, batch=batch, workers=workers, consumer_s=compute_s, seed=seed)
    alone = found if compute_s == 0 else simulate(loader, batch=batch, workers=workers, consumer_s=0.0, seed=seed)
    factor = math.exp(_Z90 * rate_sd(loader))
    return LoadingPrediction(
        loader=loader, batch=batch, workers=workers, compute_s=compute_s, simulated=found,
        samples_s=(alone.samples_s, alone.samples_s / factor, alone.samples_s * factor),
        bound=loader.bound(max(workers, 1)), advice=advise_workers(loader, batch=batch, compute_s=compute_s),
        changes=worthwhile_changes(loader, batch=batch, workers=workers, compute_s=compute_s, step_s=found.step_s),
        notes=_notes(loader, workers),
    )  # fmt: skip


def advise_workers(loader: LoaderModel, *, batch: int, compute_s: float) -> WorkerAdvice:
    """Return the fewest workers that keep up with 10 % to spare, leaving a core; else the fewest of the fastest.

    Unlike `recommend_workers` this simulates: threads that wait for the last image of a batch count.
    """
    cores = min(loader.spec[2].cores, MAX_WORKERS)
    rates = np.array([_rate(loader, batch, count) for count in range(1, cores + 1)])
    needed = batch / compute_s if compute_s > 0 else math.inf
    spare = np.flatnonzero(rates[: max(1, cores - 1)] >= HEADROOM * needed)
    if spare.size:
        count = int(spare[0]) + 1
        text = f"{_workers(loader, count)} keep{'s' if count == 1 else ''} up with the step, with 10 % to spare"
    else:  # the GPU waits anyway: no core needs to be left for launching
        count = int(np.flatnonzero(rates >= 0.98 * rates.max())[0]) + 1
        text = _without_spare(loader, count, float(rates.max()), needed)
    return WorkerAdvice(
        workers=count, enough=bool(rates[count - 1] >= needed) or compute_s == 0, bound=loader.bound(count), text=text
    )


def _without_spare(loader: LoaderModel, count: int, rate: float, needed: float) -> str:
    who = _workers(loader, count)
    if math.isinf(needed):
        return f"{who}: more are hardly faster"
    if rate >= needed:
        return f"{who} just keep up with the step: less than 10 % to spare"
    return f"no number keeps up: {who} load {rate:.0f} of the {needed:.0f} samples/s that the step could use"


def _workers(loader: LoaderModel, count: int) -> str:
    return f"{count} {'thread' if loader.threads else 'worker'}{'' if count == 1 else 's'}"


def _rate(loader: LoaderModel, batch: int, workers: int) -> float:
    if not loader.threads:
        return float(loader.rate(workers))
    return simulate(loader, batch=batch, workers=workers, consumer_s=0.0, batches=60).samples_s


def worthwhile_changes(
    loader: LoaderModel, *, batch: int, workers: int, compute_s: float, step_s: float
) -> dict[str, float]:
    """Return what would make a step (or loading alone) faster, and how many times: the best first."""
    count = max(workers, 1)
    found = {}
    for name, (other, p) in _alternatives(loader, count).items():
        step = simulate(other, batch=batch, workers=p, consumer_s=compute_s).step_s
        if step_s / step >= _ENOUGH_FASTER:
            found[name] = round(step_s / step, 2)
    return dict(sorted(found.items(), key=lambda item: -item[1]))


def _alternatives(loader: LoaderModel, workers: int) -> dict[str, tuple[LoaderModel, int]]:
    pipeline, images, host = loader.spec
    result: dict[str, tuple[LoaderModel, int]] = {}
    if pipeline.key != "native":
        result["native loader"] = (replace(loader, pipeline="native"), workers)
    more = min(host.cores, 2 * workers)
    if more > workers:
        result[f"{more} {'threads' if loader.threads else 'workers'}"] = (loader, more)
    if loader.hit < 1.0:
        result["files in the page cache"] = (replace(loader, cache_hit=1.0), workers)
        reads = max(1.0, _SHARD_BLOCK / max(loader.read_bytes, 1.0))
        packed = replace(host, storage_iops=host.storage_iops * reads, read_latency_ms=host.read_latency_ms / reads)
        result["packed shards"] = (replace(loader, host=packed), workers)
    short = min(images.width, images.height)
    if images.kind != "raw" and short > _SMALLER_PX and max(images.out_width, images.out_height) <= _SMALLER_PX:
        result[f"files resized to {_SMALLER_PX} pixels"] = (replace(loader, images=_smaller(images)), workers)
    result["cropping and normalising on the GPU"] = (loader.transformed_on_gpu(), workers)
    return result


def _smaller(images: ImageSet) -> ImageSet:
    """The files as `perfmodel loader pack --resize-shorter` makes them."""
    factor = (_SMALLER_PX / min(images.width, images.height)) ** 2
    sample = images.sample
    if sample is not None:
        scaled = {name: getattr(sample, name) * factor for name in ("kb", "mpx", "coded_mpx")}
        sample = replace(sample, **scaled)
    side = math.sqrt(factor)
    return replace(
        images, kb=images.kb * factor, width=round(images.width * side), height=round(images.height * side),
        sample=sample,
    )  # fmt: skip


def _notes(loader: LoaderModel, workers: int) -> tuple[str, ...]:
    pipeline, images, host = loader.spec
    notes = []
    if not pipeline.calibrated and pipeline.key in ("pil", "native"):
        notes.append("this host was not measured: `perfmodel loader calibrate` takes half a minute")
    elif not pipeline.calibrated:
        notes.append(f"{PIPELINES[pipeline.key].name} is not part of the calibration: typical cost, wide interval")
    if images.sample is not None and images.sample.unreadable:
        notes.append(f"{images.sample.unreadable} of the files looked at are no readable images")
    if workers > host.cores:
        notes.append(f"{workers} workers share {host.cores} cores")
    return tuple(notes)
