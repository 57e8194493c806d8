"""CycleGAN's batches by this package's loader: decoding, resizing and cropping in C++ threads."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import torch

from perfmodel.loading.loader import Loader
from perfmodel.loading.sources import UnpairedFolders
from perfmodel.loading.transforms import find_transform
from perfmodel.workloads.cyclegan.data import UnpairedImages
from perfmodel.workloads.training.order import EpochOrder

if TYPE_CHECKING:
    from perfmodel.workloads.cyclegan.training import Options


class PathList:
    """Files of one domain, wherever they lie."""

    def __init__(self, paths: Sequence[Path]) -> None:
        self._paths = [os.fspath(path) for path in paths]

    @property
    def names(self) -> Sequence[str]:
        """Paths."""
        return self._paths

    @property
    def where(self) -> str:
        """Folder of the first."""
        return os.path.dirname(self._paths[0])

    def item(self, index: int) -> str:
        """What the pool reads."""
        return self._paths[index]

    def size(self, index: int) -> int:
        """Bytes of a file."""
        return os.path.getsize(self._paths[index])


class NativeBatches:
    """The rest of an epoch's batches, ``A`` and ``B``, by `perfmodel.Loader`.

    The order and the crops follow from seed, epoch and number as the torch loader's do, but are others.

    Parameters
    ----------
    data : UnpairedImages
    order : EpochOrder
    options : Options
    """

    def __init__(self, data: UnpairedImages, order: EpochOrder, options: Options) -> None:
        transform = replace(
            find_transform("cyclegan"),
            size=(options.crop_size, options.crop_size),
            resize=(options.load_size, options.load_size),
        )
        self._order = order
        self._loader = Loader(
            UnpairedFolders(PathList(data.paths_a), PathList(data.paths_b)), transform, batch=order.batch, shuffle=True,
            seed=options.seed, workers=max(options.workers, 1), rank=order.rank, world_size=order.world, drop_last=True,
            tensors=True, prefetch=3,
        )  # fmt: skip

    def __iter__(self) -> Iterator[dict[str, torch.Tensor]]:
        """Yield batches from the order's first step to the end of its epoch."""
        state = self._loader.state_dict()
        self._loader.load_state_dict(state | {"epoch": self._order.epoch, "batch": self._order.start})
        with self._loader:
            for _, batch in zip(range(self._order.start, self._order.steps), self._loader, strict=False):
                yield batch
