"""Standard errors and intervals where a card's figures are known from few cards.

Rows of one card share what its figures do not tell, so more rows of the same cards add nothing to what is known of a
figure's effect. With enough cards, cluster-robust errors see to that. With few of them, the spread between cards is
estimated (REML), its share of each variance has only as many degrees of freedom as there are cards beyond the figures
(Donald and Lang, Review of Economics and Statistics 89, 2007), and the two shares are joined by Satterthwaite's rule.
"""

from __future__ import annotations

from dataclasses import replace
from importlib import import_module

import numpy as np
import numpy.typing as npt

from perfmodel.regression.design import Design
from perfmodel.regression.estimators import Estimate, inverse_gram, weighted
from perfmodel.regression.mixed import GroupedRows, variance_ratio

Floats = npt.NDArray[np.float64]


def spread_between_cards(design: Design, found: Estimate, cards: npt.NDArray[np.object_], figures: int) -> Estimate:
    """Return a least-squares estimate whose variances hold the spread between cards.

    Parameters
    ----------
    design : Design
    found : Estimate
        Its coefficients stay as they are.
    cards : array (n,)
        Card of each row.
    figures : int
        Columns of the design that are figures of the card. Without a card beyond these and the constant nothing can be
        said of the spread, and the estimate is returned as it is.
    """
    labels, codes = np.unique(cards.astype(str), return_inverse=True)
    degrees = len(labels) - figures - 1
    if degrees < 1:
        return found
    root, x, length = weighted(design)
    rows = GroupedRows(design.y * root, x, root, codes.astype(np.intp))
    ratio = variance_ratio(rows)
    y, columns = rows.independent(ratio)
    rest = y - columns @ np.linalg.lstsq(columns, y, rcond=None)[0]
    within = float(np.square(rest).sum() / found.residual_degrees)
    bread, scale = inverse_gram(x), np.outer(length, length)
    sums = np.zeros((len(labels), x.shape[1]))
    np.add.at(sums, codes, x * root[:, None])
    shared = bread @ (sums.T @ sums) @ bread * (ratio * within)
    return replace(
        found, covariance=bread * within / scale, card_covariance=shared / scale, card_degrees=float(degrees),
        card_variance=ratio * within, row_sd=float(np.sqrt(within)),
        errors=f"with the spread between the {len(labels)} cards ({degrees} degree{'s' * (degrees != 1)} of freedom)",
    )  # fmt: skip


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


def effective_degrees(row: Floats, card: Floats, found: Estimate, *, measured: bool = False) -> Floats:
    """Degrees of freedom of variances made of two shares (Satterthwaite 1946), array (m,); 1e9 for a normal law."""
    of_rows = found.residual_degrees if measured else found.degrees
    weight = np.square(row) / of_rows
    if found.card_degrees > 0:
        weight = weight + np.square(card) / found.card_degrees
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(weight > 0, np.minimum(np.square(row + card) / weight, 1e9), 1e9)
