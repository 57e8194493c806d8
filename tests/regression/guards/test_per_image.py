"""Times of an image among times of a batch are refused."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from perfmodel.regression.guards import check_rows
from perfmodel.regression.guards.per_image import check_per_image

Make = Callable[..., Any]


def test_mistake_2_compute_of_an_image_with_loading_of_a_batch(table: Make) -> None:
    """Compute time was divided by the batch size and data time was not."""
    frame = table()
    frame["image_ms"] = frame["step_ms"] / frame["batch"]
    (finding,) = check_per_image(frame, "log(image_ms + data_ms)")
    assert finding.severity == "refuse"
    assert "adds image_ms, the time of an image, to data_ms, the time of a batch" in finding.text
    assert "image_ms * batch" in finding.remedy
    assert not check_per_image(frame, "log(image_ms * batch + data_ms)")
    assert not check_per_image(frame[frame["batch"] == 1], "log(image_ms + data_ms)")
    (finding,) = check_rows(frame, "log(image_ms)", ["data_ms", "cores"]).findings
    assert "sets image_ms, the time of an image, against data_ms" in finding.text
    assert not check_rows(frame, "log(image_ms)", ["data_ms", "batch"]).findings


def test_image_times_filled_into_the_step_column(table: Make) -> None:
    frame = table()
    frame["image_ms"] = frame["step_ms"] / frame["batch"]
    wrong = (frame["batch"] == 4) & (frame["gpu"] == "k80")
    frame.loc[wrong, "step_ms"] = frame["image_ms"]
    (finding,) = check_per_image(frame, "step_ms")
    assert finding.severity == "refuse"
    assert finding.rows == tuple(np.flatnonzero(wrong))
    assert "k80.csv" in finding.text


def test_a_file_of_image_times_beside_one_of_step_times(table: Make) -> None:
    pandas = pytest.importorskip("pandas")
    right, wrong = table(batch=(2, 4, 8)).assign(file="right.csv"), table(batch=(2, 4, 8), seed=1)
    wrong = wrong.assign(file="wrong.csv", step_ms=wrong["step_ms"] / wrong["batch"])
    (finding,) = check_per_image(pandas.concat([right, wrong], ignore_index=True), "log(step_ms)")
    assert finding.severity == "refuse"
    assert finding.text.startswith("wrong.csv (")
    assert min(finding.rows) == len(right)


def test_two_clusters_within_one_file(table: Make) -> None:
    frame = table(("v100-sxm2-16",), batch=(4, 8), repeats=6).assign(file="all.csv")
    wrong = np.arange(len(frame)) % 6 < 2
    frame.loc[wrong, "step_ms"] /= frame["batch"]
    (finding,) = check_per_image(frame, "step_ms")
    assert finding.rows == tuple(np.flatnonzero(wrong))
    assert "two groups" in finding.text


def test_files_without_common_settings_are_told_apart_by_their_slope(table: Make) -> None:
    pandas = pytest.importorskip("pandas")
    right = table(("k80",), batch=(4, 8, 16)).assign(file="k80.csv")
    wrong = table(("gtx1080ti",), batch=(4, 8, 16)).assign(file="gtx.csv")
    wrong["step_ms"] /= wrong["batch"]
    (finding,) = check_per_image(pandas.concat([right, wrong], ignore_index=True), "step_ms")
    assert finding.severity == "warning"
    assert "gtx.csv" in finding.text
    assert "does not grow with the batch" in finding.text


def test_a_sound_table_is_silent(table: Make) -> None:
    frame = table(batch=(1, 2, 4, 8), repeats=6, noise=0.05)
    frame["image_ms"] = frame["step_ms"] / frame["batch"]
    for response in ("step_ms", "log(step_ms)", "data_ms", "image_ms", "log(step_ms + data_ms)"):
        assert not check_per_image(frame, response)
    assert not check_rows(frame, "step_ms").findings


def test_launch_bound_networks_are_no_image_times(table: Make) -> None:
    pandas = pytest.importorskip("pandas")
    small = table(("a100-sxm-40",), batch=(1, 2, 4)).assign(file="small.csv", model="pilotnet", step_ms=5.0)
    frame = pandas.concat([table(("k80",), batch=(1, 2, 4)), small], ignore_index=True)
    assert not check_per_image(frame, "step_ms")


def test_a_card_whose_times_do_not_grow_with_the_batch_is_named(table: Make) -> None:
    """The same settings are on no two cards, so nothing but the slope tells."""
    frame = table(("p100-pcie-16", "t4", "v100-sxm2-16"), batch=(1, 2, 4, 8)).assign(file="all.csv")
    own = frame["gpu"] == "t4"
    frame.loc[own, "step_ms"] /= frame.loc[own, "batch"]
    frame["gflop_step"], frame["flops"] = 1885.0 * frame["batch"], 9.0
    (finding,) = [one for one in check_rows(frame, "log(step_ms)").findings if one.guard == "per-image"]
    assert finding.severity == "warning"
    assert finding.text.startswith("t4 (")
    frame["gflop_step"] /= 1000  # the same slopes of a network so small that launches decide
    assert not [one for one in check_rows(frame, "log(step_ms)").findings if one.guard == "per-image"]
