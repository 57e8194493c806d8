"""One dispatched operator call, as the cost rules see it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from perfmodel.graph.records import storage_class


@dataclass(frozen=True)
class Call:
    """One dispatched operator call.

    Attributes
    ----------
    name : str
        Packet name without namespace.
    args : tuple
        Positional arguments.
    kwargs : dict
    outputs : tuple
        The result as a flat tuple of tensors.
    batch : int
        The capture's batch; 0 where nothing scales.
    """

    name: str
    args: tuple[Any, ...]
    kwargs: dict[str, Any]
    outputs: tuple[Any, ...]
    batch: int

    def argument(self, position: int, default: Any = None) -> Any:
        """Positional argument or ``default``."""
        return self.args[position] if position < len(self.args) else default


def tensors(value: Any) -> Iterator[Any]:
    """Yield every tensor in nested arguments."""
    if hasattr(value, "untyped_storage"):
        yield value
    elif isinstance(value, (list, tuple)):
        for item in value:
            yield from tensors(item)
    elif isinstance(value, dict):
        for item in value.values():
            yield from tensors(item)


def is_half(tensor: Any) -> bool:
    """Whether a tensor is stored in 16 bit."""
    return storage_class(tensor) == "half"
