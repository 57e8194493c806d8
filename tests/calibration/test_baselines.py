"""The simple models are fitted as well as they can be: the predictor has to beat them at their best."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from perfmodel.calibration.base import base_prior
from perfmodel.calibration.baselines import bounds, fit_baselines
from perfmodel.calibration.cross_validation import Table, take
from perfmodel.validation.baselines import baseline_times
from perfmodel.validation.features import QuestionFeatures, question_features

Rows = list[dict[str, Any]]
Floats = np.ndarray[Any, np.dtype[np.float64]]


def timed(table: Table, seconds: Floats) -> Table:
    """The same rows with other times."""
    return Table([replace(one, time_s=float(t)) for one, t in zip(table.questions, seconds, strict=True)], table.phase)


@pytest.fixture
def known(tables: Callable[[Rows], Table], step_table: Rows) -> tuple[Table, QuestionFeatures, Floats, Floats]:
    """A table, its features, and its seconds at peak and at full bandwidth."""
    table = tables(step_table)
    found = question_features(table.questions, base_prior())
    return table, found, *bounds(table.questions, found)


def test_bounds_are_work_over_the_specification(known: Any) -> None:
    table, found, arithmetic, memory = known
    for at in (0, 17, len(arithmetic) - 1):
        one = table.questions[at]
        peak = one.gpu.peak_tflops(one.plan.precision) * 1e12
        assert arithmetic[at] == pytest.approx(found.steps.flops[at].sum() / peak)
        assert memory[at] == pytest.approx(found.steps.bytes[at].sum() / (one.gpu.bandwidth_gbs * 1e9))


def test_constants_that_made_the_times_are_found(known: Any) -> None:
    table, found, arithmetic, memory = known
    for name, seconds, expected in (
        ("share_of_peak", 2.5 * arithmetic, 2.5),
        ("scaled_roofline", 1.7 * np.maximum(arithmetic, memory), 1.7),
        ("two_constants", 1.3 * arithmetic + 0.8 * memory, [1.3, 0.8]),
    ):
        own = timed(table, seconds)
        fitted = fit_baselines(own.questions, found, own.cell)
        assert {"train", "infer", "train|fp32", "infer|amp"} <= set(fitted)
        for mode in fitted:
            assert fitted[mode][name] == pytest.approx(expected, rel=1e-6), (name, mode)
        prior = replace(base_prior(), baselines=fitted)
        answers = baseline_times(own.questions, found.steps, prior)
        np.testing.assert_allclose(answers[name], seconds, rtol=1e-6)


def test_modes_and_engines_have_constants_of_their_own(known: Any) -> None:
    table, found, arithmetic, _ = known
    amp = np.array([one.plan.precision == "amp_fp16" for one in table.questions])
    train = np.array([one.plan.mode == "train" for one in table.questions])
    own = timed(table, arithmetic * np.where(amp, 5.0, 2.0) * np.where(train, 1.0, 1.5))
    fitted = fit_baselines(own.questions, found, own.cell)
    shares = {key: fitted[key]["share_of_peak"] for key in ("train|fp32", "train|amp", "infer|fp32", "infer|amp")}
    assert shares == pytest.approx({"train|fp32": 2.0, "train|amp": 5.0, "infer|fp32": 3.0, "infer|amp": 7.5})


def test_cells_weigh_the_same_whatever_their_size(known: Any) -> None:
    table, found, arithmetic, _ = known
    train = np.flatnonzero([one.plan.mode == "train" for one in table.questions])
    k80 = table.gpu == "k80"
    own = timed(table, arithmetic * np.where(k80, 1.0, 4.0))
    cell = np.where(k80, "one", np.char.add("other ", (np.arange(len(k80)) % 2).astype(str)))
    many = fit_baselines([own.questions[i] for i in train], take(found, train), cell[train])
    assert many["train"]["share_of_peak"] == pytest.approx(4.0)
    merged = np.where(k80, np.arange(len(k80)).astype(str), "other")
    few = fit_baselines([own.questions[i] for i in train], take(found, train), merged[train])
    assert few["train"]["share_of_peak"] == pytest.approx(1.0)
