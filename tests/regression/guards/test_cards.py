"""Figures of boards, of dies and of other cards."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from perfmodel.hardware import find_gpu
from perfmodel.regression.guards import check_rows
from perfmodel.regression.guards.cards import check_cards

Make = Callable[..., Any]


def guards(found: Any) -> list[str]:
    return [one.guard for one in found.findings]


def test_mistake_4_board_totals_among_dies(table: Make) -> None:
    """Board totals and single-die figures of the K80 were mixed."""
    frame = table()
    wrong = (frame["gpu"] == "k80") & (frame["blocks"] == 9)
    frame.loc[wrong, "cores"] = 4992.0
    checks = check_rows(frame, "log(step_ms)")
    (finding,) = checks.findings
    assert finding.guard == "board-or-die"
    assert "4992" in finding.text
    assert "2496" in finding.text
    assert "board of 2 dies" in finding.text
    assert finding.rows == tuple(np.flatnonzero(wrong))
    assert set(checks.apply(frame).loc[frame["gpu"] == "k80", "cores"]) == {2496.0}


def test_mistake_4_desktop_figures_on_a_laptop_card(table: Make) -> None:
    """The mobile 3060 carried the desktop card's figures."""
    frame = table(("k80", "p100-pcie-16", "rtx3060-mobile", "v100-sxm2-16"))
    mobile = frame["gpu"] == "rtx3060-mobile"
    desktop, laptop = find_gpu("rtx3060"), find_gpu("rtx3060-mobile")
    frame.loc[mobile, "cores"] = float(desktop.cuda_cores)
    frame.loc[mobile, "flops"] = desktop.peaks_tflops["fp32"]
    checks = check_rows(frame, "log(step_ms)")
    assert guards(checks) == ["laptop-card", "laptop-card"]
    assert str(desktop.cuda_cores) in checks.findings[0].text
    assert str(laptop.cuda_cores) in checks.findings[0].text
    assert "desktop card rtx3060" in checks.findings[0].text
    right = checks.apply(frame)
    assert set(right.loc[mobile, "cores"]) == {float(laptop.cuda_cores)}
    assert set(right.loc[mobile, "flops"]) == {laptop.peaks_tflops["fp32"]}


@pytest.mark.parametrize("key", ["k80", "m60", "k520"])
def test_rows_of_a_board_become_rows_of_a_die(table: Make, key: str) -> None:
    frame = table((key, f"{key}-board", "p100-pcie-16"))
    found = check_cards(frame)
    assert guards(found) == ["board-or-die"]
    assert f"beside rows of {key}, one die" in found.findings[0].text
    right = check_rows(frame, "step_ms").apply(frame)
    assert set(right["gpu"]) == {key, "p100-pcie-16"}
    die = find_gpu(key)
    rows = right["gpu"] == key
    assert set(right.loc[rows, "cores"]) == {float(die.cuda_cores)}
    assert set(right.loc[rows, "flops"]) == {die.peaks_tflops["fp32"]}
    assert set(right.loc[~rows, "cores"]) == {3584.0}


def test_another_figure_is_named_and_kept(table: Make) -> None:
    frame = table()
    frame.loc[frame["gpu"] == "t4", "bandwidth"] = 250.0
    found = check_cards(frame)
    assert guards(found) == ["card-figures"]
    assert "250" in found.findings[0].text
    assert "320" in found.findings[0].text
    assert not found.corrected


def test_a_sound_table_is_silent(table: Make) -> None:
    frame = table()
    frame["bandwidth"] *= 1.04  # within 5 %
    frame.loc[frame["gpu"] == "t4", "gpu"] = "a card that no table has"
    found = check_cards(frame)
    assert not found.findings
    assert not found.corrected
