"""Validation: every row scored, none merged, one model path with `predict`, fast enough."""

from __future__ import annotations

import json
import math
import time
from collections import defaultdict
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

import perfmodel as pm
from perfmodel.efficiency.prior import shipped_prior
from perfmodel.errors import InputError
from perfmodel.runs.rows import Runs, read_runs
from perfmodel.validation.baselines import BASELINES, TYPICAL, baseline_coefficients, baseline_times
from perfmodel.validation.features import question_features
from perfmodel.validation.predictions import predict_questions
from perfmodel.validation.report import predict_rows, validate
from perfmodel.validation.resolve import Question, resolve_rows
from perfmodel.validation.scores import macro_average, score


def table(rows: list[dict[str, Any]]) -> Runs:
    """Rows as a table of text."""
    names = list(dict.fromkeys(name for row in rows for name in row))
    columns = {name: np.array([str(row.get(name, "")) for row in rows], dtype=object) for name in names}
    return Runs(columns)


ROWS: list[dict[str, Any]] = [
    {"gpu": gpu, "model": model, "phase": phase, "precision": precision, "batch": batch, "source": source,
     "framework": "pytorch", "framework_version": "2.4.0", "layout": layout, "timing_def": timing, "latency_ms": 50,
     "n_gpu": cards}
    for gpu, model, phase, precision, batch, source, layout, timing, cards in (
        ("v100", "resnet50", "training", "fp32", 32, "a", "", "", 1),
        ("v100", "resnet50", "training", "amp", 256, "a", "nhwc", "forward + backward + optimizer", 8),
        ("p100", "bert_large_squad", "training", "fp32", 4, "b", "", "full step", 1),
        ("k80", "vgg16", "inference", "fp32", 16, "b", "", "forward", 1),
        ("a100", "resnet-50", "inference", "tf32", 16, "c", "nchw", "inference, pageable input copy included", 1),
        ("h100", "gpt2_large", "training", "bf16", 2, "c", "", "forward + backward", 2),
        ("t4", "inception_v3", "training", "fp16", 8, "nvidia", "", "sum of operators", 1),
    )
]  # fmt: skip


def predicted_alone(one: Question) -> Any:
    """The answer of `predict` at a row's settings."""
    plan = one.plan
    return pm.predict(
        plan.model, gpu=one.gpu, gpus=one.gpus, batch=int(one.batch), precision=plan.precision, mode=plan.mode,
        size=None if math.isnan(one.size) else int(one.size),
        blocks=None if math.isnan(one.blocks) else int(one.blocks), stack=plan.stack,
        timing=plan.scope, campaign=plan.campaign,
    )  # fmt: skip


def plan_copies(one: Question) -> bool:
    """Whether the timed region holds a copy of the input."""
    return one.plan.scope.h2d_copy


def check_equal(questions: list[Question]) -> int:
    """Compare predictions of rows with those of `predict` at the same settings; returns how many were."""
    prior = shipped_prior()
    found = predict_questions(questions, question_features(questions, prior), prior)
    checked = 0
    for at, one in enumerate(questions):
        if one.plan.resolved != "graph" or one.batch != int(one.batch):
            continue
        step = predicted_alone(one).step_s
        label = f"{one.plan.model} on {one.gpu.key} of {one.plan.campaign}"
        assert found.time_s[at] == pytest.approx(step.median, rel=1e-9), label
        width = math.exp(found.half_width[at])
        if one.gpus == 1 and not plan_copies(one):
            assert width == pytest.approx(step.high / step.median, rel=1e-9), label
        else:  # copies and exchanged gradients are as sure as the bus, so that `predict` is a little narrower
            assert 1 < step.high / step.median <= width * (1 + 1e-9), label
        checked += 1
    return checked


def test_a_row_equals_predict() -> None:
    questions, unresolved = resolve_rows(table(ROWS))
    assert not unresolved
    assert check_equal(questions) == len(ROWS)


def test_rows_of_every_source_equal_predict(shared_data: Path) -> None:
    """Up to three rows of each source, mode, precision and number of cards, where a row states its precision."""
    runs = read_runs(shared_data / "measurements" / "end_to_end.csv.gz")
    questions, _ = resolve_rows(runs)
    cells: dict[tuple[Any, ...], list[Question]] = defaultdict(list)
    for one in questions:
        if one.plan.resolved == "graph" and one.batch == int(one.batch) and one.plan.stated:
            cells[one.plan.campaign, one.plan.mode, one.plan.precision, one.gpus > 1].append(one)
    rng = np.random.default_rng(0)
    chosen = [members[i] for members in cells.values() for i in rng.permutation(len(members))[:3]]
    assert len({one.plan.campaign for one in chosen}) >= 3
    assert check_equal(chosen) == len(chosen) > 20


def test_the_whole_table_in_a_minute(shared_data: Path) -> None:
    start = time.perf_counter()
    found = validate(shared_data / "measurements" / "end_to_end.csv.gz", by=("source", "gpu"))
    assert time.perf_counter() - start < 60 * found.rows / 20_000
    assert found.rows > 18_000
    assert found.resolved + sum(found.unresolved.values()) == found.rows
    assert sum(group.score.n for group in found.groups) == found.resolved
    assert found.resolved > 0.8 * found.rows
    text = json.dumps(found.to_dict(), allow_nan=False)
    assert "null" not in text


def test_rows_are_predicted_in_any_order() -> None:
    """Grouping rows by graph changes nothing: each row keeps its own prediction."""
    questions, _ = resolve_rows(table(ROWS * 3))
    prior = shipped_prior()
    together = predict_rows(questions, prior)
    assert together.row.tolist() == list(range(3 * len(ROWS)))
    for at in range(len(ROWS)):
        alone = predict_rows([questions[at]], prior)
        for offset in (0, len(ROWS), 2 * len(ROWS)):
            assert together.predicted_s[at + offset] == pytest.approx(alone.predicted_s[0], rel=1e-12)
            for name in BASELINES:
                assert together.baselines[name][at + offset] == pytest.approx(alone.baselines[name][0], rel=1e-12)


