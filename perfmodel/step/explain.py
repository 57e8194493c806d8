"""Why a step takes as long as it does, and what would change it."""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np

from perfmodel.efficiency.prior import Prior, shipped_prior
from perfmodel.errors import PerfmodelError
from perfmodel.graph.operators import Operators
from perfmodel.hardware.gpu import find_gpu
from perfmodel.hardware.precision import resolve_precision
from perfmodel.hardware.spec import CPU_ARCH
from perfmodel.roofline.roofs import Roofs, roofs_of
from perfmodel.step.compute import scope_weights
from perfmodel.step.operator_times import OperatorTime, operator_seconds, operator_times, operators_of
from perfmodel.step.predict import answer
from perfmodel.step.prediction import Prediction
from perfmodel.step.request import Request

_CARDS = ("t4", "rtx3060", "v100", "rtx3090", "a100", "rtx4090", "h100")
_TOP = 8


@dataclass(frozen=True, kw_only=True)
class TopOperator:
    """One of the longest operators."""

    name: str
    phase: str
    count: float
    seconds: float
    shape: str


@dataclass(frozen=True, kw_only=True)
class Change:
    """Effect of changing one thing."""

    change: str
    step_s: float
    samples_per_s: float
    effect: str


@dataclass(frozen=True, kw_only=True)
class Explanation:
    """Terms of a step, its longest operators, and the effect of single changes.

    Attributes
    ----------
    achieved_tflops, peak_tflops, share_of_peak : float
        FLOPs of matrix products (convolutions counted directly) over device time, and the card's peak in that
        precision; Winograd convolution can exceed the peak so counted.
    terms : list of (str, float, float)
        Operator group, device seconds, share.
    operators : list of TopOperator
    changes : list of Change
    roofs : Roofs
        Arithmetic, DRAM and L2 roofs of the card.
    operator_times : tuple of OperatorTime
        All operators with their FLOPs, bytes and seconds.
    """

    achieved_tflops: float
    peak_tflops: float
    share_of_peak: float
    terms: list[tuple[str, float, float]]
    operators: list[TopOperator]
    changes: list[Change]
    roofs: Roofs
    operator_times: tuple[OperatorTime, ...]

    def to_dict(self) -> dict[str, Any]:
        """JSON form."""
        document = {name: value for name, value in asdict(self).items() if name not in ("roofs", "operator_times")}
        document["terms"] = [{"group": g, "seconds": s, "share": share} for g, s, share in self.terms]
        document["roofline"] = self.roofs.to_dict() | {"operators": [one.to_dict() for one in self.operator_times]}
        return document


def explain(prediction: Prediction, prior: Prior | None = None) -> Explanation:
    """Explain a prediction.

    Parameters
    ----------
    prediction : Prediction
    prior : Prior, optional
        The one that answered; the shipped one by default.
    """
    chosen = prior or shipped_prior()
    ask = prediction.request
    total = sum(prediction.terms_s.values()) or 1.0
    terms = [(name, seconds, seconds / total) for name, seconds in prediction.terms_s.items() if seconds > 0]
    peak = ask.gpu.peak_tflops(ask.precision)
    return Explanation(
        achieved_tflops=prediction.achieved_tflops,
        peak_tflops=peak,
        share_of_peak=prediction.achieved_tflops / peak,
        terms=sorted(terms, key=lambda term: -term[1]),
        operators=_top_operators(ask, chosen),
        changes=_changes(prediction, chosen),
        roofs=roofs_of(ask.gpu, chosen.kernel),
        operator_times=operator_times(prediction, chosen),
    )


def _top_operators(ask: Request, prior: Prior) -> list[TopOperator]:
    from perfmodel.graph.operators import PHASES

    ops = operators_of(ask)
    timed = scope_weights(ask.plan.scope)[ops.phase]
    time = np.ravel(operator_seconds(ops, ask, prior) * ops.count * timed)
    order = [i for i in np.argsort(-time)[:_TOP] if time[i] > 0]
    return [
        TopOperator(
            name=ops.name[i], phase=PHASES[int(ops.phase[i])], count=float(np.ravel(ops.count)[i]),
            seconds=float(time[i]), shape=_shape(ops, int(i)),
        )
        for i in order
    ]  # fmt: skip


def _shape(ops: Operators, i: int) -> str:
    b, m, n, k = (float(np.ravel(getattr(ops, name))[i]) for name in "bmnk")
    if k > 0:
        return f"{f'{b:g} x ' if b > 1 else ''}({m:g} x {k:g}) ({k:g} x {n:g})"
    moved = float(np.ravel(ops.read)[i] + np.ravel(ops.write)[i])
    return f"{moved / 1e6:.3g} MB"


def _changes(prediction: Prediction, prior: Prior) -> list[Change]:
    ask = prediction.request
    tried: list[tuple[str, Request]] = []
    if ask.graph.fixed_batch is None:
        tried.append((f"batch {ask.batch * 2}", replace(ask, batch=ask.batch * 2)))
    for precision in ("tf32", "amp"):
        try:
            resolved = resolve_precision(precision, ask.gpu)
        except PerfmodelError:
            continue
        if resolved != ask.precision and ask.gpu.tensor_cores:
            tried.append((f"precision {precision}", replace(ask, precision=resolved)))
    if ask.loader is not None:
        tried.append((f"{ask.workers * 2 or 1} workers", replace(ask, workers=ask.workers * 2 or 1)))
    if ask.gpu.arch == CPU_ARCH:
        tried += [(one.name, replace(ask, gpu=one, profile=None)) for one in map(find_gpu, _CARDS)]
        return [_change(text, prediction, answer(other, prior)) for text, other in tried]
    if not ask.stack.compiled:
        tried.append(("torch.compile", replace(ask, stack=replace(ask.stack, compiled=True))))
    tried.append((f"{ask.gpus * 2} cards", replace(ask, gpus=ask.gpus * 2)))
    for name in _CARDS:
        card = find_gpu(name)
        if card.key != ask.gpu.key and card.supports(ask.precision):
            tried.append((card.name, replace(ask, gpu=card, profile=None)))
    return [_change(text, prediction, answer(other, prior)) for text, other in tried]


def _change(text: str, before: Prediction, after: Prediction) -> Change:
    ratio = after.samples_per_s / before.samples_per_s
    effect = f"{ratio:.2f} x the throughput (step {after.step_s.median * 1e3:.4g} ms)"
    if not after.fits:
        effect += ", does not fit"
    return Change(change=text, step_s=after.step_s.median, samples_per_s=after.samples_per_s, effect=effect)
