"""Measured steps as observations of a card, and the profile that they make."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from perfmodel.efficiency.prior import Prior, shipped_prior
from perfmodel.efficiency.profile import Observation, Profile, term_shares
from perfmodel.errors import InputError
from perfmodel.hardware.gpu import find_gpu
from perfmodel.hardware.spec import CPU_ARCH
from perfmodel.runs.rows import Runs, read_runs
from perfmodel.validation.features import QuestionFeatures, question_features
from perfmodel.validation.predictions import copy_seconds, predict_questions
from perfmodel.validation.resolve import Question, resolve_rows


def step_observations(
    questions: Sequence[Question], prior: Prior, found: QuestionFeatures | None = None
) -> list[Observation]:
    """Compare measured steps with what a prior predicts of them.

    Parameters
    ----------
    questions : sequence of Question
        Measured rows; rows of several cards that share a step are not for a profile.
    prior : Prior
        What predicts, without any profile.
    found : QuestionFeatures, optional
        Their features under that prior, where they are known already.
    """
    known = question_features(questions, prior) if found is None else found
    predicted = predict_questions(questions, known, prior).time_s
    copied = copy_seconds(questions, known)
    observations = []
    for at, one in enumerate(questions):
        setting = one.plan.setting
        factor = np.exp(prior.corrections(setting, one.gpu).theta)
        shares = term_shares(
            known.steps.seconds[at].sum(axis=0) * factor[:-1], float(known.host[at] * factor[-1]),
            whole_step=not setting.operators, mode=setting.mode, precision=setting.precision,
            scale=1.0 - float(copied[at] / predicted[at]),
        )  # fmt: skip
        observations.append(Observation(measured_s=one.time_s, predicted_s=float(predicted[at]), shares=shares))
    return observations


def profile_of_runs(
    runs: Runs | str | Path, gpu: str | None = None, *, prior: Prior | None = None
) -> tuple[Profile, Counter[str]]:
    """Profile of a card from a table of measured steps.

    Parameters
    ----------
    runs : Runs, str or Path
        Measured rows, as `validate` reads them.
    gpu : str, optional
        The card; rows of others are passed over. May be left out where the table has one card only.
    prior : Prior, optional
        Coefficients other than the shipped ones.

    Returns
    -------
    profile : Profile
    passed_over : Counter
        Rows that say nothing of the card, by reason.

    Raises
    ------
    InputError
        When the rows are of several cards and none was named, or none can be used.
    TableError
        When the file is no table of measured rows.
    """
    table = runs if isinstance(runs, Runs) else read_runs(runs)
    questions, reasons = resolve_rows(table)
    key = _card(questions, gpu)
    used = [one for one in questions if one.gpu.key == key and one.gpus == 1]
    reasons["another card"] += sum(one.gpu.key != key for one in questions)
    reasons["several cards in one step"] += sum(one.gpu.key == key and one.gpus > 1 for one in questions)
    if not used:
        raise InputError(f"no row of {key} can be used", f"{_most(reasons)}; docs/runs.md describes the columns")
    observed = step_observations(used, prior or shipped_prior())
    name = Path(table.path).name if table.path else "rows"
    profile = Profile(gpu=key).update(observed)
    return replace(profile, provenance={"from": name, "step_rows": len(observed)}), +reasons


def _card(questions: Sequence[Question], gpu: str | None) -> str:
    """Key of the card that a profile is to describe."""
    if gpu is not None:
        card = find_gpu(gpu)
        if card.arch == CPU_ARCH:
            raise InputError("a processor's profile is not made of rows", "perfmodel measure --profile measures it")
        return card.key
    cards = sorted({one.gpu.key for one in questions if one.gpu.arch != CPU_ARCH})
    if len(cards) > 1:
        raise InputError(f"the rows are of {len(cards)} cards", f"name one by --gpu: {', '.join(cards[:8])}")
    if not cards:
        raise InputError("no row is of a GPU that the table of cards has", "perfmodel gpus lists them")
    return cards[0]


def _most(reasons: Counter[str]) -> str:
    return "; ".join(f"{n} {why}" for why, n in (+reasons).most_common(3)) or "the table is empty"
