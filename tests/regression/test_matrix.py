"""Designs: the same columns for the rows fitted and for new ones, rows left out with the reason, limits."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import perfmodel as pm
from perfmodel.errors import InputError, TableError
from perfmodel.regression.formula import parse
from perfmodel.regression.matrix import back, factor_levels, forward, linear_matrix, make_design

pandas = pytest.importorskip("pandas")
WORDS = ["room", "my column"]


def frame(count: int = 24) -> Any:
    at = np.arange(count)
    return pandas.DataFrame(
        {"y": np.exp(at % 7 / 3.0), "x": 1.0 + at, "blocks": 3.0 + 3 * (at % 3),
         "room": np.array(["a", "b:c", "d[1]"], dtype=object)[at % 3],
         "my column": np.array(["u", "v"], dtype=object)[at % 2]}
    )  # fmt: skip


@pytest.mark.parametrize(
    ("right", "names"),
    [
        ("x", ("Intercept", "x")),
        ("0 + room", ("room[a]", "room[b:c]", "room[d[1]]")),
        (
            "C(blocks) * x",
            ("Intercept", "C(blocks)[T.6]", "C(blocks)[T.9]", "x", "C(blocks)[T.6]:x", "C(blocks)[T.9]:x"),
        ),
        ("log(x) + I(1 / x)", ("Intercept", "log(x)", "I(1 / x)")),
        ("1", ("Intercept",)),
        ('Q("my column")', ("Intercept", 'Q("my column")[T.v]')),
    ],
)
def test_columns(right: str, names: tuple[str, ...]) -> None:
    rows = frame()
    formula = parse(f"log(y) ~ {right}", [*rows], words=WORDS)
    design, levels, findings = make_design(formula, rows, np.ones(len(rows)))
    assert design.names == names
    assert findings == ()
    assert sorted(at for columns in design.terms.values() for at in columns) == list(range(len(names)))
    for at in (3, 10):
        np.testing.assert_array_equal(linear_matrix(formula, rows.iloc[[at]], levels).x[0], design.x[at])
    np.testing.assert_allclose(design.y, np.log(rows["y"]))


def test_rows_without_a_value_are_left_out_and_counted() -> None:
    rows = frame()
    rows.loc[2, "x"], rows.loc[5, "y"], rows.loc[7, "room"], rows.loc[9, "x"] = np.nan, -1.0, "", 0.0
    formula = parse("log(y) ~ log(x) + room", [*rows], words=WORDS)
    design, _, (finding,) = make_design(formula, rows, np.ones(len(rows)))
    assert design.rows.tolist() == [at for at in range(24) if at not in (2, 5, 7, 9)]
    assert finding.guard == "missing"
    assert finding.rows == (2, 5, 7, 9)
    assert "4 of 24 rows were left out" in finding.text
    assert "x unknown in 1" in finding.text


def test_levels_are_those_of_the_rows_used() -> None:
    rows = frame()
    rows.loc[rows["room"] == "a", "x"] = np.nan
    formula = parse("y ~ x + room", [*rows], words=WORDS)
    design, levels, _ = make_design(formula, rows, np.ones(len(rows)))
    assert levels == {"room": ("b:c", "d[1]")}
    assert design.names == ("Intercept", "room[T.d[1]]", "x")
    assert factor_levels(formula, rows)["room"][0] == "a"


@pytest.mark.parametrize("transform", ["", "log", "log2", "log10", "sqrt"])
def test_transforms_go_back(transform: str) -> None:
    times = np.array([0.1, 1.0, 3.7, 1e4])
    np.testing.assert_allclose(back(transform, forward(transform, times)), times, rtol=1e-12)


@pytest.mark.parametrize(
    ("change", "formula", "words"),
    [
        ({"room": "a"}, "y ~ room", "room has one value in all 24 rows"),
        ({"x": np.nan}, "y ~ x", "x is known in none of the 24 rows"),
        ({"y": -1.0}, "log(y) ~ x", "y is no finite number above 0 in any of the 24 rows"),
        ({"y": "slow"}, "y ~ x", "y holds text"),
        ({"room": [f"r{n}" for n in range(24)]}, "y ~ x * room", "rows"),
    ],
)
def test_what_makes_no_design_is_named(change: dict[str, Any], formula: str, words: str) -> None:
    with pytest.raises((InputError, TableError), match=words):
        pm.fit(frame().assign(**change), formula)


def test_wide_designs_are_refused_before_they_are_built() -> None:
    rows = pandas.DataFrame({"y": np.arange(900.0) + 1, "room": [f"r{n % 300}" for n in range(900)]})
    with pytest.raises(InputError, match=r"room has 300 different values.*--group room"):
        pm.fit(rows, "y ~ room")
    for name in "abc":
        rows[name] = [f"{name}{n % 90}" for n in range(900)]
    with pytest.raises(InputError, match="columns"):
        pm.fit(rows, "y ~ a * b * c")
