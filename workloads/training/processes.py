"""Where a run computes: one process, or one of several that ``torchrun`` started."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from perfmodel.errors import InputError


@dataclass(frozen=True, kw_only=True)
class Place:
    """Rank, number of processes, and device of this process.

    Attributes
    ----------
    rank, world : int
    device : torch.device
    """

    rank: int
    world: int
    device: torch.device

    @property
    def first(self) -> bool:
        """Whether this process writes files and speaks."""
        return self.rank == 0

    def share(self, batch: int) -> int:
        """Samples of a global batch that fall to each process.

        Raises
        ------
        InputError
            When the batch does not divide evenly.
        """
        if batch % self.world:
            raise InputError(
                f"batch {batch} does not divide among {self.world} processes", f"give a multiple of {self.world}"
            )
        return batch // self.world


def read_gpu_ids(text: str) -> tuple[int, ...] | None:
    """Read ``0,1`` as numbers of cards; ``cpu`` and ``-1`` as none, ``auto`` as None (what the machine has).

    Raises
    ------
    InputError
        When the text names no cards.
    """
    words = [word.strip() for word in text.split(",") if word.strip()]
    if words == ["auto"]:
        return None
    if words in (["cpu"], ["-1"]):
        return ()
    if not words or not all(word.isdigit() for word in words):
        raise InputError(f"--gpus {text} names no cards", "give numbers such as 0 or 0,1, or cpu")
    if len(set(words)) < len(words):
        raise InputError(f"--gpus {text} names a card twice", "give each number once")
    return tuple(map(int, words))


def launched() -> bool:
    """Whether ``torchrun`` started this process."""
    return "RANK" in os.environ and "WORLD_SIZE" in os.environ


def check_cards(ids: Sequence[int]) -> None:
    """Refuse cards that this machine lacks.

    Raises
    ------
    InputError
        Naming the first.
    """
    count = torch.cuda.device_count() if torch.cuda.is_available() else 0
    for number in ids:
        if number >= count:
            has = f"{count} CUDA device{'s' * (count != 1)}" if count else "no CUDA device"
            raise InputError(
                f"--gpus names card {number}, and this machine has {has}", "give --gpus cpu, or cards it has"
            )


@contextmanager
def joined(gpus: str = "auto") -> Iterator[Place]:
    """Join the process group where ``torchrun`` started this process; give its place.

    A block inside another one shares its group. Blocks one after another in the same processes would not do: torch
    finds the addresses of the first group under the keys of the second, and some processes wait for ever.

    Parameters
    ----------
    gpus : str
        As `read_gpu_ids` reads it. Under ``torchrun`` process i takes the i-th card.
    """
    ids = read_gpu_ids(gpus)
    if ids is None:
        ids = tuple(range(torch.cuda.device_count())) if torch.cuda.is_available() else ()
        ids = ids if launched() else ids[:1]
    check_cards(ids)
    if not launched():
        yield Place(rank=0, world=1, device=torch.device(f"cuda:{ids[0]}") if ids else torch.device("cpu"))
        return
    local = int(os.environ.get("LOCAL_RANK", os.environ["RANK"]))
    if ids and local >= len(ids):
        raise InputError(f"process {local} has no card among --gpus {gpus}", "start as many processes as cards")
    device = torch.device(f"cuda:{ids[local]}") if ids else torch.device("cpu")
    if ids:
        torch.cuda.set_device(device)
    place = Place(rank=int(os.environ["RANK"]), world=int(os.environ["WORLD_SIZE"]), device=device)
    if torch.distributed.is_initialized():
        yield place
        return
    torch.distributed.init_process_group("nccl" if ids else "gloo")
    try:
        yield place
    finally:
        torch.distributed.destroy_process_group()


def distributed(module: nn.Module, place: Place) -> nn.Module:
    """Wrap a module so that its gradients are averaged over processes; itself where there is one."""
    if place.world == 1:
        return module
    from torch.nn.parallel import DistributedDataParallel

    ids = [place.device.index] if place.device.type == "cuda" else None
    return DistributedDataParallel(module, device_ids=ids, broadcast_buffers=False)


def bare(module: nn.Module) -> nn.Module:
    """The module inside a wrapper."""
    inner: Any = getattr(module, "module", module)
    return inner if isinstance(inner, nn.Module) else module


def mean_over_processes(values: Tensor, place: Place) -> Tensor:
    """Average a tensor over all processes, on the device, without waiting for it."""
    mean = values.detach().float().clone()
    if place.world > 1:
        torch.distributed.all_reduce(mean)
        mean = mean / place.world
    return mean
