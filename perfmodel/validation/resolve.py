"""Turn measured rows into questions that the step model answers; what cannot be is counted with the reason."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from perfmodel.errors import PerfmodelError, PrecisionError, UnknownGpuError, UnknownModelError
from perfmodel.graph.catalogue import resolve
from perfmodel.graph.graph import Graph
from perfmodel.graph.totals import graph_from_totals
from perfmodel.hardware.gpu import Gpu, find_gpu
from perfmodel.hardware.precision import canonical_precision, says_nothing
from perfmodel.runs.rows import Runs
from perfmodel.runs.stack import completed
from perfmodel.step.compute import Plan
from perfmodel.step.request import steps_in


@dataclass(frozen=True, kw_only=True)
class Question:
    """One measured row as a question.

    Attributes
    ----------
    row : int
        Index in the table.
    plan : Plan
    gpu : Gpu
    gpus : int
        Cards that share the batch.
    batch : float
        Samples on one card.
    size, blocks : float
        Image size or sequence length, and residual blocks; NaN takes the network's own.
    time_s : float
        Measured seconds of a step.
    """

    row: int
    plan: Plan
    gpu: Gpu
    gpus: int
    batch: float
    size: float
    blocks: float
    time_s: float


def resolve_rows(runs: Runs) -> tuple[list[Question], Counter[str]]:
    """Return the questions of all rows that can be answered, and a count of reasons for the others."""
    questions: list[Question] = []
    unresolved: Counter[str] = Counter()
    reader = _Reader(runs)
    for row in range(len(runs)):
        try:
            questions.append(reader.question(row))
        except _UnresolvedError as error:
            unresolved[str(error)] += 1
        except PerfmodelError as error:
            unresolved[error.reason] += 1
    return questions, unresolved


#: Stacks from before automatic mixed precision: there, an unknown precision is fp32.
_BEFORE_AMP = ("torch7", "caffe2", "pytorch0")


def _is_unstated(own: str, read: str) -> bool:
    """Whether a row says in words that its precision is unknown, and nothing else tells it."""
    return bool(own.strip()) and says_nothing(own) and read == canonical_precision("")


class _UnresolvedError(Exception):
    """A row that cannot be predicted; the text is the reason."""


class _Reader:
    def __init__(self, runs: Runs) -> None:
        self.runs = runs
        self.text = {name: runs.text(name) for name in ("gpu", "model", "source", "precision")}
        names = ("batch", "image_size", "seq_len", "blocks", "params_M", "gmacs", "macts")
        self.number = {name: runs.number(name) for name in names}
        self.totals = _totals_by_name(runs)
        self.cold = runs.number("cold") == 1.0

    def question(self, row: int) -> Question:
        if self.cold[row]:
            raise _UnresolvedError("a cold step (loader start-up or warm-up)")
        gpu = _find_gpu(self.text["gpu"][row])
        time_s, batch = float(self.runs.step_s[row]), float(self.number["batch"][row])
        if not time_s > 0:
            raise _UnresolvedError("no usable time (latency_ms, or throughput_per_s with batch and a known unit)")
        if not batch > 0:
            raise _UnresolvedError("no batch size")
        gpus = max(1, int(self.runs.gpu_count[row]))
        if batch < gpus:
            raise _UnresolvedError("a global batch smaller than the number of cards")
        graph, model, resolved, size = self._network(row)
        training = bool(self.runs.training[row])
        stack, text = completed(self.runs.stacks[row], gpu), self.runs.precisions[row]
        unstated = _is_unstated(self.text["precision"][row], text) and stack.era not in _BEFORE_AMP
        if unstated:
            text = "amp"
        _check(graph, "train" if training else "infer", batch / gpus, float(self.number["blocks"][row]))
        plan = Plan(
            graph=graph, mode="train" if training else "infer", precision=_precision(text, gpu), stated=not unstated,
            scope=self.runs.timings[row], stack=stack, model=model, family=graph.family,
            resolved=resolved, campaign=self.text["source"][row],
        )  # fmt: skip
        return Question(
            row=row, plan=plan, gpu=gpu, gpus=gpus, batch=batch / gpus, size=size,
            blocks=float(self.number["blocks"][row]), time_s=time_s,
        )  # fmt: skip

    def _network(self, row: int) -> tuple[Graph, str, str, float]:
        name = self.text["model"][row]
        sizes = {key: float(self.number[key][row]) for key in ("image_size", "seq_len")}
        image = None if np.isnan(sizes["image_size"]) else int(sizes["image_size"])
        found = _resolve(name, image) if name else None
        if found is not None:
            graph, options = found
            size = sizes.get(graph.size_name or "", np.nan)
            if np.isnan(size):
                size = float(options.get("size", np.nan))
            if size < 1:
                raise _UnresolvedError(f"{graph.size_name} below 1")
            return graph, graph.name, "graph", size
        totals = self._totals(row, name, sizes["image_size"])
        if totals is None:
            raise _UnresolvedError(f"unknown network {name!r} without gmacs and macts" if name else "no network named")
        params, gmacs, macts = totals
        size = 224.0 if np.isnan(sizes["image_size"]) else sizes["image_size"]
        graph = _totals_graph(name, round(params, 3), round(gmacs, 4), round(macts, 3), size)
        return graph, name or "totals", "totals", np.nan

    def _totals(self, row: int, name: str, image_size: float) -> tuple[float, float, float] | None:
        own, gmacs, macts = (float(self.number[key][row]) for key in ("params_M", "gmacs", "macts"))
        if gmacs > 0 and macts > 0:
            return own if own > 0 else gmacs * 5.0, gmacs, macts
        other = self.totals.get(name)
        if other is None:
            return (own, gmacs, np.nan) if own > 0 and gmacs > 0 else None
        params, gmacs, macts, other_size = other
        scale = (image_size / other_size) ** 2 if image_size > 0 and other_size > 0 else 1.0
        return params, gmacs * scale, macts * scale


def _totals_by_name(runs: Runs) -> dict[str, tuple[float, float, float, float]]:
    """Totals of networks from rows of the same name that state them."""
    columns = [runs.number(key) for key in ("params_M", "gmacs", "macts", "image_size")]
    found: dict[str, tuple[float, float, float, float]] = {}
    for name, params, gmacs, macts, size in zip(runs.text("model"), *columns, strict=True):
        if name and gmacs > 0 and macts > 0 and name not in found:
            found[name] = (float(params), float(gmacs), float(macts), float(size))
    return found


@lru_cache(maxsize=8192)
def _resolve(name: str, image_size: int | None) -> tuple[Graph, dict[str, float]] | None:
    try:
        return resolve(name, size=image_size)
    except UnknownModelError:
        return None


@lru_cache(maxsize=8192)
def _totals_graph(name: str, params: float, gmacs: float, macts: float, size: float) -> Graph:
    known = None if np.isnan(macts) else macts
    return graph_from_totals(params_M=params, gmacs=gmacs, macts=known, image_size=int(size), name=name)


@lru_cache(maxsize=1024)
def _find_gpu(name: str) -> Gpu:
    try:
        return find_gpu(name)
    except (UnknownGpuError, PerfmodelError):
        raise _UnresolvedError(f"unknown GPU {name!r}") from None


@lru_cache(maxsize=4096)
def _precision(text: str, gpu: Gpu) -> str:
    try:
        return steps_in(text, gpu)
    except PrecisionError as error:
        raise _UnresolvedError(error.reason) from None


def _check(graph: Graph, mode: str, batch: float, blocks: float) -> None:
    """Refuse what a graph cannot answer."""
    if mode not in graph.modes:
        raise _UnresolvedError(f"{graph.name} has no mode {mode!r}")
    if graph.fixed_batch is not None and batch != graph.fixed_batch:
        raise _UnresolvedError(f"{graph.name} is known at batch {graph.fixed_batch} only")
    if graph.default_blocks is not None and blocks < 1:
        raise _UnresolvedError("blocks below 1")
