"""A time-shared card is found, counted for less and reported."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from perfmodel.regression.guards import check_rows
from perfmodel.regression.guards.consistency import check_consistency

Make = Callable[..., Any]


def shared(frame: Any, card: str, sd: float = 0.25) -> Any:
    """Times of a card that someone else uses as well."""
    rng = np.random.default_rng(5)
    rows = frame["gpu"] == card
    frame.loc[rows, "step_ms"] *= np.exp(sd * np.abs(rng.standard_normal(int(rows.sum()))))
    return frame


def test_a_time_shared_k80_counts_for_less(table: Make) -> None:
    frame = shared(table(("k80", "p100-pcie-16", "v100-sxm2-16", "t4"), repeats=6), "k80")
    checks = check_rows(frame, "log(step_ms)")
    (finding,) = checks.findings
    assert finding.guard == "inconsistent-card"
    assert finding.text.startswith("k80: times at equal settings vary by")
    k80 = (frame["gpu"] == "k80").to_numpy()
    weight = checks.weights[k80]
    assert np.ptp(weight) == 0
    assert 0.001 < weight[0] < 0.05
    assert (checks.weights[~k80] == 1).all()
    assert checks.keep.all()


@pytest.mark.parametrize("seed", range(10))
def test_equal_cards_are_silent(table: Make, seed: int) -> None:
    frame = table(repeats=3, noise=0.05, seed=seed)
    weights, findings = check_consistency(frame, "step_ms", np.ones(len(frame), dtype=bool))
    assert not findings
    assert (weights == 1).all()


def test_quiet_cards_may_differ(table: Make) -> None:
    """1 % is three times 0.3 %, and no reason to distrust a card."""
    frame = table(noise=0.003)
    rows = frame["gpu"] == "k80"
    frame.loc[rows, "step_ms"] *= np.exp(0.012 * np.random.default_rng(2).standard_normal(int(rows.sum())))
    assert not check_consistency(frame, "step_ms", np.ones(len(frame), dtype=bool))[1]


def test_rows_that_are_not_equal_for_any_card_blame_none(table: Make) -> None:
    """The table lacks a setting (its software, say): what differs is not the card."""
    frame = shared(table(noise=0.2, repeats=6), "k80", sd=1.5)
    assert not check_consistency(frame, "step_ms", np.ones(len(frame), dtype=bool))[1]


def test_too_few_rows_say_nothing(table: Make) -> None:
    frame = shared(table(("k80", "p100-pcie-16"), blocks=(9,), batch=(4,), repeats=4), "k80", sd=1.0)
    assert not check_consistency(frame, "step_ms", np.ones(len(frame), dtype=bool))[1]


def test_settings_are_no_spread(table: Make) -> None:
    """One card measured at many settings and one at a single one: only repeats are compared."""
    pandas = pytest.importorskip("pandas")
    frame = pandas.concat(
        [table(("k80",), blocks=range(3, 10), batch=(1, 2, 4)), table(("p100-pcie-16",), blocks=(9,), repeats=20)],
        ignore_index=True,
    )
    assert not check_consistency(frame, "step_ms", np.ones(len(frame), dtype=bool))[1]
