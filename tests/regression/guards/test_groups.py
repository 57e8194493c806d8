"""A card's specification is known once for each card."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from perfmodel.regression.guards import check_design
from perfmodel.regression.guards.groups import check_groups

Make = Callable[..., Any]


def test_as_many_columns_as_cards_are_refused(table: Make, design: Make) -> None:
    frame = table(("k80", "p100-pcie-16", "v100-sxm2-16"), repeats=50)
    (finding,) = check_groups(design(frame, "log(cores)", "log(bandwidth)", "log(tdp_w)", "blocks"))
    assert finding.guard == "too-few-groups"
    assert finding.severity == "refuse"
    assert "3 columns" in finding.text
    assert "3 cards" in finding.text
    assert "keep 1 column" in finding.remedy
    assert "2 more cards, such as " in finding.remedy


def test_two_sizes_of_one_card_are_one_card(table: Make, design: Make) -> None:
    frame = table(("v100-sxm2-16", "v100-sxm2-32"))
    (finding,) = check_groups(design(frame, "log(bandwidth)"))
    assert finding.severity == "refuse"
    assert "1 card " in finding.text


def test_few_cards_are_warned_of_with_the_width(table: Make, design: Make) -> None:
    frame = table(("k80", "p100-pcie-16", "v100-sxm2-16"))
    (finding,) = check_groups(design(frame, "log(cores)", "blocks"))
    assert finding.severity == "warning"
    assert "1 degree of freedom" in finding.text
    assert "12.7 standard errors" in finding.text


def test_no_card_left_to_judge_by(table: Make, design: Make) -> None:
    frame = table(("k80", "p100-pcie-16", "v100-sxm2-16"))
    (finding,) = check_groups(design(frame, "log(cores)", "log(bandwidth)"))
    assert "no card is left over" in finding.text


def test_enough_cards_are_silent(table: Make, design: Make) -> None:
    assert not check_groups(design(table(), "log(cores)", "log(bandwidth)"))
    assert not check_groups(design(table(("k80", "p100-pcie-16")), "gpu", "blocks"))  # no figure of the card
    assert not check_design(design(table(), "log(fp32_tflops)", "blocks"))
