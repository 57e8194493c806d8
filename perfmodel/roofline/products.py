"""Time of matrix products on a tiled machine: tiles, waves, split-K, and DRAM traffic behind an L2 cache.

``t = min over (tile, split) (Tc^4 + Tm^4)^(1/4)`` where ``Tc`` counts the waves of tiles that the SMs work through and
``Tm`` the bytes that reach DRAM. Tiles, the K prologue and the L2 misses follow what cuBLAS kernel names and measured
fp32 products show (see docs/model.md); the numbers are `KernelCoefficients`.

The formula stands here, in `_best_time`, and in ``csrc/cpu/products_formula.h`` for speed; a test holds them together.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from types import ModuleType
from typing import Any

import numpy as np
import numpy.typing as npt

from perfmodel.roofline.backend import native_products, thread_count
from perfmodel.roofline.coefficients import KernelCoefficients

Floats = npt.NDArray[np.float64]
Bools = npt.NDArray[np.bool_]

#: (rows, columns) of a tile that one thread block computes.
TILES = np.array(
    [(256, 128), (128, 128), (128, 64), (64, 128), (128, 32), (32, 128), (64, 64), (32, 32)], dtype=np.float64
)
SPLITS = np.array([1.0, 4.0, 16.0, 64.0])
_ROWS, _COLS, _SPLIT = (
    axis.ravel()
    for axis in (
        np.repeat(TILES[:, 0], len(SPLITS)),
        np.repeat(TILES[:, 1], len(SPLITS)),
        np.tile(SPLITS, len(TILES)),
    )
)
_AREA = _ROWS * _COLS
#: Thread blocks of that tile an SM holds (registers of a 128 x 128 fp32 tile fill half of the register file).
_RESIDENT = np.minimum(32768.0 / _AREA, 8.0)
#: The 256-wide tile exists for tensor cores only.
_TENSOR_ONLY = _AREA > 16384
#: Elements of work space one call may touch; larger problems are cut into pieces of this size.
_CHUNK = 1 << 18
#: Products that one thread computes without help.
_ONE_THREAD = 1 << 16


@dataclass(frozen=True, kw_only=True)
class Products:
    """Matrix products ``b x (m x k)(k x n)``; all arrays broadcast to one shape ``(..., n_ops)``.

    Attributes
    ----------
    b, m, n, k : array
        Number of independent products and their sizes.
    itemsize : array
        Bytes of an operand element.
    traffic : array
        Bytes of distinct operands and results of the operator itself (its least DRAM traffic).
    flops : array
        Sustained FLOP/s of the engine they run on.
    tensor : array of bool
        Whether that engine is a tensor core.
    plain : array of bool
        A dense product of row-major operands (linear layer): only there do waves stream whole operands.
    least_rows : array
        Fewest rows of a tile that the library picks for this product.
    """

    b: Floats
    m: Floats
    n: Floats
    k: Floats
    itemsize: Floats
    traffic: Floats
    flops: Floats
    tensor: Bools
    plain: Bools
    least_rows: Floats


def product_time(
    products: Products, *, sm: Floats, bandwidth: Floats, l2_bytes: Floats, old: Bools, c: KernelCoefficients
) -> Floats:
    """Seconds of each product, without launch.

    Parameters
    ----------
    products : Products
        What to compute.
    sm, bandwidth, l2_bytes, old : array
        Device columns that broadcast against the products; ``bandwidth`` is what can be achieved, in B/s.
    c : KernelCoefficients
        Fitted numbers.

    Returns
    -------
    array
        Seconds, in the broadcast shape.
    """
    columns = [products.b, products.m, products.n, products.k, products.itemsize, products.traffic, products.flops]
    columns += [products.least_rows, sm, bandwidth, l2_bytes]
    flags = [products.tensor, products.plain, old]
    module = native_products()
    if module is not None:
        return _native_time(module, columns, flags, c)
    arrays = np.broadcast_arrays(*columns, *flags)
    shape = arrays[0].shape
    flat = [array.reshape(-1) for array in arrays]
    out = np.empty(flat[0].size)
    step = max(1, _CHUNK // len(_AREA))
    for start in range(0, out.size, step):
        piece = slice(start, start + step)
        out[piece] = _best_time([array[piece, None] for array in flat], c)
    return out.reshape(shape)


def _native_time(module: ModuleType, columns: list[Floats], flags: list[Bools], c: KernelCoefficients) -> Floats:
    lent = [np.asarray(array, dtype=np.float64) for array in columns] + [np.asarray(flag, dtype=bool) for flag in flags]
    out = np.empty(np.broadcast_shapes(*(array.shape for array in lent)))
    threads = thread_count() if out.size > _ONE_THREAD else 1
    module.product_time(out, lent, _native_coefficients(module, c), threads)
    return out


@lru_cache(maxsize=8)
def _native_coefficients(module: ModuleType, c: KernelCoefficients) -> Any:
    return module.ProductCoefficients(c.to_dict())


def _best_time(columns: list[npt.NDArray[Any]], c: KernelCoefficients) -> Floats:
    b, m, n, k, itemsize, traffic, flops, least_rows, sm, bandwidth, l2_bytes, tensor, plain, old = columns
    grid_m, grid_n = np.ceil(m / _ROWS), np.ceil(n / _COLS)
    tiles = b * grid_m * grid_n * _SPLIT
    compute = _compute_time(tiles, k, flops, sm, c)
    aligned = (np.remainder(k, 4) == 0) & (np.remainder(n, 4) == 0)
    compute = compute * np.where(old & ~aligned, c.unaligned_old, 1.0)
    operands = itemsize * (m * k + k * n)
    missing = np.where(aligned, c.miss_aligned, np.where(old, np.where(plain, c.miss_unaligned_old, 0.1), c.miss))
    missing = missing * operands / (operands + c.l2_reach * l2_bytes)
    tile_traffic = tiles * (_ROWS + _COLS) * (k / _SPLIT) * itemsize
    dram = traffic + c.write_extra * itemsize * b * m * n + missing * tile_traffic
    dram = dram + np.where(_SPLIT > 1, 2.0 * 4.0 * _SPLIT, 0.0) * b * m * n
    if np.any(plain):
        dram = dram + np.where(plain, _raster_traffic(b, grid_m, grid_n, k, itemsize, sm, old, c), 0.0)
    memory = dram / bandwidth
    time = np.sqrt(np.sqrt(compute**4 + memory**4))
    barred = (_TENSOR_ONLY & ~np.asarray(tensor, dtype=bool)) | (least_rows > _ROWS)
    time = np.where(barred, np.inf, time)
    best: Floats = time.min(axis=1)
    return best


def _compute_time(tiles: Floats, k: Floats, flops: Floats, sm: Floats, c: KernelCoefficients) -> Floats:
    load = tiles / sm
    whole = np.ceil(load)
    resident = np.minimum(_RESIDENT, np.maximum(whole, 1.0)) * _AREA / 16384.0
    occupancy = np.minimum(resident / (resident + c.occupancy_half) * (1 + c.occupancy_half / 2), 1.0)
    rate = np.select(
        [_AREA >= 16384, _AREA >= 8192, _AREA >= 4096], [1.0, c.tile_8192, c.tile_4096], default=c.tile_small
    )
    waves = load + (whole - load) * c.wave_fill
    steps = np.ceil(k / _SPLIT / 8.0) * 8.0 + c.k_prologue
    result: Floats = waves * 2.0 * _AREA * steps * sm / (flops * rate * occupancy)
    return result


def _raster_traffic(
    b: Floats,
    grid_m: Floats,
    grid_n: Floats,
    k: Floats,
    itemsize: Floats,
    sm: Floats,
    old: Bools,
    c: KernelCoefficients,
) -> Floats:
    """Operand bytes of whole waves laid along the output columns: wide outputs stream the weights again and again."""
    wave = sm * _RESIDENT
    columns = np.maximum(grid_n, 1.0)
    wide = np.minimum(columns, wave)
    high = np.minimum(np.maximum(wave / columns, 1.0), np.maximum(grid_m, 1.0))
    waves = b * grid_m * grid_n / np.minimum(wide * high, np.maximum(grid_m * grid_n, 1.0))
    weight = np.where(old, c.raster_old, c.raster) * (wide * _COLS) / 3000.0
    result: Floats = weight * waves * (high * _ROWS + wide * _COLS) * k * itemsize
    return result