def test_a_perfect_table_scores_zero() -> None:
    questions, _ = resolve_rows(table(ROWS))
    times = predict_rows(questions, shipped_prior()).predicted_s
    perfect = [{**row, "latency_ms": repr(float(1e3 * t))} for row, t in zip(ROWS, times, strict=True)]
    overall = validate(table(perfect), by=("source",)).overall
    assert overall is not None
    assert overall.median_ape == pytest.approx(0, abs=1e-9)
    assert overall.coverage90 == 100
    slower = [{**row, "latency_ms": repr(float(2e3 * t))} for row, t in zip(ROWS, times, strict=True)]
    overall = validate(table(slower), by=("source",)).overall
    assert overall is not None
    assert overall.median_ape == overall.p90_ape == pytest.approx(50)
    assert overall.bias == pytest.approx(-50)


def test_the_average_is_over_groups() -> None:
    questions, _ = resolve_rows(table(ROWS[:2]))
    times = predict_rows(questions, shipped_prior()).predicted_s
    good = {**ROWS[0], "latency_ms": repr(float(1e3 * times[0]))}
    bad = {**ROWS[1], "latency_ms": repr(float(2e3 * times[1]))}
    overall = validate(table([good] * 9 + [bad]), by=("precision",)).overall
    assert overall is not None
    assert overall.n == 10
    assert overall.median_ape == pytest.approx(25)


def test_validate_reads_names_of_other_columns() -> None:
    with pytest.raises(InputError, match="no column 'colour'"):
        validate(table(ROWS), by=("colour",))
    assert validate(table(ROWS), by=("device",)).groups[0].by.keys() == {"gpu"}


def test_a_prediction_that_is_no_number_is_counted() -> None:
    broken = replace(shipped_prior(), launch_s=np.full(4, np.nan))
    found = validate(table(ROWS), prior=broken)
    # A sum of operators has no launches.
    assert found.resolved == 1
    assert found.unresolved == {"the prediction is not a number": len(ROWS) - 1}


def test_score_by_hand() -> None:
    one = score(
        np.array([1.0, 1.0, 2.0, 4.0]), np.array([1.0, 2.0, 1.0, 4.0]), np.full(4, 0.5), {"half": np.full(4, 0.5)}
    )
    assert one.n == 4
    assert one.median_ape == pytest.approx(25)
    assert one.mean_ape == pytest.approx(100 * (0 + 1 + 0.5 + 0) / 4)
    assert one.bias == pytest.approx(0)
    assert one.coverage90 == 50
    assert one.width90 == pytest.approx(100 * 2 * math.sinh(0.5))
    miss = math.log(2) - 0.5
    assert one.interval_score == pytest.approx(100 * (1 + 20 * 2 * miss / 4))
    assert one.baselines == {"half": pytest.approx(100 * np.median([0.5, 0.5, 0.75, 0.875]))}


def test_macro_average_by_hand() -> None:
    few = score(np.ones(1), np.full(1, 2.0), np.ones(1), {"x": np.ones(1)})
    many = score(np.ones(99), np.ones(99), np.ones(99), {"x": np.full(99, 3.0)})
    both = macro_average([few, many])
    assert both.n == 100
    assert both.median_ape == pytest.approx(50)
    assert both.baselines["x"] == pytest.approx(100)


def injected(**coefficients: Any) -> Any:
    """A prior with frozen baselines."""
    return SimpleNamespace(baselines=coefficients)


def test_baseline_coefficients_fall_back() -> None:
    prior = injected(
        **{"train|amp": {"share_of_peak": 7.0}, "train": {"share_of_peak": 5.0, "two_constants": [1.0, 2.0]}}
    )
    assert baseline_coefficients(prior, "train", "amp_bf16")["share_of_peak"] == 7.0
    assert baseline_coefficients(prior, "train", "amp_fp16")["two_constants"] == [1.0, 2.0]
    assert baseline_coefficients(prior, "train", "fp32")["share_of_peak"] == 5.0
    assert baseline_coefficients(prior, "infer", "fp32") == TYPICAL
    assert baseline_coefficients(injected(), "infer", "fp32") == TYPICAL


def test_baselines_by_hand() -> None:
    questions, _ = resolve_rows(table(ROWS[:1]))
    found = question_features(questions, shipped_prior())
    card = questions[0].gpu
    compute = float(found.steps.flops.sum()) / (card.peak_tflops("fp32") * 1e12)
    memory = float(found.steps.bytes.sum()) / (card.bandwidth_gbs * 1e9)
    prior = injected(train={"share_of_peak": 2.0, "two_constants": [3.0, 5.0], "scaled_roofline": 7.0})
    times = baseline_times(questions, found.steps, prior)
    listed = injected(train={"share_of_peak": [2.0], "two_constants": [3.0, 5.0], "scaled_roofline": [7.0]})
    for name, values in baseline_times(questions, found.steps, listed).items():
        assert values[0] == times[name][0]
    assert times["share_of_peak"][0] == pytest.approx(2 * compute, rel=1e-12)
    assert times["two_constants"][0] == pytest.approx(3 * compute + 5 * memory, rel=1e-12)
    assert times["scaled_roofline"][0] == pytest.approx(7 * max(compute, memory), rel=1e-12)
    assert compute > 0.9 * 3 * 2 * 4.09e9 * 32 / (card.peak_tflops("fp32") * 1e12)
