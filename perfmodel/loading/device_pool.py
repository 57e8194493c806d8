"""The pool of a loader whose images are transformed on a GPU: `perfmodel._cuda.ImagePreprocessor` behind `Pool`."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from perfmodel import native
from perfmodel.errors import InputError
from perfmodel.loading.buffers import torch_module
from perfmodel.loading.gpu import open_preprocessor
from perfmodel.loading.pools import Item, Pool
from perfmodel.loading.prefetch import THREADS as PREFETCH_THREADS

if TYPE_CHECKING:
    from perfmodel._cuda import DeviceBatch

BACKEND = "cuda"

Places = range | npt.NDArray[np.intp]


class DeviceImages:
    """Images of a batch on a GPU, or some of them; stands where the arrays of other backends do.

    Parameters
    ----------
    shape : tuple of int
    dtype : str
    batch : DeviceBatch, optional
        None as long as it is not made.
    places : range or array of int, optional
        Which images of the batch; all where not given.
    """

    def __init__(
        self, shape: tuple[int, ...], dtype: str, batch: DeviceBatch | None = None, places: Places | None = None
    ) -> None:
        self.shape, self.dtype, self.batch = shape, dtype, batch
        self._places: Places = range(shape[0]) if places is None else places

    def __getitem__(self, part: slice) -> DeviceImages:
        """Return some of the images, by a slice without a step."""
        return self._some(self._places[part])

    def take(self, chosen: npt.NDArray[np.intp]) -> DeviceImages:
        """Return the images at some places of these."""
        return self._some(np.asarray(self._places)[chosen])

    def tensor(self) -> Any:
        """Return a torch tensor; the current stream waits for the batch, the process does not.

        On the batch's memory, which no other batch is written to while the tensor is there; a copy after `take`.
        """
        torch = torch_module()
        whole = torch.from_dlpack(self.batch)
        if isinstance(self._places, range):
            return whole[self._places.start : self._places.stop]
        return whole[torch.from_numpy(self._places).to(whole.device)]

    def _some(self, places: Places) -> DeviceImages:
        return DeviceImages((len(places), *self.shape[1:]), self.dtype, self.batch, places if self.batch else None)


class DevicePool:
    """Threads that read and decode, and a GPU that does the rest.

    Parameters
    ----------
    device : str
        As torch names it.
    threads : int
        That decode.
    ahead : int
        Batches prepared ahead.

    Raises
    ------
    CudaUnavailableError
        Without a GPU, or where ``perfmodel._cuda`` was not built.
    """

    def __init__(self, device: str, threads: int, *, ahead: int) -> None:
        self.threads, self._process = threads, os.getpid()
        # As many batches are made at a time as there are threads that ask for them, and one may be on its way.
        self._preprocessor = open_preprocessor(
            device_number(device), threads=threads, slots=min(ahead, PREFETCH_THREADS) + 1
        )
        self._host: Pool = native.cpu().ImagePool(threads)

    def load(
        self, sources: Sequence[Item], plan: npt.NDArray[np.void], out: Any, **common: Any
    ) -> tuple[npt.NDArray[np.int32], list[str]]:
        """Load and transform images: on the GPU into `DeviceImages`, on the host into an array (single images)."""
        if not isinstance(out, DeviceImages):
            return self._host.load(sources, plan, out, **common)
        if os.getpid() != self._process:
            raise InputError(
                "a loader that transforms on a GPU cannot run in a forked process, such as a DataLoader's worker",
                "make it there, or iterate over it where it was made: its threads and the GPU are its workers",
            )
        nchw = common["layout"] == "nchw"
        channels, height, width = out.shape[1:] if nchw else (out.shape[3], *out.shape[1:3])
        out.batch, status, messages = self._preprocessor.load(
            sources, plan, (height, width), channels=channels, dtype=out.dtype, **common
        )
        return np.asarray(status, dtype=np.int32), list(messages)

    def sizes(self, sources: Sequence[Item]) -> npt.NDArray[np.int32]:
        """Return height, width and channels of each image."""
        return self._host.sizes(sources)

    def stages(self) -> dict[str, int]:
        """Return what single images took on the host; the GPU's work is in the ranges ``copy`` and ``kernel``."""
        return self._host.stages()

    def close(self) -> None:
        """End the threads and give memory back; batches that are there stay."""
        self._preprocessor.close()
        self._host.close()


def device_number(device: str) -> int:
    """Return the number of a GPU as torch names it; ``cuda`` is torch's current one.

    Raises
    ------
    InputError
        For a device that is no GPU.
    """
    torch = torch_module()
    named = torch.device(device)
    if named.type != "cuda":
        raise InputError(f"backend 'cuda' cannot make tensors on {device!r}", "give device='cuda', or another backend")
    return int(torch.cuda.current_device() if named.index is None and torch.cuda.is_available() else named.index or 0)
