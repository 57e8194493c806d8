"""Predict questions in bulk; each point equals what `perfmodel.step.predict` answers for the same settings."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from perfmodel.efficiency.prior import Corrections, Prior
from perfmodel.efficiency.profile import Profile
from perfmodel.hardware.gpu import Gpu
from perfmodel.hardware.host import find_host
from perfmodel.hardware.spec import CPU_ARCH
from perfmodel.step.communication import communication, pcie_gbs
from perfmodel.step.compute import apply_corrections
from perfmodel.step.evidence import judge
from perfmodel.step.predict import PINNED_EFFICIENCY
from perfmodel.validation.features import QuestionFeatures
from perfmodel.validation.resolve import Question

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Predictions:
    """Predicted seconds of r questions and the half-width of their 90 % interval of log time."""

    time_s: Floats
    half_width: Floats


def copy_seconds(questions: Sequence[Question], found: QuestionFeatures) -> Floats:
    """Seconds of input copies inside timed regions."""
    host = find_host("default")
    rates = np.full(len(questions), np.inf)
    for index, one in enumerate(questions):
        if one.plan.scope.h2d_copy and one.gpu.arch != CPU_ARCH:
            pinned = min(host.pcie_gbs, PINNED_EFFICIENCY * pcie_gbs(one.gpu))
            rates[index] = 1e9 * (host.pageable_gbs if one.plan.scope.pageable else pinned)
    result: Floats = found.input_bytes / rates
    return result


def predict_questions(
    questions: Sequence[Question], found: QuestionFeatures, prior: Prior, coverage: float = 0.9, *,
    profile: Profile | None = None,
) -> Predictions:  # fmt: skip
    """Predict measured rows.

    Parameters
    ----------
    questions : sequence of Question
    found : QuestionFeatures
        From `question_features` with the same prior.
    prior : Prior
    coverage : float
        Of the interval.
    profile : Profile, optional
        Measurements of one of the cards.
    """
    index, corrections, extra = _corrections(questions, prior, profile)
    times = apply_corrections(found.steps, found.host, corrections, index)
    step = times.total + copy_seconds(questions, found)
    backward = times.device[:, 2]
    for at, one in enumerate(questions):
        if one.gpus > 1 and backward[at] > 0:
            gradient = 4.0 * one.plan.graph.parameters(None if np.isnan(one.blocks) else int(one.blocks))
            shared = communication(gradient, one.gpus, one.gpu, backward[at], step_s=step[at])
            step[at] += float(shared.exposed_s)
    variance = times.variance + extra[index]
    return Predictions(step, np.asarray(prior.half_width(variance, coverage)))


def _corrections(
    questions: Sequence[Question], prior: Prior, profile: Profile | None
) -> tuple[npt.NDArray[np.intp], list[Corrections], Floats]:
    """Distinct corrections, which of them each question has, and the variance that evidence adds to each."""
    known: dict[tuple[object, Gpu], int] = {}
    corrections: list[Corrections] = []
    extra: list[float] = []
    index = np.empty(len(questions), dtype=np.intp)
    for at, one in enumerate(questions):
        setting = one.plan.setting
        key = (setting, one.gpu)
        if key not in known:
            known[key] = len(corrections)
            own = profile if profile is not None and profile.gpu == one.gpu.key else None
            plain = prior.corrections(setting, one.gpu)
            corrections.append(plain if own is None else own.apply(plain, setting))
            extra.append(judge(prior, setting, one.gpu, own).variance)
        index[at] = known[key]
    return index, corrections, np.array(extra)
