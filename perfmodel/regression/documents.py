"""A fit as a JSON document and back: numbers and words only, so that a fit from anyone can be read."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from perfmodel.errors import PerfmodelError, TableError
from perfmodel.regression.design import Finding
from perfmodel.regression.estimating import Options, design_for
from perfmodel.regression.estimators import METHODS, Estimate
from perfmodel.regression.formula import parse
from perfmodel.regression.matrix import law, linear_matrix
from perfmodel.regression.result import Dropped, Fit

SCHEMA_VERSION = 1
#: Variables that a document keeps of each row beside those of the formula.
_KEPT = ("gpu", "model", "family", "phase", "precision", "data_pair", "source", "file")
RESERVED = frozenset(("row", "measured", "fitted", "low", "high", "weight"))
"""Keys of a document's row that are no variables, so that no formula may name a column called so."""
_REMEDY = "give a file that `perfmodel fit --save` or `--json` wrote"


def to_document(fit: Fit, *, cross_validation: Any = None) -> dict[str, Any]:
    """Return the ``fit --json`` document."""
    return {
        "schema_version": SCHEMA_VERSION,
        "kind": "fit",
        "formula": fit.formula.text,
        "preset": fit.preset or None,
        "method": fit.method,
        "response": fit.response,
        "n": fit.n,
        "groups": fit.groups,
        "coefficients": [_plain(vars(one)) for one in fit.coefficients],
        "errors": fit.estimate.errors,
        "dropped": [vars(one) for one in fit.dropped],
        "findings": [one.to_dict() for one in fit.findings],
        "r_squared": _number(fit.r_squared),
        "residual_sd": _number(fit.residual_sd),
        "cross_validation": _validation(cross_validation),
        "rows": _rows(fit),
        "source": {"files": list(fit.files)},
        "state": _state(fit),
    }


def _validation(found: Any) -> Any:
    return found.to_dict() if hasattr(found, "to_dict") else found


def _number(value: float) -> float | None:
    return float(value) if np.isfinite(value) else None


def _plain(values: Mapping[str, Any]) -> dict[str, Any]:
    return {name: _number(value) if isinstance(value, float) else value for name, value in values.items()}


def _rows(fit: Fit) -> list[dict[str, Any]]:
    """Each fitted row: what was measured, what the fit says, and the variables."""
    frame, found = fit.design.frame, fit.fitted()
    group = (fit.options.group,) if fit.options.group else ()
    names = list(
        dict.fromkeys((*fit.formula.names, *group, *(n for n in _KEPT if n in frame and n != fit.formula.measured)))
    )
    columns: dict[str, list[Any]] = {
        "row": fit.design.rows.tolist(),
        "measured": frame[fit.formula.measured].tolist(),
        **{name: getattr(found, at).tolist() for name, at in (("fitted", "mean"), ("low", "low"), ("high", "high"))},
        "weight": fit.design.weights.tolist(),
        **{name: frame[name].tolist() for name in names},
    }
    for name, values in columns.items():
        columns[name] = [_cell(value) for value in values]
    return [dict(zip(columns, values, strict=True)) for values in zip(*columns.values(), strict=True)]


def _cell(value: Any) -> Any:
    if isinstance(value, float):
        return _number(value)
    return value if isinstance(value, int) else str(value)


def _state(fit: Fit) -> dict[str, Any]:
    """What prediction needs beside the formula."""
    found = fit.estimate
    group = (fit.options.group,) if fit.options.group else ()
    names = dict.fromkeys((fit.formula.measured, *fit.formula.names, *group))
    return {
        "levels": {name: list(levels) for name, levels in fit.levels.items()},
        "numbers": [name for name in names if fit.design.frame[name].dtype.kind in "fiub"],
        "covariance": [[_number(value) for value in row] for row in found.covariance],
        "degrees": _number(found.degrees),
        "residual_degrees": found.residual_degrees,
        "row_sd": _number(found.row_sd),
        "card_leverage": found.card_leverage.tolist(),
        "card_variance": found.card_variance,
        "least_card_variance": found.least_card_variance,
        "card_degrees": found.card_degrees,
        "group": fit.options.group,
        "quantile": fit.options.quantile,
        "group_effects": {name: list(pair) for name, pair in found.group_effects.items()},
        "group_variance": found.group_variance,
        "residual_quantiles": found.quantiles.tolist(),
    }


