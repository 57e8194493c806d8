"""Fit a formula or a preset to measured rows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from perfmodel.errors import InputError, TableError
from perfmodel.regression import checking, presets
from perfmodel.regression.design import Design, Finding
from perfmodel.regression.documents import RESERVED
from perfmodel.regression.estimating import Options, design_for, estimate, group_labels
from perfmodel.regression.estimators import METHODS
from perfmodel.regression.formula import Formula, is_formula, parse
from perfmodel.regression.guards import variance_weights
from perfmodel.regression.result import Dropped, Fit
from perfmodel.regression.variables import chosen, runs_of, variables, with_known
from perfmodel.regression.vocabulary import resolve_variable
from perfmodel.runs.gather import Gathered, gather_runs
from perfmodel.runs.rows import Runs
from perfmodel.runs.schema import missing_time

Floats = npt.NDArray[np.float64]
DEFAULT_PRESET = "training-time"


def fit(
    runs: Any,
    formula: str | None = None,
    *,
    method: str = "ols",
    group: str | None = None,
    quantile: float = 0.5,
    weights: str | None = None,
    start: Mapping[str, float] | None = None,
    response: str | None = None,
    where: Mapping[str, Sequence[str]] | None = None,
    known: Mapping[str, str] | None = None,
    salvage: bool = False,
) -> Fit:
    """Fit a regression to measured rows.

    Parameters
    ----------
    runs : Runs, DataFrame, mapping, path, or sequence of paths
        Rows. The figures of each row's card are joined by its name; `perfmodel.regression.vocabulary` lists the
        variables, and the table's other columns may be named, too.
    formula : str, optional
        ``log(step_ms) ~ log(cores) + blocks`` (linear in its coefficients), ``step_ms = a + b / cores`` (a law with
        parameters a and b), or the name of a preset: ``training-time`` (the default) or ``data-loading-time``. A preset
        leaves out what the rows cannot tell and says why (`Fit.dropped`).
    method : {"ols", "wls", "robust", "quantile", "mixed", "nls"}
        Least squares, weighted, Huber, quantile regression, a random intercept by `group`, nonlinear least squares.
    group : str, optional
        Variable that makes the groups of mixed effects, such as ``gpu`` or ``source``; naming one means ``mixed``.
    quantile : float
        Of quantile regression.
    weights : str, optional
        Column of weights (inverse variances up to a factor) for weighted least squares; naming one means ``wls``.
    start : mapping, optional
        Start values of a law's parameters.
    response : str, optional
        What a preset explains, instead of its own choice: ``step_ms``, ``image_ms`` or ``data_ms``.
    where : mapping, optional
        Variable -> values: fit only these rows.
    known : mapping, optional
        Column -> value for columns that a file lacks.
    salvage : bool
        Leave out broken rows instead of refusing the file.

    Returns
    -------
    Fit

    Raises
    ------
    TableError
        When there is no table, no row, or no finite time.
    InputError
        When the formula cannot be read, names an unknown variable, or is not identifiable from these rows; the
        message names the columns and the data that would help.
    """
    own = formula is not None and is_formula(formula)
    table, files, findings = gathered(runs, known, salvage=salvage, any_table=own)
    frame = selected(variables(table), where)
    if own:
        result = _by_formula(str(formula), frame, response, method, group, quantile, weights, start)
    else:
        preset = presets.find_preset(formula or DEFAULT_PRESET)
        result = _by_preset(preset, frame, response, method, group, quantile, weights, start)
    found = (*findings, *_unknown_cards(frame), *result.findings)
    return replace(result, findings=checking.ordered(found), files=files)


def _unknown_cards(frame: Any) -> tuple[Finding, ...]:
    """Name the cards whose figures could not be joined."""
    lost = frame["gpu_text"][frame["cores"].isna() & (frame["gpu_text"] != "")].value_counts()
    if not len(lost):
        return ()
    names = ", ".join(f"{name!r} ({count} rows)" for name, count in lost.head(5).items())
    remedy = "`perfmodel gpus list` shows the known cards, `perfmodel gpus add` adds one"
    text = f"no card is called {names}{' and more' if len(lost) > 5 else ''}: their figures are unknown"
    return (Finding(guard="card", severity="warning", text=text, remedy=remedy, columns=("gpu",)),)


def _by_formula(text: str, frame: Any, response: str | None, *how: Any) -> Fit:
    if response is not None:
        raise InputError("a formula names its own response", "leave --response out, or name a preset")
    formula = _parsed(text, frame)
    options = _options(formula, frame, *how)
    frame, row_weights, found = checking.rows_checked(frame, formula.response, formula.names)
    row_weights = _weights(options, how[3], frame, row_weights)
    result = _fitted(formula, frame, row_weights, options, own_weights=how[3] is not None)
    return replace(result, findings=(*found, *result.findings))


def _by_preset(preset: presets.Preset, frame: Any, response: str | None, *how: Any) -> Fit:
    measured = presets.measured_column(preset, frame, response)
    keep, findings = presets.training_rows(preset, frame)
    frame, row_weights, found = checking.rows_checked(frame[keep], f"log({measured})")
    choice = presets.choose(preset, frame, measured)
    formula = _parsed(choice.formula, frame)
    options = _options(formula, frame, *how)
    row_weights = _weights(options, how[3], frame, row_weights)
    result = _fitted(formula, frame, row_weights, options, own_weights=how[3] is not None)
    return replace(
        result, findings=(*findings, *found, *choice.findings, *result.findings), preset=preset.name,
        dropped=tuple(Dropped(column=name, why=why) for name, why in choice.dropped),
    )  # fmt: skip


def gathered(
    runs: Any, known: Mapping[str, str] | None = None, *, salvage: bool = False, any_table: bool = False
) -> tuple[Runs, tuple[str, ...], tuple[Finding, ...]]:
    """Return rows of files or of anything else that holds rows, the files, and what was found in reading them.

    With `any_table` a file needs no column of times.
    """
    if isinstance(runs, str | Path):
        runs = [runs]
    if not isinstance(runs, Sequence) or not all(isinstance(one, str | Path) for one in runs):
        table = with_known(runs_of(runs), known or {})
        files: tuple[str, ...] = (table.path,) if table.path else ()
        findings: tuple[Finding, ...] = ()
    else:
        missing = (lambda _: []) if any_table else missing_time
        found = gather_runs(runs, known=known, salvage=salvage, missing=missing)
        table, files, findings = found.runs, found.files, _reading_findings(found)
    if not len(table):
        raise TableError(f"{', '.join(files) or 'the table'} has no rows", "give measured rows")
    return table, files, findings


def _reading_findings(found: Gathered) -> tuple[Finding, ...]:
    """Broken rows that were left out, and what was taken from a file's name."""
    notes = tuple(Finding(guard="reading", severity="note", text=note) for note in found.notes)
    if not found.problems:
        return notes
    count = len({(one.file, one.row) for one in found.problems})
    text = f"{count} broken row{'s' * (count != 1)} left out: {'; '.join(map(str, found.problems[:3]))}"
    return (*notes, Finding(guard="reading", severity="warning", text=text, remedy="correct them in the file"))


