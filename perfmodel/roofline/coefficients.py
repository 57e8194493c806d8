"""Coefficients of the physical time of kernels, fitted by ``perfmodel.calibration.fit_prior``."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields


@dataclass(frozen=True, kw_only=True)
class KernelCoefficients:
    """Numbers that turn shapes into seconds; each is a dimensionless share or factor unless its name has a unit.

    Attributes
    ----------
    k_prologue : float
        Multiply-add steps along K that a tile spends outside its main loop.
    occupancy_half : float
        Resident work of an SM, in 128 x 128 tiles, at which half of the rate is reached.
    tile_8192, tile_4096, tile_small : float
        Rate of smaller tiles relative to a 128 x 128 one.
    wave_fill : float
        0: a last partial wave costs its share; 1: it costs a whole wave.
    simt_share, half_share, tf32_share, int8_share : float
        Share of the sustained peak that full waves of the largest tile reach.
    unaligned_old : float
        Extra arithmetic time of shapes not divisible by four before compute capability 7.
    miss_aligned, miss_unaligned_old, miss : float
        Share of tile traffic that reaches DRAM.
    raster_old, raster : float
        Weight of the operand traffic of whole waves (before and from compute capability 7 on).
    l2_reach : float
        Working set, in L2 sizes, at which half of the tile traffic misses.
    write_extra : float
        Extra DRAM traffic for each byte of a product's result.
    bandwidth_old, bandwidth_new : float
        Share of the specified bandwidth (before and from compute capability 7 on).
    product_memory : float
        Share of that again which matrix products reach.
    batched_rows : float
        Fewest tile rows of batched fp32 products from compute capability 8 on (all kernels seen there are 128 high).
    norm_old, norm_new, softmax_old, softmax_new : float
        Share of that again which normalisation and softmax kernels reach.
    depthwise_memory, depthwise_compute : float
        Depthwise convolution: share of bandwidth and of the fp32 peak.
    convolution : float
        Arithmetic efficiency of implicit-GEMM convolution relative to a plain product.
    backward_data, backward_weight : float
        The same for the two backward products, relative to the forward one.
    winograd2, winograd4, winograd_weight : float
        Efficiency of fused F(2x2) and unfused F(4x4) Winograd products, and of the latter for gradients of weights.
    kernel_s : float
        Seconds that each kernel takes at the least on the device.
    """

    k_prologue: float = 50.0
    occupancy_half: float = 0.1
    tile_8192: float = 1.0
    tile_4096: float = 0.95
    tile_small: float = 0.8
    wave_fill: float = 0.3
    simt_share: float = 0.88
    half_share: float = 0.7
    tf32_share: float = 0.7
    int8_share: float = 0.6
    unaligned_old: float = 1.1
    miss_aligned: float = 0.07
    miss_unaligned_old: float = 1.5
    miss: float = 0.07
    raster_old: float = 1.0
    raster: float = 0.3
    l2_reach: float = 5.0
    write_extra: float = 0.5
    bandwidth_old: float = 0.77
    bandwidth_new: float = 0.9
    product_memory: float = 0.8
    batched_rows: float = 128.0
    norm_old: float = 0.66
    norm_new: float = 0.68
    softmax_old: float = 0.75
    softmax_new: float = 0.75
    depthwise_memory: float = 0.5
    depthwise_compute: float = 0.2
    convolution: float = 0.85
    backward_data: float = 0.9
    backward_weight: float = 0.8
    winograd2: float = 0.7
    winograd4: float = 0.7
    winograd_weight: float = 0.7
    kernel_s: float = 3e-6

    @classmethod
    def from_dict(cls, values: Mapping[str, float]) -> KernelCoefficients:
        """Build from a mapping; unknown names are an error so that a stale file is noticed."""
        return cls(**{str(name): float(value) for name, value in values.items()})

    def to_dict(self) -> dict[str, float]:
        """Names and values, for JSON."""
        return asdict(self)


NAMES = tuple(field.name for field in fields(KernelCoefficients))
