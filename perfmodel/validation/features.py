"""Physical features of many questions at once: grouped so that each graph is evaluated as few times as possible."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from perfmodel.efficiency.features import GROUPS, StepFeatures
from perfmodel.efficiency.prior import Prior
from perfmodel.graph.operators import PHASES
from perfmodel.hardware.gpu import Gpu
from perfmodel.step.compute import features, host_seconds, scope_weights, weighted
from perfmodel.validation.resolve import Question

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class QuestionFeatures:
    """Features of r questions inside their timed regions.

    Attributes
    ----------
    steps : StepFeatures
        Arrays (r, 4, G) and (r, 4), restricted to each question's scope.
    host : array (r,)
        Host launch seconds at the base rate.
    input_bytes : array (r,)
        Bytes of one micro-batch's input.
    """

    steps: StepFeatures
    host: Floats
    input_bytes: Floats


def question_features(questions: Sequence[Question], prior: Prior) -> QuestionFeatures:
    """Physical features of questions, each exactly as `perfmodel.step.predict` computes it for one."""
    count = len(questions)
    found = StepFeatures(
        seconds=np.zeros((count, len(PHASES), len(GROUPS))),
        launches=np.zeros((count, len(PHASES))),
        flops=np.zeros((count, len(PHASES))),
        bytes=np.zeros((count, len(PHASES))),
    )
    inputs = np.zeros(count)
    for members in _batches(questions):
        _fill(questions, members, prior, found, inputs)
    weights = np.array([scope_weights(one.plan.scope) for one in questions]).reshape(count, len(PHASES))
    steps = weighted(found, weights)
    host = np.zeros(count)
    by_scope: dict[object, list[int]] = defaultdict(list)
    for index, one in enumerate(questions):
        by_scope[one.plan.scope].append(index)
    for indices in by_scope.values():
        part = StepFeatures(*(getattr(steps, name)[indices] for name in ("seconds", "launches", "flops", "bytes")))
        host[indices] = host_seconds(part, prior, questions[indices[0]].plan.scope)
    return QuestionFeatures(steps, host, inputs)


def _batches(questions: Sequence[Question]) -> list[list[int]]:
    groups: dict[tuple[object, ...], list[int]] = defaultdict(list)
    for index, one in enumerate(questions):
        plan = one.plan
        blocks = None if np.isnan(one.blocks) else int(one.blocks)
        key = (
            id(plan.graph), plan.mode, plan.precision, plan.optimizer, plan.accumulate, plan.checkpoint,
            plan.stack.fused_attention, plan.half_storage, blocks,
        )  # fmt: skip
        groups[key].append(index)
    return list(groups.values())


def _fill(questions: Sequence[Question], members: list[int], prior: Prior, found: StepFeatures, inputs: Floats) -> None:
    first = questions[members[0]]
    graph = first.plan.graph
    cards: dict[Gpu, int] = {}
    gpu = np.array([cards.setdefault(questions[i].gpu, len(cards)) for i in members], dtype=np.intp)
    batch = np.array([questions[i].batch for i in members])
    sizes = np.array([questions[i].size for i in members])
    size = None
    if graph.size_name is not None:
        size = np.where(np.isnan(sizes), float(graph.default_size), sizes)
    blocks = None if np.isnan(first.blocks) or graph.default_blocks is None else int(first.blocks)
    plan = replace(first.plan)
    part = features(plan, prior, list(cards), gpu, batch, size, blocks)
    for name in ("seconds", "launches", "flops", "bytes"):
        getattr(found, name)[members] = getattr(part, name)
    inputs[members] = graph.input_bytes(batch=batch, size=size)
