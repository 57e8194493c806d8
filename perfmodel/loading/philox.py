"""Random numbers by counter: the same for a (seed, epoch, sample), whatever was drawn before, by whom or in what order.

Philox4x32-10 of Salmon et al., "Parallel random numbers: as easy as 1, 2, 3" (SC 2011), on arrays of counters.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

_ROUNDS = 10
_MULTIPLIERS = (np.uint64(0xD2511F53), np.uint64(0xCD9E8D57))
_WEYL = (0x9E3779B9, 0xBB67AE85)
_LOW = np.uint64(0xFFFFFFFF)
_32 = np.uint64(32)
_MASK = 0xFFFFFFFF

WORDS = 4
"""Words of 32 bits that one counter gives."""


def philox(counter: npt.NDArray[np.uint64], key: int) -> npt.NDArray[np.uint64]:
    """Return the four words of each counter.

    Parameters
    ----------
    counter : array (..., 4) of uint64
        Four words below 2**32.
    key : int
        64 bits.

    Returns
    -------
    array (..., 4) of uint64
        Words below 2**32.
    """
    a, b, c, d = (np.ascontiguousarray(counter[..., word]) for word in range(WORDS))
    keys = [key & _MASK, key >> 32 & _MASK]
    for _ in range(_ROUNDS):
        first, second = a * _MULTIPLIERS[0], c * _MULTIPLIERS[1]
        a, b = (second >> _32) ^ b ^ np.uint64(keys[0]), second & _LOW
        c, d = (first >> _32) ^ d ^ np.uint64(keys[1]), first & _LOW
        keys = [(word + step) & _MASK for word, step in zip(keys, _WEYL, strict=True)]
    return np.stack([a, b, c, d], axis=-1)


def words(index: npt.ArrayLike, count: int, *, seed: int, epoch: int = 0, stream: int = 0) -> npt.NDArray[np.uint64]:
    """Return `count` words of 32 bits for each index.

    Parameters
    ----------
    index : array_like (n,) of int
        Sample, below 2**32.
    count : int
    seed, epoch, stream : int
        64, 32 and 16 bits; streams keep purposes apart.

    Returns
    -------
    array (n, count) of uint64
    """
    samples = np.asarray(index, dtype=np.uint64).reshape(-1)
    blocks = -(-count // WORDS)
    counter = np.empty((samples.size, blocks, WORDS), dtype=np.uint64)
    counter[..., 0] = samples[:, None] & _LOW
    counter[..., 1] = np.uint64(epoch & _MASK)
    counter[..., 2] = np.arange(blocks, dtype=np.uint64)
    counter[..., 3] = np.uint64(stream & _MASK)
    return philox(counter, seed).reshape(samples.size, blocks * WORDS)[:, :count]


def uniforms(
    index: npt.ArrayLike, count: int, *, seed: int, epoch: int = 0, stream: int = 0
) -> npt.NDArray[np.float64]:
    """Return `count` numbers in [0, 1) for each index, exact in float32 (24 bits); arguments as of `words`."""
    bits = words(index, count, seed=seed, epoch=epoch, stream=stream) >> np.uint64(8)
    return np.asarray(bits.astype(np.float64) * 2.0**-24)


def permutation(size: int, *, seed: int, epoch: int = 0, stream: int = 0) -> npt.NDArray[np.int64]:
    """Return a random order of ``range(size)``; arguments as of `words`."""
    drawn = words(np.arange(size, dtype=np.uint64), 2, seed=seed, epoch=epoch, stream=stream)
    keys = drawn[:, 0] << _32 | drawn[:, 1]
    return np.asarray(np.argsort(keys, kind="stable"), dtype=np.int64)
