"""One recorded operator: what a capture writes down before equal operators are merged."""

from __future__ import annotations

from dataclasses import dataclass, field
from math import prod
from typing import Any

NUMERIC = (
    "count",
    "b",
    "m",
    "n",
    "k",
    "flops",
    "read_half",
    "read_single",
    "read_other",
    "write_half",
    "write_single",
    "write_other",
    "rows",
    "cols",
    "saved_amp",
    "saved_single",
)
"""Numeric columns of a record. ``*_half``: elements stored in 16 bit under autocast; ``*_single``: elements that stay
float32; ``*_other``: bytes of everything else (indices, masks). One capture so serves every precision."""

STATIC = ("kind", "phase", "pass_", "name", "half", "cast", "window", "stride", "depthwise", "winograd")

_HALF_TYPES = ("torch.float16", "torch.bfloat16")
_SINGLE = "torch.float32"


@dataclass
class Record:
    """One operator instance with plain numbers at the captured point.

    Byte columns are linear in the batch and kept as ``[constant, per sample]``; the others are monomials, split when
    the capture ends.
    """

    name: str
    kind: str
    phase: str = "forward"
    pass_: str = "fwd"
    half: bool = False
    cast: bool = False
    window: int = 0
    stride: int = 1
    depthwise: bool = False
    winograd: bool = False
    count: int = 1
    b: int = 0
    m: int = 0
    n: int = 0
    k: int = 0
    flops: int = 0
    rows: int = 0
    cols: int = 0
    linear: dict[str, list[int]] = field(default_factory=dict)

    def add(self, column: str, constant: int, per_sample: int) -> None:
        """Add a linear amount to a byte column."""
        pair = self.linear.setdefault(column, [0, 0])
        pair[0] += constant
        pair[1] += per_sample

    def product(self, b: int, m: int, n: int, k: int) -> None:
        """Set the matrix-product view and its FLOPs, two per multiply-add."""
        self.b, self.m, self.n, self.k = b, m, n, k
        self.flops = 2 * b * m * n * k


def split(value: int, batch: int) -> tuple[int, int]:
    """Return ``(constant, per sample)`` of a monomial in the batch.

    The capture runs at a prime batch that divides no dimension of the network, so divisibility shows what scales.
    ``batch`` 0 means that nothing scales.
    """
    if batch and value and value % batch == 0:
        return 0, value // batch
    return value, 0


def elements(tensor: Any) -> int:
    """Distinct elements behind a tensor: expanded dimensions (stride 0) count once."""
    sizes = tensor.shape
    count = int(tensor.numel())
    if count < 2 or str(tensor.layout) != "torch.strided":
        return count
    strides = tensor.stride()
    if 0 not in strides:
        return count
    return prod(int(size) for size, stride in zip(sizes, strides, strict=True) if stride or size == 0)


def storage_class(tensor: Any) -> str:
    """Return ``half``, ``single`` or ``other`` by dtype."""
    text = str(tensor.dtype)
    if text in _HALF_TYPES:
        return "half"
    return "single" if text == _SINGLE else "other"


def add_tensor(record: Record, direction: str, tensor: Any, batch: int, count: int | None = None) -> None:
    """Account the traffic of one tensor.

    Parameters
    ----------
    record : Record
        Changed in place.
    direction : {"read", "write"}
    tensor : torch.Tensor
    batch : int
        The capture's batch (see `split`).
    count : int, optional
        Elements moved; all distinct ones by default.
    """
    moved = elements(tensor) if count is None else count
    kind = storage_class(tensor)
    if kind == "other":
        moved *= tensor.element_size()
    record.add(f"{direction}_{kind}", *split(moved, batch))
