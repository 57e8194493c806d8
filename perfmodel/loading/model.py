"""How fast a loader feeds a step, in closed form: rate by workers, the step with loading, the stall and its cause.

All functions take scalars or arrays that broadcast together. The form:

    R(p) = min(W(p) / c, storage / ((1 - h) * S), IOPS / (1 - h), memory bandwidth / touched bytes, PCIe / out bytes)
    step = B / R + T                                      without prefetching
    step = E max(B / R + noise, T * (1 + slowdown))       with prefetching

with p workers, CPU cost c of a sample, its file bytes S, the cache's hit share h, batch B and compute time T.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from perfmodel.errors import InputError
from perfmodel.hardware.host import Host, find_host
from perfmodel.loading.pipelines import Cost, ImageSet, Pipeline, find_image_set, find_pipeline

Numbers = npt.NDArray[np.float64]

TERMS = ("cpu", "storage", "iops", "memory", "h2d", "gpu_preprocess")
"""What can bound the rate of a loader."""

SMT_GAIN = 0.3
"""What a second hardware thread adds to a physical core that decodes images (typical of SMT on integer code)."""

TOUCHED_PER_DECODED_BYTE = 6.0
"""Memory traffic for each decoded byte: written, read and written by resizing, evicted (assumed)."""

IMAGE_SPREAD = 0.35
"""Standard deviation of one image's cost over its mean, as for JPEG sizes of street scenes (assumed)."""

LAUNCH_SLOWDOWN = 0.03
"""Slowdown of the step when loading keeps every core busy, in proportion to the busy share (assumed)."""

HEADROOM = 1.1
"""Recommended workers deliver this times what the step needs."""

MAX_WORKERS = 1024

UNMEASURED_SD = 0.20
"""Standard deviation of log throughput on a host that was not calibrated."""

REPEAT_SD = 0.04
"""The same beyond the fit of a calibrated pipeline: repeats, scheduling."""


