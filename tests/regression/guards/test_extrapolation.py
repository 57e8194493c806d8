"""Predictions outside of what was fitted are never silent."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from perfmodel.regression.guards import check_extrapolation

Make = Callable[..., Any]
TERMS = ("log(bandwidth)", "blocks", "batch", "data_pair")


def test_a_variable_out_of_range(table: Make, design: Make) -> None:
    fitted = design(table(pairs=("a-b", "c-d")), *TERMS)
    new = table(("h100-sxm",), blocks=(12,), pairs=("a-b",))
    found = check_extrapolation(fitted, new)
    assert [one.columns for one in found] == [("bandwidth",), ("blocks",)]
    assert all(one.guard == "extrapolation" and one.severity == "warning" for one in found)
    assert "blocks 12 lies outside the fitted 3 to 9" in found[1].text
    assert "241 to 1555" in found[0].text


def test_an_unseen_level(table: Make, design: Make) -> None:
    fitted = design(table(pairs=("a-b", "c-d")), *TERMS)
    (finding,) = check_extrapolation(fitted, table(pairs=("e-f",)))
    assert "data_pair e-f is not among the fitted a-b and c-d" in finding.text
    assert finding.rows == tuple(range(len(table(pairs=("e-f",)))))


def test_a_corner_that_no_row_lies_near(table: Make, design: Make) -> None:
    frame = table(blocks=(3, 6, 9), batch=(1, 8))
    frame = frame[(frame["blocks"] == 3) == (frame["batch"] == 8)]  # many blocks with small batches only
    fitted = design(frame, "blocks", "batch")
    new = table(("t4",), blocks=(9,), batch=(8,), repeats=1)
    assert not check_extrapolation(fitted, new)  # each in its range
    (finding,) = check_extrapolation(fitted, new, design(new, "blocks", "batch").x)
    assert "no fitted row is near this combination of blocks and batch" in finding.text


def test_within_the_fitted_it_is_silent(table: Make, design: Make) -> None:
    frame = table(pairs=("a-b", "c-d"))
    fitted = design(frame, *TERMS)
    assert not check_extrapolation(fitted, frame, fitted.x)
    assert not check_extrapolation(fitted, table(blocks=(5,), batch=(2,), pairs=("a-b",)))
