"""Plain numbers, logarithmic ticks and limits."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from perfmodel.report.plots.axes import floats, log_ticks, milliseconds, plain, span, thinned, usable


@pytest.mark.parametrize(
    ("value", "text"),
    [(0, "0"), (100, "100"), (1000, "1000"), (0.25, "0.25"), (1234.5, "1234"), (12345, "12345"), (3e6, "3×10⁶"),
     (1e6, "10⁶"), (1.23e-7, "1.23×10⁻⁷"), (-20, "-20"), (99.99, "100"), (float("nan"), "-"), (float("inf"), "-")],
)  # fmt: skip
def test_plain_numbers(value: float, text: str) -> None:
    assert plain(value) == text


@pytest.mark.parametrize(
    ("value", "text"),
    [(0.0032, "3.2 µs"), (12.54, "12.5 ms"), (3400, "3.4 s"), (120e3, "2 min"), (7200e3, "2 h"), (0.0, "0 ms"),
     (float("nan"), "-")],
)  # fmt: skip
def test_times(value: float, text: str) -> None:
    assert milliseconds(value) == text


@settings(max_examples=200, deadline=None)
@given(st.floats(1e-9, 1e12), st.floats(1.0, 1e9))
def test_ticks_are_few_and_inside(low: float, ratio: float) -> None:
    first, last = span([low, low * ratio])
    ticks = log_ticks(first, last)
    assert 2 <= len(ticks) <= 10
    assert ticks == sorted(ticks)
    assert all(first * 0.999 <= tick <= last * 1.001 for tick in ticks)


def test_limits_of_nothing_and_of_one() -> None:
    assert span([]) == (1.0, 10.0)
    assert span([float("nan"), -1.0, 0.0]) == (1.0, 10.0)
    low, high = span([5.0])
    assert low < 5.0 < high


def test_what_can_be_shown() -> None:
    assert usable([1, 0, -1, None, "x", float("nan"), float("inf")]).tolist() == [True] + [False] * 6
    assert np.isnan(floats([None, "?"])).all()


def test_thinning_keeps_a_share_and_is_always_the_same() -> None:
    rows = np.arange(10_000)
    chosen = thinned(rows, 0.08)
    assert len(chosen) == 800
    assert (np.diff(chosen) > 0).all()
    assert (chosen == thinned(rows, 0.08)).all()
    assert len(thinned(rows[:3], 2.0)) == 3
