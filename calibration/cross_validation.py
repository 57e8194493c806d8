"""Leave cards, families and sources out: every row is predicted by a prior that never saw its group."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
import numpy.typing as npt

from perfmodel.calibration.base import base_prior, prior_from
from perfmodel.calibration.baselines import fit_baselines
from perfmodel.calibration.families import coarse_family
from perfmodel.calibration.fit_kernels import KernelFit, fit_kernels
from perfmodel.calibration.fit_steps import StepFit, fit_steps
from perfmodel.calibration.kernel_rows import KernelRows
from perfmodel.calibration.step_rows import step_rows
from perfmodel.efficiency.levels import SPREAD
from perfmodel.efficiency.prior import Prior
from perfmodel.step.evidence import judge
from perfmodel.validation.baselines import baseline_times
from perfmodel.validation.features import QuestionFeatures, question_features
from perfmodel.validation.predictions import predict_questions
from perfmodel.validation.resolve import Question

Floats = npt.NDArray[np.float64]
Strings = npt.NDArray[np.str_]


@dataclass(frozen=True)
class Table:
    """Measured steps that a fit or a score uses.

    Attributes
    ----------
    questions : list of Question
    phase : array of str
        The phase column's own text.
    """

    questions: list[Question]
    phase: Strings
    cell: Strings = field(init=False)
    gpu: Strings = field(init=False)
    family: Strings = field(init=False)
    source: Strings = field(init=False)

    def __post_init__(self) -> None:
        """Collect the columns that rows are left out by."""
        source = np.array([one.plan.campaign for one in self.questions])
        gpu = np.array([one.gpu.key for one in self.questions])
        columns = {
            "source": source,
            "gpu": gpu,
            "family": np.array([coarse_family(one.plan.family) for one in self.questions]),
            "cell": np.char.add(np.char.add(np.char.add(source, "|"), np.char.add(gpu, "|")), self.phase),
        }
        for name, column in columns.items():
            object.__setattr__(self, name, column)

    def select(self, index: npt.NDArray[np.intp]) -> Table:
        """Some of the rows."""
        return Table([self.questions[i] for i in index], self.phase[index])


@dataclass(frozen=True)
class Fold:
    """Out-of-sample answers of r rows (in the table's order).

    Attributes
    ----------
    time_s : array
        Predicted seconds.
    sigma : array
        Standard deviation of log time before conformal scaling.
    baselines : dict of str to array
    unknown : array (r, s)
        How little is known of each row, by source of variance.
    known : array
        Variance that grades of evidence add.
    """

    time_s: Floats
    sigma: Floats
    baselines: dict[str, Floats]
    unknown: Floats = field(default_factory=lambda: np.zeros((0, len(SPREAD))))
    known: Floats = field(default_factory=lambda: np.zeros(0))


@dataclass(frozen=True)
class Fitted:
    """A prior with what it was fitted from, to start other fits with."""

    prior: Prior
    kernels: KernelFit
    steps: StepFit


def features_of(table: Table, kernels: KernelFit) -> QuestionFeatures:
    """Physical features with the coefficients of a kernel fit."""
    return question_features(table.questions, base_prior(kernels.coefficients))


def fit_table(
    table: Table, found: QuestionFeatures, kernels: KernelFit, *, start: StepFit | None = None, iterations: int = 8
) -> Fitted:
    """Fit the effects of a table and put a prior together (without conformal factors)."""
    rows = step_rows(table.questions, found, table.phase, kernels.cards)
    steps = fit_steps(rows, start=start, iterations=iterations)
    baselines = fit_baselines(table.questions, found, table.cell)
    return Fitted(
        prior_from(kernels.coefficients, steps, rows, cards=kernels.cards, baselines=baselines), kernels, steps
    )


def answer_table(table: Table, found: QuestionFeatures, prior: Prior) -> Fold:
    """Predict a table's rows."""
    unit = replace(prior, conformal={"0.9": 1.0})
    predicted = predict_questions(table.questions, found, unit)
    baselines = baseline_times(table.questions, found.steps, prior)
    unknown, known = uncertainty(table.questions, prior)
    return Fold(predicted.time_s, np.asarray(predicted.half_width), baselines, unknown, known)


def uncertainty(questions: Sequence[Question], prior: Prior) -> tuple[Floats, Floats]:
    """How little a prior knows of each row, by source of variance (r, s), and the variance that grades add (r,)."""
    found: dict[tuple[object, str], tuple[Floats, float]] = {}
    for one in questions:
        key = (one.plan.setting, one.gpu.key)
        if key not in found:
            setting = one.plan.setting
            found[key] = (prior.unknown(setting, one.gpu), judge(prior, setting, one.gpu).variance)
    rows = [found[one.plan.setting, one.gpu.key] for one in questions]
    return np.array([row[0] for row in rows]).reshape(-1, len(SPREAD)), np.array([row[1] for row in rows])


def leave_out(
    name: str,
    table: Table,
    key: Strings,
    full: Fitted,
    found: QuestionFeatures,
    kernels_without: Callable[[str], KernelFit] | None = None,
    progress: bool = True,
    each: Callable[[npt.NDArray[np.intp], QuestionFeatures, Prior], None] | None = None,
) -> Fold:
    """Predict every row by a fit without the rows of its key.

    Parameters
    ----------
    name : str
        For the progress lines.
    table, found : rows and their features under ``full``
    key : array of str (r,)
        What is left out together.
    full : Fitted
        Fit of all rows; its effects are the first guess of each fold's fit (the optimum does not depend on it).
    kernels_without : callable, optional
        Kernel fit for a left-out key, where kernel rows of that key exist too.
    each : callable, optional
        Gets the rows of every key, their features, and the prior that was fitted without them.
    """
    time_s, sigma, known = (np.full(len(key), np.nan) for _ in range(3))
    unknown = np.full((len(key), len(SPREAD)), np.nan)
    baselines: dict[str, Floats] = {}
    for value in np.unique(key):
        began = time.monotonic()
        test, train = np.flatnonzero(key == value), np.flatnonzero(key != value)
        kernels, used = full.kernels, found
        if kernels_without is not None:
            kernels = kernels_without(str(value))
            used = found if kernels is full.kernels else features_of(table, kernels)
        fitted = fit_table(table.select(train), take(used, train), kernels, start=full.steps, iterations=4)
        own = take(used, test)
        fold = answer_table(table.select(test), own, fitted.prior)
        if each is not None:
            each(test, own, fitted.prior)
        time_s[test], sigma[test], unknown[test], known[test] = fold.time_s, fold.sigma, fold.unknown, fold.known
        for model, values in fold.baselines.items():
            baselines.setdefault(model, np.full(len(key), np.nan))[test] = values
        if progress:
            print(f"  without {name} {value}: {len(test)} rows, {time.monotonic() - began:.1f} s", file=sys.stderr)
    return Fold(time_s, sigma, baselines, unknown, known)


def take(found: QuestionFeatures, index: npt.NDArray[np.intp]) -> QuestionFeatures:
    """Some rows of features."""
    steps = found.steps
    picked = {name: getattr(steps, name)[index] for name in ("seconds", "launches", "flops", "bytes")}
    return QuestionFeatures(replace(steps, **picked), found.host[index], found.input_bytes[index])


def kernel_cache(rows: KernelRows, full: KernelFit) -> Callable[[str], KernelFit]:
    """Kernel fits without a card (and its siblings of the same name), made when first needed."""
    stem = np.array([_stem(gpu) for gpu in rows.gpu])
    cache: dict[str, KernelFit] = {}

    def without(gpu: str) -> KernelFit:
        name = _stem(gpu)
        keep = np.flatnonzero(stem != name)
        if len(keep) == len(stem):
            return full
        if name not in cache:
            cache[name] = fit_kernels(rows.select(keep), iterations=8)
        return cache[name]

    return without


def _stem(gpu: str) -> str:
    """Card name without memory size and form: all V100s share kernels."""
    return gpu.split("-")[0] if gpu[0] in "apvh" else gpu