@dataclass(frozen=True, kw_only=True)
class LoaderModel:
    """A loading pipeline on a host, for one set of images.

    Attributes
    ----------
    pipeline : str or Pipeline
        ``pil`` (default: what users have), ``native``, ``opencv``, ``grain``.
    images : str or ImageSet
        The files of a sample.
    host : str or Host
    cache_hit : float, optional
        Share of files that the page cache serves; the host's where not given.
    out_bytes_per_value : int
        4 for float32, 2 for 16 bit, 1 for uint8.
    prefetch : int
        Batches that each worker prepares ahead.
    cost_factor : float
        Measured over modelled cost, set by calibration.
    gpu_preprocess_rate : float
        Samples a second that preprocessing on the GPU manages; infinite where the host does it.
    on_gpu : bool
        Decoded images of 8 bits go to the device, which transforms them; see `transformed_on_gpu`.
    """

    pipeline: str | Pipeline = "pil"
    images: str | ImageSet = "classification"
    host: str | Host = "default"
    cache_hit: float | None = None
    out_bytes_per_value: int = 4
    prefetch: int = 2
    cost_factor: float = 1.0
    gpu_preprocess_rate: float = math.inf
    on_gpu: bool = False
    _pipeline: Pipeline = field(init=False, repr=False)
    _images: ImageSet = field(init=False, repr=False)
    _host: Host = field(init=False, repr=False)

    def __post_init__(self) -> None:
        """Look names up and refuse values that make no sense."""
        found: dict[str, Any] = {
            "_pipeline": self.pipeline if isinstance(self.pipeline, Pipeline) else find_pipeline(self.pipeline),
            "_images": self.images if isinstance(self.images, ImageSet) else find_image_set(self.images),
            "_host": self.host if isinstance(self.host, Host) else find_host(self.host),
        }
        found["_pipeline"] = on_host(found["_pipeline"], found["_host"])
        for name, value in found.items():
            object.__setattr__(self, name, value)
        if self.cache_hit is not None and not 0.0 <= self.cache_hit <= 1.0:
            raise InputError(f"a cache cannot hit {self.cache_hit} of the files", "give a share between 0 and 1")
        if not (self.cost_factor > 0 and self.prefetch >= 1 and self.gpu_preprocess_rate > 0):
            raise ValueError("cost_factor, prefetch and gpu_preprocess_rate must be positive")

    @property
    def spec(self) -> tuple[Pipeline, ImageSet, Host]:
        """Pipeline, image set and host, looked up."""
        return self._pipeline, self._images, self._host

    def transformed_on_gpu(self) -> LoaderModel:
        """Return the model of the same pipeline where the host only decodes."""
        costs = {kind: replace(cost, out_mpx=0.0) for kind, cost in self._pipeline.costs.items()}
        return replace(self, pipeline=replace(self._pipeline, costs=costs, handover_ms_per_out_mpx=0.0), on_gpu=True)

    @property
    def cost_s(self) -> float:
        """CPU time of one sample on one core of this host, s."""
        speed = 1.0 if self._pipeline.calibrated else self._host.decode_speed
        one = float(self._images.costs_ms(self._pipeline).mean())
        return self.cost_factor * self._images.files * one / 1e3 / speed

    @property
    def read_s(self) -> float:
        """Time in which one reader gets one sample from storage, s; 0 where the host's storage was not measured."""
        wait = self._host.read_latency_ms / 1e3 * self._images.files + self.read_bytes / (self._host.stream_mbs * 1e6)
        return (1.0 - self.hit) * wait

    @property
    def read_requests(self) -> float:
        """Requests to the storage for one sample.

        This package's loader asks for a file at once. Others read it in small pieces, and Linux reads ahead in windows
        of 32, 64, 128, 128, ... KiB (mm/readahead.c, with the default read_ahead_kb of 128).
        """
        images = self._images
        if self.threads:
            return float(images.files)
        kib = (images.sample.kb if images.sample is not None else np.array([images.kb])) / 1.024
        windows = 1.0 + (kib > 32) + (kib > 96) + np.ceil(np.maximum(kib - 224, 0.0) / 128)
        return float(images.files * windows.mean())

    @property
    def alone_s(self) -> float:
        """CPU time of one sample where the training process loads by itself, s: nothing is handed over."""
        images = self._images
        handover = self._pipeline.handover_ms_per_out_mpx * images.out_mpx * images.files / 1e3
        return max(self.cost_s - self.cost_factor * handover, 0.1 * self.cost_s) / float(effective_cores(1, self._host))

    @property
    def hit(self) -> float:
        """Share of files that the page cache serves."""
        return self._host.cache_hit if self.cache_hit is None else self.cache_hit

    @property
    def spread(self) -> float:
        """Standard deviation of one file's cost over its mean."""
        costs = self._images.costs_ms(self._pipeline)
        return float(costs.std() / costs.mean()) if costs.size > 1 else IMAGE_SPREAD

    @property
    def read_bytes(self) -> float:
        """File bytes of one sample."""
        return self._images.files * self._images.kb * 1e3

    @property
    def out_bytes(self) -> float:
        """Bytes of one sample that go to the device."""
        images = self._images
        if self.on_gpu:
            return images.files * images.mpx * 3e6
        values = images.files * images.channels * images.out_mpx * 1e6
        return values * self.out_bytes_per_value if images.kind != "raw" else self.read_bytes

    def limits(self, workers: npt.ArrayLike) -> dict[str, Numbers]:
        """Return samples a second that each of `TERMS` allows, for p workers (0 loads in the training process)."""
        p = np.maximum(np.asarray(workers, dtype=np.float64), 0.0)
        miss = max(1.0 - self.hit, 1e-12)
        touched = TOUCHED_PER_DECODED_BYTE * self._images.files * self._images.mpx * 3e6 + 3 * self.out_bytes
        flat = {
            "storage": self._host.storage_mbs * 1e6 / (miss * self.read_bytes) if self.read_bytes else math.inf,
            "iops": self._host.storage_iops / (miss * self.read_requests),
            "memory": self._host.memory_gbs * 1e9 / touched if touched else math.inf,
            "h2d": self._host.pcie_gbs * 1e9 / self.out_bytes if self.out_bytes else math.inf,
            "gpu_preprocess": self.gpu_preprocess_rate,
        }
        readers = np.maximum(p, 1.0)
        cpu = effective_cores(readers, self._host, threads=self.threads) / self.cost_s
        if self.read_s > 0:  # a worker reads, then decodes: what it waits for adds up
            cpu = np.minimum(cpu, readers / (self.cost_s + self.read_s))
        cpu = np.where(p > 0, cpu, 1.0 / (self.alone_s + self.read_s))
        return {"cpu": cpu, **{name: np.full(p.shape, rate) for name, rate in flat.items()}}

    @property
    def threads(self) -> bool:
        """The workers are threads of one process, as this package's loader has them."""
        return self._pipeline.key == "native"

    def rate(self, workers: npt.ArrayLike) -> Numbers:
        """Return the samples a second of p workers, all of one host together."""
        return np.asarray(np.minimum.reduce(list(self.limits(workers).values())))

    def bound(self, workers: int) -> str:
        """Return which of `TERMS` bounds the rate of p workers."""
        limits = self.limits(workers)
        return min(TERMS, key=lambda term: float(limits[term]))


