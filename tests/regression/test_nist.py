"""Estimates certified against the Statistical Reference Datasets of NIST (see the source in each file of nist/).

The data are typed in as facts. Each set's certified sum of squared residuals is reproduced from them, which a slip in
the typing would not survive. All sets go through `perfmodel.fit`, as anyone's rows do.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import perfmodel as pm

pandas = pytest.importorskip("pandas")

FOLDER = Path(__file__).parent / "nist"
SETS = {path.stem: json.loads(path.read_text(encoding="utf-8")) for path in sorted(FOLDER.glob("*.json"))}
LINEAR = [name for name, one in SETS.items() if one["kind"] == "linear"]
NONLINEAR = [name for name, one in SETS.items() if one["kind"] == "nonlinear"]

#: Correct digits of the coefficients; 10 unless the set is built to lose them. Filip is a polynomial of degree 10 whose
#: powers are rounded to double precision before anything is solved: 7 digits are what that rounding leaves.
DIGITS = {"Filip": 7.0, "Wampler4": 9.0, "Wampler5": 7.0, "MGH09": 7.5, "Thurber": 7.5}


def digits(found: float, certified: float) -> float:
    """Correct decimal digits (log relative error; absolute where the certified value is 0)."""
    error = abs(found - certified) / (abs(certified) or 1.0)
    return float(-np.log10(max(error, 1e-16)))


def check(fitted: Any, reference: dict[str, Any]) -> None:
    least = DIGITS.get(reference["name"], 10.0)
    found = {one.name: one for one in fitted.coefficients}
    assert set(found) == set(reference["certified"])
    size = max(abs(value) for value in reference["columns"]["y"])
    for name, certified in reference["certified"].items():
        assert digits(found[name].value, certified["value"]) > least, name
        error = certified["standard_error"]
        if error:
            assert digits(found[name].standard_error, error) > min(least, 9.5), name
        else:
            assert found[name].standard_error < 1e-9, name
    if reference["residual_sd"]:
        assert digits(fitted.residual_sd, reference["residual_sd"]) > 7.5
        squares = fitted.residual_sd**2 * fitted.estimate.residual_degrees
        assert digits(squares, reference["residual_sum_of_squares"]) > 7.5
    else:
        assert fitted.residual_sd < 1e-12 * size


def test_there_are_enough_sets() -> None:
    assert {"Norris", "Pontius", "NoInt1", "NoInt2", "Filip", "Longley", *(f"Wampler{n}" for n in range(1, 6))} <= set(
        LINEAR
    )
    assert {"Misra1a", "Chwirut2", "DanWood", "MGH09", "Thurber", "Rat42", "BoxBOD"} <= set(NONLINEAR)
    assert all("NIST" in one["source"] for one in SETS.values())


@pytest.mark.parametrize("name", LINEAR)
def test_linear(name: str) -> None:
    reference = SETS[name]
    check(pm.fit(pandas.DataFrame(reference["columns"]), reference["formula"]), reference)


@pytest.mark.parametrize("name", NONLINEAR)
@pytest.mark.parametrize("start", [0, 1, None], ids=["far", "near", "searched"])
def test_nonlinear(name: str, start: int | None) -> None:
    reference = SETS[name]
    frame = pandas.DataFrame(reference["columns"])
    values = None if start is None else reference["starts"][start]
    check(pm.fit(frame, reference["formula"], start=values), reference)
