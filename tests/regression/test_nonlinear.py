"""Laws with parameters: found without start values, refused where rows cannot tell them."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import perfmodel as pm
from perfmodel.errors import InputError
from perfmodel.regression.laws import Law

pandas = pytest.importorskip("pandas")


def rows(law: Any, noise: float = 0.01) -> Any:
    rng = np.random.default_rng(2)
    cores, blocks = np.repeat([2560.0, 3840, 5120, 8704, 16384], 6), np.tile([3.0, 6, 9], 10)
    step = law(cores, blocks) * np.exp(noise * rng.standard_normal(len(cores)))
    return pandas.DataFrame({"cores": cores, "blocks": blocks, "step_ms": step})


@pytest.mark.parametrize(
    ("formula", "law", "true"),
    [
        ("step_ms = a + b / cores", lambda c, n: 30 + 2e5 / c, {"a": 30, "b": 2e5}),
        ("log(step_ms) = log(a + b * blocks / cores)", lambda c, n: 20 + 9e4 * n / c, {"a": 20, "b": 9e4}),
        ("step_ms = a * cores ** -b", lambda c, n: 4e5 * c**-0.9, {"a": 4e5, "b": 0.9}),
        (
            "step_ms = a + b * exp(-cores / c)",
            lambda c, n: 10 + 300 * np.exp(-c / 4000),
            {"a": 10, "b": 300, "c": 4000},
        ),
    ],
)
def test_found_without_a_start(formula: str, law: Any, true: dict[str, float]) -> None:
    fitted = pm.fit(rows(law), formula)
    assert fitted.method == "nls"
    for one in fitted.coefficients:
        assert one.value == pytest.approx(true[one.name], rel=0.15)
        assert one.low < true[one.name] < one.high or one.value == pytest.approx(true[one.name], rel=0.03)
        assert "in the median row" in one.meaning


def test_the_derivatives_are_exact() -> None:
    x = np.linspace(0.5, 3, 7)
    law = Law("a * x ** b + log(c * x) / sqrt(x)", ("a", "b", "c"), {"x": x}, 7)
    point = np.array([2.0, -0.7, 3.0])
    expected = np.stack([x**-0.7, 2 * x**-0.7 * np.log(x), 1 / (3 * np.sqrt(x))], axis=1)
    np.testing.assert_allclose(law.jacobian(point), expected, rtol=1e-14)
    np.testing.assert_allclose(law(point), 2 * x**-0.7 + np.log(3 * x) / np.sqrt(x), rtol=1e-14)


@pytest.mark.parametrize(
    ("formula", "words"),
    [
        ("step_ms = a + b + 1 / cores", "cannot tell the parameters a, b apart"),
        ("step_ms = a * b / cores", "cannot tell the parameters a, b apart"),
        ("step_ms = 3 / cores", "has no parameter"),
        ("step_ms = log(-cores * a * a)", "no values of a make"),
    ],
)
def test_what_rows_cannot_tell_is_refused(formula: str, words: str) -> None:
    with pytest.raises(InputError, match=words):
        pm.fit(rows(lambda c, n: 30 + 2e5 / c), formula)


def test_too_few_rows_are_refused() -> None:
    frame = rows(lambda c, n: 30 + 2e5 / c).iloc[[0, 10]]
    with pytest.raises(InputError, match=r"2 rows cannot tell 2 parameters \(a, b\)"):
        pm.fit(frame, "step_ms = a + b / cores")


@pytest.mark.parametrize(
    ("start", "words"),
    [({"a": 1.0}, "no start value for 'b'"), ({"a": 1.0, "b": 1.0, "z": 1.0}, "'z' is no parameter")],
)
def test_start_values_are_checked(start: dict[str, float], words: str) -> None:
    with pytest.raises(InputError, match=words):
        pm.fit(rows(lambda c, n: 30 + 2e5 / c), "step_ms = a + b / cores", start=start)


def test_a_law_predicts_with_intervals() -> None:
    fitted = pm.fit(rows(lambda c, n: 30 + 2e5 / c), "step_ms = a + b / cores")
    found = fitted.predict({"cores": [4000, 10000]})
    np.testing.assert_allclose(found.mean, [80, 50], rtol=0.02)
    assert (found.low < found.mean_low).all()
    assert (found.mean_low < found.mean).all()
    assert (found.mean_high < found.high).all()
