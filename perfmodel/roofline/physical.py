"""Physical device time of every operator of a graph on a GPU."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from perfmodel.graph.operators import KINDS, PASSES, Operators
from perfmodel.roofline.coefficients import KernelCoefficients
from perfmodel.roofline.device import Device, pick
from perfmodel.roofline.products import Products, product_time

Floats = npt.NDArray[np.float64]
Bools = npt.NDArray[np.bool_]

_KIND = {name: code for code, name in enumerate(KINDS)}
PRODUCT_KINDS = tuple(_KIND[name] for name in ("gemm", "conv", "attention", "rnn"))
#: Whether operators of a kind are matrix products, by kind code.
IS_PRODUCT = np.isin(np.arange(len(KINDS)), PRODUCT_KINDS)
#: Engine of operators that run in 32 bit, and of those that run in the low precision, by canonical precision.
ENGINE_OF = {
    "fp32": ("simt", "simt"),
    "tf32": ("tf32", "tf32"),
    "fp16": ("half", "half"),
    "bf16": ("half", "half"),
    "amp_fp16": ("simt", "half"),
    "amp_bf16": ("simt", "half"),
    "int8": ("int8", "int8"),
    "fp8": ("fp8", "fp8"),
}
#: Graph variant whose storage a precision has, and its bytes relative to that variant.
VARIANT_OF = {
    "fp32": "fp32", "tf32": "fp32", "fp16": "half", "bf16": "half", "amp_fp16": "amp", "amp_bf16": "amp",
    "int8": "half", "fp8": "half",
}  # fmt: skip
BYTES_SCALE = {"int8": 0.5, "fp8": 0.5}


def physical_time(ops: Operators, device: Device, precision: str, c: KernelCoefficients) -> Floats:
    """Seconds of one instance of each operator on the device, without host launch.

    Parameters
    ----------
    ops : Operators
        Evaluated operators, arrays ``(..., n)``.
    device : Device
        Device columns that broadcast against ``(..., n)``.
    precision : str
        Canonical precision (``fp32``, ``tf32``, ``amp_fp16``, ...).
    c : KernelCoefficients
        Fitted numbers.

    Returns
    -------
    array
        Seconds, shape ``(..., n)``.
    """
    product = IS_PRODUCT[ops.kind] & (np.asarray(ops.flops).reshape(-1, len(ops.kind)).max(axis=0) > 0)
    deep = product & np.asarray(ops.depthwise, dtype=bool)
    product &= ~deep
    shape = np.broadcast_shapes(np.shape(ops.read), device.sm.shape)
    time = np.empty(shape)
    for chosen, branch in ((product, _product_time), (deep, _depthwise_time), (~product & ~deep, _bytes_time)):
        if chosen.any():
            time[..., chosen] = branch(ops, chosen, device.along(chosen), precision, c)
    return time + c.kernel_s


def _traffic(ops: Operators, chosen: Bools, precision: str) -> Floats:
    result: Floats = (ops.read[..., chosen] + ops.write[..., chosen]) * BYTES_SCALE.get(precision, 1.0)
    return result


def _bandwidth(device: Device, c: KernelCoefficients) -> Floats:
    result: Floats = device.bandwidth * np.where(device.old, c.bandwidth_old, c.bandwidth_new)
    return result


def _bytes_time(ops: Operators, chosen: Bools, device: Device, precision: str, c: KernelCoefficients) -> Floats:
    norm = np.where(device.old, c.norm_old, c.norm_new)
    softmax = np.where(device.old, c.softmax_old, c.softmax_new)
    kind = ops.kind[chosen]
    share = np.where(kind == _KIND["norm"], norm, np.where(kind == _KIND["softmax"], softmax, 1.0))
    result: Floats = _traffic(ops, chosen, precision) / (_bandwidth(device, c) * share)
    return result


def _depthwise_time(ops: Operators, chosen: Bools, device: Device, precision: str, c: KernelCoefficients) -> Floats:
    memory = _traffic(ops, chosen, precision) / (_bandwidth(device, c) * c.depthwise_memory)
    result: Floats = memory + ops.flops[..., chosen] / (device.simt_flops * c.depthwise_compute)
    return result


def engine_flops(device: Device, precision: str, half: Bools, c: KernelCoefficients) -> tuple[Floats, Bools, Floats]:
    """Sustained FLOP/s reached by full tiles, whether on tensor cores, and operand bytes, per operator."""
    wide_engine, low_engine = ENGINE_OF[precision]
    peaks = {
        "simt": device.simt_flops * c.simt_share,
        "half": np.where(device.tensor, device.half_flops * c.half_share, device.half_flops * c.simt_share),
        "tf32": device.tf32_flops * c.tf32_share,
        "int8": device.int8_flops * c.int8_share,
        "fp8": device.fp8_flops * c.half_share,
    }
    tensor = {name: device.tensor if name != "simt" else np.zeros_like(device.tensor) for name in peaks}
    flops = np.where(half, peaks[low_engine], peaks[wide_engine])
    is_tensor = np.where(half, tensor[low_engine], tensor[wide_engine])
    low_bytes = 2.0 * BYTES_SCALE.get(precision, 1.0)
    wide_bytes = low_bytes if VARIANT_OF[precision] == "half" else 4.0
    return flops, is_tensor, np.where(half & (low_engine != "tf32"), low_bytes, wide_bytes)


def _product_time(ops: Operators, chosen: Bools, device: Device, precision: str, c: KernelCoefficients) -> Floats:
    time = _engine_time(ops, chosen, device, precision, c)
    if precision == "tf32":  # libraries may round to TF32, they need not: fp32 kernels (Winograd) stay a choice
        time = np.minimum(time, _engine_time(ops, chosen, device, "fp32", c))
    return time


def _engine_time(ops: Operators, chosen: Bools, device: Device, precision: str, c: KernelCoefficients) -> Floats:
    flops, tensor, itemsize = engine_flops(device, precision, ops.half[chosen], c)
    conv = ops.kind[chosen] == _KIND["conv"]
    gemm = ops.kind[chosen] == _KIND["gemm"]
    step = ops.pass_[chosen]
    factor = np.where(conv, c.convolution, 1.0)
    factor = factor * np.where(step == PASSES.index("dgrad"), c.backward_data, 1.0)
    factor = factor * np.where(step == PASSES.index("wgrad"), c.backward_weight, 1.0)
    b, m, n, k = (getattr(ops, name)[..., chosen] for name in "bmnk")
    # A strided backward-data product spans the input grid but only the output's share of it does work.
    density = np.clip(ops.flops[..., chosen] / np.maximum(2.0 * b * m * n * k, 1.0), 0.0, 1.0)
    direct = Products(
        b=b,
        m=m * np.where(conv, density, 1.0),
        n=n,
        k=k,
        itemsize=itemsize,
        traffic=_traffic(ops, chosen, precision),
        flops=flops * factor,
        tensor=tensor,
        least_rows=np.where(gemm & device.wide_batched & ~tensor & (b > 1), c.batched_rows, 0.0),
        plain=gemm & (np.asarray(b).reshape(-1, b.shape[-1]).max(axis=0) <= 1),
    )
    time = product_time(direct, **_memory(device, c), c=c)
    eligible = ops.winograd[chosen]
    if eligible.any():
        rows, cols = (getattr(ops, name)[..., chosen][..., eligible] for name in ("rows", "cols"))
        known = cols > 0
        weights = step[eligible] == PASSES.index("wgrad")  # there pixels are summed over, not the rows of the product
        pixels = np.where(weights, k[..., eligible], m[..., eligible])
        images = np.where(known, rows, pixels / 16.0)
        side = np.where(known, np.sqrt(np.maximum(cols, 1.0)), 4.0)
        fast = _winograd_time(direct, eligible, weights, images, side, device.along(eligible), c)
        simt = ~np.broadcast_to(tensor, time.shape)[..., eligible] & device.along(eligible).winograd
        time[..., eligible] = np.where(simt, np.minimum(time[..., eligible], fast), time[..., eligible])
    return time


def _memory(device: Device, c: KernelCoefficients) -> dict[str, npt.NDArray[Any]]:
    return {
        "sm": device.sm,
        "bandwidth": _bandwidth(device, c) * c.product_memory,
        "l2_bytes": device.l2_bytes,
        "old": device.old,
    }


def _winograd_time(
    direct: Products, eligible: Bools, weights: Bools, images: Floats, side: Floats, device: Device,
    c: KernelCoefficients,
) -> Floats:  # fmt: skip
    """The better of fused F(2x2, 3x3), which does 1/2.25 of the work, and unfused F(4x4, 3x3), which does 1/4.

    Output pixels are computed in whole 2 x 2 or 4 x 4 tiles of an image with ``side`` pixels a side; the unfused form
    writes and reads transformed inputs, outputs and weights. Gradients of ``weights`` have the unfused form only
    (cuDNN's ``BWD_FILTER_ALGO_WINOGRAD_NONFUSED``), whose products sum over tiles.
    """
    m, n, k, itemsize = (pick(array, eligible) for array in (direct.m, direct.n, direct.k, direct.itemsize))
    filters, channels = np.where(weights, m, n), np.where(weights, n, k) / 9.0
    traffic, flops, tensor = (pick(array, eligible) for array in (direct.traffic, direct.flops, direct.tensor))
    none = np.zeros(m.shape[-1], dtype=bool)
    where = _memory(device, c)
    small = Products(
        b=np.full_like(m, 16.0), m=images * np.ceil(side / 2) ** 2, n=filters, k=channels, itemsize=itemsize,
        traffic=traffic, flops=flops * c.winograd2, tensor=tensor, plain=none, least_rows=np.zeros(1),
    )  # fmt: skip
    tiles = images * np.ceil(side / 4) ** 2
    transformed = 36.0 * (tiles * channels + tiles * filters + channels * filters) * itemsize
    large = Products(
        b=np.full_like(m, 36.0), m=np.where(weights, filters, tiles), n=np.where(weights, channels, filters),
        k=np.where(weights, tiles, channels), itemsize=itemsize, traffic=transformed,
        flops=flops * np.where(weights, c.winograd_weight, c.winograd4), tensor=tensor, plain=none,
        least_rows=np.zeros(1),
    )  # fmt: skip
    transforms = (traffic + transformed) / where["bandwidth"]
    unfused = product_time(large, **where, c=c) + transforms
    result: Floats = np.where(weights, unfused, np.minimum(product_time(small, **where, c=c), unfused))
    return result
