"""Time of every operator of a graph on a processor.

Each operator costs ``overhead + arithmetic + memory`` seconds. *Arithmetic* of products and convolutions is padded work
over a share of the peak: channels fill whole vectors, and small dimensions leave the kernel's inner loops short, each
by a factor ``1 + half / size``. *Memory* is the least traffic over the bandwidth, which lies between that of the last
cache and that of main memory by how much of the working set the cache holds; convolutions add it to the arithmetic
(their layouts are reordered before and after), streaming operators are bound by the larger of the two. Memory that the
operating system hands out anew is touched page by page, which is slower than any operator that fills it.

A step is the sum: calls are synchronous, so that what a call costs the interpreter never overlaps with computing.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from perfmodel.graph.operators import KIND_CODE, PASS_CODE, PHASE_CODE, PHASES, Operators

Floats = npt.NDArray[np.float64]

#: Classes of operators that have coefficients of their own.
PRODUCT_CLASSES = (
    "conv_fwd", "conv_dgrad", "conv_wgrad", "pointwise", "depthwise", "depthwise_wgrad", "gemm", "gemm_wgrad",
    "batched",
)  # fmt: skip
STREAM_CLASSES = (
    "norm_fwd", "norm_infer", "norm_bwd", "layer_norm_fwd", "layer_norm_bwd", "softmax_fwd", "softmax_bwd",
    "elementwise", "activation", "sigmoid", "reduce", "copy", "gather", "pool", "embedding_fwd", "embedding_bwd",
    "root",
)  # fmt: skip
CLASSES = PRODUCT_CLASSES + STREAM_CLASSES
CLASS_CODE = {name: code for code, name in enumerate(CLASSES)}
#: Tensors of each parameter that a training step touches: weight, gradient and Adam's two averages.
_UPDATED_TENSORS = 4.0
#: Streaming operators are bound by arithmetic or memory; the larger decides, smoothly.
_SHARPNESS = 4.0
#: Elementwise operators that evaluate a transcendental function, by part of their name: slow ones, and those with a
#: rational or vectorised form.
_SIGMOID = ("tanh", "pow", "sin", "cos", "exp", "log", "erf")
_ACTIVATION = ("gelu", "silu", "sigmoid", "mish", "softplus", "cross_entropy")
#: Copies that compute an index for each element.
_GATHER = ("pad", "gather", "scatter", "index", "select")
#: glibc: blocks from which on memory comes from the system at first, and from which on it always does (``mallopt``).
SMALL_BLOCK, LARGEST_HEAP_BLOCK = float(128 << 10), float(32 << 20)
#: Input channels up to which weight gradients of a first layer need no padding; forward passes need none below a
#: whole vector.
_FIRST_LAYER_CHANNELS = 4.0


@dataclass(frozen=True, kw_only=True)
class CpuClass:
    """Coefficients of one class of operators.

    Attributes
    ----------
    overhead_s : float
        Seconds of one call besides arithmetic and memory.
    share : float
        Share of the peak that large products reach; streaming classes: 10^9 elements a second and thread of 10^9.
    half : tuple of float
        Products: sizes of rows (output pixels), columns and inner dimension that halve the share.
    memory : float
        Traffic relative to the least traffic.
    """

    overhead_s: float = 2e-6
    share: float = 0.5
    half: tuple[float, float, float] = (0.0, 0.0, 0.0)
    memory: float = 1.0


#: Coefficients where nothing was measured: typical of oneDNN and MKL on AVX2 and AVX-512 servers.
DEFAULT_CLASSES: Mapping[str, CpuClass] = {
    "conv_fwd": CpuClass(overhead_s=15e-6, share=0.7, half=(2.0, 4.0, 4.0), memory=2.0),
    "conv_dgrad": CpuClass(overhead_s=20e-6, share=0.65, half=(2.0, 4.0, 4.0), memory=2.0),
    "conv_wgrad": CpuClass(overhead_s=20e-6, share=0.65, half=(4.0, 4.0, 4.0), memory=2.0),
    "pointwise": CpuClass(overhead_s=15e-6, share=0.5, half=(2.0, 4.0, 4.0), memory=2.0),
    "depthwise": CpuClass(overhead_s=15e-6, share=0.12, memory=1.5),
    "depthwise_wgrad": CpuClass(overhead_s=15e-6, share=0.05, memory=1.5),
    "gemm": CpuClass(overhead_s=4e-6, share=0.5, half=(2.0, 2.0, 2.0), memory=1.5),
    "gemm_wgrad": CpuClass(overhead_s=4e-6, share=0.5, half=(2.0, 2.0, 2.0), memory=1.5),
    "batched": CpuClass(overhead_s=6e-6, share=0.4, half=(2.0, 2.0, 2.0), memory=1.5),
    "norm_fwd": CpuClass(share=0.8),
    "norm_infer": CpuClass(share=4.0),
    "norm_bwd": CpuClass(share=2.0),
    "layer_norm_fwd": CpuClass(share=2.0),
    "layer_norm_bwd": CpuClass(share=2.0),
    "softmax_fwd": CpuClass(share=1.5),
    "softmax_bwd": CpuClass(share=3.0),
    "elementwise": CpuClass(share=8.0),
    "activation": CpuClass(share=1.0),
    "sigmoid": CpuClass(share=0.5),
    "reduce": CpuClass(share=8.0),
    "copy": CpuClass(share=4.0, memory=1.3),
    "gather": CpuClass(share=2.0, memory=1.5),
    "pool": CpuClass(share=0.2),
    "embedding_fwd": CpuClass(share=4.0, memory=1.5),
    "embedding_bwd": CpuClass(share=0.1, memory=4.0),
    "root": CpuClass(overhead_s=3e-6, share=1.5),
}


@dataclass(frozen=True, kw_only=True)
class CpuCoefficients:
    """What a processor reaches with a number of threads.

    Attributes
    ----------
    threads : int
    flops : float
        Peak of fp32 products on all threads, FLOP/s.
    lanes : int
        fp32 values of a vector register.
    bandwidth, cache_bandwidth : float
        Streaming bandwidth of main memory and of the last cache on all threads, B/s.
    cache_bytes : float
        Working set that the caches hold.
    fresh_s_per_byte, churn_s_per_byte, update_s_per_byte : float
        Seconds to touch a byte of memory that the system hands out anew; the average of that over the memory that a
        step gets from the heap for activations, and for gradients and temporaries of the optimizer.
    call_s : tuple of float
        What the framework adds to each call in the forward pass, loss, backward pass and optimizer.
    half_speed : float
        Speed of 16-bit products relative to fp32.
    classes : mapping of str to CpuClass
    """

    threads: int
    flops: float
    lanes: int = 8
    bandwidth: float = 1.2e10
    cache_bandwidth: float = 4e10
    cache_bytes: float = 8e6
    fresh_s_per_byte: float = 1.5e-10
    churn_s_per_byte: float = 0.4e-10
    update_s_per_byte: float = 0.8e-10
    call_s: tuple[float, float, float, float] = (4e-6, 4e-6, 4e-6, 1e-6)
    half_speed: float = 1.0
    classes: Mapping[str, CpuClass] = field(default_factory=lambda: dict(DEFAULT_CLASSES))

    def to_dict(self) -> dict[str, Any]:
        """JSON form."""
        return asdict(self)

    @classmethod
    def from_dict(cls, document: Mapping[str, Any]) -> CpuCoefficients:
        """Read the JSON form; classes that it lacks keep their defaults.

        Raises
        ------
        KeyError, TypeError, ValueError
            When it is something else.
        """
        known = {
            name: CpuClass(**{**values, "half": tuple(float(x) for x in values["half"])})
            for name, values in document["classes"].items()
            if name in CLASS_CODE
        }
        rest = {name: value for name, value in document.items() if name not in ("classes", "call_s")}
        call = [float(x) for x in document["call_s"]]
        if len(call) != len(PHASES):
            raise ValueError("call_s has one value a phase")
        return cls(**rest, call_s=(call[0], call[1], call[2], call[3]), classes={**DEFAULT_CLASSES, **known})

    def column(self, name: str) -> Floats:
        """One coefficient of all classes, in the order of `CLASSES`."""
        return np.array([getattr(self.classes[one], name) for one in CLASSES], dtype=np.float64)


def classify(ops: Operators) -> npt.NDArray[np.intp]:
    """Index into `CLASSES` of each operator, shape (n,)."""
    kind, pass_ = ops.kind, ops.pass_
    backward = ops.phase == PHASE_CODE["backward"]
    conv = kind == KIND_CODE["conv"]
    wgrad = pass_ == PASS_CODE["wgrad"]
    deep = np.asarray(ops.depthwise, dtype=bool)
    single = np.asarray(ops.b).reshape(-1, len(kind)).max(axis=0) <= 1
    layer = _named(ops, ("layer_norm",))
    rules: list[tuple[npt.NDArray[np.bool_], str]] = [
        (deep & wgrad, "depthwise_wgrad"),
        (deep, "depthwise"),
        (conv & (ops.window <= 1), "pointwise"),
        (conv & wgrad, "conv_wgrad"),
        (conv & ((pass_ == PASS_CODE["dgrad"]) | _transposed(ops)), "conv_dgrad"),
        (conv, "conv_fwd"),
        ((kind == KIND_CODE["gemm"]) & single & wgrad, "gemm_wgrad"),
        ((kind == KIND_CODE["gemm"]) & single, "gemm"),
        (kind == KIND_CODE["rnn"], "gemm"),
        ((kind == KIND_CODE["gemm"]) | (kind == KIND_CODE["attention"]), "batched"),
        ((kind == KIND_CODE["norm"]) & layer & backward, "layer_norm_bwd"),
        ((kind == KIND_CODE["norm"]) & layer, "layer_norm_fwd"),
        ((kind == KIND_CODE["norm"]) & backward, "norm_bwd"),
        ((kind == KIND_CODE["norm"]) & _fixed_statistics(ops), "norm_infer"),
        (kind == KIND_CODE["norm"], "norm_fwd"),
        ((kind == KIND_CODE["softmax"]) & backward, "softmax_bwd"),
        (kind == KIND_CODE["softmax"], "softmax_fwd"),
        ((kind == KIND_CODE["embedding"]) & backward, "embedding_bwd"),
        (kind == KIND_CODE["embedding"], "embedding_fwd"),
        (_named(ops, ("sqrt",)), "root"),
        (kind == KIND_CODE["reduce"], "reduce"),
        ((kind == KIND_CODE["copy"]) & _named(ops, _GATHER), "gather"),
        (kind == KIND_CODE["copy"], "copy"),
        (kind == KIND_CODE["pool"], "pool"),
        (_named(ops, _ACTIVATION), "activation"),
        (_named(ops, _SIGMOID) & ~_named(ops, ("backward",)), "sigmoid"),
    ]
    conditions, names = zip(*rules, strict=True)
    codes = [CLASS_CODE[name] for name in names]
    return np.select(list(conditions), codes, default=CLASS_CODE["elementwise"]).astype(np.intp)


def _named(ops: Operators, parts: tuple[str, ...]) -> npt.NDArray[np.bool_]:
    return np.array([any(part in name for part in parts) for name in ops.name], dtype=bool)


def _fixed_statistics(ops: Operators) -> npt.NDArray[np.bool_]:
    """Normalisations that scale by running statistics: those that read parameters, in a step without backward pass."""
    named = _named(ops, ("norm_eval",))
    training = bool((ops.phase == PHASE_CODE["backward"]).any())
    more = (ops.read > 4.0 * ops.rows * ops.cols).reshape(-1, len(ops.kind)).any(axis=0)
    return named if training else np.asarray(named | (more & ~_named(ops, ("layer_norm",))))


def _transposed(ops: Operators) -> npt.NDArray[np.bool_]:
    """Forward passes of transposed convolutions: their product is counted on a grid that the stride leaves empty."""
    full = 2.0 * ops.b * ops.m * ops.n * ops.k
    sparse = (full > 1.5 * ops.flops).reshape(-1, len(ops.kind)).any(axis=0)
    result: npt.NDArray[np.bool_] = (
        sparse & (ops.pass_ == PASS_CODE["fwd"]) & (ops.flops > 0).reshape(-1, len(ops.kind)).any(axis=0)
    )
    return result


@dataclass(frozen=True)
class Work:
    """What the operators of some classes do, as the model sees it; arrays (..., n).

    Attributes
    ----------
    code : int array (n,)
        Index into `CLASSES`.
    flops : array
        Padded arithmetic of products, elements of the others.
    sizes : array (3, ..., n)
        Rows, columns and inner dimension of one product; 1 elsewhere.
    traffic : array
        Least bytes read and written.
    """

    code: npt.NDArray[np.intp]
    flops: Floats
    sizes: Floats
    traffic: Floats


def work_of(ops: Operators, lanes: int) -> Work:
    """Padded arithmetic, product sizes and traffic of operators on vectors of ``lanes`` values."""
    code = classify(ops)
    window = np.maximum(ops.window, 1.0)
    conv = ops.kind == KIND_CODE["conv"]
    wgrad = conv & (ops.pass_ == PASS_CODE["wgrad"])
    full = np.maximum(2.0 * np.asarray(ops.b) * ops.m * ops.n * ops.k, 1.0)
    density = np.where(ops.flops > 0, np.clip(ops.flops / full, 0.0, None), 0.0)
    rows = np.where(wgrad, ops.k, ops.m * np.minimum(density, 1.0))
    outer = np.where(wgrad, ops.m, ops.n)
    inner = np.where(wgrad, ops.n, ops.k) / np.where(conv, window, 1.0)
    dense = conv & (code < CLASS_CODE["pointwise"])
    pad = np.where(dense, _padding(outer, lanes) * _inner_padding(code, inner, lanes), 1.0)
    product = code < len(PRODUCT_CLASSES)
    sizes = np.stack([np.where(product, np.maximum(size, 1.0), 1.0) for size in (rows, outer, inner)])
    return Work(
        code=code,
        flops=np.where(product, ops.flops * pad, _elements(ops)),
        sizes=sizes,
        traffic=np.asarray(ops.read + ops.write),
    )


def _elements(ops: Operators) -> Floats:
    """Elements that a streaming operator works on."""
    elements = np.asarray(ops.rows * ops.cols)
    result: Floats = np.where(elements > 0, elements, np.maximum(ops.read, ops.write) / 4.0)
    return result


def _padding(channels: Floats, lanes: int) -> Floats:
    """Work on whole vectors of channels over work on the channels."""
    result: Floats = np.ceil(channels / lanes) * lanes / np.maximum(channels, 1.0)
    return result


def _inner_padding(code: npt.NDArray[np.intp], channels: Floats, lanes: int) -> Floats:
    few = np.where(code == CLASS_CODE["conv_fwd"], lanes - 1.0, _FIRST_LAYER_CHANNELS)
    first = (channels <= few) & (code != CLASS_CODE["conv_dgrad"])
    return np.where(first, 1.0, _padding(channels, lanes))


def byte_seconds(working_set: Floats, c: CpuCoefficients) -> Floats:
    """Seconds a byte for a working set: what the caches hold of it at their bandwidth, the rest at the memory's."""
    held = 1.0 / (1.0 + np.square(working_set / c.cache_bytes))
    result: Floats = held / c.cache_bandwidth + (1.0 - held) / c.bandwidth
    return result


