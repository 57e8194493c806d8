"""Grey box: a regression of what the physical prediction leaves over, judged on groups it has not seen."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from perfmodel.efficiency.prior import Prior, shipped_prior
from perfmodel.errors import InputError
from perfmodel.regression.design import Floats
from perfmodel.regression.fitting import fit, gathered, selected
from perfmodel.regression.forecasting import FitPrediction
from perfmodel.regression.formula import is_formula
from perfmodel.regression.scoring import Score, averaged, score
from perfmodel.regression.variables import runs_of, variables
from perfmodel.runs.rows import Runs
from perfmodel.validation.report import predict_rows
from perfmodel.validation.resolve import resolve_rows

if TYPE_CHECKING:
    from perfmodel.regression.cross_validation import CrossValidation
    from perfmodel.regression.result import Fit

#: Measured time of a step over the physical prediction of it: the column that is regressed.
RATIO = "measured_over_physical"
PRESET = "training-time"
#: Left-hand sides that mean the logarithm of that ratio.
_LEFT = frozenset((f"log({RATIO})", "log(step_ms)", "step_ms", RATIO, ""))


@dataclass(frozen=True, kw_only=True)
class GreyBoxPrediction(FitPrediction):
    """Steps of m rows in ms: the physical prediction times the fitted ratio, its intervals those of the ratio.

    Attributes
    ----------
    physical : array (m,)
        The physical model alone.
    """

    physical: Floats

    def to_dict(self) -> dict[str, Any]:
        """JSON form: lists of length m."""
        return {**super().to_dict(), "physical": self.physical.tolist()}


@dataclass(frozen=True, kw_only=True)
class GreyBox:
    """A regression of log(measured / physical prediction).

    Attributes
    ----------
    fit : Fit
        Of the ratio; its formula, coefficients and findings.
    by : str
        Variable whose values are left out one at a time.
    validation : CrossValidation or None
        Of the ratio, whose relative errors are those of the time; None where there are too few groups.
    why_not : str
        Why there is no validation.
    physical : mapping of str to Score
        The physical model alone on the same rows, by group; its interval is not scored.
    unresolved : mapping of str to int
        Rows that the physical model cannot predict, by reason.
    prior : Prior
        Of the physical model.
    seen : tuple of str
        Sources of these rows that the physical model was fitted to.
    """

    fit: Fit
    by: str
    validation: CrossValidation | None
    why_not: str
    physical: Mapping[str, Score]
    unresolved: Mapping[str, int]
    prior: Prior
    seen: tuple[str, ...] = ()

    @property
    def beats(self) -> bool:
        """Whether left-out groups are predicted better than by the physical model: on average and in most groups."""
        if self.validation is None:
            return False
        better = sum(one.score.median_ape < self.physical[one.name].median_ape for one in self.validation.groups)
        return self._own() < self._alone() and 2 * better > len(self.validation.groups)

    def sentence(self) -> str:
        """Say whether the regression adds anything to the physical model on groups it has not seen."""
        if self.validation is None:
            return f"Whether the regression beats the physical model cannot be told: {self.why_not}."
        known = f" (The physical model has seen rows of {', '.join(self.seen)}.)" if self.seen else ""
        return self._judged() + known

    def _judged(self) -> str:
        own, alone = f"{self._own():.1f} %", f"{self._alone():.1f} %"
        where = f"on left-out values of {self.by} (median error, averaged over {len(self.physical)} groups)"
        if self.beats:
            return f"The regression of the residual beats the physical model {where}: {own} against {alone}."
        if self._own() < self._alone():
            return f"The regression is no clear gain over the physical model {where}: {own} against {alone}."
        return (
            f"The regression does not beat the physical model {where}: {own} against {alone}. Use the physical model."
        )

    def _own(self) -> float:
        return float("nan") if self.validation is None else self.validation.overall.median_ape

    def _alone(self) -> float:
        return averaged(list(self.physical.values())).median_ape

    def predict(self, rows: Any, coverage: float = 0.9) -> GreyBoxPrediction:
        """Predict the steps of rows: the physical prediction times the fitted ratio.

        Parameters
        ----------
        rows : mapping, sequence of mappings, DataFrame or Runs
            Settings of m rows, such as ``{"gpu": "h100", "model": "cyclegan", "phase": "train", "batch": 1}``.
        coverage : float

        Raises
        ------
        InputError
            When the physical model cannot predict a row, or a variable of the formula is missing.
        """
        table = runs_of(rows)
        physical, unresolved = physical_ms(_timed(table), self.prior)
        if unresolved:
            raise InputError(f"the physical model cannot predict a row: {next(iter(unresolved))}", "see docs/runs.md")
        found = self.fit.predict(table, coverage)
        names = ("mean", "mean_low", "mean_high", "low", "high")
        return GreyBoxPrediction(
            physical=physical, coverage=coverage, findings=found.findings,
            **{name: physical * getattr(found, name) for name in names},
        )  # fmt: skip

    def summary(self) -> str:
        """Return the judgement, then the fit of the ratio, as plain text."""
        lost = "".join(f"\n  {count} rows: {reason}" for reason, count in list(self.unresolved.items())[:5])
        told = f"\nRows that the physical model cannot predict:{lost}\n" if lost else ""
        return f"{self.sentence()}\n{told}\n{self.fit.summary()}"

    def to_dict(self) -> dict[str, Any]:
        """Return the document of the fit with a ``grey_box`` beside it."""
        overall = averaged(list(self.physical.values())).to_dict() if self.physical else None
        return {
            **self.fit.to_dict(cross_validation=self.validation),
            "grey_box": {
                "sentence": self.sentence(),
                "beats": self.beats,
                "by": self.by,
                "physical": overall,
                "physical_groups": [{"name": name, **one.to_dict()} for name, one in self.physical.items()],
                "unresolved": dict(self.unresolved),
            },
        }


def fit_residual(
    runs: Any, formula: str | None = None, *, by: str = "gpu", prior: Prior | None = None, **options: Any
) -> GreyBox:
    """Regress log(measured step / physical prediction) of measured rows, and judge it on groups left out.

    Parameters
    ----------
    runs : Runs, DataFrame, mapping, path, or sequence of paths
        As of `perfmodel.regression.fitting.fit`; rows need what a prediction needs (docs/runs.md).
    formula : str, optional
        Right-hand side (``log(batch) + precision``) or a formula for the step; the training-time preset by default.
    by : str
        Variable whose values are left out one at a time: ``gpu``, ``family``, ``source``, ``dataset`` or another.
    prior : Prior, optional
        Coefficients of the physical model other than the shipped ones.
    **options
        Of `fit`: method, group, quantile, weights, where, known, salvage.

    Raises
    ------
    InputError, TableError
        As `fit`; also when the physical model can predict no row.
    """
    prior = prior or shipped_prior()
    known, salvage = options.pop("known", None), bool(options.pop("salvage", False))
    table, files, findings = gathered(runs, known, salvage=salvage)
    wanted = selected(variables(table), options.get("where")).index.to_numpy()
    physical = np.full(len(table), np.nan)
    physical[wanted], unresolved = physical_ms(table.select(wanted), prior)
    if not np.isfinite(physical).any():
        raise InputError(f"the physical model predicts none of the {len(wanted)} rows: {next(iter(unresolved))}",
                         "the columns it needs are described in docs/runs.md")  # fmt: skip
    found = _fitted(_with_ratio(table, physical), formula, options)
    found = replace(found, files=files, findings=(*findings, *found.findings))
    validation, why_not = _validated(found, by)
    seen = set(found.design.frame["source"]) & set(prior.provenance.get("sources", ()))
    return GreyBox(
        fit=found, by=by, validation=validation, why_not=why_not, physical=_alone(validation),
        unresolved=dict(unresolved.most_common()), prior=prior, seen=tuple(sorted(map(str, seen))),
    )  # fmt: skip


def physical_ms(table: Runs, prior: Prior) -> tuple[Floats, Counter[str]]:
    """Predict the steps of a table's rows by the physical model alone.

    Returns
    -------
    time_ms : array (n,)
        NaN for rows that cannot be predicted.
    unresolved : Counter of str
        Their reasons.
    """
    questions, unresolved = resolve_rows(table)
    time_ms = np.full(len(table), np.nan)
    if questions:
        found = predict_rows(questions, prior)
        time_ms[found.row] = 1e3 * found.predicted_s
    return np.where(time_ms > 0, time_ms, np.nan), unresolved


def _with_ratio(table: Runs, physical: Floats) -> Runs:
    ratio = 1e3 * table.step_s / physical
    cells = np.array([repr(float(value)) if np.isfinite(value) else "" for value in ratio], dtype=object)
    return Runs({**table.columns, RATIO: cells}, table.path)


def _timed(table: Runs) -> Runs:
    """Give rows to predict a time, which resolving needs and prediction does not."""
    times = table.text("latency_ms").copy()
    times[times == ""] = "1"
    return Runs({**table.columns, "latency_ms": times}, table.path)


def _fitted(table: Runs, formula: str | None, options: Mapping[str, Any]) -> Fit:
    if formula is None or not (is_formula(formula) or _is_side(formula)):
        return fit(table, formula or PRESET, response=RATIO, **options)
    left, _, right = formula.rpartition("~")
    if left.replace(" ", "") not in _LEFT:
        raise InputError(f"the grey box explains the step, not {left.strip()!r}", "give the right-hand side alone")
    return fit(table, f"log({RATIO}) ~ {right.strip()}", **options)


def _is_side(text: str) -> bool:
    """Whether a text without ~ is a right-hand side rather than a preset's name."""
    from perfmodel.regression.presets import PRESETS

    return text.strip().lower().replace("_", "-") not in PRESETS


def _validated(found: Fit, by: str) -> tuple[CrossValidation | None, str]:
    try:
        return found.cross_validate(by), ""
    except InputError as error:
        return None, error.reason


def _alone(validation: CrossValidation | None) -> dict[str, Score]:
    """Score the physical model, which says a ratio of 1, on the validated rows of each group."""
    if validation is None:
        return {}
    return {
        one.name: score(measured, np.ones(len(measured)))
        for one in validation.groups
        if len(measured := validation.measured[validation.group == one.name])
    }
