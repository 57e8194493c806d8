"""Standard errors and intervals where a card's figures are known from few cards.

Rows of one card share what its figures do not tell, so more rows of the same cards add nothing to what is known of a
figure's effect. With very many cards, cluster-robust errors see to that. Otherwise the spread between cards is
estimated (REML), its share of each variance has only as many degrees of freedom as there are cards beyond the figures
(Donald and Lang, Review of Economics and Statistics 89, 2007), and the two shares are joined by Satterthwaite's rule.
Cards too few to tell their own spread are taken to differ as cards of public measurements do.
"""

from __future__ import annotations

from dataclasses import replace
from importlib import import_module

import numpy as np
import numpy.typing as npt

from perfmodel.regression.design import Design
from perfmodel.regression.estimators import RESIDUAL_LEVELS, Estimate, inverse_gram, weighted
from perfmodel.regression.mixed import GroupedRows, variance_ratio

Floats = npt.NDArray[np.float64]

#: Standard deviation of log time between cards that a regression on one or two figures (FLOP/s, bandwidth) leaves, and
#: what that knowledge is worth in degrees of freedom. Own fits with a random intercept by card, each network its own
#: level: 0.05 in cnn-benchmarks (6 cards, one stack), 0.23 to 0.36 in NVIDIA's deep-learning examples (4 cards), 0.32
#: to 0.39 in Lambda's benchmarks (8 and 13 cards).
SPREAD, SPREAD_DEGREES = 0.25, 5.0
#: Cards beyond the figures from which the rows' own spread between cards is believed however small it is.
ENOUGH = 3


def spread_between_cards(
    design: Design,
    found: Estimate,
    cards: npt.NDArray[np.object_],
    figures: int,
    *,
    transform: str = "log",
    parted: bool = True,
) -> Estimate:
    """Return an estimate whose variances hold the spread between cards.

    Parameters
    ----------
    design : Design
        Of a law with its derivatives as the matrix.
    found : Estimate
        Its coefficients stay as they are.
    cards : array (n,)
        Card of each row.
    figures : int
        Columns of the design that are figures of the card.
    transform : str
        Of the response, as `Formula.transform`.
    parted : bool
        Whether the estimator weighs residuals, so that the spread between cards can be taken out of its covariance;
        a quantile counts signs, which the spread between cards changes within a card, too.
    """
    labels, codes, counts = np.unique(cards.astype(str), return_inverse=True, return_counts=True)
    degrees = len(labels) - figures - 1
    if len(labels) < 2 or counts.max() < 2:
        return found
    root, x, length = weighted(design)
    response = found.residuals + design.x @ found.coefficients
    rows = GroupedRows(response * root, x, root, codes.astype(np.intp))
    ratio = variance_ratio(rows) if degrees > 0 else 0.0
    y, columns = rows.independent(ratio)
    rest = y - columns @ np.linalg.lstsq(columns, y, rcond=None)[0]
    within = float(np.square(rest).sum() / found.residual_degrees)
    sums = np.zeros((len(labels), x.shape[1]))
    np.add.at(sums, codes, x * root[:, None])
    bread = inverse_gram(x)
    own = replace(
        found, covariance=_rows_share(found, root, within) if parted else found.covariance,
        row_sd=float(np.sqrt(within)),
        card_leverage=bread @ (sums.T @ sums) @ bread / np.outer(length, length),
        quantiles=_within(found, rows, ratio) if len(found.quantiles) else found.quantiles,
    )  # fmt: skip
    return _with_spread(own, ratio * within, degrees, len(labels), prior_variance(design, transform))


def prior_variance(design: Design, transform: str) -> float:
    """Variance between cards that public measurements suggest, on the scale of the response."""
    typical = float(np.median(np.abs(design.y)))
    scale = {"log2": 1 / np.log(2.0), "log10": 1 / np.log(10.0), "log": 1.0, "sqrt": typical / 2}
    return float((SPREAD * scale.get(transform, typical)) ** 2)


def _with_spread(found: Estimate, variance: float, degrees: int, cards: int, prior: float) -> Estimate:
    """Set the variance between cards: estimated, or assumed where no card is left over to estimate it."""
    if degrees < 1:
        return replace(
            found, card_variance=prior, card_degrees=SPREAD_DEGREES,
            errors=f"with an assumed spread of {100 * SPREAD:.0f} % between cards, as none of the {cards} is left over "
            "to tell it",
        )  # fmt: skip
    return replace(
        found, card_variance=variance, card_degrees=float(degrees),
        least_card_variance=prior if degrees < ENOUGH else 0.0,
        errors=f"with the spread between the {cards} cards ({degrees} degree{'s' * (degrees != 1)} of freedom)",
    )  # fmt: skip


def _rows_share(found: Estimate, root: Floats, within: float) -> Floats:
    """The covariance with the spread between cards taken out of the residuals that it came from."""
    total = float(np.square(root * found.residuals).sum() / found.residual_degrees)
    return found.covariance * (min(within / total, 1.0) if total > 0 else 1.0)


def _within(found: Estimate, rows: GroupedRows, ratio: float) -> Floats:
    """Quantiles of residuals whose card's own effect is taken out."""
    total = rows.total()
    mean = np.bincount(rows.codes, weights=np.square(rows.root) * found.residuals) / total
    effect = ratio * total / (1.0 + ratio * total) * (mean - float(np.average(mean, weights=total)))
    return np.asarray(np.quantile(found.residuals - effect[rows.codes], RESIDUAL_LEVELS))


def half_width(coverage: float, row: Floats, card: Floats, found: Estimate, *, measured: bool = False) -> Floats:
    """Half-width of intervals whose variance has a share of the rows and one of the cards.

    Parameters
    ----------
    coverage : float
    row, card : array (m,)
        Shares of the variance.
    found : Estimate
    measured : bool
        Whether the interval is that of a measurement: its rows' share then has the residuals' degrees of freedom.
    """
    stats = import_module("scipy.stats")
    degrees = effective_degrees(row, card, found, measured=measured)
    return np.asarray(stats.t.ppf((1 + coverage) / 2, degrees) * np.sqrt(np.maximum(row + card, 0.0)))


def with_least_spread(found: Estimate) -> tuple[Estimate, ...]:
    """The estimate, and where its cards are too few to believe their spread, the same with the assumed one."""
    if not found.least_card_variance:
        return (found,)
    return found, replace(found, card_variance=found.least_card_variance, card_degrees=SPREAD_DEGREES)


def effective_degrees(row: Floats, card: Floats, found: Estimate, *, measured: bool = False) -> Floats:
    """Degrees of freedom of variances made of two shares (Satterthwaite 1946), array (m,); 1e9 for a normal law."""
    of_rows = found.residual_degrees if measured else found.degrees
    weight = np.square(row) / of_rows
    if found.card_degrees > 0:
        weight = weight + np.square(card) / found.card_degrees
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(weight > 0, np.minimum(np.square(row + card) / weight, 1e9), 1e9)