def operator_seconds(
    work: Work, c: CpuCoefficients, *, working_set: Floats, half: npt.NDArray[np.bool_] | bool = False
) -> Floats:
    """Seconds of one call of each operator, without what the framework adds to a call.

    Parameters
    ----------
    work : Work
    c : CpuCoefficients
    working_set : array (..., n)
        Bytes that compete for the cache while the operator runs.
    half : bool array (n,)
        Operators that compute in 16 bit.
    """
    code = work.code
    share, memory = c.column("share")[code], c.column("memory")[code]
    loops = np.ones_like(work.flops)
    halves = np.array([c.classes[name].half for name in CLASSES])
    for axis in range(3):
        loops = loops * (1.0 + halves[code, axis] / work.sizes[axis])
    product = code < len(PRODUCT_CLASSES)
    speed = np.where(product, c.flops * share * np.where(half, c.half_speed, 1.0), 1e9 * share * c.threads)
    arithmetic = work.flops / speed * loops
    traffic = work.traffic * memory * byte_seconds(working_set, c)
    bound = (arithmetic**_SHARPNESS + traffic**_SHARPNESS) ** (1.0 / _SHARPNESS)
    result: Floats = c.column("overhead_s")[code] + np.where(product, arithmetic + traffic, bound)
    return result


