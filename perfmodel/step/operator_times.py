"""The operators of a predicted step with their arithmetic, memory traffic and time: what a roofline shows."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from perfmodel.efficiency.features import GROUPS, operator_groups
from perfmodel.efficiency.prior import Prior, shipped_prior
from perfmodel.graph.operators import KINDS, PHASES, Operators
from perfmodel.hardware.spec import CPU_ARCH
from perfmodel.roofline.device import Device
from perfmodel.roofline.physical import BYTES_SCALE, VARIANT_OF, physical_time
from perfmodel.step.compute import processor_operators, scope_weights
from perfmodel.step.prediction import Prediction
from perfmodel.step.request import Request

Floats = npt.NDArray[np.float64]

#: Side of the tiles by which matrix products are taken to read their operands through L2.
L2_TILE = 128.0


@dataclass(frozen=True, kw_only=True)
class OperatorTime:
    """One distinct operator of a step.

    Attributes
    ----------
    name, kind, group, phase : str
        aten name; kind of `KINDS`, group of `GROUPS` and phase of `PHASES`.
    half : bool
        Computes in 16 bit.
    count : float
        How often it runs in a step.
    flops, bytes, l2_bytes : float
        Of one run: arithmetic, least DRAM traffic, and bytes through L2 (for products the operands that tiles of 128
        by 128 read; elsewhere the same as `bytes`).
    seconds : float
        Of one run, learned efficiency included, without launch.
    """

    name: str
    kind: str
    group: str
    phase: str
    half: bool
    count: float
    flops: float
    bytes: float
    l2_bytes: float
    seconds: float

    @property
    def total_s(self) -> float:
        """Seconds of all runs in a step."""
        return self.count * self.seconds

    def to_dict(self) -> dict[str, Any]:
        """JSON form."""
        return asdict(self)


def operator_times(prediction: Prediction, prior: Prior | None = None) -> tuple[OperatorTime, ...]:
    """Return the operators of the timed region, the longest first; their seconds add up to `Prediction.terms_s`.

    Parameters
    ----------
    prediction : Prediction
    prior : Prior, optional
        The one that answered; the shipped one by default.
    """
    ask, chosen = prediction.request, prior or shipped_prior()
    ops = operators_of(ask)
    group = operator_groups(ops)
    corrections = chosen.corrections(ask.plan.setting, ask.gpu)
    if ask.profile is not None:
        corrections = ask.profile.apply(corrections, ask.plan.setting)
    factor = np.exp(np.asarray(corrections.theta)[:-1] + corrections.total)[group]
    seconds = np.ravel(operator_seconds(ops, ask, chosen) * factor)
    count = np.ravel(ops.count * scope_weights(ask.plan.scope)[ops.phase])
    traffic = np.ravel(ops.read + ops.write) * BYTES_SCALE.get(ask.precision, 1.0)
    flops, through_l2 = np.ravel(ops.flops), np.ravel(_l2_bytes(ops, ask.precision, traffic))
    order = [int(at) for at in np.argsort(-seconds * count, kind="stable") if count[at] > 0]
    return tuple(
        OperatorTime(
            name=ops.name[at], kind=KINDS[int(ops.kind[at])], group=GROUPS[int(group[at])],
            phase=PHASES[int(ops.phase[at])], half=bool(ops.half[at]), count=float(count[at]), flops=float(flops[at]),
            bytes=float(traffic[at]), l2_bytes=float(through_l2[at]), seconds=float(seconds[at]),
        )
        for at in order
    )  # fmt: skip


def operators_of(ask: Request) -> Operators:
    """Evaluate the operators of a request's step."""
    if ask.gpu.arch == CPU_ARCH:
        return processor_operators(ask.plan, float(ask.batch), ask.size, ask.blocks)
    return ask.plan.operators(float(ask.batch), ask.size, ask.blocks)


def operator_seconds(ops: Operators, ask: Request, prior: Prior) -> Floats:
    """Seconds of one run of each operator before learned efficiency."""
    if ask.gpu.arch == CPU_ARCH:
        from perfmodel.efficiency.cpu import profile_of
        from perfmodel.roofline.cpu import cpu_time

        return cpu_time(ops, profile_of(ask.gpu).coefficients)
    return physical_time(ops, Device.of([ask.gpu]), ask.precision, prior.kernel)


def _l2_bytes(ops: Operators, precision: str, traffic: Floats) -> Floats:
    """Bytes of one run that pass through L2, shape (n,)."""
    b, m, n, k = (np.ravel(getattr(ops, name)) for name in "bmnk")
    wide = 2.0 if VARIANT_OF[precision] == "half" else 4.0
    itemsize = np.where(ops.half, 2.0, wide) * BYTES_SCALE.get(precision, 1.0)
    operands = b * k * (m * np.ceil(n / L2_TILE) + n * np.ceil(m / L2_TILE)) * itemsize
    found: Floats = np.where(k > 0, np.maximum(operands + b * m * n * itemsize, traffic), traffic)
    return found
