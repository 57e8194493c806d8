"""The order of samples: shuffled by seed and epoch, shared among processes, resumable in the middle of an epoch."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from torch.utils.data import Sampler

from perfmodel.errors import InputError


def keyed(*key: int) -> np.random.Generator:
    """A generator of random numbers that depends on nothing but its key."""
    return np.random.Generator(np.random.Philox(key=[key[0] & (2**64 - 1), hash(key[1:]) & (2**64 - 1)]))


class EpochOrder(Sampler[int]):
    """Indices of one epoch for one process, in whole batches.

    Parameters
    ----------
    length : int
        Samples of the data set.
    batch : int
        Samples a step of this process; a last batch that is not full is left out.
    seed : int
    rank, world : int
    shuffle : bool
    """

    def __init__(
        self, length: int, *, batch: int, seed: int = 0, rank: int = 0, world: int = 1, shuffle: bool = True
    ) -> None:
        if length < batch * world:
            raise InputError(
                f"{length} samples are less than one batch of {batch * world}", "give more images or a smaller --batch"
            )
        self._length, self.batch, self._seed = length, batch, seed
        self.rank, self.world, self._shuffle = rank, world, shuffle
        self.epoch = 0
        self.start = 0
        """First step of the epoch that is still to come."""

    @property
    def steps(self) -> int:
        """Steps of a whole epoch."""
        return self._length // (self.batch * self.world)

    def __len__(self) -> int:
        """Samples of the rest of the epoch."""
        return (self.steps - self.start) * self.batch

    def __iter__(self) -> Iterator[int]:
        """Indices from step `start` on; a step's global batch is split among processes in order."""
        everything = np.arange(self._length)
        if self._shuffle:
            everything = keyed(self._seed, self.epoch, 1).permutation(self._length)
        whole = self.batch * self.world
        for step in range(self.start, self.steps):
            first = step * whole + self.rank * self.batch
            yield from (int(index) for index in everything[first : first + self.batch])


def held_out(length: int, share: float, *, seed: int) -> tuple[list[int], list[int]]:
    """Split samples by seed into those to train on and those held out, both in their old order.

    Parameters
    ----------
    length : int
    share : float
        Of the samples to hold out, above 0 and below 1; at least one sample falls to each part.

    Raises
    ------
    InputError
        When there are fewer than two samples, or the share leaves no part.
    """
    if not 0.0 < share < 1.0:
        raise InputError(f"--validation is {share:g}", "give a share above 0 and below 1")
    if length < 2:
        raise InputError(f"{length} sample cannot be split for validation", "give at least two")
    count = min(max(round(share * length), 1), length - 1)
    order = keyed(seed, 0, 7).permutation(length)
    return sorted(map(int, order[count:])), sorted(map(int, order[:count]))
