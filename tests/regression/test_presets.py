"""Presets: cut down to what the rows can tell, each dropped column named with the reason, never an error."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import perfmodel as pm
from perfmodel.errors import InputError, TableError

pandas = pytest.importorskip("pandas")


def dropped(fitted: Any) -> dict[str, str]:
    return {one.column: one.why for one in fitted.dropped}


def figures(fitted: Any) -> set[str]:
    return set(fitted.formula.names) & {"cores", "flops", "bandwidth"}


def test_training_time_of_one_network(cyclegan: Callable[..., Any]) -> None:
    fitted = pm.fit(cyclegan())
    assert fitted.preset == "training-time"
    assert fitted.response == "log(step_ms)"
    assert {"blocks", "batch", "data_pair", "bandwidth"} <= set(fitted.formula.names)
    why = dropped(fitted)
    assert why["workers"] == "one value in all rows that state it (4)"
    assert why["precision"] == "one value in all rows that state it (fp32)"
    assert why["host_cores"] == "no row states it"
    assert "blocks" in why["gmacs"]
    assert fitted.residual_sd == pytest.approx(0.02, rel=0.3)


def test_every_term_is_used_or_dropped_with_a_reason(cyclegan: Callable[..., Any]) -> None:
    from perfmodel.regression.presets import PRESETS, variable_of

    for preset in PRESETS.values():
        fitted = pm.fit(cyclegan(), preset.name)
        names = {variable_of(term) for term in preset.terms}
        assert names == set(fitted.formula.names) | set(dropped(fitted))
        assert not set(fitted.formula.names) & set(dropped(fitted))
        assert all(one.why for one in fitted.dropped)


@pytest.mark.parametrize(("cards", "most"), [(1, 0), (2, 0), (3, 1), (4, 2), (6, 3)])
def test_no_more_figures_than_cards_allow(cyclegan: Callable[..., Any], cards: int, most: int) -> None:
    names = ["v100", "p100", "k80", "rtx 3060 mobile", "a100", "rtx3090"][:cards]
    fitted = pm.fit(cyclegan(names))
    assert len(figures(fitted)) <= most
    assert ("gpu" in fitted.formula.names) == (cards == 2)
    assert not any(one.severity == "refuse" for one in fitted.findings)


@pytest.mark.parametrize("rows", [2, 3, 5, 8])
def test_tiny_tables_still_fit(cyclegan: Callable[..., Any], rows: int) -> None:
    fitted = pm.fit(cyclegan().iloc[:: 96 // rows].iloc[:rows])
    assert fitted.n == rows
    assert len(fitted.coefficients) <= max(rows // 3, 1)
    assert fitted.summary()


def test_nothing_varies() -> None:
    fitted = pm.fit({"gpu": "v100", "model": "resnet50", "batch": 8, "step_ms": [10.0, 11.0, 12.0]})
    assert fitted.formula.right == "1"
    assert fitted.coefficients[0].meaning == "median of the time of a step: 10.97 ms"


def test_loading_time(cyclegan: Callable[..., Any]) -> None:
    frame = cyclegan()
    frame["workers"] = np.arange(len(frame)) % 4 + 1
    frame["host_cores"] = np.where(np.arange(len(frame)) % 3, 8, 16)
    frame["data_ms"] = 40.0 / frame["workers"] * frame["batch"] * np.where(frame["data_pair"] == "VKITTI-KITTI", 1, 2)
    fitted = pm.fit(frame, "data-loading-time")
    assert fitted.response == "log(data_ms)"
    found = {one.name: one.value for one in fitted.coefficients}
    assert found["log(workers)"] == pytest.approx(-1)
    assert found["log(batch)"] == pytest.approx(1)
    assert found["data_pair[T.VKITTI-KITTI]"] == pytest.approx(-np.log(2))


def test_no_workers_is_no_logarithm(cyclegan: Callable[..., Any]) -> None:
    frame = cyclegan()
    frame["workers"] = np.arange(len(frame)) % 3
    assert "workers" in pm.fit(frame, "data-loading-time").formula.right.replace("log(workers)", "")


def test_many_networks_are_told_by_their_work() -> None:
    rng = np.random.default_rng(0)
    names = [f"resnet{n}" for n in (18, 34, 50, 101, 152)]
    rows = [
        {"gpu": gpu, "model": name, "phase": phase, "batch": batch, "step_ms": 10 * np.exp(0.1 * rng.standard_normal())}
        for gpu in ("v100", "p100", "a100") for name in names for phase in ("train", "infer") for batch in (8, 32)
    ]  # fmt: skip
    fitted = pm.fit(pandas.DataFrame(rows))
    assert "gmacs" in fitted.formula.names
    assert dropped(fitted)["model"] == "its 5 networks are told by gmacs"
    assert fitted.n == 30
    assert any(one.guard == "phase" and "30 of 60 rows are inference" in one.text for one in fitted.findings)


def test_unknown_cards_are_named_and_told_apart_by_name(cyclegan: Callable[..., Any]) -> None:
    frame = cyclegan(["v100", "p100", "k80"])
    frame["gpu"] = frame["gpu"].replace({"k80": "My Own Card"})
    fitted = pm.fit(frame)
    assert "gpu" in fitted.formula.names
    assert any(one.guard == "card" and "'My Own Card' (12 rows)" in one.text for one in fitted.findings)
    assert dropped(fitted)["bandwidth"] == "missing in 12 of 36 rows"


def test_inference_alone_is_fitted_as_it_is(cyclegan: Callable[..., Any]) -> None:
    fitted = pm.fit(cyclegan().assign(phase="infer"))
    assert fitted.n == 96
    assert any(one.guard == "phase" and "all 96 rows are inference" in one.text for one in fitted.findings)


def test_a_response_of_ones_own(cyclegan: Callable[..., Any]) -> None:
    assert pm.fit(cyclegan(), response="image_ms").response == "log(image_ms)"
    with pytest.raises(InputError, match="names its own response"):
        pm.fit(cyclegan(), "log(step_ms) ~ blocks", response="image_ms")


@pytest.mark.parametrize(
    ("rows", "options", "words"),
    [
        ({"gpu": [], "step_ms": []}, {}, "has no rows"),
        ({"gpu": ["v100"], "step_ms": [np.nan]}, {}, "no row has a usable time of a step"),
        (
            {"gpu": ["v100"], "step_ms": [3.0]},
            {"formula": "data-loading-time"},
            "no row has a usable data-loading time",
        ),
        ({"gpu": ["v100"], "step_ms": [3.0]}, {"formula": "speed"}, "no preset and no formula; presets: training-time"),
        (
            {"gpu": ["v100"], "step_ms": [3.0]},
            {"where": {"gpu": ["a100"]}},
            "no row has gpu=a100; gpu has v100-sxm2-16",
        ),
    ],
)
def test_what_cannot_be_fitted_is_named(rows: Any, options: dict[str, Any], words: str) -> None:
    with pytest.raises((InputError, TableError), match=words):
        pm.fit(rows, **options)


def test_the_shared_measurements(shared_data: Path) -> None:
    path = shared_data / "measurements" / "end_to_end.csv.gz"
    begun = time.perf_counter()
    fitted = pm.fit(path)
    assert time.perf_counter() - begun < 60
    assert fitted.n > 3000
    assert {"gmacs", "batch", "bandwidth"} <= set(fitted.formula.names)
    assert fitted.estimate.errors.startswith("with the spread between the 24 cards")
    assert dropped(fitted)["blocks"] == "no row states it"
