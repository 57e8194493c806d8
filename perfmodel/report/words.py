"""Numbers and names as the page says them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any

#: What a grade means (perfmodel.step.evidence).
GRADES = {
    "A": "this card was measured at this precision",
    "B": "cards of this generation were measured at this precision",
    "C": "this precision was measured only on other generations, or this generation only at other precisions",
    "D": "nothing measured supports it: a physical bound with typical efficiencies",
}
UNITS = ((1e-3, 1e6, "µs"), (1.0, 1e3, "ms"), (120.0, 1.0, "s"), (7200.0, 1 / 60, "min"), (float("inf"), 1 / 3600, "h"))
Unit = tuple[float, str]
_SPOKEN = {"µs": "microseconds", "ms": "milliseconds", "s": "seconds", "min": "minutes", "h": "hours"}
#: A space that no line ends at.
_GAP = "\u00a0"
_MODELS = {"cyclegan": "CycleGAN"}


def number(value: float | None, digits: int = 3) -> str:
    """A number with some significant digits and no exponent where people would write none; ``-`` for None."""
    if value is None:
        return "-"
    rounded = float(f"{value:.{digits}g}")
    if rounded == 0 or 1e-4 <= abs(rounded) < 1e15:
        text = f"{rounded:.12f}".rstrip("0").rstrip(".")
        return "0" if text == "-0" else text
    return f"{rounded:g}"


def unit_of(seconds: float) -> Unit:
    """Factor and name of the unit that suits a time."""
    return next((factor, unit) for limit, factor, unit in UNITS if seconds < limit)


def duration(seconds: float | None, unit: Unit | None = None) -> str:
    """``3.2 min``, in the unit that suits it or in the one given; ``-`` for None."""
    if seconds is None:
        return "-"
    factor, name = unit or unit_of(seconds)
    return f"{number(seconds * factor)}{_GAP}{name}"


def span(low: float, high: float, unit: Unit | None = None) -> str:
    """``2.5 to 4.1 min``, in the unit that suits the middle or in the one given."""
    factor, name = unit or unit_of((low * high) ** 0.5)
    return f"{number(low * factor)} to {number(high * factor)}{_GAP}{name}"


def estimate(seconds: float, low: float, high: float, coverage: float) -> str:
    """``3.2 minutes (90 %: 2.5 to 4.1)``: the interval in the unit of the estimate."""
    factor, unit = unit_of(seconds)
    low_text, high_text = number(low * factor, 2), number(high * factor, 2)
    return f"{number(seconds * factor, 2)} {_SPOKEN[unit]} ({percent(coverage)}: {low_text} to {high_text})"


def percent(share: float) -> str:
    """``90 %``, or with more digits near 0 and 100 where they tell something."""
    rounded = 100 * share
    if 99 < rounded < 100:
        return f"over 99{_GAP}%"
    return f"under 1{_GAP}%" if 0 < rounded < 1 else f"{rounded:.0f}{_GAP}%"


def model_name(model: str) -> str:
    """A network's name as people write it."""
    return _MODELS.get(model, model)


def work(workload: Mapping[str, Any]) -> str:
    """``training CycleGAN (9 blocks, image size 256)``."""
    said = []
    if workload.get("blocks"):
        said.append(f"{workload['blocks']} blocks")
    if workload.get("size"):
        said.append(f"{str(workload.get('size_name') or 'size').replace('_', ' ')} {workload['size']}")
    doing = "inference with" if workload.get("mode") == "infer" else "training"
    return f"{doing} {model_name(str(workload['model']))}" + (f" ({', '.join(said)})" if said else "")


def sentence(text: str) -> str:
    """The text as a sentence: a capital at its start, where that is no name in a formula, and a full stop."""
    first = text.split(maxsplit=1)[0] if text.strip() else ""
    begun = text[:1].upper() + text[1:] if first.isalpha() else text
    return begun if begun.endswith((".", "!", "?")) else f"{begun}."


def listed(names: Sequence[str], last: str = "and") -> str:
    """``a, b and c``."""
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} {last} {names[-1]}"


def count(n: int, what: str, plural: str = "") -> str:
    """``1 row``, ``2 rows``, ``12 345 rows``."""
    return f"{n:,}".replace(",", _GAP) + " " + (what if n == 1 else plural or f"{what}s")


@lru_cache(maxsize=1)
def _card_names() -> Mapping[str, str]:
    from perfmodel.errors import PerfmodelError
    from perfmodel.hardware.gpu import gpus

    try:
        return {card.key: card.name for card in gpus()}
    except PerfmodelError:  # a card of the reader's own that is not right: names are no reason to fail
        return {}


def card_name(key: str) -> str:
    """A card's full name from its key; the key itself for a card that is not known here."""
    return _card_names().get(key, key)