def read_document(path: str | Path) -> Fit:
    """Read a fit.

    Raises
    ------
    TableError
        When the file is missing, is no JSON, or holds no fit.
    """
    where = Path(path)
    try:
        document = json.loads(where.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise TableError(f"no file {where}", _REMEDY) from None
    except (OSError, ValueError) as error:
        raise TableError(f"{where} is no JSON document ({str(error).splitlines()[0]})", _REMEDY) from None
    if not isinstance(document, dict) or document.get("kind") != "fit":
        raise TableError(f"{where} holds no fit", _REMEDY)
    if document.get("schema_version") != SCHEMA_VERSION:
        raise TableError(f"{where} has schema {document.get('schema_version')!r}, not {SCHEMA_VERSION}", _REMEDY)
    try:
        return from_document(document)
    except PerfmodelError as error:
        raise TableError(f"{where} holds no usable fit: {error.reason}", error.remedy) from None
    except (KeyError, TypeError, ValueError, IndexError, AttributeError) as error:
        raise TableError(f"{where} holds no usable fit ({type(error).__name__}: {error})", _REMEDY) from None


def from_document(document: Mapping[str, Any]) -> Fit:
    """Rebuild a fit from its document; its design is built again from the rows, its estimates are taken as they are."""
    state = document["state"]
    frame, weights = _frame(document)
    words = [name for name in frame.columns if frame[name].dtype.kind not in "fiub"]
    formula = parse(str(document["formula"]), [*frame.columns], words=words)
    design, levels, _ = design_for(formula, frame, weights)
    values = np.array([one["value"] for one in document["coefficients"]], dtype=np.float64)
    stored = {name: tuple(map(str, found)) for name, found in state["levels"].items()}
    if formula.nonlinear:
        model = law(formula, design.frame)
        design, fitted = replace(design, x=model.jacobian(values)), model(values)
    elif stored != levels or linear_matrix(formula, design.frame, stored).x.shape[1] != len(values):
        raise TableError("its coefficients do not belong to its rows", _REMEDY)
    else:
        fitted = design.x @ values
    if document["method"] not in METHODS:
        raise TableError(f"it has the method {document['method']!r}", _REMEDY)
    return Fit(
        formula=formula, design=design, estimate=_estimate(document, values, design.y - fitted), levels=stored,
        options=Options(method=document["method"], group=state["group"], quantile=float(state["quantile"])),
        findings=tuple(_finding(one) for one in document["findings"]),
        dropped=tuple(Dropped(column=one["column"], why=one["why"]) for one in document["dropped"]),
        files=tuple(document["source"]["files"]), preset=document["preset"] or "",
    )  # fmt: skip


def _frame(document: Mapping[str, Any]) -> tuple[Any, Any]:
    """Variables and weights of the document's rows."""
    import pandas

    rows = document["rows"]
    if not rows:
        raise TableError("it has no rows", _REMEDY)
    numbers = set(document["state"]["numbers"])
    columns: dict[str, Any] = {
        _measured_name(str(document["response"])): np.array([_float(row["measured"]) for row in rows])
    }
    for name in rows[0].keys() - RESERVED:
        values = [row[name] for row in rows]
        columns[name] = np.array([_float(v) for v in values]) if name in numbers else np.array(values, dtype=object)
    index = pandas.Index([int(row["row"]) for row in rows])
    return pandas.DataFrame(columns, index=index), np.array([float(row["weight"]) for row in rows])


def _float(value: Any) -> float:
    return float("nan") if value is None else float(value)


def _measured_name(response: str) -> str:
    return response.partition("(")[2].rstrip(") ") if "(" in response else response.strip()


def _estimate(document: Mapping[str, Any], values: Any, residuals: Any) -> Estimate:
    state = document["state"]
    covariance = np.array([[_float(v) for v in row] for row in state["covariance"]], dtype=np.float64)
    if covariance.shape != (len(values), len(values)):
        raise TableError("its covariance does not fit its coefficients", _REMEDY)
    return Estimate(
        coefficients=values, covariance=covariance,
        residuals=residuals, residual_sd=_float(document["residual_sd"]),
        degrees=np.inf if state["degrees"] is None else float(state["degrees"]),
        residual_degrees=float(state["residual_degrees"]), r_squared=_float(document["r_squared"]),
        errors=str(document["errors"]),
        group_effects={name: (float(a), float(b)) for name, (a, b) in state["group_effects"].items()},
        group_variance=float(state["group_variance"]), row_sd=_float(state["row_sd"]),
        card_leverage=np.array(state["card_leverage"], dtype=np.float64).reshape(-1, covariance.shape[0]),
        card_variance=float(state["card_variance"]), card_degrees=float(state["card_degrees"]),
        least_card_variance=float(state["least_card_variance"]),
        quantiles=np.array(state["residual_quantiles"], dtype=np.float64),
    )  # fmt: skip


def _finding(one: Mapping[str, Any]) -> Finding:
    return Finding(
        guard=str(one["guard"]), severity=one["severity"], text=str(one["text"]), remedy=str(one["remedy"]),
        columns=tuple(one["columns"]), rows=tuple(one["rows"]),
    )  # fmt: skip
