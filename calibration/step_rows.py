"""Measured steps as rows of the effect fit."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from perfmodel.calibration.fit_steps import StepRows
from perfmodel.efficiency.levels import (
    GROUP_FACTORS,
    TOTAL_FACTORS,
    card_offsets,
    covariates,
    group_levels,
    total_levels,
)
from perfmodel.validation.features import QuestionFeatures
from perfmodel.validation.predictions import copy_seconds
from perfmodel.validation.resolve import Question


def step_rows(
    questions: Sequence[Question],
    found: QuestionFeatures,
    phases: Sequence[str],
    cards: Mapping[str, tuple[float, float]],
) -> StepRows:
    """Assemble rows.

    Parameters
    ----------
    questions, found
        Rows and their features.
    phases : sequence of str
        The phase column's own text.
    cards : mapping
        Card effects of the kernel fit.
    """
    offsets = np.array([card_offsets(*cards.get(one.gpu.key, (0.0, 0.0))) for one in questions])
    groups = {name: [] for name in GROUP_FACTORS}  # type: dict[str, list[str]]
    totals = {name: [] for name in TOTAL_FACTORS}  # type: dict[str, list[str]]
    for one in questions:
        for name, level in group_levels(one.plan.setting, one.gpu.arch).items():
            groups[name].append(level)
        for name, level in total_levels(one.plan.setting, one.gpu.key, one.gpu.arch).items():
            totals[name].append(level)
    cell = [f"{one.plan.campaign}|{one.gpu.key}|{phase}" for one, phase in zip(questions, phases, strict=True)]
    return StepRows(
        seconds=found.steps.seconds.sum(axis=1) * np.exp(offsets[:, :-1]),
        host=found.host,
        extra=copy_seconds(questions, found),
        time_s=np.array([one.time_s for one in questions]),
        covariates=np.array([covariates(one.gpu, one.plan.setting) for one in questions]),
        group_levels={name: np.array(levels) for name, levels in groups.items()},
        total_levels={name: np.array(levels) for name, levels in totals.items()},
        cell=np.array(cell),
    )
