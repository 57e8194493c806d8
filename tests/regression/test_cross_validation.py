"""Leaving groups out: errors are those of fits that never saw the group, and the baselines run on the same rows."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from perfmodel.errors import InputError
from perfmodel.regression.cross_validation import cross_validate
from perfmodel.regression.fitting import fit

Make = Callable[..., Any]
FORMULA = "log(step_ms) ~ log(flops) + log(blocks) + log(batch)"


def test_each_card_is_predicted_by_a_fit_without_it(measured: Make) -> None:
    frame = measured()
    found = cross_validate(fit(frame, FORMULA), "gpu")
    assert [one.name for one in found.groups] == sorted(frame["gpu"].unique())
    rest = frame[frame["gpu"] != "t4"]
    x, y = (np.log(rest[["blocks", "batch"]]), np.log(rest["latency_ms"]))
    peak = fit(frame, FORMULA).design.frame["flops"]
    columns = np.column_stack([np.ones(len(rest)), np.log(peak[rest.index]), x])
    by_hand = np.linalg.lstsq(columns, y)[0]
    own = frame[frame["gpu"] == "t4"]
    expected = np.exp(
        by_hand[0] + by_hand[1] * np.log(peak[own.index]) + np.log(own[["blocks", "batch"]]) @ by_hand[2:]
    )
    rows = found.group == "t4"
    assert found.predicted[rows] == pytest.approx(expected.to_numpy())
    assert found.measured[rows] == pytest.approx(own["latency_ms"].to_numpy())
    assert (found.rows == np.arange(len(frame))).all()


def test_scores_average_over_groups(measured: Make) -> None:
    found = fit(measured(), FORMULA).cross_validate("gpu")
    error = 100 * np.abs(found.predicted / found.measured - 1)
    medians = [np.median(error[found.group == one.name]) for one in found.groups]
    assert [one.score.median_ape for one in found.groups] == pytest.approx(medians)
    assert found.overall.median_ape == pytest.approx(np.mean(medians))
    inside = (found.low <= found.measured) & (found.measured <= found.high)
    assert found.overall.coverage == pytest.approx(100 * inside.mean())
    assert found.overall.coverage > 75
    assert found.overall.n == len(found.rows)


def test_a_law_that_holds_beats_the_baselines(measured: Make) -> None:
    found = fit(measured(), FORMULA).cross_validate("gpu")
    assert found.overall.median_ape < 8
    assert found.beats("constant")
    assert found.beats(found.best_single)
    assert {"constant", "flops", "blocks", "batch", "cores", "bandwidth"} <= found.baselines.keys()
    assert list(found.baselines.values()) == sorted(found.baselines.values())
    assert "beats a constant" in found.sentence()


def test_a_formula_that_says_nothing_beats_nothing(measured: Make) -> None:
    frame = measured(exponent=0.0, blocks=(9,), batch=(4,), pairs=[f"a-{at}" for at in range(12)], noise=0.2)
    found = fit(frame, "log(step_ms) ~ log(cores)").cross_validate("gpu")
    assert not found.beats("constant")
    assert "does not beat a constant" in found.sentence() or "no clear gain over a constant" in found.sentence()


def test_baselines_are_lines_through_the_rows_kept(measured: Make) -> None:
    frame = measured()
    found = fit(frame, FORMULA).cross_validate("gpu")
    (own,) = [one for one in found.groups if one.name == "k80"]
    rest, left = (np.log(frame[(frame["gpu"] == "k80") == left][["blocks", "latency_ms"]]) for left in (False, True))
    slope, intercept = np.polyfit(rest["blocks"], rest["latency_ms"], 1)
    errors = np.abs(np.expm1(intercept + slope * left["blocks"] - left["latency_ms"]))
    assert own.baselines["blocks"] == pytest.approx(100 * np.median(errors))
    errors = np.abs(np.expm1(rest["latency_ms"].mean() - left["latency_ms"]))
    assert own.baselines["constant"] == pytest.approx(100 * np.median(errors))


@pytest.mark.parametrize(("by", "name", "count"), [("dataset", "data_pair", 3), ("source", "source", 3)])
def test_other_groups(measured: Make, by: str, name: str, count: int) -> None:
    found = fit(measured(pairs=("a-b", "c-d", "e-f")), FORMULA).cross_validate(by)
    assert found.by == name
    assert len(found.groups) == count


def test_any_text_column_may_be_left_out(measured: Make) -> None:
    frame = measured()
    frame["site"] = frame["gpu"].str[0]
    assert cross_validate(fit(frame, FORMULA), "site").by == "site"


def test_fewer_than_three_groups_are_refused(measured: Make) -> None:
    found = fit(measured(pairs=("a-b", "c-d")), FORMULA)
    with pytest.raises(InputError, match=r"2 different values of data_pair .* needs 3"):
        cross_validate(found, "dataset")
    with pytest.raises(InputError):
        cross_validate(found, "no such column")


def test_levels_that_no_other_group_has_are_counted(measured: Make) -> None:
    frame = measured(pairs=("a-b", "c-d"))
    frame.loc[(frame["gpu"] == "t4") & (frame["data_pair"] == "c-d"), "data_pair"] = "only here"
    found = fit(frame, f"{FORMULA} + data_pair").cross_validate("gpu")
    assert found.unpredicted == {"data_pair only here occurs in no other group": 6}
    (t4,) = [one for one in found.groups if one.name == "t4"]
    assert t4.score.n == 6
    assert found.overall.n == len(frame) - 6
    assert "6 rows could not be predicted" in found.sentence()


def test_a_group_that_carries_a_column_alone_is_counted(measured: Make) -> None:
    frame = measured()
    frame["n_gpu"] = np.where(frame["gpu"] == "t4", 2, 1)
    found = fit(frame, f"{FORMULA} + n_gpu").cross_validate("gpu")
    assert "t4" not in [one.name for one in found.groups]
    ((reason, count),) = found.unpredicted.items()
    assert reason.startswith("without t4: ")
    assert count == 6


def test_no_group_can_be_predicted(measured: Make) -> None:
    with pytest.raises(InputError, match="no group of gpu can be predicted"):
        fit(measured(), "log(step_ms) ~ gpu + log(blocks)").cross_validate("gpu")


@pytest.mark.parametrize("method", ["wls", "robust", "quantile", "mixed"])
def test_every_method_is_fitted_again(measured: Make, method: str) -> None:
    found = fit(measured(), FORMULA, method=method).cross_validate("gpu")
    assert found.overall.median_ape < 10


def test_laws_are_fitted_again(measured: Make) -> None:
    frame = measured(blocks=(9,), batch=(4,), pairs=("a-b", "c-d", "e-f"))
    assert fit(frame, "step_ms = a + b / flops").cross_validate("gpu").beats("constant")


def test_an_inconsistent_card_keeps_its_weight(measured: Make) -> None:
    """Weights of the guards go into every refit: a time-shared card does not bend the others' law."""
    pandas = pytest.importorskip("pandas")
    frame = pandas.concat([measured(noise=0.01, seed=seed) for seed in range(4)], ignore_index=True)
    rng = np.random.default_rng(0)
    shared = frame["gpu"] == "k80"
    frame.loc[shared, "latency_ms"] *= np.exp(np.abs(rng.standard_normal(int(shared.sum()))))
    found = fit(frame, FORMULA)
    assert next(one.guard for one in found.findings if one.severity == "warning") == "inconsistent-card"
    weighted = found.cross_validate("gpu")
    errors = {one.name: one.score.median_ape for one in weighted.groups}
    assert max(error for name, error in errors.items() if name != "k80") < 5


