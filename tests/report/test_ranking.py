from __future__ import annotations

from dataclasses import replace
from math import exp, log

import pytest

from perfmodel.report.answers import answer
from perfmodel.report.ranking import Candidate, chance_less, rank


def card(name: str, time: float, factor: float = 1.5, **changes: object) -> Candidate:
    """A card whose 90 % interval is its time over and times a factor."""
    plain = Candidate(
        key=name.lower(), name=name, time_s=time, low_s=time / factor, high_s=time * factor, coverage=0.9, cost=None,
        fits=True, grade="B",
    )  # fmt: skip
    return replace(plain, **changes)


def test_the_spread_is_that_of_the_interval() -> None:
    assert card("A", 1.0, exp(1.6448536)).spread == pytest.approx(1.0, rel=1e-6)


def test_chances() -> None:
    a, b = card("A", 1.0, exp(1.6448536 * 0.3)), card("B", 2.0, exp(1.6448536 * 0.4))
    assert chance_less(a, b, cost=False) == pytest.approx(0.9171714809983016, rel=1e-6)  # Phi(log 2 / 0.5)
    assert chance_less(a, b, cost=False) + chance_less(b, a, cost=False) == pytest.approx(1)
    assert chance_less(a, a, cost=False) == 0.5
    assert chance_less(card("A", 1.0, 1.0), card("B", 2.0, 1.0), cost=False) == 1.0
    assert log(2) / 0.5 == pytest.approx(1.3862943611)


def test_by_time_without_prices_and_by_cost_with_them() -> None:
    cards = [card("A", 3.0), card("B", 1.0), card("C", 2.0)]
    found = rank(cards)
    assert found is not None
    assert [one.name for one in found.order] == ["B", "C", "A"]
    priced = [replace(one, cost=cost) for one, cost in zip(cards, (1.0, 9.0, None), strict=True)]
    found = rank(priced)
    assert found is not None
    assert [one.name for one in found.order] == ["A", "B"]
    assert [one.name for one in found.unpriced] == ["C"]
    assert found.fastest.name == "B"


def test_what_does_not_fit_is_never_first() -> None:
    found = rank([card("A", 1.0, fits=False), card("B", 5.0)])
    assert found is not None
    assert found.order[0].name == "B"
    assert [one.name for one in found.too_small] == ["A"]
    assert rank([card("A", 1.0, fits=False)]) is None


def test_a_clear_answer_names_one_card_and_its_price() -> None:
    cards = [card("A100", 100.0, 1.1, cost=0.084), card("RTX 4090", 130.0, 1.1, cost=0.04)]
    first, *more = answer(rank(cards), "an epoch of training CycleGAN")
    assert first == (
        "Rent the RTX 4090: an epoch of training CycleGAN takes 2.2 minutes (90\u00a0%: 2 to 2.4) and costs 0.04."
    )
    text = " ".join(more)
    assert "The fastest, the A100, is 1.3 times as fast and costs 2.1 times as much" in text
    assert "the RTX 4090 is cheaper than the next, the A100, is over 99\u00a0%" in text
    assert "Evidence B for it: cards of this generation" in text


def test_overlapping_intervals_are_said_to_be_so() -> None:
    cards = [card("A100", 100.0, 2.0, cost=1.0), card("H100", 95.0, 2.0, cost=1.02), card("T4", 900.0, 1.2, cost=30.0)]
    first = answer(rank(cards), "a step")[0]
    assert first.startswith("Rent the A100 or the H100: they cannot be told apart in cost.")
    assert "T4" not in first
    times = answer(rank([replace(one, cost=None) for one in cards]), "a step")[0]
    assert times.startswith("The fastest is the H100 or the A100: they cannot be told apart in time.")


def test_nothing_fits() -> None:
    assert answer(rank([card("A", 1.0, fits=False)]), "a step")[0].startswith("None of these cards has the memory")
