"""Leave one group of rows out after the other: what a fit says of cards, networks or sources it has not seen."""

from __future__ import annotations

import textwrap
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from perfmodel.errors import InputError, PerfmodelError
from perfmodel.regression.baselines import CONSTANT, features, predict
from perfmodel.regression.design import Floats
from perfmodel.regression.estimating import group_labels
from perfmodel.regression.forecasting import forecast
from perfmodel.regression.matrix import level_text
from perfmodel.regression.result import Fit
from perfmodel.regression.scoring import Score, averaged, score
from perfmodel.regression.vocabulary import describe, resolve_variable

Labels = npt.NDArray[np.object_]
Mask = npt.NDArray[np.bool_]

#: Groups that leaving one out needs.
FEWEST = 3
COVERAGE = 0.9


@dataclass(frozen=True, kw_only=True)
class GroupScore:
    """Score of one left-out group, and median errors of the baselines on the same rows, in percent."""

    name: str
    score: Score
    baselines: Mapping[str, float]

    def to_dict(self) -> dict[str, Any]:
        """JSON form."""
        return {"name": self.name, **self.score.to_dict(), "baselines": dict(self.baselines)}


@dataclass(frozen=True, kw_only=True)
class CrossValidation:
    """How well rows of left-out groups are predicted.

    Attributes
    ----------
    by : str
        Variable whose values are left out one at a time.
    groups : tuple of GroupScore
    overall : Score
        Average over groups.
    baselines : mapping of str to float
        Average over groups of the median error of ``constant`` (geometric mean of the rows kept) and of a log-log line
        in one variable, percent, the best first.
    unpredicted : mapping of str to int
        Rows that could not be predicted when their group was left out, by reason.
    rows : int array (m,)
        Rows that were predicted, as numbered in the table.
    group : array of str (m,)
    measured, predicted, low, high : array (m,)
        In the unit of the response, with the ends of the 90 % prediction interval.
    """

    by: str
    groups: tuple[GroupScore, ...]
    overall: Score
    baselines: Mapping[str, float]
    unpredicted: Mapping[str, int]
    rows: npt.NDArray[np.intp]
    group: Labels
    measured: Floats
    predicted: Floats
    low: Floats
    high: Floats

    @property
    def best_single(self) -> str:
        """Name of the best single variable, chosen with the scores in sight; empty where there is none."""
        return next((name for name in self.baselines if name != CONSTANT), "")

    def wins(self, baseline: str) -> int:
        """Number of groups in which the model's median error is smaller than a baseline's."""
        return sum(one.score.median_ape < one.baselines[baseline] for one in self.groups)

    def beats(self, baseline: str) -> bool:
        """Whether the model's error is smaller than a baseline's on average and in more than half of the groups."""
        return self.overall.median_ape < self.baselines[baseline] and 2 * self.wins(baseline) > len(self.groups)

    def sentence(self) -> str:
        """Say how good the fit is on what it has not seen, and whether it beats the baselines."""
        return " ".join(sentence for sentence in (_quality(self), _against(self), _lost(self)) if sentence)

    def summary(self) -> str:
        """Return the scores as plain text: the sentence, then each group, then the baselines."""
        width = max(len("average"), *(len(one.name) for one in self.groups))
        lines = [*textwrap.wrap(self.sentence(), 118), ""]
        lines.append(
            f"  {'left out':<{width}}  {'rows':>6}  {'median':>8}  {'90 % below':>10}  {'bias':>8}  in interval"
        )
        scored = [(one.name, one.score) for one in self.groups] + [("average", self.overall)]
        lines += [
            f"  {name:<{width}}  {one.n:>6}  {one.median_ape:>6.1f} %  {one.p90_ape:>8.1f} %  {one.bias:>+6.1f} %  "
            f"{one.coverage:>9.0f} %"
            for name, one in scored
        ]
        alone = ", ".join(f"{name} {value:.1f} %" for name, value in self.baselines.items())
        return "\n".join([*lines, "", *textwrap.wrap(f"Baselines, median error on the same rows: {alone}.", 118)])

    def to_dict(self) -> dict[str, Any]:
        """JSON form: ``cross_validation`` of the fit document."""
        columns = (self.rows, self.group, self.measured, self.predicted, self.low, self.high)
        names = ("row", "group", "measured", "predicted", "low", "high")
        return {
            "by": self.by,
            "sentence": self.sentence(),
            **self.overall.to_dict(),
            "baselines": dict(self.baselines),
            "groups": [one.to_dict() for one in self.groups],
            "unpredicted": dict(self.unpredicted),
            "rows": [
                dict(zip(names, cells, strict=True)) for cells in zip(*(c.tolist() for c in columns), strict=True)
            ],
        }


def cross_validate(fit: Fit, by: str = "gpu") -> CrossValidation:
    """Predict every group of rows by the fit's formula fitted to all other groups.

    Parameters
    ----------
    fit : Fit
        Its formula, method and row weights are used again for each group.
    by : str
        ``gpu``, ``family``, ``source``, ``dataset`` (the data pair) or any other variable of the rows.

    Raises
    ------
    InputError
        When there are fewer than three groups, when no group can be predicted, or when a measured value is not above 0.
    """
    name = resolve_variable(by, fit.design.frame.columns)
    labels = _labels(fit, name)
    measured = fit.design.frame[fit.formula.measured].to_numpy(dtype=np.float64)
    if not (measured > 0).all():
        raise InputError(f"{fit.formula.measured} is not above 0 in all rows", "relative errors need positive values")
    lost: Counter[str] = Counter()
    if (labels == "").any():
        lost[f"the row states no {describe(name).label}"] = int((labels == "").sum())
    parts = [part for group in sorted(set(labels) - {""}) if (part := _left_out(fit, labels == group, group, lost))]
    if not parts:
        raise InputError(f"no group of {name} can be predicted from the others", f"{next(iter(lost), '')}")
    return _assembled(fit, name, labels, measured, parts, lost)


