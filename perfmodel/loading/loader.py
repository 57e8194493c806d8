"""The loader: batches of images for training, in a few lines of ordinary code."""

from __future__ import annotations

import os
import sys
import weakref
from dataclasses import replace
from types import TracebackType
from typing import TYPE_CHECKING, Any

import numpy as np

from perfmodel.errors import InputError
from perfmodel.loading.assemble import Assembler, Batch, Images, image_error, one_image
from perfmodel.loading.buffers import as_tensor, should_pin
from perfmodel.loading.device import DeviceCopies
from perfmodel.loading.device_pool import BACKEND as DEVICE_BACKEND
from perfmodel.loading.device_pool import DeviceImages, DevicePool
from perfmodel.loading.iteration import Iteration, Progress, Schedule
from perfmodel.loading.pillow import MAX_PIXELS, STAGES
from perfmodel.loading.pools import Item, Pool, chosen_backend, make_pool, plan_dtype
from perfmodel.loading.sampling import Sampling
from perfmodel.loading.sources import Source, open_source
from perfmodel.loading.transforms import Transform, find_transform

if TYPE_CHECKING:
    import numpy.typing as npt

    from perfmodel.hardware.host import Host
    from perfmodel.loading.model import LoaderModel

ON_ERROR = ("raise", "skip")


