"""Sums of physical operator times by phase and operator group: what the efficiency model works on."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from perfmodel.graph.operators import KIND_CODE, PHASES, Operators
from perfmodel.roofline.coefficients import KernelCoefficients
from perfmodel.roofline.device import Device
from perfmodel.roofline.physical import BYTES_SCALE, PRODUCT_KINDS, physical_time

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
    backward = ops.phase == PHASES.index("backward")
    kind = ops.kind
    batched = (np.asarray(ops.b).reshape(-1, len(kind)).max(axis=0) > 1) & (kind == KIND_CODE["gemm"])
    conditions = [
        np.asarray(ops.depthwise, dtype=bool),
        kind == KIND_CODE["optimizer"],
        (kind == KIND_CODE["attention"]) | batched,
        (kind == KIND_CODE["conv"]) & backward,
        kind == KIND_CODE["conv"],
        np.isin(kind, (KIND_CODE["gemm"], KIND_CODE["rnn"])) & backward,
        np.isin(kind, (KIND_CODE["gemm"], KIND_CODE["rnn"])),
        kind == KIND_CODE["norm"],
    ]
    names = ("depthwise", "optimizer", "batched", "conv_backward", "conv", "gemm_backward", "gemm", "norm")
    return np.select(conditions, [GROUP_CODE[name] for name in names], default=GROUP_CODE["elementwise"]).astype(
        np.intp
    )


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
    time = physical_time(ops, device, precision, c) * ops.count
    code = ops.phase.astype(np.intp) * len(GROUPS) + operator_groups(ops)
    member = np.zeros((len(ops.kind), len(PHASES) * len(GROUPS)))
    member[np.arange(len(code)), code] = 1.0
    seconds = time @ member
    phase = member.reshape(len(code), len(PHASES), len(GROUPS)).sum(axis=-1)
    count = np.broadcast_to(ops.count, time.shape)
    traffic = (ops.read + ops.write) * BYTES_SCALE.get(precision, 1.0)
    return StepFeatures(
        seconds=seconds.reshape(*seconds.shape[:-1], len(PHASES), len(GROUPS)),
        launches=count @ phase,
        flops=(count * np.where(np.isin(ops.kind, PRODUCT_KINDS), ops.flops, 0.0)) @ phase,
        bytes=(count * traffic) @ phase,
    )