def rate_sd(loader: LoaderModel) -> float:
    """Return the standard deviation of the log of a loader's rate."""
    pipeline = loader.spec[0]
    return math.hypot(pipeline.residual_sd, REPEAT_SD) if pipeline.calibrated else UNMEASURED_SD


def on_host(pipeline: Pipeline, host: Host) -> Pipeline:
    """Return a pipeline with the costs that were measured on a host, where they were."""
    measured = host.profile.pipelines.get(pipeline.key) if host.profile is not None else None
    if host.profile is None or measured is None or pipeline.calibrated:
        return pipeline
    return replace(
        pipeline,
        costs={kind: Cost(**values) for kind, values in measured.items()},
        source=f"measured on this host, {host.profile.date}",
        residual_sd=host.profile.residual_sd.get(pipeline.key, pipeline.residual_sd),
        handover_ms_per_out_mpx=host.profile.figures.get(f"{pipeline.key}_handover_ms_per_out_mpx", 0.0),
        calibrated=True,
    )


def effective_cores(workers: npt.ArrayLike, host: Host, *, threads: bool = False) -> Numbers:
    """Return how many full cores p workers get.

    As measured where the host was calibrated, for processes or for threads of one process; else all physical cores,
    then `SMT_GAIN` of each second thread. Never more than the CPU quota.
    """
    p = np.asarray(workers, dtype=np.float64)
    busy = np.minimum(p, host.cores)
    if host.profile is not None and host.profile.scaling:
        cores = host.profile.effective_cores(busy, threads=threads)
    else:
        physical = max(1.0, host.cores / 2) if host.smt and host.cores > 1 else float(host.cores)
        cores = np.minimum(busy, physical) + SMT_GAIN * np.maximum(busy - physical, 0.0)
    return np.asarray(np.minimum(cores, host.cpu_quota))


@dataclass(frozen=True, kw_only=True)
class LoadingStep:
    """A step with its input; every field has the broadcast shape of the arguments.

    Attributes
    ----------
    step_s : array
        Start to start, s.
    load_s : array
        Time in which the loader makes one batch, B / R, s.
    wait_s : array
        What the step waits for input, s (`step_s` less compute and slowdown).
    slowdown_s : array
        What loading takes from launching, s.
    """

    step_s: Numbers
    load_s: Numbers
    wait_s: Numbers
    slowdown_s: Numbers


