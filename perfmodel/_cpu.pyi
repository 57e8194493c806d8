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

def image_formats() -> dict[str, bool]:
    """Formats that this build reads: ``jpeg`` and ``png``; one is False where its library was missing."""

def decode_seconds(encoded: Any) -> float:
    """CPU time in s of decoding an encoded image on this thread and nothing else; ``ValueError`` where that fails.

    JPEG goes to RGB by libjpeg-turbo with its default settings, PNG through inflate and the undoing of its row filters:
    the bound that loading is measured against.
    """

def plan_dtype() -> Any:
    """NumPy type of the record that says what becomes of one image; `perfmodel.loading.plan` explains its fields."""

class ImagePool:
    """Threads that load batches of images: started at first use, again in a forked child, ended by `close`.

    ``ValueError`` unless there are 1 to 1024 threads. Several threads may call at once; their batches queue.
    """

    def __init__(self, threads: int) -> None: ...
    @property
    def threads(self) -> int: ...
    def load(
        self,
        sources: Sequence[str | tuple[Any, int, int]],
        plan: Any,
        out: Any,
        *,
        mean: Sequence[float] = (0.0, 0.0, 0.0),
        std: Sequence[float] = (1.0, 1.0, 1.0),
        filter: int = 2,
        layout: str = "nchw",
        cut_fill: float = 0.0,
        max_pixels: int = 178956970,
    ) -> tuple[Any, list[str]]:
        """Read, decode and transform images into a batch, without Python's lock.

        ``sources`` are paths or (buffer, offset, length) of encoded bytes; ``plan`` is an array (n,) of `plan_dtype`;
        ``out`` is a C-contiguous buffer (n, C, H, W), or (n, H, W, C) for layout ``nhwc``, of float32, float16, uint16
        (the bits of bfloat16) or uint8. Floating types take ``(v / 255 - mean) / std`` of the resized image's bytes.

        Returns the status of each image, int32 (n,), and a message for each that failed, whose place is zero: 1 cannot
        be opened, 2 no format that this build reads, 3 truncated or corrupt, 4 more than ``max_pixels``, 5 out of
        memory, 6 the crop is larger than the image. ``ValueError`` for arguments that do not fit together.
        """

    def sizes(self, sources: Sequence[str | tuple[Any, int, int]]) -> Any:
        """Height, width and channels of each image by its header, int32 (n, 3); zeros where it cannot be read."""

    def stages(self) -> dict[str, int]:
        """Nanoseconds of all threads in ``read``, ``decode``, ``resample``, ``colour`` and ``write``, of callers in
        ``wait``, and the number of ``images``, ``bytes`` and ``failed`` images so far."""

    def close(self) -> None:
        """End the threads; a closed pool raises ``ValueError``. Harmless to repeat."""

class HostBatch:
    """A batch of images in host memory, lent by DLPack: to NumPy, or, for bfloat16, to torch."""

    @property
    def shape(self) -> tuple[int, ...]: ...
    @property
    def dtype(self) -> str: ...
    def copy_to(self, out: Any) -> None:
        """Copy into a contiguous buffer of the same shape and size of elements."""

    def __dlpack__(
        self, *, stream: int | None = None, max_version: Any = None, dl_device: Any = None, copy: bool | None = None
    ) -> Any: ...
    def __dlpack_device__(self) -> tuple[int, int]: ...

def preprocess_on_host(
    images: Sequence[Any],
    plan: Any,
    size: tuple[int, int],
    *,
    channels: int = 3,
    dtype: str = "float32",
    layout: str = "nchw",
    mean: Sequence[float] = (0.0, 0.0, 0.0),
    std: Sequence[float] = (1.0, 1.0, 1.0),
    filter: int = 2,
    cut_fill: float = 0.0,
    columns: int = 0,
    resident: int = 528,
    shared_bytes: int = 49152,
    alignment: int = 16,
    pad_rows: bool = True,
    skew: int = 0,
) -> HostBatch:
    """Transform decoded images by the steps of the GPU's kernel, one thread after the other: slow, for tests.

    The options before ``columns`` are those of ``perfmodel._cuda.ImagePreprocessor.run``. The others set what a GPU
    decides by itself: columns of a tile, blocks at a time, shared memory of a block, and how pixels lie in memory.
    """
