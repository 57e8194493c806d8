"""The weights of what is unknown follow the errors of left-out rows."""

from __future__ import annotations

import numpy as np

from perfmodel.calibration.cross_validation import Fold
from perfmodel.calibration.spread import cross_spread, fit_spread
from perfmodel.efficiency.levels import SPREAD

NAMES = list(SPREAD)
GPU, FAMILY = NAMES.index("gpu"), NAMES.index("family")


def rows(count: int = 6000, seed: int = 0) -> tuple[np.ndarray, np.ndarray, np.ndarray]:  # type: ignore[type-arg]
    """Rows whose errors have variance 0.05^2, and 0.4^2 more where the card is unknown."""
    rng = np.random.default_rng(seed)
    unknown = np.zeros((count, len(NAMES)))
    unknown[:, 0] = 1.0
    unknown[:, GPU] = rng.integers(0, 2, count)
    unknown[:, FAMILY] = rng.integers(0, 2, count)
    sd = np.sqrt(0.05**2 + 0.3**2 * unknown[:, GPU])
    return unknown, sd * rng.standard_normal(count), rng.choice(["a|x|train", "b|y|infer", "c|z|train"], count)


def test_weights_are_recovered() -> None:
    unknown, error, cell = rows()
    # three cells weigh as three rows, so that the prior of the weights matters: repeat the cells' names apart
    cell = np.char.add(cell, (np.arange(len(cell)) // 4).astype(str))
    found = fit_spread(unknown, np.zeros(len(error)), error, cell)
    assert found.keys() == SPREAD.keys()
    np.testing.assert_allclose(found["gpu"], 0.3**2, rtol=0.15)
    np.testing.assert_allclose(found["noise"], 0.05**2, rtol=0.25)
    assert found["family"] < 0.3 * SPREAD["family"]
    assert found["era"] == SPREAD["era"]  # nothing in these rows tells it


def test_few_cells_leave_the_weights_near_their_first_values() -> None:
    unknown, error, _ = rows(200)
    found = fit_spread(unknown, np.zeros(200), error, np.full(200, "one"))
    assert all(0.3 < found[name] / SPREAD[name] < 3.0 for name in NAMES)


def test_a_groups_own_errors_do_not_make_its_interval() -> None:
    unknown, error, cell = rows(600)
    key = np.array(["one", "two", "three"])[np.arange(600) % 3]
    time_s = np.ones(600)
    fold = Fold(time_s, np.ones(600), {}, unknown, np.zeros(600))
    before = cross_spread(fold, np.exp(error), key, cell)
    wild = cross_spread(fold, np.exp(np.where(key == "one", 5.0 * error, error)), key, cell)
    np.testing.assert_array_equal(before.sigma[key == "one"], wild.sigma[key == "one"])
    assert (before.sigma[key == "two"] != wild.sigma[key == "two"]).any()
