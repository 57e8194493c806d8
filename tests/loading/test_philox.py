"""Counter-based random numbers: the published values, and independence of how they are asked for."""

from __future__ import annotations

import numpy as np
import pytest

from perfmodel.loading.philox import permutation, philox, uniforms, words

# Known answers of philox4x32-10 in Random123 1.14 (kat_vectors).
KNOWN = [
    ((0, 0, 0, 0), (0, 0), (0x6627E8D5, 0xE169C58D, 0xBC57AC4C, 0x9B00DBD8)),
    ((0xFFFFFFFF,) * 4, (0xFFFFFFFF,) * 2, (0x408F276D, 0x41C83B0E, 0xA20BC7C6, 0x6D5451FD)),
    (
        (0x243F6A88, 0x85A308D3, 0x13198A2E, 0x03707344),
        (0xA4093822, 0x299F31D0),
        (0xD16CFE09, 0x94FDCCEB, 0x5001E420, 0x24126EA1),
    ),
]


@pytest.mark.parametrize(("counter", "key", "expected"), KNOWN)
def test_published_values(counter: tuple[int, ...], key: tuple[int, int], expected: tuple[int, ...]) -> None:
    found = philox(np.array([counter], dtype=np.uint64), key[0] | key[1] << 32)
    assert tuple(found[0].tolist()) == expected


def test_a_sample_draws_the_same_alone_and_among_others() -> None:
    together = words(np.arange(100), 7, seed=5, epoch=2, stream=3)
    alone = words([41], 7, seed=5, epoch=2, stream=3)
    assert (together[41] == alone[0]).all()
    assert (words([41], 20, seed=5, epoch=2, stream=3)[0, :7] == alone[0]).all()


@pytest.mark.parametrize("change", [{"seed": 6}, {"epoch": 3}, {"stream": 4}, {"seed": 5 + 2**40}])
def test_everything_named_matters(change: dict[str, int]) -> None:
    base = {"seed": 5, "epoch": 2, "stream": 3}
    assert (words(np.arange(8), 4, **base) != words(np.arange(8), 4, **(base | change))).all()


def test_uniform_numbers_fill_the_unit_interval() -> None:
    u = uniforms(np.arange(20_000), 3, seed=1)
    assert u.min() >= 0
    assert u.max() < 1
    assert (u.astype(np.float32) == u).all(), "exact in single precision"
    assert np.abs(np.histogram(u, 10, (0, 1))[0] / u.size - 0.1).max() < 0.005
    assert np.abs(np.corrcoef(u.T) - np.eye(3)).max() < 0.03


def test_permutations_hold_everything_once() -> None:
    first, second = permutation(1000, seed=1, epoch=0), permutation(1000, seed=1, epoch=1)
    assert sorted(first) == sorted(second) == list(range(1000))
    assert (first != second).mean() > 0.99
    assert (first == permutation(1000, seed=1, epoch=0)).all()
    assert permutation(0, seed=1).size == 0
