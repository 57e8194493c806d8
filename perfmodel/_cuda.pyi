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