def step_with_loading(
    compute_s: npt.ArrayLike,
    *,
    batch: npt.ArrayLike,
    workers: npt.ArrayLike,
    loader: LoaderModel,
    overlapped: bool = True,
) -> LoadingStep:
    """Combine a step's compute time with loading.

    Parameters
    ----------
    compute_s : array_like
        Step without loading, s.
    batch : array_like
        Samples of one step over all devices that the host feeds.
    workers : array_like
        Worker processes, all devices together; 0 loads in the training process, which never overlaps.
    loader : LoaderModel
    overlapped : bool
        Batches are prefetched while the device computes.
    """
    time, size, p = (np.asarray(a, dtype=np.float64) for a in (compute_s, batch, workers))
    load = size / loader.rate(p)
    serial = time + load
    if not overlapped:
        zero = np.zeros_like(serial)
        return LoadingStep(step_s=serial, load_s=load + zero, wait_s=load + zero, slowdown_s=zero)
    busy = np.minimum(1.0, size * loader.cost_s / loader.spec[2].cores / np.maximum(time, load))
    slowdown = np.where(p > 0, LAUNCH_SLOWDOWN * time * busy, 0.0)
    spread = load * (loader.spread / np.sqrt(np.maximum(size * loader.prefetch * np.maximum(p, 1.0), 1.0)))
    step = np.where(p > 0, _smooth_max(load, time + slowdown, spread), serial)
    wait = np.maximum(step - time - slowdown, 0.0)
    return LoadingStep(step_s=step, load_s=np.broadcast_to(load, step.shape), wait_s=wait, slowdown_s=slowdown)


_FAR = 6.0
"""Standard deviations beyond which the larger of two times simply wins."""


def _smooth_max(mean: Numbers, other: Numbers, spread: Numbers) -> Numbers:
    """Return E max(X, other) for X normal with that mean and spread: never below the larger of the two."""
    larger = np.maximum(mean, other)
    gap = np.abs(mean - other)
    near = gap < _FAR * spread
    if not near.any():
        return larger
    result = np.array(larger, ndmin=1)
    where = np.reshape(near, result.shape)
    width = np.broadcast_to(spread, near.shape)[near]
    z = gap[near] / width
    result[where] += width * (np.exp(-0.5 * z * z) / math.sqrt(2 * math.pi) - z * _upper_tail(z))
    return result.reshape(near.shape)


def _upper_tail(z: Numbers) -> Numbers:
    """Return 1 - normal distribution function for z >= 0 (Abramowitz and Stegun 26.2.17, error below 7.5e-8)."""
    t = 1.0 / (1.0 + 0.2316419 * z)
    series = t * (0.319381530 + t * (-0.356563782 + t * (1.781477937 + t * (-1.821255978 + t * 1.330274429))))
    return np.asarray(np.exp(-0.5 * z * z) / math.sqrt(2 * math.pi) * series)


@dataclass(frozen=True, kw_only=True)
class WorkerAdvice:
    """How many workers a step needs, and what to do where workers cannot help.

    Attributes
    ----------
    workers : int
        The fewest that keep up with 10 % to spare, leaving a core to launch kernels; else the most useful number.
    enough : bool
        They keep up.
    bound : str
        What bounds the loader at that number (one of `TERMS`).
    text : str
        One sentence.
    """

    workers: int
    enough: bool
    bound: str
    text: str


_INSTEAD = {
    "cpu": "use the native loader, smaller files or a host with more cores",
    "storage": "use smaller files, packed shards or a faster disk",
    "iops": "pack the files into shards",
    "memory": "use smaller images",
    "h2d": "send uint8 or 16-bit input",
    "gpu_preprocess": "preprocess less on the GPU",
}


def recommend_workers(compute_s: float, *, batch: float, loader: LoaderModel) -> WorkerAdvice:
    """Return the fewest workers with R(p) >= 1.1 B / T, leaving one core free; says so when no number is enough."""
    most = max(1, min(loader.spec[2].cores - 1, MAX_WORKERS))
    rates = loader.rate(np.arange(1, most + 1))
    needed = HEADROOM * batch / compute_s
    enough = np.flatnonzero(rates >= needed)
    if enough.size:
        count = int(enough[0]) + 1
        return WorkerAdvice(
            workers=count, enough=True, bound=loader.bound(count), text=f"{count} workers keep up with the step"
        )
    best = int(np.flatnonzero(rates >= rates.max() * (1 - 1e-9))[0]) + 1
    bound = loader.bound(best)
    text = (
        f"no number of workers keeps up: {bound} allows {rates.max():.0f} of {needed:.0f} samples/s; {_INSTEAD[bound]}"
    )
    return WorkerAdvice(workers=best, enough=False, bound=bound, text=text)
