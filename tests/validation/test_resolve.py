"""Rows as questions: what a script is known to do decides which graph answers."""

from __future__ import annotations

import numpy as np
import pytest

from perfmodel.graph.operators import KIND_CODE
from perfmodel.runs.rows import Runs
from perfmodel.step.compute import Plan
from perfmodel.validation.resolve import Question, resolve_rows

NGC = "nvcr pytorch 20.xx"


def question(**cells: str) -> Question:
    """One row of a training run as a question."""
    row = {"gpu": "a100", "model": "bert_large_squad", "phase": "train", "framework": "pytorch", "precision": "amp",
           "framework_version": NGC, "batch": "64", "latency_ms": "500"} | cells  # fmt: skip
    questions, unresolved = resolve_rows(Runs({name: np.array([cell], dtype=object) for name, cell in row.items()}))
    assert not unresolved
    return questions[0]


def optimizers(plan: Plan) -> list[str]:
    """Names of the optimizer's operators."""
    ops = plan.operators(64.0, 384.0, None)
    return [name for name, kind in zip(ops.name, ops.kind, strict=True) if kind == KIND_CODE["optimizer"]]


def test_mixed_precision_of_nvidias_bert_scripts_is_16_bit_storage() -> None:
    plan = question().plan
    assert (plan.half_storage, plan.variant, plan.precision) == (True, "half", "amp_fp16")
    assert optimizers(plan) == ["_fused_adamw_"]
    autocast = question(framework_version="1.13").plan
    assert (autocast.half_storage, autocast.variant) == (False, "amp")
    assert len(optimizers(autocast)) > 1
    traffic = [
        float(np.sum((ops := one.operators(64.0, 384.0, None)).count * (ops.read + ops.write)))
        for one in (plan, autocast)
    ]
    assert traffic[0] < 0.75 * traffic[1]


@pytest.mark.parametrize(
    "cells",
    [{"precision": "fp32"}, {"model": "resnet50"}, {"framework": "tensorflow"}, {"precision": "fp16"}],
    ids=lambda cells: next(iter(cells.values())),
)
def test_other_rows_keep_what_their_precision_says(cells: dict[str, str]) -> None:
    assert not question(**cells).plan.half_storage
