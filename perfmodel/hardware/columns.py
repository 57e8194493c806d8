"""Numeric columns of many cards at once, for vectorised comparison."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from perfmodel.hardware.spec import Gpu

_FIELDS = (
    "compute_capability",
    "sm",
    "cuda_cores",
    "tensor_cores",
    "base_mhz",
    "boost_mhz",
    "sustained_mhz",
    "memory_gb",
    "memory_bus_bits",
    "bandwidth_gbs",
    "memory_mhz",
    "l2_mb",
    "l1_kb_per_sm",
    "smem_kb_per_sm",
    "regs_per_sm",
    "max_threads_per_sm",
    "tdp_w",
    "pcie_gen",
    "pcie_lanes",
    "nvlink_gbs",
    "dies",
)
PEAKS = ("fp64", "fp32", "fp16", "fp16_cuda", "bf16", "tf32", "int8", "fp8")


def gpu_columns(gpus: Sequence[Gpu]) -> dict[str, npt.NDArray[np.float64]]:
    """Return the numeric specification of n cards as columns of shape (n,), float64.

    Names are those of `Gpu` with their units, and ``peak_<precision>_tflops`` for each key of `Gpu.peaks_tflops`.
    What a card lacks is NaN.
    """
    columns = {name: np.array([_number(getattr(gpu, name)) for gpu in gpus], dtype=np.float64) for name in _FIELDS}
    for peak in PEAKS:
        values = [gpu.peaks_tflops.get(peak, np.nan) for gpu in gpus]
        columns[f"peak_{peak}_tflops"] = np.array(values, dtype=np.float64)
    return columns


def _number(value: float | None) -> float:
    return float("nan") if value is None else float(value)
