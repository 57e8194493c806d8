"""Figures of a fit, by kind."""

from __future__ import annotations

from typing import TYPE_CHECKING

from perfmodel.errors import InputError
from perfmodel.report.plots.accuracy import accuracy_figure
from perfmodel.report.plots.boxes import box_figure
from perfmodel.report.plots.coverage import coverage_figure
from perfmodel.report.plots.law import columns_of, law_curve, law_figure
from perfmodel.report.plots.residuals import residual_figure
from perfmodel.report.themes import Theme

if TYPE_CHECKING:
    from collections.abc import Callable

    from matplotlib.figure import Figure

    from perfmodel.regression.result import Fit


def fit_figure(
    fit: Fit, kind: str = "law", *, against: str = "", coverage: float = 0.9, theme: str | Theme = "light"
) -> Figure:
    """Draw a fit.

    Parameters
    ----------
    fit : Fit
    kind : {"law", "box", "residuals", "accuracy", "coverage"}
    against : str
        Column of a law; the first of the formula that says how fast a card is by default.
    coverage : float
        Of the bands of a law.
    theme : str or Theme

    Raises
    ------
    InputError
        When the kind is unknown, or the formula has no such column.
    """
    document = fit.to_dict()
    if kind == "law":
        column = against or next(iter(columns_of(document)), "")
        if not column:
            # No number differs between the rows: a law has nothing to be drawn against.
            return accuracy_figure(document, theme=theme)
        if column not in fit.formula.names:
            raise InputError(f"the formula has no {column}", f"it has {', '.join(columns_of(document))}")
        return law_figure(document, column, curve=law_curve(fit, column, coverage=coverage), theme=theme)
    if kind == "box":
        return box_figure(fit.design.frame, fit.formula.measured, theme=theme)
    figures: dict[str, Callable[..., Figure]] = {
        "residuals": residual_figure,
        "accuracy": accuracy_figure,
        "coverage": coverage_figure,
    }
    if kind not in figures:
        raise InputError(f"there is no figure of kind {kind!r} of a fit", f"give law, box, {', '.join(figures)}")
    return figures[kind](document, theme=theme)
