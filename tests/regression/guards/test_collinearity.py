"""Variance inflation, with the pair and the card that would tell it apart."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from perfmodel.hardware import find_gpu
from perfmodel.regression.guards import check_design
from perfmodel.regression.guards.collinearity import check_collinearity, condition_indices, inflation

Make = Callable[..., Any]


def test_inflation_is_that_of_statsmodels(table: Make, design: Make) -> None:
    outliers = pytest.importorskip("statsmodels.stats.outliers_influence")
    made = design(table(), "log(cores)", "log(bandwidth)", "blocks", "batch")
    expected = {name: outliers.variance_inflation_factor(made.x, at) for at, name in enumerate(made.names) if at}
    assert inflation(made) == pytest.approx(expected)


def test_inflation_of_a_factor_does_not_depend_on_its_base(table: Make, design: Make) -> None:
    frame = table(pairs=("a-b", "c-d", "e-f")).sample(frac=0.5, random_state=1)
    before = inflation(design(frame, "blocks", "data_pair", "batch"))
    other = frame.assign(data_pair=frame["data_pair"].map({"a-b": "z", "c-d": "a-b", "e-f": "e-f"}))
    assert inflation(design(other, "blocks", "data_pair", "batch")) == pytest.approx(before)


def test_condition_indices_are_those_of_belsley_kuh_and_welsch() -> None:
    x = np.column_stack([np.ones(100), np.arange(100.0), np.arange(100.0) + 1e-3 * np.sin(np.arange(100))])
    indices, shares = condition_indices(x)
    unit = x / np.linalg.norm(x, axis=0)
    assert indices.max() == pytest.approx(np.linalg.cond(unit))
    assert shares.sum(axis=0) == pytest.approx([1, 1, 1])
    assert (shares[np.argmax(indices), 1:] > 0.9).all()


def test_columns_that_move_together_are_named(table: Make, design: Make) -> None:
    frame = table()
    frame["l2_mb"] = frame["cores"] / 700.0 * (1.0 + 0.05 * np.sin(frame["cores"]))
    (finding,) = check_collinearity(design(frame, "log(cores)", "log(l2_mb)", "blocks"))
    assert finding.severity == "warning"
    assert finding.guard == "vif"
    assert set(finding.columns) == {"log(cores)", "log(l2_mb)"}
    assert "add a card where they differ, such as " in finding.remedy


def test_the_cards_suggested_lower_the_inflation(table: Make, design: Make) -> None:
    cards = ("k80", "gtx1080ti", "rtx3090", "rtx2080ti", "rtx-a6000")
    made = design(table(cards), "log(fp32_tflops)", "log(bandwidth)")
    (finding,) = check_collinearity(made)
    suggested = finding.remedy.partition("such as ")[2].partition(";")[0].split(" or ")
    assert len(suggested) == 2
    for card in suggested:
        after = inflation(design(table((*cards, find_gpu(card).key)), "log(fp32_tflops)", "log(bandwidth)"))
        assert max(after.values()) < 0.8 * max(inflation(made).values())


def test_from_five_on_it_is_a_note(design: Make) -> None:
    pandas = pytest.importorskip("pandas")
    rng = np.random.default_rng(0)
    a, b = rng.standard_normal((2, 400))
    frame = pandas.DataFrame({"a": a, "b": a + 0.4 * b, "gpu": "t4", "step_ms": np.exp(a)})
    (finding,) = check_collinearity(design(frame, "a", "b"))
    assert finding.severity == "note"


def test_a_sound_design_is_silent(table: Make, design: Make) -> None:
    assert not check_design(design(table(), "log(fp32_tflops)", "blocks", "batch"))