def selected(frame: Any, where: Mapping[str, Sequence[str]] | None) -> Any:
    """Return the rows of variables that have the wanted values.

    Raises
    ------
    InputError
        When none has.
    """
    if not where:
        return frame
    conditions = {resolve_variable(name, frame.columns): values for name, values in where.items()}
    keep = chosen(frame, conditions)
    if not keep.any():
        said = ", ".join(f"{name}={'|'.join(values)}" for name, values in conditions.items())
        values = {name: ", ".join(map(str, frame[name].value_counts().index[:6])) for name in conditions}
        raise InputError(
            f"no row has {said}", "; ".join(f"{name} has {found or 'no value'}" for name, found in values.items())
        )
    return frame[keep]


def _words(frame: Any) -> list[str]:
    return [name for name in frame.columns if frame[name].dtype.kind not in "fiub"]


def _parsed(text: str, frame: Any) -> Formula:
    parsed = parse(text, [*frame.columns], words=_words(frame))
    taken = [name for name in parsed.names if name in RESERVED]
    if taken:
        raise InputError(f"a formula may not name a column {taken[0]!r}", "rename that column")
    return parsed


def _options(
    formula: Formula,
    frame: Any,
    method: str,
    group: str | None,
    quantile: float,
    weights: str | None,
    start: Mapping[str, float] | None,
) -> Options:
    """Check the method against the formula and what was given beside it."""
    if method not in METHODS:
        raise InputError(f"unknown method {method!r}", f"use one of {', '.join(METHODS)}")
    implied = {"group": "mixed" if group else "", "weights": "wls" if weights else ""}
    if method == "ols":
        method = "nls" if formula.nonlinear else implied["group"] or implied["weights"] or "ols"
    if (method == "nls") != formula.nonlinear:
        raise InputError(
            f"--method {method} does not fit {formula.text!r}",
            "a law with parameters has an = and is fitted by nls; a formula with ~ by the other methods",
        )
    if group and method != "mixed":
        raise InputError(f"--group is for mixed effects, not for {method}", "leave it out, or use --method mixed")
    if weights and method not in ("wls", "nls"):
        raise InputError(f"--weights is for weighted least squares, not for {method}", "use --method wls")
    if not 0.0 < quantile < 1.0:
        raise InputError(f"the quantile must lie between 0 and 1, not {quantile:g}", "give such as 0.9")
    if start and method != "nls":
        raise InputError("start values are for laws with parameters", "leave them out")
    group = resolve_variable(group or "gpu", frame.columns) if method == "mixed" else None
    return Options(method=method, group=group, quantile=quantile, start=dict(start or {}))


