"""The numbers of a GPU that physical times depend on, as arrays over GPUs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import Any

import numpy as np
import numpy.typing as npt

from perfmodel.hardware.gpu import Gpu

Floats = npt.NDArray[np.float64]

#: Share of the fp32 lanes that the schedulers can feed without pairing instructions: Kepler has 192 lanes an SM and
#: four schedulers of 32 (NVIDIA, Kepler GK110 whitepaper, 2012).
_ISSUE = {"Kepler": 128.0 / 192.0}


@dataclass(frozen=True, kw_only=True)
class Device:
    """Columns over GPUs; each has shape ``(g, 1)`` so that it broadcasts against operators ``(..., n)``.

    Attributes
    ----------
    sm : array
        Streaming multiprocessors.
    simt_flops, half_flops, tf32_flops, int8_flops, fp8_flops : array
        Sustained arithmetic peaks in FLOP/s (0 where the card lacks the engine).
    tensor : array of bool
        Whether 16-bit products run on tensor cores.
    bandwidth : array
        Specified DRAM bandwidth, B/s.
    l2_bytes : array
        L2 cache.
    old : array of bool
        Compute capability below 7.
    wide_batched : array of bool
        Compute capability of at least 8.
    winograd : array of bool
        The library has Winograd kernels for the card (cuDNN's begin with Maxwell, compute capability 5).
    """

    sm: Floats
    simt_flops: Floats
    half_flops: Floats
    tf32_flops: Floats
    int8_flops: Floats
    fp8_flops: Floats
    tensor: npt.NDArray[np.bool_]
    bandwidth: Floats
    l2_bytes: Floats
    old: npt.NDArray[np.bool_]
    wide_batched: npt.NDArray[np.bool_]
    winograd: npt.NDArray[np.bool_]

    @classmethod
    def of(cls, gpus: Sequence[Gpu]) -> Device:
        """Collect the columns of some GPUs."""
        sustained = np.array([gpu.sustained_mhz / gpu.boost_mhz for gpu in gpus])

        issue = np.array([_ISSUE.get(gpu.arch.split(maxsplit=1)[0], 1.0) for gpu in gpus])

        def peak(name: str) -> Floats:
            found: Floats = np.array([gpu.peaks_tflops.get(name, 0.0) for gpu in gpus]) * 1e12 * sustained
            return found

        columns = {
            "sm": np.array([float(gpu.sm) for gpu in gpus]),
            "simt_flops": peak("fp32") * issue,
            "half_flops": np.maximum(peak("fp16"), peak("fp32") * issue),
            "tf32_flops": peak("tf32"),
            "int8_flops": peak("int8"),
            "fp8_flops": peak("fp8"),
            "tensor": np.array([gpu.tensor_cores > 0 for gpu in gpus]),
            "bandwidth": np.array([gpu.bandwidth_gbs * 1e9 for gpu in gpus]),
            "l2_bytes": np.array([gpu.l2_mb * 1e6 for gpu in gpus]),
            "old": np.array([gpu.compute_capability < 7 for gpu in gpus]),
            "winograd": np.array([gpu.compute_capability >= 5 for gpu in gpus]),
            "wide_batched": np.array([gpu.compute_capability >= 8 for gpu in gpus]),
        }
        return cls(**{name: column[:, None] for name, column in columns.items()})

    def rows(self, index: npt.NDArray[np.intp]) -> Device:
        """The same columns for a selection of GPUs, one row each."""
        return Device(**{field.name: getattr(self, field.name)[index] for field in fields(self)})

    def along(self, chosen: npt.NDArray[np.bool_]) -> Device:
        """Restrict columns that hold one value an operator to some operators; columns that broadcast stay."""
        if len(chosen) > 1 and all(getattr(self, name).shape[-1] == 1 for name in _COLUMNS):
            return self
        return Device(**{field.name: pick(getattr(self, field.name), chosen) for field in fields(self)})


_COLUMNS = tuple(field.name for field in fields(Device))


def pick(array: npt.NDArray[Any], chosen: npt.NDArray[np.bool_]) -> npt.NDArray[Any]:
    """Select along the last axis unless that axis only broadcasts."""
    return array[..., chosen] if array.shape[-1] == len(chosen) else array
