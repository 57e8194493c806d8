"""Which card to take, and how sure that is."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import hypot, log
from statistics import NormalDist


@dataclass(frozen=True, kw_only=True)
class Candidate:
    """One card for a job.

    Attributes
    ----------
    key, name : str
    time_s, low_s, high_s : float
        Seconds of the job, and the interval.
    coverage : float
        Of the interval.
    cost : float or None
        Of the job at the median time; None where there is no price.
    fits : bool
        Whether the job fits in the card's memory.
    grade : str
        Of the evidence.
    """

    key: str
    name: str
    time_s: float
    low_s: float
    high_s: float
    coverage: float
    cost: float | None
    fits: bool
    grade: str

    @property
    def spread(self) -> float:
        """Standard deviation of log time that the interval stands for; times are log-normal in the model."""
        half = NormalDist().inv_cdf((1.0 + self.coverage) / 2.0)
        return log(self.high_s / self.low_s) / (2.0 * half) if self.high_s > self.low_s > 0 else 0.0


def chance_less(a: Candidate, b: Candidate, *, cost: bool) -> float:
    """Probability that `a` takes less time (or money) than `b`.

    The errors of the two log times count as independent. They share much (same network, same model), so the true
    probability is further from one half than this one: a difference that is called sure here is sure.
    """
    ours, theirs = (a.cost or 0.0, b.cost or 0.0) if cost else (a.time_s, b.time_s)
    if ours <= 0 or theirs <= 0:
        return float(ours < theirs) if ours != theirs else 0.5
    ratio, spread = log(theirs / ours), hypot(a.spread, b.spread)
    if spread == 0:
        return 0.5 if ratio == 0 else float(ratio > 0)
    return NormalDist().cdf(ratio / spread)


@dataclass(frozen=True, kw_only=True)
class Ranking:
    """Cards that can do a job, best first.

    Attributes
    ----------
    order : tuple of Candidate
        Those that fit (and have a price, where any has), by cost or else by time.
    by_cost : bool
    fastest : Candidate
    ties : tuple of (Candidate, float)
        Those that cannot be told apart from the first at the coverage of the intervals, with the probability that the
        first is the better one.
    next_chance : float or None
        Probability that the first is better than the second; None with one card.
    unpriced, too_small : tuple of Candidate
        Left out of the order for want of a price, or of memory.
    """

    order: tuple[Candidate, ...]
    by_cost: bool
    fastest: Candidate
    ties: tuple[tuple[Candidate, float], ...]
    next_chance: float | None
    unpriced: tuple[Candidate, ...]
    too_small: tuple[Candidate, ...]


def rank(candidates: Sequence[Candidate]) -> Ranking | None:
    """Order cards by cost where there are prices, else by time; None when the job fits on none."""
    fitting = [one for one in candidates if one.fits]
    if not fitting:
        return None
    priced = [one for one in fitting if one.cost is not None]
    by_cost = bool(priced)
    order = sorted(priced or fitting, key=lambda one: ((one.cost or 0.0) if by_cost else one.time_s, one.time_s))
    best, others = order[0], order[1:]
    chances = [(one, chance_less(best, one, cost=by_cost)) for one in others]
    return Ranking(
        order=tuple(order),
        by_cost=by_cost,
        fastest=min(fitting, key=lambda one: one.time_s),
        ties=tuple((one, chance) for one, chance in chances if chance < best.coverage),
        next_chance=chances[0][1] if chances else None,
        unpriced=tuple(one for one in fitting if by_cost and one.cost is None),
        too_small=tuple(one for one in candidates if not one.fits),
    )
