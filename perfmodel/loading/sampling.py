"""Which samples an epoch reads, in which order, and which of them a rank gets."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from perfmodel.errors import InputError
from perfmodel.loading.philox import permutation

ORDER_STREAM = 1
"""Stream of random numbers that shuffles."""


@dataclass(frozen=True, kw_only=True)
class Sampling:
    """The order of an epoch over ranks and batches.

    Attributes
    ----------
    size : int
        Samples of the set.
    batch : int
        Samples of a batch of one rank.
    shuffle : bool
        A new random order each epoch; else the set's.
    seed : int
    rank, world_size : int
        Rank r reads samples r, r + world_size, ... of the order, as torch's DistributedSampler.
    drop_last : bool
        Leave out the samples that fill no whole batch (and, over ranks, no whole round); else the order is padded with
        its first samples until it divides by the ranks, and the last batch may be short.
    """

    size: int
    batch: int = 1
    shuffle: bool = False
    seed: int = 0
    rank: int = 0
    world_size: int = 1
    drop_last: bool = False

    def __post_init__(self) -> None:
        """Refuse numbers that make no sense."""
        for name in ("batch", "world_size"):
            if getattr(self, name) < 1:
                raise InputError(f"{name} must be at least 1, not {getattr(self, name)}", f"give {name}=1 or more")
        if not 0 <= self.rank < self.world_size:
            raise InputError(
                f"there is no rank {self.rank} of {self.world_size}", f"give a rank from 0 to {self.world_size - 1}"
            )
        if self.size < 1:
            raise InputError("there are no samples to load", "give a source that holds some")

    @property
    def samples(self) -> int:
        """Samples that this rank reads in an epoch."""
        if self.drop_last:
            return self.size // self.world_size
        return math.ceil(self.size / self.world_size)

    @property
    def batches(self) -> int:
        """Batches of this rank in an epoch."""
        return self.samples // self.batch if self.drop_last else math.ceil(self.samples / self.batch)

    def order(self, epoch: int) -> npt.NDArray[np.int64]:
        """Return the samples that this rank reads in an epoch, in their order."""
        if self.shuffle:
            whole = permutation(self.size, seed=self.seed, epoch=epoch, stream=ORDER_STREAM)
        else:
            whole = np.arange(self.size, dtype=np.int64)
        return np.resize(whole, self.samples * self.world_size)[self.rank :: self.world_size]

    def batch_of(self, order: npt.NDArray[np.int64], number: int) -> npt.NDArray[np.int64]:
        """Return the samples of a batch, given the order of its epoch."""
        return order[number * self.batch : min((number + 1) * self.batch, self.samples)]
