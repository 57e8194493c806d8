from collections.abc import Sequence
from typing import Any

__version__: str

class Borrowed:
    """Host memory lent by another object, kept alive by this one; exports the buffer protocol."""

    @property
    def address(self) -> int: ...
    @property
    def shape(self) -> tuple[int, ...]: ...
    @property
    def strides(self) -> tuple[int, ...]:
        """In bytes."""
    @property
    def dtype(self) -> str: ...
    @property
    def device(self) -> str: ...
    @property
    def readonly(self) -> bool: ...
    @property
    def contiguous(self) -> bool: ...
    @property
    def nbytes(self) -> int: ...
    @property
    def protocol(self) -> str:
        """How it was borrowed: ``buffer`` or ``dlpack``."""
    def __buffer__(self, flags: int, /) -> memoryview: ...

def borrow(object: Any, *, writable: bool = False) -> Borrowed:
    """Borrow host memory from a buffer, an object with ``__dlpack__`` or a DLPack capsule.

    Raises ``BufferError`` for memory of another device, read-only memory that must be written to, the other byte
    order, negative strides or a consumed capsule; ``TypeError`` for other elements or an object that lends nothing.
    """

def isas() -> list[tuple[str, str, bool]]:
    """All instruction sets of this build, best first: (name, what it needs, supported here)."""

def isa() -> str:
    """Name of the instruction set in use; ``PERFMODEL_ISA`` forces one. ``ValueError`` for a wrong name."""

def sum(values: Any) -> float:
    """Sum of float32 or float64 elements of any non-negative strides, in double precision."""

def triad(out: Any, a: Any, b: Any, scale: float) -> None:
    """Compute ``out = a + scale * b`` for contiguous float32 buffers of one shape."""

def copy(out: Any, source: Any) -> None:
    """Copy a contiguous buffer into another of the same type and shape."""

def fma_rate(seconds: float) -> tuple[float, float]:
    """Run fused multiply-adds on one core for about that long: (operations, seconds)."""

PRODUCT_COLUMNS: tuple[str, ...]
"""Names of the columns of `product_time`, in order; the last three are boolean, the others float64."""

class ProductCoefficients:
    """The coefficients of `product_time`; ``KeyError`` where one is missing, others are passed over."""

    def __init__(self, values: dict[str, float]) -> None: ...

def product_time(out: Any, columns: Sequence[Any], coefficients: ProductCoefficients, threads: int = 1) -> None:
    """Seconds of matrix products into the contiguous float64 buffer ``out``; see ``perfmodel.roofline.products``.

    The columns broadcast to the shape of ``out`` by NumPy's rules.
    """
