"""Rows of the project's own sessions as the fits read them: kernels as operators, steps as a table of runs.

Kernels left out: attention, pooling and embeddings, which no physical coefficient describes on its own (whole steps
correct them); precisions that the card lacks.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from perfmodel.calibration.kernel_rows import KernelRows
from perfmodel.calibration.rows import Row
from perfmodel.calibration.sessions import MeasuredSession
from perfmodel.graph.operators import KIND_CODE, PASS_CODE, PHASE_CODE, Operators
from perfmodel.hardware.gpu import Gpu
from perfmodel.roofline.device import Device
from perfmodel.roofline.physical import BYTES_SCALE
from perfmodel.runs.rows import Runs

Floats = npt.NDArray[np.float64]

#: Class of an operator's kind in the kernel fit.
_CLASS = {"norm": "norm", "softmax": "softmax"} | dict.fromkeys(
    ("elementwise", "reduce", "copy", "optimizer"), "elementwise"
)
_CONVOLUTION = {"fwd": "conv", "dgrad": "conv_dgrad", "wgrad": "conv_wgrad"}
#: What a session times: a step from its start until the device is done, with the copy of its pinned input.
STEP_TIMING = "full training step, input copied from pinned memory"


def class_of(row: Row) -> str:
    """Class of a measured kernel in the fit; empty for kernels that are left out."""
    kind = row["kind"]
    if kind == "gemm":
        return "bmm" if float(row["b"]) > 1 else "linear"
    if kind == "conv":
        return _CONVOLUTION[row["pass"]]
    return _CLASS.get(kind, "")


def session_kernels(session: MeasuredSession) -> KernelRows | None:
    """A session's kernels; None where it has none that are fitted."""
    card = session.gpu
    if card is None:
        return None
    rows = [row for row in session.kernels if class_of(row) and _has(card, row["precision"])]
    return _kernels(rows, card, session.name) if rows else None


def _has(card: Gpu, precision: str) -> bool:
    return precision == "fp32" or card.peaks_tflops.get(precision, 0.0) > 0


def _kernels(rows: Sequence[Row], card: Gpu, source: str) -> KernelRows:
    count = len(rows)
    words = {name: np.array([row[name] for row in rows]) for name in ("kind", "pass", "precision")}
    cls = np.array([class_of(row) for row in rows])
    one = Device.of([card])
    device = Device(**{name: np.full(count, getattr(one, name)[0, 0]) for name in Device.__dataclass_fields__})
    return KernelRows(
        ops=_operators(rows, words, cls), gpu=np.full(count, card.key), device=device, precision=words["precision"],
        cls=cls, source=np.full(count, source), time_s=_numbers(rows, "time_s"),
    )  # fmt: skip


def _numbers(rows: Sequence[Row], name: str) -> Floats:
    return np.array([float(row[name]) for row in rows])


def _operators(rows: Sequence[Row], words: dict[str, npt.NDArray[np.str_]], cls: npt.NDArray[np.str_]) -> Operators:
    """The graph's view of the rows: there, the backward products of a layer are plain products of their own shape."""
    count, conv = len(rows), words["kind"] == "conv"
    column = {name: _numbers(rows, name) for name in ("b", "m", "n", "k", "flops", "window", "stride", "groups")}
    shapes = [dict(word.split("=") for word in row["shape"].split()) for row in rows]
    images = np.array([float(shape.get("batch", 0)) for shape in shapes])
    channels = np.array([float(shape.get("cin", 0)) for shape in shapes])
    spatial = conv & (words["pass"] != "wgrad")
    scale = np.array([BYTES_SCALE.get(str(name), 1.0) for name in words["precision"]])
    depthwise = conv & (column["groups"] > 1) & (column["groups"] == channels)
    return Operators(
        kind=np.array([KIND_CODE[name] for name in words["kind"]], np.int8),
        phase=np.full(count, PHASE_CODE["forward"], np.int8),
        pass_=np.where(conv, [PASS_CODE[name] for name in words["pass"]], 0).astype(np.int8),
        name=tuple(cls.tolist()), half=~np.isin(words["precision"], ("fp32", "tf32")), count=np.ones(count),
        b=column["b"], m=column["m"], n=column["n"], k=column["k"],
        flops=np.where(column["k"] > 0, column["flops"], 0.0),
        read=_numbers(rows, "read_bytes") / scale, write=_numbers(rows, "write_bytes") / scale,
        rows=np.where(conv, images, _numbers(rows, "rows")),
        cols=np.where(spatial, column["m"] / np.maximum(images, 1.0), np.where(conv, 0.0, _numbers(rows, "cols"))),
        window=column["window"], stride=np.maximum(column["stride"], 1.0), depthwise=depthwise,
        winograd=conv & (column["window"] == 9) & (column["stride"] == 1) & (column["groups"] == 1),
        saved=np.zeros(count),
    )  # fmt: skip


def session_runs(session: MeasuredSession) -> Runs:
    """A session's steps under the columns of a run table; empty for a processor's session."""
    card = session.gpu
    rows = () if card is None else session.steps
    cells = [_run(row, "" if card is None else card.key, session) for row in rows]
    names = list(cells[0]) if cells else ["gpu", "model", "latency_ms"]
    return Runs({name: np.array([cell[name] for cell in cells], dtype=object) for name in names}, str(session.path))


def _run(row: Row, gpu: str, session: MeasuredSession) -> dict[str, str]:
    sized = {"image_size": "", "seq_len": ""} | ({row["size_name"]: row["size"]} if row["size_name"] else {})
    return {
        "gpu": gpu, "n_gpu": "1", "model": row["workload"], "phase": row["mode"], "framework": "pytorch",
        "framework_version": str(session.facts.get("torch", "")), "layout": "nchw", "compiled": "eager",
        "precision": {"amp": "amp_fp16"}.get(row["precision"], row["precision"]), "batch": row["batch"], **sized,
        "blocks": row["blocks"] if float(row["blocks"]) > 0 else "", "latency_ms": f"{1e3 * float(row['step_s']):.9g}",
        "timing_def": STEP_TIMING, "data": "random", "source": session.name, "tier": "core",
    }  # fmt: skip
