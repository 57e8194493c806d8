"""Grey box: the residual of the physical prediction, and whether modelling it pays on cards not seen."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import perfmodel as pm
from perfmodel import cli
from perfmodel.errors import InputError
from perfmodel.validation.grey_box import fit_residual

Make = Callable[..., Any]
CARDS = ("gtx1080ti", "p100-pcie-16", "t4", "v100-sxm2-16", "rtx3090", "a100-sxm-40")


@pytest.fixture(scope="module")
def physical() -> dict[tuple[str, int, int], float]:
    """Return physical predictions of CycleGAN steps, ms, by card, blocks and batch."""
    return {
        (card, blocks, batch): 1e3
        * pm.predict("cyclegan", gpu=card, blocks=blocks, batch=batch, loader="none").step_s.median
        for card in CARDS
        for blocks in (3, 9)
        for batch in (1, 4)
    }


@pytest.fixture
def rows(physical: dict[tuple[str, int, int], float]) -> Make:
    """Return a function that makes measured rows: the physical prediction times a factor and noise."""
    pandas = pytest.importorskip("pandas")

    def make(factor: Callable[[str, int, int], float], *, noise: float = 0.03, seed: int = 0) -> Any:
        rng = np.random.default_rng(seed)
        return pandas.DataFrame(
            {
                "gpu": card, "model": "cyclegan", "phase": "train", "precision": "fp32", "blocks": blocks,
                "batch": batch,
                "latency_ms": time_ms * factor(card, blocks, batch) * np.exp(noise * rng.standard_normal()),
            }
            for (card, blocks, batch), time_ms in physical.items()
            for _ in range(3)
        )  # fmt: skip

    return make


def test_a_missing_effect_of_the_batch_is_found(rows: Make) -> None:
    found = pm.fit_residual(rows(lambda card, blocks, batch: 1.3 * batch**0.2), "log(batch)")
    (slope,) = [one.value for one in found.fit.coefficients if one.name == "log(batch)"]
    assert slope == pytest.approx(0.2, abs=0.03)
    assert found.beats
    assert found.sentence().startswith("The regression of the residual beats the physical model")
    assert found.validation is not None
    assert found.validation.overall.median_ape < 5


def test_it_says_when_it_does_not_beat_the_physical_model(rows: Make) -> None:
    found = fit_residual(rows(lambda *_: 1.0, noise=0.08), "log(bandwidth) + log(cores) + blocks")
    assert not found.beats
    assert found.validation is not None
    own = found.validation.overall.median_ape
    alone = np.mean([one.median_ape for one in found.physical.values()])
    assert f"{own:.1f} % against {alone:.1f} %" in found.sentence()
    assert "does not beat the physical model" in found.sentence()


def test_scores_are_those_of_times(rows: Make, physical: dict[tuple[str, int, int], float]) -> None:
    """Errors of the ratio are errors of the time: measured over (physical x ratio)."""
    table = rows(lambda card, blocks, batch: 1.3 * batch**0.2)
    found = fit_residual(table, "log(batch)")
    validation = found.validation
    assert validation is not None
    base = np.array([physical[key] for key in zip(table["gpu"], table["blocks"], table["batch"], strict=True)])
    predicted = base[validation.rows] * validation.predicted
    error = 100 * np.abs(predicted / table["latency_ms"].to_numpy()[validation.rows] - 1)
    card = validation.group == "t4"
    (group,) = [one for one in validation.groups if one.name == "t4"]
    assert group.score.median_ape == pytest.approx(np.median(error[card]))
    alone = 100 * np.abs(base / table["latency_ms"] - 1)[(table["gpu"] == "t4").to_numpy()]
    assert found.physical["t4"].median_ape == pytest.approx(np.median(alone))


def test_prediction_multiplies_the_physical_one(rows: Make, physical: dict[tuple[str, int, int], float]) -> None:
    found = fit_residual(rows(lambda *_: 1.5), "log(batch)")
    asked = {"gpu": "rtx3090", "model": "cyclegan", "phase": "train", "precision": "fp32", "blocks": 9, "batch": 4}
    answer = found.predict(asked)
    assert answer.physical == pytest.approx([physical["rtx3090", 9, 4]])
    assert answer.mean == pytest.approx(1.5 * answer.physical, rel=0.03)
    assert answer.low < answer.mean_low < answer.mean < answer.mean_high < answer.high
    assert not answer.findings
    outside = found.predict({**asked, "batch": 64})
    assert [one.guard for one in outside.findings] == ["extrapolation"]
    with pytest.raises(InputError, match="unknown GPU"):
        found.predict({**asked, "gpu": "no such card"})


def test_formulas_in_any_form(rows: Make) -> None:
    table = rows(lambda card, blocks, batch: batch**0.1)
    texts = {
        fit_residual(table, text).fit.formula.text
        for text in ("log(batch)", "~ log(batch)", "log(step_ms) ~ log(batch)")
    }
    assert texts == {"log(measured_over_physical) ~ log(batch)"}
    assert "log(batch)" in fit_residual(table).fit.formula.text  # the preset
    with pytest.raises(InputError, match="explains the step"):
        fit_residual(table, "log(data_ms) ~ log(batch)")


def test_rows_that_cannot_be_predicted_are_counted(rows: Make) -> None:
    table = rows(lambda *_: 1.0)
    table.loc[:4, "model"] = "a network nobody knows"
    found = fit_residual(table, "log(batch)")
    assert list(found.unresolved.values()) == [5]
    assert found.fit.n == len(table) - 5
    with pytest.raises(InputError, match="predicts none of the"):
        fit_residual(table.iloc[:5], "log(batch)")


def test_too_few_cards_are_said(rows: Make) -> None:
    table = rows(lambda *_: 1.0)
    found = fit_residual(table[table["gpu"].isin(CARDS[:2])], "log(batch)")
    assert found.validation is None
    assert not found.beats
    assert "cannot be told: the rows have 2 different values of gpu" in found.sentence()


def test_guards_see_the_step(rows: Make) -> None:
    """Seconds in the column of milliseconds are refused here, too."""
    table = rows(lambda *_: 1.0)
    table.loc[table["gpu"] == "t4", "latency_ms"] /= 1000.0
    with pytest.raises(InputError, match="seconds in a column of milliseconds"):
        fit_residual(table, "log(batch)")


def test_the_verb(rows: Make, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "runs.csv"
    rows(lambda card, blocks, batch: 1.3 * batch**0.2).to_csv(path, index=False)
    words = ["fit", str(path), "--grey-box", "--formula", "log(step_ms) ~ log(batch)"]
    asked = "gpu=h100,model=cyclegan,phase=train,blocks=9,batch=1"
    with pytest.raises(SystemExit) as caught:
        cli.main([*words, "--predict", asked])
    assert caught.value.code == 0
    out = capsys.readouterr().out
    assert out.startswith("The regression of the residual beats the physical model")
    assert "step_ms" in out
    with pytest.raises(SystemExit) as caught:
        cli.main([*words, "--json"])
    assert caught.value.code == 0
    document = json.loads(capsys.readouterr().out)
    assert document["kind"] == "fit"
    assert document["grey_box"]["beats"] is True
    assert document["grey_box"]["physical"]["median_ape"] > document["cross_validation"]["median_ape"]


def test_real_rows(shared_data: Path) -> None:
    """The shipped model has seen these rows, so a regression of specifications adds nothing to it on unseen cards."""
    path = shared_data / "measurements" / "end_to_end.csv.gz"
    found = fit_residual(path, "log(cores) + log(bandwidth)", where={"source": ["lambda-tensorflow"]})
    assert found.seen == ("lambda-tensorflow",)
    assert "has seen rows of lambda-tensorflow" in found.sentence()
    assert not found.beats
