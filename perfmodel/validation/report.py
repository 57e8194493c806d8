"""Predict every row of a measured table and say how well that went, by groups of rows."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from perfmodel.efficiency.prior import Prior, shipped_prior
from perfmodel.errors import InputError
from perfmodel.runs.rows import Runs, read_runs
from perfmodel.runs.schema import BY_NAME, canonical_column
from perfmodel.validation.baselines import baseline_times
from perfmodel.validation.features import question_features
from perfmodel.validation.predictions import predict_questions
from perfmodel.validation.resolve import Question, resolve_rows
from perfmodel.validation.scores import COVERAGE, Score, macro_average, score

Floats = npt.NDArray[np.float64]

SCHEMA_VERSION = 1
GROUPED_BY = ("source", "gpu", "phase")
#: Rows predicted at once; bounds memory.
_CHUNK = 4096


@dataclass(frozen=True, kw_only=True)
class RowPredictions:
    """Rows that could be predicted, r of them.

    Attributes
    ----------
    row : int array (r,)
        Index in the table.
    measured_s, predicted_s, half_width : array (r,)
        Seconds, and the half-width of the 90 % interval of log time.
    resolved : array of str (r,)
        ``graph`` or ``totals``: what the network was found as.
    baselines : mapping of str to array (r,)
        Seconds that simple models predict.
    """

    row: npt.NDArray[np.intp]
    measured_s: Floats
    predicted_s: Floats
    half_width: Floats
    resolved: npt.NDArray[np.str_]
    baselines: Mapping[str, Floats]

    def score(self, chosen: npt.NDArray[np.bool_] | npt.NDArray[np.intp]) -> Score:
        """Score some of the rows."""
        return score(
            self.measured_s[chosen],
            self.predicted_s[chosen],
            self.half_width[chosen],
            {name: values[chosen] for name, values in self.baselines.items()},
        )


@dataclass(frozen=True, kw_only=True)
class Group:
    """Score of the rows that share some of their own words."""

    by: Mapping[str, str]
    score: Score


@dataclass(frozen=True, kw_only=True)
class Validation:
    """How well measured rows are predicted.

    Attributes
    ----------
    rows : int
        Rows of the table.
    unresolved : mapping of str to int
        Rows that cannot be predicted, by reason.
    overall : Score or None
        Average over groups; None when no row could be predicted.
    groups : tuple of Group
    predictions : RowPredictions
        Row by row.
    """

    rows: int
    unresolved: Mapping[str, int]
    overall: Score | None
    groups: tuple[Group, ...]
    predictions: RowPredictions

    @property
    def resolved(self) -> int:
        """Rows that were predicted and scored."""
        return len(self.predictions.row)

    def to_dict(self) -> dict[str, Any]:
        """Return the ``validate --json`` document."""
        return {
            "schema_version": SCHEMA_VERSION,
            "rows": self.rows,
            "resolved": self.resolved,
            "unresolved": dict(self.unresolved),
            "overall": _EMPTY if self.overall is None else self.overall.to_dict(),
            "groups": [{"by": dict(group.by), **group.score.to_dict()} for group in self.groups],
        }


_EMPTY: dict[str, Any] = {
    "n": 0,
    **dict.fromkeys(
        ("median_ape", "mean_ape", "p90_ape", "bias", "coverage90", "width90", "interval_score"), None
    ),
    "baselines": {name: {"median_ape": None} for name in ("share_of_peak", "two_constants", "scaled_roofline")},
}  # fmt: skip


def validate(
    runs: Runs | str | Path | Sequence[str | Path], *, by: Sequence[str] = GROUPED_BY, prior: Prior | None = None
) -> Validation:
    """Predict every row of a table of measured runs and score the predictions.

    Parameters
    ----------
    runs : Runs, str, Path or sequence of paths
        Rows, or files of them that `read_runs` reads.
    by : sequence of str
        Columns whose words make the groups; the overall score is the average over groups.
    prior : Prior, optional
        Coefficients other than the shipped ones.

    Raises
    ------
    TableError
        When the file is no table of measured rows.
    InputError
        When a column in `by` is neither in the table nor in the schema.
    """
    table = runs if isinstance(runs, Runs) else read_runs(runs)
    columns = _columns(table, by)
    questions, unresolved = resolve_rows(table)
    found = predict_rows(questions, prior or shipped_prior())
    usable = np.isfinite(found.predicted_s) & (found.predicted_s > 0) & np.isfinite(found.half_width)
    if not usable.all():
        unresolved["the prediction is not a number"] += int((~usable).sum())
        found = _selected(found, usable)
    groups = _groups(table, columns, found)
    return Validation(
        rows=len(table),
        unresolved=dict(Counter(unresolved).most_common()),
        overall=macro_average([group.score for group in groups]) if groups else None,
        groups=groups,
        predictions=found,
    )


def _columns(table: Runs, by: Sequence[str]) -> tuple[str, ...]:
    names = tuple(dict.fromkeys(name if name in table.columns else canonical_column(name) for name in by))
    if not names:
        raise InputError("validate needs a column to group by", f"give --by {','.join(GROUPED_BY)}")
    for name in names:
        if name not in table.columns and name not in BY_NAME:
            raise InputError(
                f"the table has no column {name!r} to group by", f"it has {', '.join(sorted(table.columns))}"
            )
    return names


def predict_rows(questions: Sequence[Question], prior: Prior) -> RowPredictions:
    """Predict questions, some thousand at a time, by the full model and by the baselines."""
    # Rows of one network side by side, so that each graph is evaluated few times.
    order = sorted(range(len(questions)), key=lambda at: (questions[at].plan.model, questions[at].row))
    parts = [
        _predict_chunk([questions[at] for at in order[start : start + _CHUNK]], prior)
        for start in range(0, len(order), _CHUNK)
    ] or [_predict_chunk([], prior)]
    joined = RowPredictions(
        row=np.concatenate([part.row for part in parts]),
        measured_s=np.concatenate([part.measured_s for part in parts]),
        predicted_s=np.concatenate([part.predicted_s for part in parts]),
        half_width=np.concatenate([part.half_width for part in parts]),
        resolved=np.concatenate([part.resolved for part in parts]),
        baselines={name: np.concatenate([part.baselines[name] for part in parts]) for name in parts[0].baselines},
    )
    return _selected(joined, np.argsort(joined.row, kind="stable"))


def _predict_chunk(questions: Sequence[Question], prior: Prior) -> RowPredictions:
    found = question_features(questions, prior) if questions else None
    times = predict_questions(questions, found, prior, COVERAGE) if found is not None else None
    return RowPredictions(
        row=np.array([one.row for one in questions], dtype=np.intp),
        measured_s=np.array([one.time_s for one in questions], dtype=np.float64),
        predicted_s=np.zeros(0) if times is None else times.time_s,
        half_width=np.zeros(0) if times is None else times.half_width,
        resolved=np.array([one.plan.resolved for one in questions], dtype=np.str_),
        baselines=baseline_times(questions, None if found is None else found.steps, prior),
    )


def _selected(found: RowPredictions, chosen: npt.NDArray[Any]) -> RowPredictions:
    return replace(
        found,
        row=found.row[chosen],
        measured_s=found.measured_s[chosen],
        predicted_s=found.predicted_s[chosen],
        half_width=found.half_width[chosen],
        resolved=found.resolved[chosen],
        baselines={name: values[chosen] for name, values in found.baselines.items()},
    )


def _groups(table: Runs, columns: Sequence[str], found: RowPredictions) -> tuple[Group, ...]:
    members: dict[tuple[str, ...], list[int]] = {}
    words = [table.text(name)[found.row] for name in columns]
    for at, key in enumerate(zip(*words, strict=True)):
        members.setdefault(tuple(map(str, key)), []).append(at)
    return tuple(
        Group(by=dict(zip(columns, key, strict=True)), score=found.score(np.array(rows, dtype=np.intp)))
        for key, rows in sorted(members.items())
    )
