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
from perfmodel.regression.estimating import Options, design_for, estimate
from perfmodel.regression.estimators import METHODS
from perfmodel.regression.formula import Formula, is_formula, parse
from perfmodel.regression.result import Dropped, Fit
from perfmodel.regression.variables import chosen, runs_of, variables
from perfmodel.regression.vocabulary import resolve_variable
from perfmodel.runs.rows import Runs

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
    table, findings = _gathered(runs, known, salvage=salvage)
    frame = _selected(variables(table), where)
    own = formula is not None and is_formula(formula)
    preset = None if own else presets.find_preset(formula or DEFAULT_PRESET)
    measured = _measured(formula, frame) if preset is None else presets.measured_column(preset, frame, response)
    if preset is None and response is not None:
        raise InputError("a formula names its own response", "leave --response out, or name a preset")
    frame, row_weights, found = _rows_checked(frame, measured, preset)
    text, dropped = formula or "", ()
    if preset is not None:
        choice = presets.choose(preset, frame, measured)
        text, dropped = choice.formula, tuple(Dropped(column=name, why=why) for name, why in choice.dropped)
        found += choice.findings
    parsed = _parsed(text, frame)
    options = _options(parsed, frame, method, group, quantile, weights, start)
    if weights is not None:
        row_weights = _weight_column(weights, frame)
    result = _fitted(parsed, frame, row_weights, options)
    files = tuple(dict.fromkeys(part for part in table.path.split("\n") if part))
    return replace(
        result, findings=checking.ordered((*findings, *found, *result.findings)), dropped=dropped, files=files,
        preset="" if preset is None else preset.name,
    )  # fmt: skip


def _gathered(runs: Any, known: Mapping[str, str] | None, *, salvage: bool) -> tuple[Runs, tuple[Finding, ...]]:
    """Rows of files or of anything else that holds rows."""
    findings: tuple[Finding, ...] = ()
    if isinstance(runs, str | Path):
        runs = [runs]
    if isinstance(runs, Sequence) and all(isinstance(one, str | Path) for one in runs):
        table, findings = _read(runs, known or {}, salvage=salvage)
    else:
        table = _completed(runs_of(runs), known or {})
    if not len(table):
        raise TableError(f"{table.path or 'the table'} has no rows", "give measured rows")
    return table, findings


def _read(paths: Sequence[str | Path], known: Mapping[str, str], *, salvage: bool) -> tuple[Runs, tuple[Finding, ...]]:
    from perfmodel.runs.rows import read_runs

    if not paths:
        raise InputError("no file to fit", "give one or more tables of measured rows")
    tables = [read_runs(path) for path in paths]
    names = dict.fromkeys(name for table in tables for name in table.columns)
    columns = {name: np.concatenate([table.text(name) for table in tables]) for name in names}
    return _completed(Runs(columns, "\n".join(map(str, paths))), known), ()


def _completed(table: Runs, known: Mapping[str, str]) -> Runs:
    """Put given values into columns that are missing or empty."""
    columns = dict(table.columns)
    for name, value in runs_of(known).columns.items() if known else ():
        cells = table.text(name).copy()
        cells[cells == ""] = value[0]
        columns[name] = cells
    return Runs(columns, table.path)


def _selected(frame: Any, where: Mapping[str, Sequence[str]] | None) -> Any:
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


def _measured(formula: str | None, frame: Any) -> str:
    return _parsed(str(formula), frame).measured


def _rows_checked(frame: Any, measured: str, preset: presets.Preset | None) -> tuple[Any, Floats, tuple[Finding, ...]]:
    """Rows to fit, their weights, and what was found in them."""
    findings: tuple[Finding, ...] = ()
    if preset is not None:
        keep, findings = presets.training_rows(preset, frame)
        frame = frame[keep]
    keep, weights, found = checking.rows_checked(frame, measured)
    checking.refuse(found)
    return frame[keep], weights[keep], (*findings, *found)


def _options(
    formula: Formula, frame: Any, method: str, group: str | None, quantile: float, weights: str | None,
    start: Mapping[str, float] | None,
) -> Options:  # fmt: skip
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
    if weights is None and method == "wls":
        raise InputError("weighted least squares needs weights", "name their column with --weights")
    if not 0.0 < quantile < 1.0:
        raise InputError(f"the quantile must lie between 0 and 1, not {quantile:g}", "give such as 0.9")
    if start and method != "nls":
        raise InputError("start values are for laws with parameters", "leave them out")
    group = resolve_variable(group or "gpu", frame.columns) if method == "mixed" else None
    return Options(method=method, group=group, quantile=quantile, start=dict(start or {}))


def _weight_column(name: str, frame: Any) -> Floats:
    column = frame[resolve_variable(name, frame.columns)]
    values = column.to_numpy(dtype=np.float64) if column.dtype.kind in "fiub" else np.full(len(frame), np.nan)
    bad = ~(np.isfinite(values) & (values > 0))
    if bad.any():
        row = int(frame.index[bad][0])
        raise InputError(f"the weight {name} of row {row} is no positive number", "correct it, or leave that row out")
    return np.asarray(values)


def _fitted(formula: Formula, frame: Any, weights: Floats, options: Options) -> Fit:
    """Build the design, ask the guards, estimate, ask the guards again."""
    design, levels, findings = design_for(formula, frame, weights)
    if not formula.nonlinear:
        checks = checking.design_checked(design)
        checking.refuse(checks)
        findings += checks
    design, found = estimate(formula, design, options)
    findings += (*found.findings, *_fit_checked(design, found.residuals))
    return Fit(formula=formula, design=design, estimate=found, levels=levels, options=options, findings=findings)


def _fit_checked(design: Design, residuals: Floats) -> tuple[Finding, ...]:
    return checking.fit_checked(design, residuals)
