"""Seconds in a column of milliseconds, and times that no card can reach."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from perfmodel.regression.guards import check_rows
from perfmodel.regression.guards.units import check_units

Make = Callable[..., Any]


def test_seconds_in_a_column_of_milliseconds(table: Make) -> None:
    frame = table()
    wrong = frame["file"] == "t4.csv"
    frame.loc[wrong, "step_ms"] /= 1000.0
    found = [one for one in check_rows(frame, "log(step_ms)").findings if one.severity == "refuse"]
    assert [one.guard for one in found] == ["units"]
    assert found[0].rows == tuple(np.flatnonzero(wrong))
    assert "t4.csv" in found[0].text
    assert "seconds in a column of milliseconds" in found[0].text
    assert "times 1000" in found[0].remedy


def test_microseconds_in_a_column_of_milliseconds(table: Make) -> None:
    frame = table()
    frame.loc[frame["gpu"] == "t4", "step_ms"] *= 1000.0
    finding = check_units(frame, "step_ms")[0]
    assert "microseconds" in finding.text
    assert "divided by 1000" in finding.remedy


def test_a_time_faster_than_the_card(table: Make) -> None:
    frame = table(("p100-pcie-16",), batch=(64,))
    frame["step_ms"] /= 64.0
    (finding,) = check_units(frame, "step_ms")
    assert finding.severity == "warning"
    assert "TFLOP/s on p100-pcie-16" in finding.text


def test_a_sound_table_is_silent(table: Make) -> None:
    assert not check_units(table(batch=(1, 4, 64), noise=0.3), "step_ms")
    frame = table(batch=(1, 4, 64))
    frame["data_ms"] = np.geomspace(1e-3, 1e5, len(frame))  # wide, but no gap
    assert not check_units(frame, "data_ms")
