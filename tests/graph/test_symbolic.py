from __future__ import annotations

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from perfmodel.errors import FailureError
from perfmodel.graph.symbolic import interpolate


@given(st.lists(st.integers(-50, 50), min_size=3, max_size=3), st.integers(-5, 5))
def test_interpolate_finds_the_polynomial(coefficients: list[int], start: int) -> None:
    points = tuple(range(start, start + 4))
    values = tuple(sum(c * x**power for power, c in enumerate(coefficients)) for x in points)
    assert interpolate(points, values, 2) == tuple(map(Fraction, coefficients))


def test_interpolate_is_exact_with_fractions() -> None:
    points = (0, 1, 2, 3)
    values = tuple(x * (x + 1) // 2 for x in points)
    assert interpolate(points, values, 2) == (0, Fraction(1, 2), Fraction(1, 2))


def test_interpolate_refuses_a_point_off_the_polynomial() -> None:
    with pytest.raises(FailureError, match="not a polynomial"):
        interpolate((0, 1, 2, 3), (0, 1, 4, 10), 2)
