"""Memory that batches are written to again and again: NumPy's, or pinned memory of torch."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from perfmodel.errors import DependencyError
from perfmodel.loading.transforms import Channel, Transform

STORAGE = {"float32": np.float32, "float16": np.float16, "bfloat16": np.uint16, "uint8": np.uint8}
"""NumPy type that holds each output type."""


@dataclass(frozen=True, kw_only=True)
class Group:
    """Files of a sample that one call loads, as their outputs are alike.

    Attributes
    ----------
    roles : tuple of str
    streams : tuple of int
        Of random numbers, for each role.
    channel : tuple of Channel
        For each role.
    """

    roles: tuple[str, ...]
    streams: tuple[int, ...]
    channels: tuple[Channel, ...]

    @property
    def common(self) -> Channel:
        """What the outputs share: channels, mean, std."""
        return self.channels[0]


def groups(transform: Transform, roles: tuple[str, ...], *, paired: bool) -> tuple[Group, ...]:
    """Put the roles whose outputs have the same channels, mean and std together."""
    found: dict[tuple[object, ...], list[str]] = {}
    for role in roles:
        channel = transform.channel(role)
        found.setdefault((channel.channels, channel.mean, channel.std), []).append(role)
    return tuple(
        Group(
            roles=tuple(names),
            streams=tuple(0 if paired else roles.index(name) for name in names),
            channels=tuple(transform.channel(name) for name in names),
        )
        for names in found.values()
    )


def image_shape(transform: Transform, channels: int) -> tuple[int, int, int]:
    """Shape of one output image."""
    height, width = transform.size
    return (channels, height, width) if transform.layout == "nchw" else (height, width, channels)


def allocate(shape: tuple[int, ...], dtype: str, *, pinned: bool = False) -> npt.NDArray[Any]:
    """Return memory for outputs of a type.

    Raises
    ------
    DependencyError
        When pinned memory is asked for without torch.
    """
    storage = np.dtype(STORAGE[dtype])
    if not pinned:
        return np.empty(shape, dtype=storage)
    torch = torch_module()
    size = int(np.prod(shape)) * storage.itemsize
    array: npt.NDArray[Any] = torch.empty(size, dtype=torch.uint8, pin_memory=True).numpy().view(storage).reshape(shape)
    return array


def torch_module() -> Any:
    """Import torch.

    Raises
    ------
    DependencyError
        When it is not installed.
    """
    try:
        import torch
    except ImportError as error:
        raise DependencyError("tensors and pinned memory need torch", "pip install 'perfmodel[torch]'") from error
    return torch


def should_pin(pin: bool | str, *, tensors: bool) -> bool:
    """Whether to use pinned memory: as asked; by itself where tensors are made and torch sees a GPU."""
    if pin != "auto":
        return bool(pin)
    torch = sys.modules.get("torch")
    return tensors and torch is not None and bool(torch.cuda.is_available())


def as_tensor(array: npt.NDArray[Any], dtype: str) -> Any:
    """Return a tensor on an array's memory; bits of bfloat16 become bfloat16."""
    torch = torch_module()
    if dtype == "bfloat16":
        return torch.from_numpy(array.view(np.int16)).view(torch.bfloat16)
    return torch.from_numpy(array)