class Loader:
    """Batches of decoded, transformed images, prepared ahead.

    Parameters
    ----------
    source : path, (path, path), mapping of str to path, or Source
        A folder, ZIP archive or pack of single images; two folders (unpaired); one place for each file of a sample.
    pipeline : str or Transform
        What becomes of an image; names are in `perfmodel.loading.transforms.TRANSFORMS`. With ``cyclegan`` a folder
        that holds ``trainA`` and ``trainB``, or just two folders, is unpaired.
    batch : int
        Samples of a batch.
    shuffle : bool
        A new random order each epoch.
    seed : int
        All that is random follows from it, the epoch and the number of a sample alone.
    workers : int, optional
        Threads that decode; all cores of this process where not given.
    prefetch : int
        Batches prepared ahead. A batch's memory is used again after so many later ones were taken.
    drop_last : bool
        Leave out a last short batch.
    dtype, layout : str, optional
        In place of the pipeline's.
    rank, world_size : int
        This process's share of a distributed epoch, dealt out as by torch's DistributedSampler.
    tensors : bool
        Torch tensors rather than NumPy arrays, on the same memory.
    device : str, optional
        Tensors are copied there, on a stream of their own.
    as_tuple : bool
        Tuples of the images and, where there are classes, the label; else dicts, with ``index`` as well.
    copy : bool
        Batches of their own memory, valid for ever.
    pin : bool or "auto"
        Pinned memory; by itself where tensors are made and torch sees a GPU.
    on_error : str
        ``raise`` an error that names the file, or ``skip`` the sample: its batch is shorter.
    backend : str
        ``auto``, ``native``, ``pillow``, or ``cuda``: threads decode and the GPU named by `device` does the rest.
    max_pixels : int
        Larger images count as errors.

    Attributes
    ----------
    skipped : dict of str to str
        Files that were left out so far, and why.

    Notes
    -----
    Iterating yields an epoch's batches and goes on to the next epoch; `set_epoch` says otherwise. Usable with ``with``;
    without it, threads end when an iteration ends or is dropped, and with the loader.

    Raises
    ------
    InputError
        When an option makes no sense or the source holds no images.
    """

    def __init__(
        self, source: Any, pipeline: str | Transform = "imagenet-eval", *, batch: int = 1, shuffle: bool = False,
        seed: int = 0, workers: int | None = None, prefetch: int = 2, drop_last: bool = False,
        dtype: str | None = None, layout: str | None = None, rank: int = 0, world_size: int = 1,
        tensors: bool = False, device: str | None = None, as_tuple: bool = False, copy: bool = False,
        pin: bool | str = "auto", on_error: str = "raise", backend: str = "auto", max_pixels: int = MAX_PIXELS,
    ) -> None:  # fmt: skip
        given = {name: value for name, value in locals().items() if name != "self"}
        _check(workers, prefetch, on_error)
        transform = pipeline if isinstance(pipeline, Transform) else find_transform(pipeline)
        changed = {name: value for name, value in (("dtype", dtype), ("layout", layout)) if value is not None}
        self.pipeline = replace(transform, **changed)  # type: ignore[arg-type]
        self.source: Source = open_source(source, unpaired=pipeline == "cyclegan")
        self.sampling = Sampling(
            size=len(self.source), batch=batch, shuffle=shuffle, seed=seed, rank=rank, world_size=world_size,
            drop_last=drop_last,
        )  # fmt: skip
        self.backend = backend if backend == DEVICE_BACKEND else chosen_backend(backend)
        self.workers, self.prefetch = workers or len(os.sched_getaffinity(0)), prefetch
        self.skipped: dict[str, str] = {}
        self._given = given | {"source": self.source, "backend": self.backend, "pipeline": self.pipeline}
        self._tensors, self._copy, self._as_tuple = tensors or device is not None, copy, as_tuple
        self._device, self._skip = device, on_error == "skip"
        self._pinned = should_pin(pin, tensors=self._tensors)
        self._epoch, self._begin, self._waited_ns = 0, 0, 0
        self._progress: Progress | None = None
        self._iterations: weakref.WeakSet[Iteration] = weakref.WeakSet()
        self._assembler = self._start(max_pixels)
        _known_to_torch()

    def _start(self, max_pixels: int) -> Assembler:
        pool: Pool
        if self.backend == DEVICE_BACKEND:
            if self._device is None:
                raise InputError("backend 'cuda' makes tensors on a GPU", "give device='cuda' as well")
            pool = DevicePool(self._device, self.workers, ahead=self.prefetch)
        else:
            pool = make_pool(self.backend, self.workers)
        self._closer = weakref.finalize(self, pool.close)
        return Assembler(
            self.source, self.pipeline, pool, plan_dtype=plan_dtype(self.backend), seed=self.sampling.seed,
            max_pixels=max_pixels,
        )  # fmt: skip

    def __len__(self) -> int:
        """Batches of an epoch."""
        return self.sampling.batches

    def __iter__(self) -> Iteration:
        """Start the next epoch, or the one that `set_epoch` or `load_state_dict` chose."""
        self._check_open()
        first, stride = _worker_share(self.backend)
        self._retire()
        progress = self._progress = Progress(self._epoch, self._begin)
        self._epoch, self._begin = self._epoch + 1, 0
        schedule = Schedule(
            assembler=self._assembler, sampling=self.sampling, prefetch=self.prefetch, pinned=self._pinned,
            first=first, stride=stride,
        )  # fmt: skip
        copies = DeviceCopies(self._device, self.prefetch) if self._device else None
        copy = self._copy or _worker_info() is not None  # workers hand batches over after the next was made

        def present(batch: Batch) -> Any:
            return self._present(batch, copies, copy=copy)

        iteration = Iteration(schedule, progress, present, settle=copies.settle if copies else _nothing)
        self._iterations.add(iteration)
        iteration.start()
        return iteration

    def __getitem__(self, number: int) -> Any:
        """Return one batch of the epoch that is next, loaded now into memory of its own; for map-style use."""
        self._check_open()
        if not 0 <= number < len(self):
            raise IndexError(f"batch {number} of {len(self)}")
        samples = self.sampling.batch_of(self.sampling.order(self._epoch), number)
        memory = self._assembler.memory(samples.size, pinned=False)
        batch = self._assembler.fill(memory, [(number, samples)], epoch=self._epoch)[0]
        on_device = self.backend == DEVICE_BACKEND and self._device is not None
        return self._present(batch, DeviceCopies(str(self._device), 1) if on_device else None, copy=False)

    def set_epoch(self, epoch: int) -> None:
        """Choose the epoch that is iterated next; it decides the order and all that is random."""
        self._retire()
        self._epoch, self._begin = epoch, 0

    def transform(self, image: str | os.PathLike[str] | bytes, index: int, *, role: str = "") -> npt.NDArray[Any]:
        """Load one image as sample `index` of the coming epoch: for a Dataset's ``__getitem__``.

        Parameters
        ----------
        image : path or bytes
            A file, or its content.
        index : int
            Decides what is random, with the seed and the epoch.
        role : str
            Which file of a sample it is, where they differ.

        Returns
        -------
        array (C, H, W) or (H, W, C)

        Raises
        ------
        ImageError
            When it cannot be loaded; names the file.
        """
        self._check_open()
        item: Item = (image, 0, len(image)) if isinstance(image, bytes) else os.fspath(image)
        return one_image(self._assembler, item, index, self._epoch, self.sampling.seed, role)

    def state_dict(self) -> dict[str, Any]:
        """Return where the loader is, for `load_state_dict`: epoch, batches taken, and what the order depends on."""
        progress = self._progress
        if progress is None or progress.done:
            progress = Progress(self._epoch, self._begin)
        return {"version": 1, "epoch": progress.epoch, "batch": progress.batch, "order": self._order_key()}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on where another loader of the same samples and options stopped: the same batches follow.

        Raises
        ------
        InputError
            When its order was another.
        """
        mine, other = self._order_key(), dict(state.get("order", {}))
        differing = [name for name, value in mine.items() if other.get(name) != value]
        if state.get("version") != 1 or differing:
            raise InputError(
                f"the state is of another loader ({', '.join(differing) or 'its version'} differ)",
                "make the loader with the options that it was saved with",
            )
        self._retire()
        self._epoch, self._begin = int(state["epoch"]), int(state["batch"])

    def stages(self) -> dict[str, float]:
        """Return what was spent since the loader was made.

        Returns
        -------
        dict
            Seconds of all threads in ``read``, ``decode``, ``resample``, ``colour`` and ``write``; seconds that the
            consumer waited, ``queue_wait``; ``images`` and ``bytes`` read. With the backend ``cuda`` only of images
            loaded one by one: batches show as NVTX ranges.
        """
        counters = self._assembler.pool.stages()
        found: dict[str, float] = {name: counters[name] / 1e9 for name in STAGES}
        found |= {name: counters[name] for name in ("images", "bytes")}
        waited = self._waited_ns + (self._progress.waited_ns if self._progress else 0)
        return found | {"queue_wait": waited / 1e9}

    def model(self, host: str | Host = "default") -> LoaderModel:
        """Return the time model of this loader for its own files, for ``perfmodel.predict(..., loader=loader)``."""
        from perfmodel.loading.describe import describe

        return describe(self, host)

    def close(self) -> None:
        """End all iterations and threads."""
        for iteration in list(self._iterations):
            iteration.close()
        self._closer()

    def __enter__(self) -> Loader:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def __getstate__(self) -> dict[str, Any]:
        """Options and position; threads and counters stay here."""
        return {"given": self._given, "state": self.state_dict()}

    def __setstate__(self, state: dict[str, Any]) -> None:
        Loader.__init__(self, **state["given"])
        self.load_state_dict(state["state"])

    def _retire(self) -> None:
        """Forget the iteration that the position was that of; keep what it waited."""
        if self._progress is not None:
            self._waited_ns += self._progress.waited_ns
        self._progress = None

    def _order_key(self) -> dict[str, Any]:
        s = self.sampling
        names = ("size", "batch", "shuffle", "seed", "rank", "world_size", "drop_last")
        return {name: getattr(s, name) for name in names}

    def _check_open(self) -> None:
        if not self._closer.alive:
            raise ValueError("the loader is closed")

    def _present(self, batch: Batch, copies: DeviceCopies | None, *, copy: bool) -> Any:
        """Make of a batch what the consumer sees; None leaves it out."""
        if batch.faults and not self._skip:
            raise image_error(batch.faults)
        self.skipped.update(batch.faults)
        if not batch.index.size:
            return None
        values = {role: self._images(images, copy=copy) for role, images in batch.images.items()}
        if self.source.labels is not None:
            values["label"] = self._array(self.source.labels[batch.index])
        if not self._as_tuple:
            values["index"] = self._array(batch.index)
        values = copies.send(values) if copies else values
        return tuple(values.values()) if self._as_tuple else values

    def _images(self, images: Images, *, copy: bool) -> Any:
        if isinstance(images, DeviceImages):
            return images.tensor()
        array = images.copy() if copy else images
        return as_tensor(array, self.pipeline.dtype) if self._tensors else array

    def _array(self, values: npt.NDArray[np.int64]) -> Any:
        return as_tensor(values.copy(), "int64") if self._tensors else values


def _check(workers: int | None, prefetch: int, on_error: str) -> None:
    for name, value in (("workers", workers), ("prefetch", prefetch)):
        if value is not None and value < 1:
            raise InputError(f"{name} must be at least 1, not {value}", f"give {name}=1 or more")
    if on_error not in ON_ERROR:
        raise InputError(f"on_error {on_error!r} is unknown", f"give {' or '.join(ON_ERROR)}")


def _worker_info() -> Any:
    data = sys.modules.get("torch.utils.data")
    return data.get_worker_info() if data is not None else None


def _nothing() -> None:
    """Settle nothing."""


def _worker_share(backend: str) -> tuple[int, int]:
    """First batch and stride of this process: workers of a torch DataLoader take turns."""
    info = _worker_info()
    if info is not None and backend == DEVICE_BACKEND:
        raise InputError(
            "a loader that transforms on a GPU cannot run in workers of a DataLoader",
            "iterate over the loader itself: its threads and the GPU are what workers would be",
        )
    return (0, 1) if info is None else (int(info.id), int(info.num_workers))


def _known_to_torch() -> None:
    """Tell a loaded torch that loaders are iterable data sets."""
    data = sys.modules.get("torch.utils.data")
    register = getattr(getattr(data, "IterableDataset", None), "register", None)
    if register is not None:
        register(Loader)