def _weights(options: Options, name: str | None, frame: Any, found: Floats) -> Floats:
    """Weights of the rows: those of a column, else those the guards found (1 but for an inconsistent card)."""
    if name is not None:
        return _weight_column(name, frame)
    return found


def _weight_column(name: str, frame: Any) -> Floats:
    column = frame[resolve_variable(name, frame.columns)]
    values = column.to_numpy(dtype=np.float64) if column.dtype.kind in "fiub" else np.full(len(frame), np.nan)
    bad = ~(np.isfinite(values) & (values > 0))
    if bad.any():
        row = int(frame.index[bad][0])
        raise InputError(f"the weight {name} of row {row} is no positive number", "correct it, or leave that row out")
    return np.asarray(values)


def _fitted(formula: Formula, frame: Any, weights: Floats, options: Options, *, own_weights: bool) -> Fit:
    """Build the design, ask the guards, estimate, ask the guards again."""
    design, levels, findings = design_for(formula, frame, weights)
    if not formula.nonlinear:
        findings += checking.design_checked(design)
    if options.method == "wls" and not own_weights:
        design = _reweighted(formula, design, options)
    design, found = estimate(formula, design, options)
    if formula.nonlinear:
        findings += checking.law_checked(design)
    findings += (*found.findings, *checking.fit_checked(design, found.residuals, found.standard_errors))
    return Fit(formula=formula, design=design, estimate=found, levels=levels, options=options, findings=findings)


def _reweighted(formula: Formula, design: Design, options: Options) -> Design:
    """Weigh each card by the inverse variance of its residuals in a first fit."""
    first = estimate(formula, design, options)[1]
    weights = design.weights * variance_weights(np.sqrt(design.weights) * first.residuals, group_labels(design, "gpu"))
    return replace(design, weights=weights)
