from collections.abc import Sequence
from typing import Any, Literal

__version__: str
architectures: str

def driver_version() -> int:
    """CUDA version of the driver (13000 = 13.0), 0 without a driver."""

def runtime_version() -> int:
    """CUDA version of the runtime linked in."""

def device_count() -> int:
    """Number of GPUs; ``CudaUnavailableError`` without a driver or GPU."""

def device_info(device: int = 0) -> dict[str, Any]:
    """Properties of one GPU: name, compute_capability, sm, sizes in bytes, clocks in kHz."""

def bandwidth(
    pattern: Literal["read", "copy", "triad"], bytes_per_array: int, *, repeats: int = 20, device: int = 0
) -> tuple[float, list[float]]:
    """Time passes over device memory: (bytes moved by one pass, seconds of each)."""

def launch_time(*, device: int = 0, launches: int = 1000, repeats: int = 11) -> list[float]:
    """Seconds per launch of an empty kernel, once for each repeat."""

def plan_dtype() -> Any:
    """NumPy type of the record that says what becomes of one image, as in ``perfmodel._cpu``."""

class DeviceBatch:
    """A batch of images on a GPU, perhaps still in the making.

    torch and CuPy take it without a copy by ``__dlpack__`` or ``__cuda_array_interface__``; their streams wait for it.
    The memory is used again when this object and all arrays on it are gone and what read them has run.
    """

    @property
    def shape(self) -> tuple[int, ...]: ...
    @property
    def dtype(self) -> str:
        """``float32``, ``float16``, ``bfloat16`` or ``uint8``."""
    @property
    def device(self) -> int: ...
    @property
    def ready(self) -> bool:
        """Whether it is there."""
    def wait(self) -> None:
        """Wait until it is there."""
    def wait_on(self, stream: int) -> None:
        """Make a stream (1: the default one) wait until it is there."""
    def times(self) -> dict[str, float]:
        """Wait, then return ``copy_s`` and ``kernel_s`` in s, ``read_bytes`` and ``write_bytes`` of the kernel."""
    def copy_to(self, out: Any) -> None:
        """Wait, then copy into a contiguous host buffer of the same shape and size of elements."""

    def __dlpack__(
        self, *, stream: int | None = None, max_version: Any = None, dl_device: Any = None, copy: bool | None = None
    ) -> Any: ...
    def __dlpack_device__(self) -> tuple[int, int]: ...
    @property
    def __cuda_array_interface__(self) -> dict[str, Any]:
        """Version 3, with the stream that consumers have to wait for; ``AttributeError`` for bfloat16."""

class ImagePreprocessor:
    """Decoded or encoded images to batches on a GPU, on a stream of its own; not usable in a forked child.

    Calls queue their work and return; several threads may call at once. The methods share these options, as
    ``perfmodel._cpu.ImagePool.load`` has them: ``channels`` (3), ``dtype`` (``float32``), ``layout`` (``nchw``),
    ``mean``, ``std``, ``filter`` (2) and ``cut_fill`` (0); ``columns`` (64 or 32, 0: chosen) is that of the kernel's
    tiles. ``size`` is the outputs' height and width, ``plan`` an array (n,) of `plan_dtype`.

    ``CudaUnavailableError`` without a GPU; ``ValueError`` for arguments that make no sense, ``RuntimeError`` with the
    failed call where CUDA fails.
    """

    def __init__(
        self,
        device: int = 0,
        *,
        threads: int = 1,
        slots: int = 3,
        decoder: str = "auto",
        nvjpeg: Sequence[str] = (),
    ) -> None: ...
    @property
    def device(self) -> int: ...
    @property
    def stream(self) -> int:
        """Handle of the stream that batches are made on."""
    @property
    def decoder(self) -> str:
        """``nvjpeg`` or ``cpu``."""
    @property
    def why_not_nvjpeg(self) -> str: ...
    def run(
        self, images: Sequence[Any], plan: Any, size: tuple[int, int], *, columns: int = 0, **options: Any
    ) -> DeviceBatch:
        """Transform decoded images of host memory: contiguous uint8 (H, W, 3), (H, W, 1) or (H, W)."""

    def run_packed(
        self,
        pixels: Any,
        offsets: Sequence[int],
        shapes: Sequence[tuple[int, int, int]],
        plan: Any,
        size: tuple[int, int],
        *,
        columns: int = 0,
        **options: Any,
    ) -> DeviceBatch:
        """Transform images that lie in one uint8 buffer (DLPack) on this GPU, at ``offsets`` in bytes, of ``shapes``
        (height, width, channels), their rows without gaps."""

    def load(
        self,
        sources: Sequence[str | tuple[Any, int, int]],
        plan: Any,
        size: tuple[int, int],
        *,
        max_pixels: int = 178956970,
        columns: int = 0,
        **options: Any,
    ) -> tuple[DeviceBatch, list[int], list[str]]:
        """Read, decode and transform: the batch, and status and messages as ``perfmodel._cpu.ImagePool.load``."""

    def time(
        self,
        images: Sequence[Any],
        plan: Any,
        size: tuple[int, int],
        *,
        columns: int = 0,
        copies: int = 1,
        repeats: int = 11,
        **options: Any,
    ) -> tuple[int, int, list[float]]:
        """Time the kernel alone, launched for each of ``copies`` copies of the pixels in turn.

        Returns the bytes of pixels that it needs and of outputs that it makes, and the seconds of one launch, once for
        each repeat. With copies and outputs well beyond the GPU's cache, that is the time from device memory.
        """

    def close(self) -> None:
        """End the threads and give memory back; batches that are there stay. Harmless to repeat."""
