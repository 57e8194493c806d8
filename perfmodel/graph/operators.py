"""What the operators of one step are: a struct of arrays that the time model reads."""

from __future__ import annotations

from dataclasses import dataclass, fields, replace

import numpy as np
from numpy.typing import NDArray

KINDS = (
    "gemm",
    "conv",
    "attention",
    "rnn",
    "norm",
    "softmax",
    "elementwise",
    "reduce",
    "copy",
    "pool",
    "embedding",
    "optimizer",
    "other",
)
PHASES = ("forward", "loss", "backward", "optimizer")
PASSES = ("fwd", "dgrad", "wgrad")
KIND_CODE = {name: code for code, name in enumerate(KINDS)}
PHASE_CODE = {name: code for code, name in enumerate(PHASES)}
PASS_CODE = {name: code for code, name in enumerate(PASSES)}

Array = NDArray[np.float64]
_PER_OPERATOR = ("kind", "phase", "pass_", "half", "window", "stride", "depthwise", "winograd")
_PER_POINT = ("count", "b", "m", "n", "k", "flops", "read", "write", "rows", "cols", "saved")


@dataclass(frozen=True, kw_only=True)
class Operators:
    """The distinct operators of one step, evaluated at one or more (batch, size) points.

    Arrays marked [n] have one entry per distinct operator; those marked [..., n] broadcast from the batch and size
    arguments, for example (points, n).

    Attributes
    ----------
    kind, phase, pass_ : int8 [n]
        Indices into `KINDS`, `PHASES` and `PASSES`.
    name : tuple of str
        The aten name (or the name of the custom operator).
    half : bool [n]
        The operator computes in 16 bit in this variant.
    count : float64 [..., n]
        How often the operator runs in a step.
    b, m, n, k : float64 [..., n]
        Matrix-product view: `b` independent (m x k)(k x n) products; 0 for operators that are none.
    flops : float64 [..., n]
        Floating point operations of one instance, two per multiply-add.
    read, write : float64 [..., n]
        Bytes that one instance reads (each input once) and writes.
    rows, cols : float64 [..., n]
        Independent rows and reduced length; elementwise operators have `cols` 1.
    window, stride : float64 [n]
        Kernel positions (R*S) and largest stride of a convolution or pooling; 0 and 1 elsewhere.
    depthwise, winograd : bool [n]
        One input channel a group; 3x3, stride 1, dilation 1, one group.
    saved : float64 [..., n]
        Bytes that one instance of this forward operator keeps for the backward pass.
    """

    kind: NDArray[np.int8]
    phase: NDArray[np.int8]
    pass_: NDArray[np.int8]
    name: tuple[str, ...]
    half: NDArray[np.bool_]
    count: Array
    b: Array
    m: Array
    n: Array
    k: Array
    flops: Array
    read: Array
    write: Array
    rows: Array
    cols: Array
    window: Array
    stride: Array
    depthwise: NDArray[np.bool_]
    winograd: NDArray[np.bool_]
    saved: Array

    def __len__(self) -> int:
        return len(self.name)

    def total(self, field: str) -> Array:
        """Sum of ``field`` over all instances of all operators, shape of the points."""
        return np.asarray((self.count * getattr(self, field)).sum(axis=-1))

    def select(self, mask: NDArray[np.bool_]) -> Operators:
        """Return the operators where ``mask`` [n] holds."""
        changes = {name: getattr(self, name)[..., mask] for name in (*_PER_OPERATOR, *_PER_POINT)}
        names = tuple(name for name, keep in zip(self.name, mask, strict=True) if keep)
        return replace(self, name=names, **changes)

    def scaled(self, factor: Array | float) -> Operators:
        """Return the same operators with every count times ``factor`` (scalar or [n])."""
        return replace(self, count=self.count * factor)


def concatenate(parts: list[Operators]) -> Operators:
    """Join lists of operators; point axes are broadcast together.

    Parameters
    ----------
    parts : list of Operators
        At least one.
    """
    lead = np.broadcast_shapes(*(part.count.shape[:-1] for part in parts))
    lengths = [len(part) for part in parts]
    columns: dict[str, object] = {"name": tuple(name for part in parts for name in part.name)}
    for name in _PER_OPERATOR:
        columns[name] = np.concatenate([getattr(part, name) for part in parts])
    for name in _PER_POINT:
        columns[name] = _join([getattr(part, name) for part in parts], lead, lengths)
    return Operators(**columns)  # type: ignore[arg-type]


def _join(arrays: list[Array], lead: tuple[int, ...], lengths: list[int]) -> Array:
    joined, start = np.empty((*lead, sum(lengths))), 0
    for array, length in zip(arrays, lengths, strict=True):
        joined[..., start : start + length] = array
        start += length
    return joined


def byte_operators(
    names: tuple[str, ...], kind: str, phase: str, *, count: Array, elements: Array, read: Array, write: Array
) -> Operators:
    """Build operators that only move bytes (no matrix product).

    Parameters
    ----------
    names : tuple of str
        One name an operator.
    kind, phase : str
        From `KINDS` and `PHASES`, for all of them.
    count, elements, read, write : float64 [..., n]
        Multiplicity, elements touched, bytes read and written by one instance.
    """
    n = len(names)
    zero = np.zeros(np.broadcast_shapes(count.shape, elements.shape, read.shape, write.shape))
    flag = np.zeros(n, bool)
    return Operators(
        kind=np.full(n, KIND_CODE[kind], np.int8),
        phase=np.full(n, PHASE_CODE[phase], np.int8),
        pass_=np.zeros(n, np.int8),
        name=names,
        half=flag,
        count=zero + count,
        b=zero,
        m=zero,
        n=zero,
        k=zero,
        flops=zero + elements,
        read=zero + read,
        write=zero + write,
        rows=zero + elements,
        cols=np.ones_like(zero),
        window=np.zeros(n),
        stride=np.ones(n),
        depthwise=flag,
        winograd=flag,
        saved=zero,
    )


assert {field.name for field in fields(Operators)} == {"name", *_PER_OPERATOR, *_PER_POINT}