def cpu_time(ops: Operators, c: CpuCoefficients) -> Floats:
    """Seconds of one call of each operator of a step on a processor, all that a call costs included.

    Parameters
    ----------
    ops : Operators
        All operators of the step (what they keep decides how much memory is fresh), arrays (..., n).
    c : CpuCoefficients

    Returns
    -------
    array
        Seconds, shape (..., n).
    """
    work = work_of(ops, c.lanes)
    seconds = operator_seconds(work, c, working_set=work.traffic + touched_bytes(ops), half=ops.half)
    call = np.array(c.call_s)[ops.phase]
    result: Floats = seconds + call + memory_seconds(ops, c)
    return result


def touched_bytes(ops: Operators) -> Floats:
    """Bytes that a step walks through between two uses of the same data, (..., 1).

    Those are what it keeps for the backward pass, and weights, gradients and two states of the optimizer.
    """
    kept = (ops.count * ops.saved).sum(axis=-1, keepdims=True)
    updated = np.where(ops.phase == PHASE_CODE["optimizer"], ops.count * ops.rows, 0.0).max(axis=-1, keepdims=True)
    result: Floats = kept + _UPDATED_TENSORS * 4.0 * updated
    return result


def memory_seconds(ops: Operators, c: CpuCoefficients) -> Floats:
    """Seconds that one call of each operator spends on getting memory for what it writes.

    Blocks above `LARGEST_HEAP_BLOCK` are mapped anew by every call, page by page. Smaller ones come from the heap, of
    which a part has been given back, depending on what ran before: their cost is an average. Operators in place get
    none.
    """
    temporary = _named(ops, ("sqrt", "div")) & (ops.phase == PHASE_CODE["optimizer"])
    in_place = np.array([name.endswith("_") for name in ops.name], dtype=bool) & ~temporary
    size = np.where(in_place, 0.0, ops.write)
    weights = ops.pass_ == PASS_CODE["wgrad"]
    heap = np.where(weights | temporary, c.update_s_per_byte, c.churn_s_per_byte)
    churn = np.where(size > SMALL_BLOCK, heap, 0.0)
    result: Floats = size * np.where(size > LARGEST_HEAP_BLOCK, c.fresh_s_per_byte, churn)
    return result
