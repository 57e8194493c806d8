"""Sums of physical operator times by phase and operator group: what the efficiency model works on."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from perfmodel.graph.operators import KIND_CODE, KINDS, PHASES, Operators
from perfmodel.roofline.coefficients import KernelCoefficients
from perfmodel.roofline.device import Device
from perfmodel.roofline.physical import BYTES_SCALE, IS_PRODUCT, physical_time

Floats = npt.NDArray[np.float64]

#: Operator groups whose efficiency is learned; order of the last axis of `StepFeatures.seconds`.
GROUPS = (
    "conv",
    "conv_backward",
    "gemm",
    "gemm_backward",
    "batched",
    "depthwise",
    "norm",
    "elementwise",
    "optimizer",
)
GROUP_CODE = {name: code for code, name in enumerate(GROUPS)}


def _group_of(kind: str, *, backward: bool) -> int:
    """Group of an operator that is not depthwise, batched or the optimizer's."""
    names = {"attention": "batched", "norm": "norm"}
    products = {"conv": "conv", "gemm": "gemm", "rnn": "gemm"}
    if kind in products:
        return GROUP_CODE[products[kind] + ("_backward" if backward else "")]
    return GROUP_CODE[names.get(kind, "elementwise")]


#: Group by (forward, backward) and kind code.
_GROUP_OF = np.array([[_group_of(kind, backward=backward) for kind in KINDS] for backward in (False, True)], np.intp)
#: One row a phase: selects the sum that an operator belongs to.
_PHASE = np.eye(len(PHASES))


@dataclass(frozen=True)
class StepFeatures:
    """Physical seconds and launches of one step.

    Attributes
    ----------
    seconds : array (..., 4, G)
        Physical device seconds by graph phase and operator group.
    launches : array (..., 4)
        Operators the host launches in each phase.
    flops, bytes : array (..., 4)
        Arithmetic and least memory traffic of each phase.
    """

    seconds: Floats
    launches: Floats
    flops: Floats
    bytes: Floats


def operator_groups(ops: Operators) -> npt.NDArray[np.intp]:
    """Group index of each operator, shape (n,)."""
    kind = ops.kind
    batched = (np.asarray(ops.b).reshape(-1, len(kind)).max(axis=0) > 1) & (kind == KIND_CODE["gemm"])
    group = _GROUP_OF[(ops.phase == PHASES.index("backward")).astype(np.intp), kind]
    group = np.where(batched, GROUP_CODE["batched"], group)
    group = np.where(kind == KIND_CODE["optimizer"], GROUP_CODE["optimizer"], group)
    return np.where(np.asarray(ops.depthwise, dtype=bool), GROUP_CODE["depthwise"], group).astype(np.intp)


def _sums(values: Floats, code: npt.NDArray[np.intp], codes: int) -> Floats:
    """Sum values (..., n) by the code of their column: (..., codes). Runs of equal codes are added up at once."""
    if values.size == len(code):
        flat: Floats = np.bincount(code, weights=values.ravel(), minlength=codes).astype(np.float64)
        return flat.reshape(*values.shape[:-1], codes)
    starts = np.flatnonzero(np.concatenate([[True], code[1:] != code[:-1]])) if len(code) else np.zeros(0, np.intp)
    sums = np.zeros((*values.shape[:-1], codes))
    runs = np.add.reduceat(values, starts, axis=-1) if len(starts) else np.zeros((*values.shape[:-1], 0))
    for at, target in enumerate(code[starts]):
        sums[..., target] += runs[..., at]
    return sums


def group_seconds(ops: Operators, time: Floats) -> Floats:
    """Sum the seconds (..., n) of one instance of each operator by phase and group: (..., 4, G)."""
    code = ops.phase.astype(np.intp) * len(GROUPS) + operator_groups(ops)
    return _sums(time * ops.count, code, len(PHASES) * len(GROUPS)).reshape(*time.shape[:-1], len(PHASES), len(GROUPS))


def phase_launches(ops: Operators) -> Floats:
    """Operators that the host launches in each phase: (..., 4)."""
    result: Floats = ops.count @ _PHASE[ops.phase]
    return result


def step_features(ops: Operators, device: Device, precision: str, c: KernelCoefficients) -> StepFeatures:
    """Add up the physical time of a step's operators.

    Parameters
    ----------
    ops : Operators
        Evaluated operators, arrays (..., n).
    device : Device
        Columns that broadcast against (..., n).
    precision : str
        Canonical precision.
    c : KernelCoefficients
        Physical coefficients.
    """
    return collect(ops, physical_time(ops, device, precision, c), precision)


def collect(ops: Operators, seconds: Floats, precision: str) -> StepFeatures:
    """Add up the seconds of one instance of each operator (..., n) by phase and operator group."""
    phase = _PHASE[ops.phase]
    count = np.broadcast_to(ops.count, seconds.shape)
    traffic = (ops.read + ops.write) * BYTES_SCALE.get(precision, 1.0)
    return StepFeatures(
        seconds=group_seconds(ops, seconds),
        launches=count @ phase,
        flops=(count * np.where(IS_PRODUCT[ops.kind], ops.flops, 0.0)) @ phase,
        bytes=(count * traffic) @ phase,
    )