def test_the_document_is_plain(measured: Make) -> None:
    found = fit(measured(), FORMULA)
    validation = found.cross_validate("gpu")
    document = json.loads(json.dumps(found.to_dict(cross_validation=validation), allow_nan=False))["cross_validation"]
    assert document["by"] == "gpu"
    assert document["sentence"] == validation.sentence()
    assert len(document["rows"]) == validation.overall.n
    assert document["rows"][0].keys() == {"row", "group", "measured", "predicted", "low", "high"}
    assert document["groups"][0].keys() >= {"name", "n", "median_ape", "coverage", "baselines"}
    assert "left out" in validation.summary()


def test_real_rows_one_card_left_out(shared_data: Path) -> None:
    """Regressions on the measurements: seconds to fit, and much worse on unseen cards than the physical model's 6 %."""
    began = time.monotonic()
    found = fit(shared_data / "measurements" / "end_to_end.csv.gz", where={"source": ["lambda-pytorch-v0"]})
    validation = found.cross_validate("gpu")
    assert time.monotonic() - began < 60
    assert len(validation.groups) >= 10
    assert validation.beats("constant")
    assert 10 < validation.overall.median_ape < 60
    assert not [one for one in found.findings if one.guard in ("cold", "inconsistent-card", "per-image")]


def test_real_rows_with_broken_times_are_named(shared_data: Path) -> None:
    """Sequence lengths that were read as throughputs are faster than any card."""
    found = fit(shared_data / "measurements" / "end_to_end.csv.gz", where={"source": ["nvidia-dle"]})
    (finding,) = [one for one in found.findings if one.guard == "units"]
    assert "TFLOP/s" in finding.text
