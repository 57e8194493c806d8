"""Whatever a table holds, the guards answer."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from perfmodel.regression.design import Design
from perfmodel.regression.guards import (
    check_design,
    check_extrapolation,
    check_fit,
    check_rows,
    identifiable,
    variance_weights,
)

NAMES = ("Intercept", "log(cores)", "log(bandwidth)", "blocks", "g[T.a]", "batch")
CARDS = ["k80", "k80-board", "p100-pcie-16", "rtx3060-mobile", "no such card", ""]


def broken_table(rng: np.random.Generator) -> Any:
    pandas = pytest.importorskip("pandas")
    n = int(rng.integers(0, 30))
    choices: dict[str, list[Any]] = {
        "gpu": CARDS, "file": ["a", "b"], "precision": ["fp32", "int8", "?"], "model": ["", "x"],
        "batch": [1.0, 2.0, 8.0, 0.0, np.nan], "step_ms": [1.0, 1e3, 0.0, -1.0, np.inf, 1e-9, 5.0, 5.1, np.nan],
        "data_ms": [1.0, 7.0, np.nan], "image_ms": [1.0, 1e3, np.nan], "epoch": [1.0, 2.0, np.nan],
        "cores": [4992.0, 2496.0, 3584.0, np.nan], "flops": [4.0, np.nan], "gflop_step": [1.0, 1e9, np.nan],
        "n_gpu": [1.0, np.nan], "cold": [0.0, 1.0, np.nan],
    }  # fmt: skip
    frame = pandas.DataFrame({name: rng.choice(np.array(values), n) for name, values in choices.items()})
    return frame[[name for name in frame.columns if rng.random() < 0.8]]


@pytest.mark.parametrize("seed", range(80))
def test_rows_of_any_table(seed: int) -> None:
    rng = np.random.default_rng(seed)
    frame = broken_table(rng)
    response = str(rng.choice(["step_ms", "log(step_ms)", "log(data_ms)", "image_ms", "loss"]))
    found = check_rows(frame, response, ["data_ms"])
    assert len(found.keep) == len(found.weights) == len(frame) == len(found.apply(frame))
    assert (found.weights > 0).all()
    assert all(one.text for one in found.findings)


@pytest.mark.parametrize("seed", range(80))
def test_any_design(seed: int) -> None:
    pandas = pytest.importorskip("pandas")
    rng = np.random.default_rng(seed)
    n, p = int(rng.integers(1, 15)), int(rng.integers(1, 6))
    x = rng.choice([0.0, 1.0, 2.0, 3.0], (n, p))
    x[:, 0] = 1.0
    y = rng.choice([0.0, 1.0, rng.normal()], n)
    frame = pandas.DataFrame(
        {
            "gpu": rng.choice(CARDS[:3], n),
            "cores": 1.0 + x[:, -1],
            "bandwidth": 2.0,
            "blocks": 3.0,
            "batch": 1.0,
            "g": "a",
        }
    )
    names = NAMES[:p]
    design = Design(
        formula=str(rng.choice(["y ~ x", "y = a + x"])),
        response="log(step_ms)", y=y, x=x, names=names, frame=frame, rows=np.arange(n), weights=np.ones(n),
        terms={name: (at,) for at, name in enumerate(names)},
    )  # fmt: skip
    dropped, _ = identifiable(design)
    assert "Intercept" not in dropped
    residuals = y - x @ np.linalg.lstsq(x, y, rcond=None)[0]
    groups = frame["gpu"].to_numpy(dtype=object)
    found = (
        *check_design(design),
        *check_fit(design, residuals, None, groups),
        *check_extrapolation(design, frame, x + 1),
    )
    assert all(one.text for one in found)
    assert np.isfinite(variance_weights(residuals, groups)).all()
