"""What a preset drops, and why."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from perfmodel.regression.guards import check_design, identifiable, part_of

Make = Callable[..., Any]
TERMS = ("log(cores)", "log(bandwidth)", "log(flops)", "blocks", "log(batch)", "data_pair")


def test_what_cannot_be_told_apart_is_dropped_with_its_reason(table: Make, design: Make) -> None:
    made = design(table(("k80", "p100-pcie-16", "v100-sxm2-16"), batch=(4,), pairs=("a-b", "c-d")), *TERMS)
    dropped, findings = identifiable(made, ("log(flops)", "blocks", "log(batch)", "log(bandwidth)", "log(cores)"))
    assert dropped == ("log(batch)", "log(bandwidth)", "log(cores)")
    assert [one.columns[0] for one in findings] == list(dropped)
    assert all(one.severity == "note" and one.guard == "identifiable" for one in findings)
    assert findings[0].text == "log(batch) is left out: it has one value in all rows"
    assert "3 cards cannot tell 2 specification columns apart" in findings[1].text
    kept = part_of(made, [name for name in made.terms if name not in dropped])
    assert not [one for one in check_design(kept) if one.severity == "refuse"]
    assert kept.names == ("Intercept", "log(flops)", "blocks", "data_pair[T.c-d]")


def test_the_order_decides_which_of_two_is_kept(table: Make, design: Make) -> None:
    made = design(table(("k80", "p100-pcie-16", "v100-sxm2-16")), "log(cores)", "log(bandwidth)")
    assert identifiable(made, ("log(bandwidth)",))[0] == ("log(cores)",)
    assert identifiable(made)[0] == ("log(bandwidth)",)


def test_an_alias_is_told(table: Make, design: Make) -> None:
    frame = table()
    frame["work"] = 330.0 + 174.0 * frame["blocks"]
    made = design(frame, "blocks", "work")
    dropped, findings = identifiable(made)
    assert dropped == ("work",)
    assert "work = 174 blocks + 330" in findings[0].text


def test_one_card_carries_no_specification(table: Make, design: Make) -> None:
    made = design(table(("t4",)), "log(cores)", "blocks")
    dropped, findings = identifiable(made)
    assert dropped == ("log(cores)",)
    assert "one value in all rows" in findings[0].text


def test_a_sound_preset_drops_nothing(table: Make, design: Make) -> None:
    made = design(table(pairs=("a-b", "c-d")), "log(fp32_tflops)", "blocks", "log(batch)", "data_pair")
    assert identifiable(made) == ((), ())
