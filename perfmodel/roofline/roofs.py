"""The roofs of a card: arithmetic of each precision, DRAM and L2 bandwidth, at their peak and as they are sustained.

The hierarchical roofline bounds an operator of F FLOPs that moves B_l bytes through memory level l by
min(peak, F / B_l * bandwidth_l) for each level (Yang, Kurth and Williams 2020, arXiv:2009.05257).
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

from perfmodel.hardware.gpu import Gpu
from perfmodel.hardware.spec import CPU_ARCH
from perfmodel.roofline.coefficients import KernelCoefficients

L2_BYTES_PER_CLOCK_AND_SM = 24.0
"""What an SM loads from L2 in a clock, all SMs loading. Read bandwidths that were measured: V100 2155 GiB/s, P100 1624
(Jia et al. 2018, arXiv:1804.06826), T4 1270 (Jia et al. 2019, arXiv:1903.07486), which are 21, 23 and 21 bytes a clock
and SM at boost; later cards, with more L2 slices, reach some 25 to 30. An estimate, within about 30 %."""

#: Precisions that have a roof of their own, the lowest first; bf16 shares that of fp16.
_CEILINGS = ("fp32", "tf32", "fp16", "int8", "fp8")


@dataclass(frozen=True, kw_only=True)
class Ceiling:
    """Arithmetic roof of a precision, TFLOP/s (TOP/s for int8): at the boost clock, and at the clock under load."""

    precision: str
    peak_tflops: float
    sustained_tflops: float


@dataclass(frozen=True, kw_only=True)
class Roofs:
    """Roofs of a card.

    Attributes
    ----------
    dram_gbs, dram_sustained_gbs : float
        Memory bandwidth of the data sheet, and what kernels reach of it, GB/s.
    l2_gbs : float or None
        L2 read bandwidth, an estimate; None for a processor, and for a card whose DRAM would outrun the estimate.
    ceilings : tuple of Ceiling
    """

    dram_gbs: float
    dram_sustained_gbs: float
    l2_gbs: float | None
    ceilings: tuple[Ceiling, ...]

    def to_dict(self) -> dict[str, Any]:
        """JSON form."""
        return asdict(self) | {"ceilings": [asdict(one) for one in self.ceilings]}


def roofs_of(gpu: Gpu, kernel: KernelCoefficients | None = None) -> Roofs:
    """Return the roofs of a card.

    Parameters
    ----------
    gpu : Gpu
    kernel : KernelCoefficients, optional
        What share of the bandwidth kernels reach; typical shares by default.
    """
    c = kernel or KernelCoefficients()
    clock = 1.0 if gpu.arch == CPU_ARCH else gpu.sustained_mhz / gpu.boost_mhz
    share = c.bandwidth_old if gpu.compute_capability < 7 else c.bandwidth_new
    ceilings = [
        Ceiling(precision=name, peak_tflops=gpu.peaks_tflops[name], sustained_tflops=gpu.peaks_tflops[name] * clock)
        for name in _CEILINGS
        if gpu.peaks_tflops.get(name, 0.0) > 0 and (name == "fp32" or gpu.tensor_cores)
    ]
    return Roofs(
        dram_gbs=gpu.bandwidth_gbs,
        dram_sustained_gbs=gpu.bandwidth_gbs * (1.0 if gpu.arch == CPU_ARCH else min(share, 1.0)),
        l2_gbs=_l2_gbs(gpu),
        ceilings=tuple(ceilings),
    )


def _l2_gbs(gpu: Gpu) -> float | None:
    if gpu.arch == CPU_ARCH:
        return None
    found = L2_BYTES_PER_CLOCK_AND_SM * gpu.sm * gpu.boost_mhz * 1e-3
    # Later cards than were measured feed DRAM faster than this rate: their L2 must be wider, by how much is not known.
    return found if found > 1.2 * gpu.bandwidth_gbs else None
