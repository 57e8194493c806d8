"""The order of an epoch over ranks: every sample once, padded as torch pads."""

from __future__ import annotations

import numpy as np
import pytest

from perfmodel.errors import InputError
from perfmodel.loading.sampling import Sampling


@pytest.mark.parametrize("size", [1, 2, 7, 8, 23])
@pytest.mark.parametrize("world", [1, 2, 3, 5, 30])
@pytest.mark.parametrize("drop_last", [False, True])
def test_ranks_get_what_torch_gives_them(size: int, world: int, drop_last: bool) -> None:
    distributed = pytest.importorskip("torch.utils.data.distributed")
    if drop_last and size < world:
        pytest.skip("torch gives nothing and divides by zero")
    for rank in range(world):
        theirs = distributed.DistributedSampler(
            range(size), num_replicas=world, rank=rank, shuffle=False, drop_last=drop_last
        )
        ours = Sampling(size=size, rank=rank, world_size=world, drop_last=drop_last)
        assert ours.order(0).tolist() == list(theirs)
        assert ours.samples == len(theirs)


@pytest.mark.parametrize(("size", "world"), [(10, 3), (12, 4), (5, 8), (100, 7)])
def test_shuffled_ranks_share_one_order(size: int, world: int) -> None:
    ranks = [Sampling(size=size, rank=r, world_size=world, shuffle=True, seed=3).order(4) for r in range(world)]
    dealt = np.stack(ranks, axis=1).reshape(-1)
    assert sorted(dealt[:size]) == list(range(size)), "every sample once"
    assert (dealt[size:] == np.resize(dealt[:size], dealt.size)[size:]).all(), "padded from the start"
    assert len({len(one) for one in ranks}) == 1


def test_epochs_differ_and_repeat() -> None:
    sampling = Sampling(size=50, shuffle=True, seed=1)
    assert sampling.order(0).tolist() == sampling.order(0).tolist()
    assert sampling.order(0).tolist() != sampling.order(1).tolist()
    assert sampling.order(0).tolist() != Sampling(size=50, shuffle=True, seed=2).order(0).tolist()


@pytest.mark.parametrize(("batch", "drop_last", "sizes"), [(4, False, [4, 4, 2]), (4, True, [4, 4]), (10, True, [10])])
def test_batches(batch: int, drop_last: bool, sizes: list[int]) -> None:
    sampling = Sampling(size=10, batch=batch, drop_last=drop_last)
    order = sampling.order(0)
    found = [sampling.batch_of(order, number) for number in range(sampling.batches)]
    assert [one.size for one in found] == sizes


@pytest.mark.parametrize(
    "wrong", [{"batch": 0}, {"rank": 2, "world_size": 2}, {"rank": -1}, {"world_size": 0}, {"size": 0}]
)
def test_nonsense_is_refused(wrong: dict[str, int]) -> None:
    with pytest.raises(InputError):
        Sampling(**({"size": 5} | wrong))
