"""Coefficients in words."""

from __future__ import annotations

import numpy as np
import pytest

from perfmodel.regression.formula import parse
from perfmodel.regression.meaning import meaning

COLUMNS = ["step_ms", "data_ms", "y", "bandwidth", "cores", "blocks", "precision", "data_pair", "celsius"]
LEVELS = {"precision": ("fp32", "amp"), "data_pair": ("A-B", "C-D"), "blocks": ("3", "6")}


@pytest.mark.parametrize(
    ("formula", "name", "value", "words"),
    [
        ("log(step_ms) ~ log(bandwidth)", "log(bandwidth)", -0.8, "1 % more memory bandwidth: 0.79 % less time"),
        ("log(step_ms) ~ log(cores)", "log(cores)", 0.5, "1 % more CUDA cores: 0.5 % more time"),
        ("log10(step_ms) ~ log10(cores)", "log10(cores)", -1.0, "1 % more CUDA cores: 0.99 % less time"),
        ("log(step_ms) ~ log2(cores)", "log2(cores)", -np.log(2), "1 % more CUDA cores: 0.99 % less time"),
        ("log(step_ms) ~ blocks", "blocks", np.log(1.13), "one block more: 13 % more time"),
        ("step_ms ~ blocks", "blocks", -12.34, "one block more: 12.3 ms less"),
        ("step_ms ~ log(cores)", "log(cores)", -500.0, "1 % more CUDA cores: 4.98 ms less"),
        ("log(step_ms) ~ precision", "precision[T.amp]", np.log(0.5), "precision amp instead of fp32: 50 % less time"),
        ("log(step_ms) ~ 0 + precision", "precision[amp]", 1.0, "precision amp: 172 % more time"),
        ("log(step_ms) ~ C(blocks)", "C(blocks)[T.6]", np.log(2), "residual blocks 6 instead of 3: 100 % more time"),
        ("log(step_ms) ~ data_pair", "data_pair[T.C-D]", np.log(30), "data pair C-D instead of A-B: 30 times the time"),
        ("log(step_ms) ~ log(cores):precision", "log(cores):precision[T.amp]", -0.2,
         "1 % more CUDA cores, at precision amp: a further 0.2 % less time"),
        ("log(step_ms) ~ celsius", "celsius", 0.01, "one unit of celsius more: 1 % more time"),
        ("log(step_ms) ~ I(1 / cores)", "I(1 / cores)", 0.01, "one unit more of I(1 / cores): 1 % more time"),
        ("y ~ blocks", "blocks", 2.0, "one block more: 2 more"),
        ("log(step_ms) ~ 1", "Intercept", np.log(40), "median of the time of a step: 40 ms"),
        ("log(step_ms) ~ log(cores) + precision", "Intercept", np.log(40),
         "time of a step with cores at 1, precision fp32: 40 ms"),
    ],
)  # fmt: skip
def test_words(formula: str, name: str, value: float, words: str) -> None:
    parsed = parse(formula, COLUMNS, words=["precision", "data_pair"])
    levels = {key: found for key, found in LEVELS.items() if key != "blocks" or "C(blocks)" in formula}
    used = {key: found for key, found in levels.items() if key in parsed.names}
    assert meaning(name, value, parsed, used).startswith(words)
