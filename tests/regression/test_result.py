"""The result: immutable, predicting, saved and read back, honest about its intervals."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import perfmodel as pm
from perfmodel.errors import InputError, TableError, UnknownGpuError

pandas = pytest.importorskip("pandas")
FORMULA = "log(step_ms) ~ log(bandwidth) + log(batch) + blocks + data_pair"
ROW = {"gpu": "p100", "blocks": 6, "batch": 4, "data_pair": "VKITTI-KITTI"}
METHODS: list[tuple[str, dict[str, Any]]] = [
    (FORMULA, {}), (FORMULA, {"method": "robust"}), (FORMULA, {"method": "quantile", "quantile": 0.9}),
    (FORMULA, {"group": "gpu"}), ("log(step_ms) ~ C(blocks) * data_pair + log(batch) + gpu", {}),
    ("step_ms = a + b * batch * blocks / bandwidth", {}), ("sqrt(step_ms) ~ blocks + batch", {}), ("step_ms ~ 1", {}),
    ("training-time", {}), ("data-loading-time", {"method": "wls"}),
]  # fmt: skip


@pytest.mark.parametrize(("formula", "options"), METHODS)
def test_saved_and_read_back(
    cyclegan: Callable[..., Any], tmp_path: Path, formula: str, options: dict[str, Any]
) -> None:
    fitted = pm.fit(cyclegan(noise=0.1), formula, **options)
    found = pm.load_fit(fitted.save(tmp_path / "fit.json"))
    rows = [ROW, {**ROW, "gpu": "h100"}] if "gpu" not in fitted.formula.names else [ROW]
    first, second = fitted.predict(rows), found.predict(rows)
    for name in ("mean", "mean_low", "mean_high", "low", "high"):
        np.testing.assert_allclose(getattr(second, name), getattr(first, name), rtol=1e-12)
    assert second.findings == first.findings
    assert found.summary() == fitted.summary()
    assert found.to_dict() == fitted.to_dict()
    again = found.refit(np.ones(found.n, dtype=bool))
    np.testing.assert_allclose(again.estimate.coefficients, fitted.estimate.coefficients, rtol=1e-6)


@pytest.mark.parametrize(("formula", "options"), METHODS)
def test_intervals_lie_in_order(cyclegan: Callable[..., Any], formula: str, options: dict[str, Any]) -> None:
    fitted = pm.fit(cyclegan(noise=0.1), formula, **options)
    wide, narrow = fitted.predict(ROW, 0.95), fitted.predict(ROW, 0.5)
    if fitted.method == "quantile":
        return  # a measurement need not lie about its 90 % quantile
    for found in (wide, narrow):
        assert found.low[0] <= found.mean_low[0] <= found.mean[0] <= found.mean_high[0] <= found.high[0]
    assert wide.low[0] < narrow.low[0] < narrow.high[0] < wide.high[0]


def test_a_fit_is_immutable(cyclegan: Callable[..., Any]) -> None:
    fitted = pm.fit(cyclegan(), FORMULA)
    for one in (fitted, fitted.coefficients[0], fitted.predict(ROW)):
        with pytest.raises(dataclasses.FrozenInstanceError):
            one.method = "magic"  # type: ignore[union-attr]


def test_the_document(cyclegan: Callable[..., Any]) -> None:
    fitted = pm.fit(cyclegan(), FORMULA)
    document = json.loads(json.dumps(fitted.to_dict(), allow_nan=False))
    assert (document["schema_version"], document["kind"], document["formula"]) == (1, "fit", FORMULA)
    assert (document["method"], document["response"], document["n"]) == ("ols", "log(step_ms)", 96)
    assert document["groups"] == {"gpu": 8, "model": 1, "data_pair": 2}
    assert {"name", "value", "standard_error", "low", "high", "p_value", "meaning"} == set(document["coefficients"][0])
    row = document["rows"][0]
    assert {"row", "gpu", "measured", "fitted", "low", "high", "bandwidth", "batch", "blocks", "data_pair"} <= set(row)
    assert row["low"] < row["fitted"] < row["high"]
    assert document["cross_validation"] is None


def test_known_cards_of_a_mixed_fit_have_their_own_effect(cyclegan: Callable[..., Any]) -> None:
    frame = cyclegan(card_noise=0.4, repeats=3)
    fitted = pm.fit(frame, "log(step_ms) ~ log(batch) + blocks + log(bandwidth)", group="gpu")
    assert fitted.estimate.group_variance > 0.01
    known, new = fitted.predict(ROW), fitted.predict({**ROW, "gpu": "titan rtx"})
    assert np.log(known.high / known.low)[0] < 0.5 * np.log(new.high / new.low)[0]
    mine = frame[(frame.gpu == "p100") & (frame.blocks == 6) & (frame.batch == 4)].step_ms.median()
    assert known.mean[0] == pytest.approx(mine, rel=0.05)


def test_intervals_cover_what_they_say() -> None:
    """90 % of new measurements lie in the prediction interval, 90 % of mean intervals hold the mean."""
    rng = np.random.default_rng(11)
    inside, held, count = 0, 0, 300
    for _ in range(count):
        x = rng.normal(size=12)
        frame = pandas.DataFrame({"x": x, "y": 1 + 2 * x + rng.normal(size=12)})
        found = pm.fit(frame, "y ~ x").predict({"x": [0.7]})
        held += bool(found.mean_low[0] < 2.4 < found.mean_high[0])
        inside += bool(found.low[0] < 2.4 + rng.normal() < found.high[0])
    assert inside / count == pytest.approx(0.9, abs=0.05)
    assert held / count == pytest.approx(0.9, abs=0.05)


def test_log_fits_predict_the_median() -> None:
    rng = np.random.default_rng(0)
    step = np.exp(rng.normal(3, 1, 4001))
    found = pm.fit({"gpu": "v100", "step_ms": step, "room": "a"}, "log(step_ms) ~ 1").predict({"gpu": "v100"})
    assert found.mean[0] == pytest.approx(np.median(step), rel=0.05)
    assert found.mean[0] < 0.7 * np.mean(step)


@pytest.mark.parametrize(
    "rows",
    [ROW, [ROW], {name: [value] for name, value in ROW.items()}, pandas.DataFrame([ROW]),
     {"device": "Tesla P100", "num_layers": "6", "batch_size": "4", "dataset": "VKITTI-KITTI"},
     {"bandwidth_gbs": 732.2, "blocks": 6, "batch": 4, "data_pair": "VKITTI-KITTI"}],
    ids=["mapping", "list", "columns", "frame", "aliases", "figures"],
)  # fmt: skip
def test_rows_are_given_in_any_form(cyclegan: Callable[..., Any], rows: Any) -> None:
    fitted = pm.fit(cyclegan(), FORMULA)
    assert fitted.predict(rows).mean[0] == pytest.approx(fitted.predict(ROW).mean[0], rel=1e-3)


def test_the_fitted_rows_predict_themselves(cyclegan: Callable[..., Any]) -> None:
    fitted = pm.fit(cyclegan(), FORMULA)
    np.testing.assert_allclose(fitted.predict(fitted.design.frame).mean, fitted.fitted().mean, rtol=1e-12)
    np.testing.assert_allclose(fitted.predict(cyclegan()).mean, fitted.fitted().mean, rtol=1e-12)


def test_a_factor_that_is_not_given_is_assumed_and_said(cyclegan: Callable[..., Any]) -> None:
    fitted = pm.fit(cyclegan(), FORMULA)
    found = fitted.predict({"gpu": "p100", "blocks": 6, "batch": 4})
    assert found.mean[0] == fitted.predict({**ROW, "data_pair": "Synthia-Cityscapes"}).mean[0]
    assert any(one.guard == "assumed" and "Synthia-Cityscapes assumed" in one.text for one in found.findings)


@pytest.mark.parametrize(
    ("row", "words"),
    [
        ({"gpu": "p100", "blocks": 6}, "no value of batch"),
        ({**ROW, "gpu": "v1000"}, "unknown GPU 'v1000'"),
        ({**ROW, "data_pair": "A-B"}, "data_pair 'A-B' is not among the 2 fitted: Synthia-Cityscapes, VKITTI-KITTI"),
    ],
)
def test_what_cannot_be_predicted_is_named(cyclegan: Callable[..., Any], row: dict[str, Any], words: str) -> None:
    fitted = pm.fit(cyclegan(), FORMULA)
    with pytest.raises((InputError, UnknownGpuError), match=words):
        fitted.predict(row)


@pytest.mark.parametrize("coverage", [0.0, 1.0, -1, 90])
def test_coverage_is_a_probability(cyclegan: Callable[..., Any], coverage: float) -> None:
    with pytest.raises(InputError, match="coverage must lie between 0 and 1"):
        pm.fit(cyclegan(), FORMULA).predict(ROW, coverage)


def test_a_refit_uses_the_rows_given(cyclegan: Callable[..., Any]) -> None:
    fitted = pm.fit(cyclegan(noise=0.1), FORMULA)
    keep = (fitted.design.frame["gpu"] != "k80").to_numpy()
    other = fitted.refit(keep)
    assert other.n == int(keep.sum())
    assert other.estimate.coefficients.tolist() != fitted.estimate.coefficients.tolist()
    with pytest.raises(InputError, match=r"cannot be told apart|cannot tell"):
        fitted.refit((fitted.design.frame["gpu"] == "k80").to_numpy())


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda d: d.update(kind="prediction"), "holds no fit"),
        (lambda d: d.update(schema_version=9), "has schema 9"),
        (lambda d: d.pop("state"), "no usable fit"),
        (lambda d: d["coefficients"].pop(), "do not belong|does not fit"),
        (lambda d: d.update(rows=[]), "has no rows"),
        (lambda d: d.update(method="magic"), "magic"),
        (lambda d: d.update(formula="log(step_ms) ~ __import__('os').getcwd()"), "may not"),
        (lambda d: d["rows"][0].update(blocks="six"), "no usable fit"),
    ],
)
def test_a_broken_document_is_one_line(
    cyclegan: Callable[..., Any], tmp_path: Path, change: Callable[[Any], Any], words: str
) -> None:
    document = pm.fit(cyclegan(), FORMULA).to_dict()
    change(document)
    path = tmp_path / "fit.json"
    path.write_text(json.dumps(document))
    with pytest.raises(TableError, match=words) as caught:
        pm.load_fit(path)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(("content", "words"), [(None, "no file"), ("{", "no JSON"), ("[1]", "holds no fit")])
def test_other_files_hold_no_fit(tmp_path: Path, content: str | None, words: str) -> None:
    path = tmp_path / "fit.json"
    if content is not None:
        path.write_text(content)
    with pytest.raises(TableError, match=words):
        pm.load_fit(path)


def test_the_summary_tells_what_matters_first(cyclegan: Callable[..., Any]) -> None:
    text = pm.fit(cyclegan(["v100", "p100", "k80", "t4"])).summary()
    beware, table, left, after = (text.index(word) for word in ("Beware", "estimate", "Left out", "Next:"))
    assert beware < table < left < after
    assert "96 rows" not in text
    assert "48 rows of 4 cards, 1 network, 2 data pairs" in text
    assert "% more memory bandwidth: 0." in text
    assert "one block more: 13 % more time" in text


def test_a_rank_deficient_design_claims_nothing(cyclegan: Callable[..., Any]) -> None:
    """The first reference system's loss model: four latents each of two sources and two targets are two dummies."""
    frame = cyclegan()
    source, target = (frame["data_pair"].str.split("-").str[at] for at in (0, 1))
    rng = np.random.default_rng(4)
    names = []
    for part, words in (("source", source), ("target", target)):
        for at in range(4):
            names.append(f"{part}_{at}")
            frame[names[-1]] = words.map(dict(zip(sorted(set(words)), rng.normal(size=2), strict=True)))
    with pytest.raises(InputError, match=r"independent ones?.*no claim about unseen ones can be made") as caught:
        pm.fit(frame, f"log(step_ms) ~ blocks + {' + '.join(names)}")
    assert "source_1" in str(caught.value)
