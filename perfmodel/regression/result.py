"""The result of a regression: immutable, readable, and able to predict, to be saved and to be fitted again."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from perfmodel.errors import TableError
from perfmodel.regression.design import Design, Finding
from perfmodel.regression.estimating import Options, design_for, estimate, group_labels
from perfmodel.regression.estimators import Estimate
from perfmodel.regression.few_cards import effective_degrees, half_width
from perfmodel.regression.forecasting import FitPrediction, assumed, check_complete, check_coverage, forecast, slopes
from perfmodel.regression.formula import Formula
from perfmodel.regression.matrix import Levels
from perfmodel.regression.meaning import meaning, parameter_meaning
from perfmodel.regression.variables import frame_of

if TYPE_CHECKING:
    from perfmodel.regression.cross_validation import CrossValidation

Floats = npt.NDArray[np.float64]

#: Coverage of the intervals of coefficients.
COVERAGE = 0.9


@dataclass(frozen=True, kw_only=True)
class Coefficient:
    """One coefficient with its standard error, 90 % interval, p value against zero, and meaning in words."""

    name: str
    value: float
    standard_error: float
    low: float
    high: float
    p_value: float
    meaning: str


@dataclass(frozen=True, kw_only=True)
class Dropped:
    """A column that a preset left out, and why."""

    column: str
    why: str


@dataclass(frozen=True, kw_only=True)
class Fit:
    """A fitted regression; `perfmodel.regression.fitting.fit` makes it.

    Attributes
    ----------
    formula : Formula
    design : Design
        The rows it was fitted to.
    estimate : Estimate
    levels : mapping of str to tuple of str
        Levels of each factor, the base first.
    options : Options
    findings : tuple of Finding
        What the guards found, the serious ones first.
    dropped : tuple of Dropped
        Columns that a preset left out.
    files : tuple of str
        Where the rows come from.
    preset : str
        Name of the preset that chose the formula; empty for a formula of one's own.
    """

    formula: Formula
    design: Design
    estimate: Estimate
    levels: Levels
    options: Options
    findings: tuple[Finding, ...] = ()
    dropped: tuple[Dropped, ...] = ()
    files: tuple[str, ...] = ()
    preset: str = ""

    @property
    def method(self) -> str:
        """Name of the estimator, one of `estimators.METHODS`."""
        return self.options.method

    @property
    def response(self) -> str:
        """Left-hand side, such as ``log(step_ms)``."""
        return self.formula.response

    @property
    def n(self) -> int:
        """Number of rows fitted."""
        return len(self.design.y)

    @property
    def r_squared(self) -> float:
        """Share of the response's variance that the formula explains in these rows; says nothing about others."""
        return self.estimate.r_squared

    @property
    def residual_sd(self) -> float:
        """Standard deviation of a row of weight 1 about the fit, on the scale of the response."""
        return self.estimate.residual_sd

    @property
    def groups(self) -> dict[str, int]:
        """How many different cards, networks, data pairs and sources the rows are of."""
        frame = self.design.frame
        counts = {name: frame[name].replace("", np.nan).nunique() for name in GROUPS if name in frame}
        return {name: int(count) for name, count in counts.items() if count}

    @cached_property
    def coefficients(self) -> tuple[Coefficient, ...]:
        """All coefficients, in the order of the design's columns."""
        stats = import_module("scipy.stats")
        values = self.estimate.coefficients
        row = np.maximum(np.diag(self.estimate.covariance), 0.0)
        card = self.estimate.of_cards(np.eye(len(values)))
        errors, half = np.sqrt(row + card), half_width(COVERAGE, row, card, self.estimate)
        with np.errstate(divide="ignore", invalid="ignore"):
            p_values = 2 * stats.t.sf(np.abs(values / errors), effective_degrees(row, card, self.estimate))
        words = self._meanings()
        return tuple(
            Coefficient(
                name=name, value=float(values[at]), standard_error=float(errors[at]), low=float(values[at] - half[at]),
                high=float(values[at] + half[at]), p_value=float(p_values[at]),
                meaning=words[at],
            )
            for at, name in enumerate(self.design.names)
        )  # fmt: skip

    def _meanings(self) -> list[str]:
        values = self.estimate.coefficients
        if self.formula.nonlinear:
            fitted = self.design.y - self.estimate.residuals
            return [
                parameter_meaning(value * self.design.x[:, at], fitted, self.formula) for at, value in enumerate(values)
            ]
        return [
            meaning(name, float(values[at]), self.formula, self.levels) for at, name in enumerate(self.design.names)
        ]

    def meaning(self, name: str) -> str:
        """Return what a coefficient means, in words.

        Raises
        ------
        KeyError
            When no coefficient has the name.
        """
        return {one.name: one.meaning for one in self.coefficients}[name]

    def predict(self, rows: Any, coverage: float = 0.9) -> FitPrediction:
        """Predict rows.

        Parameters
        ----------
        rows : mapping, sequence of mappings, DataFrame or Runs
            Variables of m rows by any of their names, such as ``{"gpu": "h100", "blocks": 9, "batch": 1}``: the card's
            figures are joined by its name.
        coverage : float

        Raises
        ------
        InputError
            When a variable of the formula is missing, or a factor has a level that was not fitted.
        """
        check_coverage(coverage)
        frame, notes = assumed(self.formula, self.levels, self.design.frame, frame_of(rows))
        check_complete(self.formula, frame)
        from perfmodel.regression.guards import check_extrapolation

        findings = check_extrapolation(self.design, frame, slopes(self.formula, self.levels, self.estimate, frame))
        return replace(self._forecast(frame, coverage), findings=(*notes, *findings))

    def _forecast(self, frame: Any, coverage: float, weights: Floats | None = None) -> FitPrediction:
        groups = None
        if self.options.group is not None and self.options.group in frame:
            groups = group_labels(replace(self.design, frame=frame), self.options.group)
        return forecast(
            self.formula, self.levels, self.estimate, frame, coverage=coverage, groups=groups, weights=weights
        )

    def fitted(self, coverage: float = 0.9) -> FitPrediction:
        """Predict the rows that were fitted, each measurement with its own weight."""
        check_coverage(coverage)
        return self._forecast(self.design.frame, coverage, self.design.weights)

    def refit(self, rows: npt.ArrayLike) -> Fit:
        """Fit the same formula by the same method to some of the rows, without guards.

        Parameters
        ----------
        rows : bool array (n,) or index array
            Of the design's rows.

        Raises
        ------
        InputError
            When these rows do not identify the formula.
        """
        chosen = np.asarray(rows)
        frame, weights = (
            self.design.frame[chosen] if chosen.dtype == bool else self.design.frame.iloc[chosen],
            self.design.weights[chosen],
        )
        design, levels, _ = design_for(self.formula, frame, weights)
        start = dict(zip(self.design.names, self.estimate.coefficients.tolist(), strict=True))
        options = replace(self.options, start=start) if self.formula.nonlinear else self.options
        design, found = estimate(self.formula, design, options)
        return replace(self, design=design, estimate=found, levels=levels, findings=found.findings, options=options)

    def cross_validate(self, by: str = "gpu") -> CrossValidation:
        """Leave out one group of rows after the other: error and coverage on them.

        Parameters
        ----------
        by : {"gpu", "family", "source", "dataset"}
        """
        from perfmodel.regression.cross_validation import cross_validate

        return cross_validate(self, by)

    def summary(self) -> str:
        """Return the fit as plain text for people."""
        from perfmodel.regression.summary import summary

        return summary(self)

    def to_dict(self, *, cross_validation: Any = None) -> dict[str, Any]:
        """Return the ``fit --json`` document, which also holds all that `load` needs."""
        from perfmodel.regression.documents import to_document

        return to_document(self, cross_validation=cross_validation)

    def save(self, path: str | Path) -> Path:
        """Write the document as JSON.

        Raises
        ------
        TableError
            When the file cannot be written.
        """
        where = Path(path)
        try:
            where.write_text(json.dumps(self.to_dict(), indent=1, allow_nan=False) + "\n", encoding="utf-8")
        except OSError as error:
            raise TableError(f"cannot write {where}: {error.strerror}", "give a path that can be written") from None
        return where

    @classmethod
    def load(cls, path: str | Path) -> Fit:
        """Read a fit that `save` (or ``fit --json``) wrote; nothing in it is executed.

        Raises
        ------
        TableError
            When the file is missing or holds no fit.
        """
        from perfmodel.regression.documents import read_document

        return read_document(path)


GROUPS: Sequence[str] = ("gpu", "model", "data_pair", "source", "file")


def load_fit(path: str | Path) -> Fit:
    """Read a fit that `Fit.save` or ``perfmodel fit --json`` wrote."""
    return Fit.load(path)
