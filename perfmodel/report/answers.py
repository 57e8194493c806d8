"""The answer in plain words: which card to rent, what it takes, and how sure that is."""

from __future__ import annotations

from perfmodel.report.ranking import Candidate, Ranking, chance_less
from perfmodel.report.words import GRADES, estimate, listed, number, percent

#: Ratios closer to one than this are the same to a reader.
_SAME = 1.02


def answer(ranking: Ranking | None, job: str) -> tuple[str, ...]:
    """Say which card to take for a job: sentences, the first of which is the answer.

    Parameters
    ----------
    ranking : Ranking or None
        None when the job fits on none of the cards.
    job : str
        Such as ``an epoch of training CycleGAN (9 blocks)``.
    """
    if ranking is None:
        return (f"None of these cards has the memory for {job}: take a smaller batch, or a card with more memory.",)
    best = ranking.order[0]
    facts = f"{job} takes {estimate(best.time_s, best.low_s, best.high_s, best.coverage)}"
    if best.cost is not None:
        facts += f" and costs {number(best.cost, 2)}"
    if len(ranking.order) == 1 and not ranking.unpriced:
        said = [f"On the {best.name}, {facts}.", _evidence(best), *_left_out(ranking)]
    else:
        said = [*_lead(ranking, facts), _trade(ranking), sure(ranking), _evidence(best), *_left_out(ranking)]
    return tuple(part for part in said if part)


def _lead(ranking: Ranking, facts: str) -> list[str]:
    best, ties = ranking.order[0], ranking.ties
    if not ties:
        return [f"Rent the {best.name}: {facts}." if ranking.by_cost else f"The {best.name} is the fastest: {facts}."]
    if len(ties) > 3:
        names = f"the {best.name} or one of {len(ties)} others"
    else:
        names = listed([f"the {one.name}" for one in (best, *(tie for tie, _ in ties))], "or")
    verb, measure = ("Rent", "cost") if ranking.by_cost else ("The fastest is", "time")
    return [f"{verb} {names}: they cannot be told apart in {measure}. On the {best.name}, {facts}."]


def sure(ranking: Ranking) -> str:
    """How sure the first place is."""
    if ranking.next_chance is None:
        return ""
    best, second = ranking.order[:2]
    word = "cheaper" if ranking.by_cost else "faster"
    return (
        f"How sure: the chance that the {best.name} is {word} than the next, the {second.name}, is "
        f"{_chance(ranking.next_chance)}."
    )


def _trade(ranking: Ranking) -> str:
    """What more money buys, or that nothing does."""
    best, fastest = ranking.order[0], ranking.fastest
    if not ranking.by_cost:
        if len(ranking.order) < 2:
            return ""
        slow = ranking.order[-1]
        return f"The slowest, the {slow.name}, takes {_times(slow.time_s / best.time_s)} as long."
    if fastest is best:
        return f"It is the fastest of the {len(ranking.order)} cards as well." if len(ranking.order) > 1 else ""
    faster = f"The fastest, the {fastest.name}, is {_times(best.time_s / fastest.time_s)} as fast"
    chance = f"the chance that it is the faster of the two is {_chance(chance_less(fastest, best, cost=False))}"
    if fastest.cost is None or not best.cost:
        return f"{faster} ({chance}); what it costs is not known."
    dearer = fastest.cost / best.cost
    price = "costs about the same" if dearer < _SAME else f"costs {_times(dearer)} as much"
    return f"{faster} and {price}; {chance}."


def _chance(probability: float) -> str:
    """A probability in percent; nothing predicted is certain."""
    return percent(min(max(probability, 1e-4), 1 - 1e-4))


def _times(ratio: float) -> str:
    return f"{number(ratio, 2 if ratio < 10 else 3)} times"


def _evidence(one: Candidate) -> str:
    return f"Evidence {one.grade} for it: {GRADES.get(one.grade, 'an unknown grade')}."


def _left_out(ranking: Ranking) -> list[str]:
    said = []
    if ranking.unpriced:
        said.append(f"Without a price, so not ranked: {listed([one.name for one in ranking.unpriced])}.")
    if ranking.too_small:
        said.append(f"Too little memory: {listed([one.name for one in ranking.too_small])}.")
    return said
