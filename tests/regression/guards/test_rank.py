"""Designs whose columns others fix are refused, with the equation and the data that would fix it."""

from __future__ import annotations

from collections.abc import Callable
from itertools import product
from typing import Any

import numpy as np
import pytest

from perfmodel.hardware import find_gpu
from perfmodel.regression.guards import check_design
from perfmodel.regression.guards.rank import aliases, check_rank, independent

Make = Callable[..., Any]
THREE = ("k80", "p100-pcie-16", "v100-sxm2-16")


def test_mistake_5_latents_of_two_sources_and_two_targets_are_two_dummies(design: Make) -> None:
    """A design of 10 columns had rank 4: two dummy variables, a constant and the blocks."""
    pandas = pytest.importorskip("pandas")
    rng = np.random.default_rng(0)
    latent = {name: rng.standard_normal(4) for name in ("VKITTI", "Synthia", "KITTI", "Cityscapes")}
    rows = [
        {
            **{f"source_{k}": latent[source][k] for k in range(4)},
            **{f"target_{k}": latent[target][k] for k in range(4)},
            "blocks": float(blocks), "data_pair": f"{source}-{target}", "gpu": "v100-sxm2-16",
            "cycle_loss": float(rng.uniform(0.5, 1.5)),
        }
        for source, target, blocks in product(("VKITTI", "Synthia"), ("KITTI", "Cityscapes"), range(3, 10))
    ]  # fmt: skip
    frame = pandas.DataFrame(rows)
    terms = [*(f"source_{k}" for k in range(4)), *(f"target_{k}" for k in range(4)), "blocks"]
    made = design(frame, *terms, response="cycle_loss")
    assert independent(made.x).sum() == 4
    (finding,) = check_rank(made)
    assert finding.severity == "refuse"
    assert "10 columns carry only 4 independent ones" in finding.text
    for side in ("source", "target"):
        names = ", ".join(f"{side}_{k}" for k in range(3))
        assert f"{names} and {side}_3 take 2 distinct rows of values, so they are 1 dummy variable" in finding.text
    assert "source_1" in finding.columns
    assert "blocks" not in finding.columns


def test_the_equation_is_told_in_words(table: Make, design: Make) -> None:
    frame = table(THREE[:2])
    (finding,) = check_rank(design(frame, "log(cores)", "log(bandwidth)", "blocks"))
    one, other = (find_gpu(name) for name in THREE[:2])
    slope = np.log(other.bandwidth_gbs / one.bandwidth_gbs) / np.log(other.cuda_cores / one.cuda_cores)
    assert f"log(bandwidth) = {slope:.3g} log(cores)" in finding.text
    assert "on these 2 cards" in finding.text
    assert "such as " in finding.remedy


def test_the_cards_suggested_do_help(table: Make, design: Make) -> None:
    frame = table(THREE[:2])
    (finding,) = check_rank(design(frame, "log(cores)", "log(bandwidth)"))
    card = finding.remedy.rpartition("such as ")[2]
    assert find_gpu(card).key == card
    assert not check_rank(design(table((*THREE[:2], card)), "log(cores)", "log(bandwidth)"))


def test_a_column_of_one_value_is_named(table: Make, design: Make) -> None:
    (finding,) = check_rank(design(table(batch=(4,)), "batch"))
    assert "batch is 4 in all rows" in finding.text
    assert "add rows in which batch differs" in finding.remedy


def test_a_factor_that_says_the_card_again(table: Make, design: Make) -> None:
    frame = table()
    (finding,) = check_rank(design(frame, "gpu", "log(cores)"))
    assert finding.severity == "refuse"
    assert "log(cores)" in finding.text


def test_more_columns_than_rows(table: Make, design: Make) -> None:
    frame = table(repeats=1).head(3)
    (finding,) = check_rank(design(frame, "blocks", "batch", "blocks**2", "data_ms"))
    assert finding.text.startswith("5 columns and 3 rows")


def test_peaks_that_differ_by_rounding_are_refused(table: Make, design: Make) -> None:
    """FLOP/s are cores x clock x 2; what is left of the rounding of data sheets is no information."""
    frame = table()
    frame["flops"] = 2e-3 * frame["cores"] * frame["clock_ghz"] * (1.0 + 1e-7 * np.arange(len(frame)) % 3)
    found = list(check_design(design(frame, "log(cores)", "log(clock_ghz)", "log(flops)")))
    assert [one.severity for one in found] == ["refuse"]
    assert "rounding" in found[0].text


def test_rank_holds_for_badly_scaled_columns() -> None:
    """Powers to the tenth (as in NIST's Filip) are hard, and not rank-deficient."""
    at = np.linspace(-9, -3, 82)
    assert independent(np.vander(at, 11, increasing=True)).all()
    rng = np.random.default_rng(1)
    x = rng.standard_normal((50, 3)) * [1e-12, 1.0, 1e12]
    assert independent(x).all()
    (alias,) = aliases(np.column_stack([x, x @ [1e12, 3.0, 2e-12]]))
    assert alias.column == 3
    assert alias.others == (0, 1, 2)
    assert np.allclose(alias.coefficients, [1e12, 3.0, 2e-12])


def test_a_sound_design_is_silent(table: Make, design: Make) -> None:
    frame = table(pairs=("VKITTI-KITTI", "Synthia-KITTI"))
    assert not check_design(design(frame, "log(fp32_tflops)", "blocks", "batch", "data_pair"))
    assert not check_rank(design(frame, "log(cores)", "log(bandwidth)", "blocks", "batch", "data_pair"))
