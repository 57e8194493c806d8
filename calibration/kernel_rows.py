"""Read single-kernel latencies (``kernels.csv.gz``) as operators with measured times.

Rows left out, and why: cards that are not in the GPU table (AMD, a CPU), recurrent kernels (one row is a whole sequence
of products), and 16-bit rows on cards without tensor cores (they were run with 32-bit arithmetic).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from perfmodel.graph.operators import KINDS, PASSES, PHASES, Operators, concatenate
from perfmodel.hardware.gpu import find_gpu
from perfmodel.roofline.device import Device

if TYPE_CHECKING:
    import pandas as pd

Floats = npt.NDArray[np.float64]

_BINARY = {"add", "div", "mul", "pow"}
_CLASS = {"linear": "linear", "bmm": "bmm", "conv": "conv", "ln": "norm", "softmax": "softmax", "gemm": "linear"}
_UNKNOWN_CARDS = {"cpu-knl7250", "mi25", "vega-fe", "a100-sxm-unspecified"}
_PASS_OF = {"fwd": "fwd", "bwd_input": "dgrad", "bwd_weight": "wgrad"}


@dataclass(frozen=True, kw_only=True)
class KernelRows:
    """Measured kernels.

    Attributes
    ----------
    ops : Operators
        One operator a row (arrays of shape ``(n,)``).
    gpu : array of str
        GPU key of each row.
    device : Device
        Columns of shape ``(n,)``.
    precision : array of str
        Canonical precision.
    cls : array of str
        Operator class: linear, bmm, conv, conv_dgrad, conv_wgrad, norm, softmax, elementwise.
    source : array of str
    time_s : array
        Measured seconds, host floor included.
    """

    ops: Operators
    gpu: npt.NDArray[np.str_]
    device: Device
    precision: npt.NDArray[np.str_]
    cls: npt.NDArray[np.str_]
    source: npt.NDArray[np.str_]
    time_s: Floats

    def __len__(self) -> int:
        return len(self.time_s)

    def select(self, index: npt.NDArray[Any]) -> KernelRows:
        """Some of the rows."""
        return KernelRows(
            ops=take(self.ops, index),
            gpu=self.gpu[index],
            device=self.device.rows(index),
            precision=self.precision[index],
            cls=self.cls[index],
            source=self.source[index],
            time_s=self.time_s[index],
        )


def concatenate_rows(parts: Sequence[KernelRows]) -> KernelRows:
    """Rows of several tables as one."""
    first, *others = parts
    if not others:
        return first
    device = {
        name: np.concatenate([getattr(part.device, name) for part in parts]) for name in Device.__dataclass_fields__
    }
    names = ("gpu", "precision", "cls", "source", "time_s")
    columns = {name: np.concatenate([getattr(part, name) for part in parts]) for name in names}
    return KernelRows(ops=concatenate([part.ops for part in parts]), device=Device(**device), **columns)


def take(ops: Operators, index: npt.NDArray[Any]) -> Operators:
    """Select operators along the last axis."""
    values: dict[str, Any] = {}
    for name in Operators.__dataclass_fields__:
        value = getattr(ops, name)
        values[name] = tuple(np.asarray(value)[index]) if isinstance(value, tuple) else value[..., index]
    return Operators(**values)


def read_kernel_rows(path: Path) -> KernelRows:
    """Read the table; see the module for what is left out.

    Parameters
    ----------
    path : Path
        ``kernels.csv.gz``.
    """
    import pandas as pd

    table = pd.read_csv(path, low_memory=False, dtype={"sub": "str"})
    table = table[~table.gpu.isin(_UNKNOWN_CARDS) & ~table.op.str.startswith("rnn")]
    text = table.precision
    precision = np.where(
        text.str.contains("Int8"), "int8", np.where(text.str.contains("16 bit multiplication"), "fp16", "fp32")
    )
    half_on_old = text.str.contains("16 bit inputs") & ~text.str.contains("16 bit multiplication")
    table = table.assign(canonical=precision)[~half_on_old]
    parts = [_matrix(table), _convolutions(table), _byte_rows(table)]
    frame = pd.concat(parts, ignore_index=True)
    frame = frame[frame.time_s > 0].reset_index(drop=True)
    return _assemble(frame)


def _matrix(table: pd.DataFrame) -> pd.DataFrame:
    rows = table[table.op.isin(["linear", "bmm", "gemm"])]
    b = rows.B.fillna(1.0)
    size = np.where(rows.canonical == "fp32", 4.0, 2.0)
    return rows.assign(
        kind=KINDS.index("gemm"), step=0, cls=rows.op.map(_CLASS), time_s=rows.latency_ms * 1e-3,
        b_=b, m_=rows.M, n_=rows.N, k_=rows.K, flops=2.0 * b * rows.M * rows.N * rows.K,
        read=size * b * (rows.M * rows.K + rows.K * rows.N), write=size * b * rows.M * rows.N, window=1.0, wino=False,
        rows_=0.0, cols_=0.0,
    )[_COLUMNS]  # fmt: skip


_COLUMNS = [
    "source", "gpu", "canonical", "kind", "step", "cls", "time_s", "b_", "m_", "n_", "k_", "flops", "read", "write",
    "window", "wino", "rows_", "cols_",
]  # fmt: skip


def _convolutions(table: pd.DataFrame) -> pd.DataFrame:
    rows = table[table.op.isin(["conv", "conv2d"])]
    square = rows.op == "conv"

    def pick(plain: Any, other: Any) -> Floats:
        found: Floats = np.where(square, plain, other)
        return found

    size = np.where(rows.canonical == "fp32", 4.0, 2.0)
    channels, filters = pick(rows.in_ch, rows.C), pick(rows.out_ch, rows.Kf)
    height, width = pick(rows.in_size, rows.H), pick(rows.in_size, rows.W)
    r, s = pick(rows.kernel_size, rows.R), pick(rows.kernel_size, rows.S)
    p = np.where(square, rows.in_size, np.floor(rows.P))
    q = np.where(square, rows.in_size, np.floor(rows.Q))
    stride = pick(rows.stride, rows.stride_h)
    batch = rows.B.to_numpy(float)
    macs = batch * p * q * filters * channels * r * s
    step = rows["sub"].fillna("fwd").map(_PASS_OF).map(PASSES.index).to_numpy()
    m = np.select([step == 0, step == 1], [batch * p * q, batch * height * width], filters)
    n = np.select([step == 0, step == 1], [filters, channels], channels * r * s)
    k = np.select([step == 0, step == 1], [channels * r * s, filters * r * s], batch * p * q)
    weight, x, y = channels * filters * r * s, batch * channels * height * width, batch * filters * p * q
    write = np.select([step == 0, step == 1], [y, x], weight)
    cls = np.select([step == 0, step == 1], ["conv", "conv_dgrad"], "conv_wgrad")
    return rows.assign(
        kind=KINDS.index("conv"), step=step, cls=cls, time_s=rows.latency_ms * 1e-3, b_=1.0, m_=m, n_=n, k_=k,
        flops=2.0 * macs, read=size * (weight + x + y - write), write=size * write, window=r * s,
        wino=(r == 3) & (s == 3) & (stride == 1), rows_=batch, cols_=np.where(step == 1, height * width, p * q),
    )[_COLUMNS]  # fmt: skip


def _byte_rows(table: pd.DataFrame) -> pd.DataFrame:
    rows = table[(table.source == "neusight") & ~table.op.isin(["linear", "bmm", "conv"])]
    numel = rows.B * rows.H
    kind = rows.op.map({"ln": KINDS.index("norm"), "softmax": KINDS.index("softmax")})
    return rows.assign(
        kind=kind.fillna(KINDS.index("elementwise")).astype(int), step=0, cls=rows.op.map(_CLASS).fillna("elementwise"),
        time_s=rows.latency_ms * 1e-3, b_=0.0, m_=0.0, n_=0.0, k_=0.0, flops=0.0,
        read=4.0 * numel * np.where(rows.op.isin(_BINARY), 2.0, 1.0), write=4.0 * numel, window=0.0, wino=False,
        rows_=rows.B, cols_=rows.H,
    )[_COLUMNS]  # fmt: skip


def _assemble(frame: pd.DataFrame) -> KernelRows:
    count = len(frame)
    column = {name: frame[name].to_numpy(float) for name in ("b_", "m_", "n_", "k_", "flops", "read", "write")}
    half = frame.canonical.to_numpy(str) != "fp32"
    ops = Operators(
        kind=frame.kind.to_numpy(np.int8), phase=np.full(count, PHASES.index("forward"), np.int8),
        pass_=frame.step.to_numpy(np.int8), name=tuple(frame.cls), half=half, count=np.ones(count),
        b=column["b_"], m=column["m_"], n=column["n_"], k=column["k_"], flops=column["flops"],
        read=column["read"], write=column["write"], rows=frame.rows_.to_numpy(float), cols=frame.cols_.to_numpy(float),
        window=frame.window.to_numpy(float), stride=np.ones(count), depthwise=np.zeros(count, bool),
        winograd=frame.wino.to_numpy(bool), saved=np.zeros(count),
    )  # fmt: skip
    keys = sorted(set(frame.gpu))
    columns = Device.of([find_gpu(key) for key in keys])
    index = np.searchsorted(np.array(keys), frame.gpu.to_numpy(str))
    rows = columns.rows(index)
    flat = Device(**{name: getattr(rows, name)[:, 0] for name in Device.__dataclass_fields__})
    return KernelRows(
        ops=ops, gpu=frame.gpu.to_numpy(str), device=flat, precision=frame.canonical.to_numpy(str),
        cls=frame.cls.to_numpy(str), source=frame.source.to_numpy(str), time_s=frame.time_s.to_numpy(float),
    )  # fmt: skip