def _labels(fit: Fit, name: str) -> Labels:
    labels = group_labels(fit.design, name)
    labels[np.array([label in ("", "nan", "None") for label in labels], dtype=bool)] = ""
    count = len(set(labels) - {""})
    if count < FEWEST:
        label = describe(name).label
        raise InputError(
            f"the rows have {count} different values of {name} ({label}), and leaving one out needs {FEWEST}",
            f"add rows with another {label}, or leave out by another variable",
        )
    return labels


@dataclass(frozen=True)
class _Part:
    """One left-out group: its name, the rows predicted (positions), prediction and interval."""

    name: str
    at: npt.NDArray[np.intp]
    predicted: Floats
    low: Floats
    high: Floats


def _left_out(fit: Fit, test: Mask, name: str, lost: Counter[str]) -> _Part | None:
    """Predict one group; rows that cannot be are counted with the reason."""
    try:
        other = fit.refit(~test)
    except PerfmodelError as error:
        lost[f"without {name}: {error.reason}"] += int(test.sum())
        return None
    at = np.flatnonzero(test)
    known = _known_levels(other, fit.design.frame.iloc[at], lost)
    at = at[known]
    if not len(at):
        return None
    frame = fit.design.frame.iloc[at]
    group = fit.options.group
    found = forecast(
        other.formula, other.levels, other.estimate, frame, coverage=COVERAGE, weights=fit.design.weights[at],
        groups=None if group is None else group_labels(replace(fit.design, frame=frame), group),
    )  # fmt: skip
    finite = np.isfinite(found.mean) & np.isfinite(found.low) & np.isfinite(found.high)
    if not finite.all():
        lost["the prediction is not a number"] += int((~finite).sum())
    return _Part(name, at[finite], found.mean[finite], found.low[finite], found.high[finite]) if finite.any() else None


def _known_levels(fit: Fit, frame: Any, lost: Counter[str]) -> Mask:
    """Rows whose words the fit knows, each factor's unknown ones counted."""
    known = np.ones(len(frame), dtype=bool)
    for name, levels in fit.levels.items():
        words = level_text(frame[name])
        here = np.array([word in levels for word in words], dtype=bool)
        for word, count in Counter(word for word, ok in zip(words, known & ~here, strict=True) if ok).items():
            lost[f"{name} {word} occurs in no other group"] += count
        known &= here
    return known


def _assembled(
    fit: Fit, by: str, labels: Labels, measured: Floats, parts: list[_Part], lost: Counter[str]
) -> CrossValidation:
    lines: dict[str, Floats | None] = {CONSTANT: None}
    lines |= features(fit.design.frame, fit.formula.names, fit.formula.measured)
    groups = []
    for part in parts:
        train, test = labels != part.name, np.zeros(len(labels), dtype=bool)
        test[part.at] = True
        truth = measured[test]
        errors = {
            name: score(truth, predict(measured, fit.design.weights, line, train, test)).median_ape
            for name, line in lines.items()
        }
        groups.append(
            GroupScore(name=part.name, score=score(truth, part.predicted, part.low, part.high), baselines=errors)
        )
    means = {name: float(np.mean([one.baselines[name] for one in groups])) for name in lines}
    at = np.concatenate([part.at for part in parts])
    order = np.argsort(at, kind="stable")
    joined = {
        name: np.concatenate([getattr(part, name) for part in parts])[order] for name in ("predicted", "low", "high")
    }
    return CrossValidation(
        by=by, groups=tuple(groups), overall=averaged([one.score for one in groups]),
        baselines=dict(sorted(means.items(), key=lambda item: item[1])), unpredicted=dict(lost.most_common()),
        rows=fit.design.rows[at[order]], group=labels[at[order]], measured=measured[at[order]], **joined,
    )  # fmt: skip


def _quality(found: CrossValidation) -> str:
    overall, count = found.overall, len(found.groups)
    label = describe(found.by).label
    return (
        f"Leaving out one {label} at a time ({count} of them, {overall.n} rows), predictions are off by "
        f"{overall.median_ape:.1f} % (median, averaged over groups), and {overall.coverage:.0f} % of the measured "
        f"values lie in the 90 % interval."
    )


def _against(found: CrossValidation) -> str:
    """Say whether the model beats a constant and the best single variable."""
    names = [CONSTANT, *([found.best_single] if found.best_single else [])]
    told = [_compared(found, name) for name in names]
    return f"It {' and '.join(told)}."


def _compared(found: CrossValidation, name: str) -> str:
    own, other = found.overall.median_ape, found.baselines[name]
    word = "a constant" if name == CONSTANT else f"the best single variable, {name}"
    count = f"{found.wins(name)} of {len(found.groups)} groups"
    if found.beats(name):
        return f"beats {word} ({other:.1f} %; better in {count})"
    if own < other:
        return f"is no clear gain over {word} ({own:.1f} % against {other:.1f} %; better in {count})"
    return f"does not beat {word} ({own:.1f} % against {other:.1f} %)"


def _lost(found: CrossValidation) -> str:
    count = sum(found.unpredicted.values())
    if not count:
        return ""
    reason, most = next(iter(found.unpredicted.items()))
    more = f", and {len(found.unpredicted) - 1} more reasons" if len(found.unpredicted) > 1 else ""
    return f"{count} rows could not be predicted: {reason} ({most}){more}."
