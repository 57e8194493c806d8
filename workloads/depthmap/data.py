"""Quadruples as tensors: read sample by sample, or decoded once and held in memory; changed by chance each time."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor
from torch.utils.data import Dataset

from perfmodel.errors import InputError
from perfmodel.workloads.depthmap.augmentation import Augmentation, Floats, mirrored
from perfmodel.workloads.depthmap.options import Options
from perfmodel.workloads.depthmap.store import Quadruple, Store, find_quadruples, open_store
from perfmodel.workloads.training.images import decode
from perfmodel.workloads.training.order import held_out, keyed

Bytes = npt.NDArray[np.uint8]
PLANES = 8
"""Background and composite of three, mask and depth of one."""
STATISTICS = "statistics.json"
_MEASURED = 1000
_MODES = ("RGB", "RGB", "L", "L")


def read_planes(store: Store, sample: Quadruple, size: int) -> Bytes:
    """Read the four files of a sample and resize them (bilinear; the mask too, so that its edge is soft).

    Returns
    -------
    uint8 array (8, size, size)

    Raises
    ------
    InputError
        When a file cannot be read, or the four differ in size.
    """
    from PIL import Image

    parts = [
        decode(store.read(name), store.where(name), mode=mode) for name, mode in zip(sample.files, _MODES, strict=True)
    ]
    for name, image in zip(sample.files, parts, strict=True):
        if image.size != parts[0].size:
            first, own = ("x".join(map(str, one.size)) for one in (parts[0], image))
            raise InputError(f"{store.where(name)} has {own} pixels, its background {first}", "give equal sizes")
    planes = np.empty((PLANES, size, size), np.uint8)
    at = 0
    for image in parts:
        resized = image if image.size == (size, size) else image.resize((size, size), Image.Resampling.BILINEAR)
        pixels = np.atleast_3d(np.asarray(resized)).transpose(2, 0, 1)
        planes[at : at + len(pixels)] = pixels
        at += len(pixels)
    return planes


class Planes:
    """The samples of a set, read one by one.

    Parameters
    ----------
    store : FolderStore or ZipStore
    samples : sequence of Quadruple
    size : int
    """

    held = False

    def __init__(self, store: Store, samples: Sequence[Quadruple], size: int) -> None:
        self._store, self._samples, self._size = store, tuple(samples), size

    def __len__(self) -> int:
        """Return the number of samples."""
        return len(self._samples)

    def __getitem__(self, index: int) -> Bytes:
        """Read a sample, uint8 (8, size, size)."""
        return read_planes(self._store, self._samples[index], self._size)


class HeldPlanes:
    """The samples of a set, decoded once and held in memory, 8 bytes a pixel.

    Parameters
    ----------
    planes : Planes
    size : int

    Raises
    ------
    InputError
        When they need more memory than is free.
    """

    held = True

    def __init__(self, planes: Planes, size: int) -> None:
        need, free = len(planes) * PLANES * size * size, free_memory()
        if need > free:
            raise InputError(
                f"{len(planes)} samples of {size} pixels take {need / 1e9:.3g} GB, {free / 1e9:.3g} GB are free",
                "give --memory no to read each when it is needed, or --limit",
            )
        self._all = np.empty((len(planes), PLANES, size, size), np.uint8)
        with ThreadPoolExecutor(os.cpu_count() or 1) as pool:
            for index, pixels in enumerate(pool.map(planes.__getitem__, range(len(planes)))):
                self._all[index] = pixels

    def __len__(self) -> int:
        """Return the number of samples."""
        return len(self._all)

    def __getitem__(self, index: int) -> Bytes:
        """Return a sample, uint8 (8, size, size)."""
        pixels: Bytes = self._all[index]
        return pixels


def free_memory() -> int:
    """Memory that can still be had, bytes."""
    try:
        for line in Path("/proc/meminfo").read_text(encoding="ascii").splitlines():
            if line.startswith("MemAvailable:"):
                return 1024 * int(line.split()[1])
    except OSError:
        pass
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")


@dataclass(frozen=True)
class Statistics:
    """Mean and deviation of the six input channels of a set, of values in [0, 1], and the samples measured."""

    mean: tuple[float, ...]
    std: tuple[float, ...]
    samples: int

    def save(self, folder: Path) -> None:
        """Write ``statistics.json``."""
        (folder / STATISTICS).write_text(json.dumps(asdict(self), indent=1) + "\n", encoding="utf-8")

    @classmethod
    def load(cls, folder: Path) -> Statistics:
        """Read ``statistics.json``.

        Raises
        ------
        InputError
            When it is missing or damaged.
        """
        try:
            found = json.loads((folder / STATISTICS).read_text(encoding="utf-8"))
            return cls(tuple(map(float, found["mean"])), tuple(map(float, found["std"])), int(found["samples"]))
        except (OSError, ValueError, KeyError, TypeError):
            raise InputError(f"{folder / STATISTICS} is missing or damaged", "train again") from None


def measure_statistics(planes: Planes | HeldPlanes, indices: Sequence[int]) -> Statistics:
    """Measure a set on its samples, or on 1000 evenly spaced ones where there are more."""
    chosen = [indices[int(i)] for i in np.linspace(0, len(indices) - 1, min(len(indices), _MEASURED))]
    sums = np.zeros((2, 6))
    for index in chosen:
        pixels = planes[index][:6].reshape(6, -1) / 255.0
        sums += pixels.mean(axis=1), (pixels**2).mean(axis=1)
    mean, power = sums / len(chosen)
    deviation = np.sqrt(np.maximum(power - mean**2, 1e-6))
    return Statistics(tuple(map(float, mean)), tuple(map(float, deviation)), len(chosen))


class Quadruples(Dataset[dict[str, Tensor]]):
    """Samples as ``input`` float32 [6, S, S] of mean 0 and deviation 1, ``mask`` and ``depth`` [1, S, S] in [0, 1].

    What chance does to a sample depends on seed, epoch and index only.

    Parameters
    ----------
    planes : Planes or HeldPlanes
    indices : sequence of int
        Those of the planes that belong to this part.
    statistics : Statistics
    augmentation : Augmentation or None
    seed : int
    """

    def __init__(
        self, planes: Planes | HeldPlanes, indices: Sequence[int], *, statistics: Statistics,
        augmentation: Augmentation | None = None, seed: int = 0,
    ) -> None:  # fmt: skip
        self.planes, self.indices = planes, tuple(indices)
        self._mean, self._std = (np.array(v, np.float32)[:, None, None] for v in (statistics.mean, statistics.std))
        self._augmentation, self._seed = augmentation, seed
        self.epoch = 0

    def __len__(self) -> int:
        """Return the number of samples."""
        return len(self.indices)

    def raw(self, index: int) -> Bytes:
        """Return a sample as it is, uint8 (8, S, S)."""
        return self.planes[self.indices[index]]

    def __getitem__(self, index: int) -> dict[str, Tensor]:
        """Return one sample."""
        pixels = self.raw(index).astype(np.float32) / np.float32(255)
        seen, targets = pixels[:6], pixels[6:]
        if self._augmentation is None:
            seen = (seen - self._mean) / self._std
        else:
            seen, targets = self._changed(seen, targets, self._augmentation, index)
        both = torch.from_numpy(np.ascontiguousarray(targets))
        return {"input": torch.from_numpy(np.ascontiguousarray(seen)), "mask": both[:1], "depth": both[1:]}

    def _changed(self, seen: Floats, targets: Floats, by: Augmentation, index: int) -> tuple[Floats, Floats]:
        chance = keyed(self._seed, self.epoch, 2, index)
        if by.mirrors(chance):
            seen, targets = mirrored(seen), mirrored(targets)
        found = (by.jittered(seen, chance) - self._mean) / self._std
        rows, columns = by.hole(found.shape[-1], chance)
        found[:, rows, columns] = 0.0  # the set's mean
        return found, targets


def open_planes(options: Options) -> Planes | HeldPlanes:
    """Open the data of a run, and decode it where it is to be held.

    Raises
    ------
    InputError
        Naming what cannot be read.
    """
    store = open_store(options.data)
    planes = Planes(store, find_quadruples(store)[: options.limit], options.size)
    holds = options.memory == "yes" or (options.memory == "auto" and store.archived)
    return HeldPlanes(planes, options.size) if holds else planes


def parts(
    options: Options, planes: Planes | HeldPlanes, *, statistics: Statistics | None = None
) -> tuple[Quadruples, Quadruples, Statistics]:
    """Split the samples by the run's seed: to train on, and held out; with the statistics of the first.

    Parameters
    ----------
    options : Options
    planes : Planes or HeldPlanes
    statistics : Statistics, optional
        Measured on the samples to train on where not given.
    """
    kept, left = held_out(len(planes), options.validation, seed=options.seed)
    known = statistics or measure_statistics(planes, kept)
    training = Quadruples(planes, kept, statistics=known, augmentation=options.augmentation(), seed=options.seed)
    return training, Quadruples(planes, left, statistics=known), known
