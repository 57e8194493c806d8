"""How much surer a few measurements of a left-out card make: its other rows, scored before and after.

Steps: for every left-out card, and every source and software stack that measured it, a few of its rows are chosen by
`chosen_steps`, which sees predictions only and draws nothing at random; they update a profile, and the rows that are
left are predicted with it. Kernels: four of every class, spread evenly over the predicted times of the class.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace

import numpy as np
import numpy.typing as npt

from perfmodel.calibration.base import base_prior
from perfmodel.calibration.fit_kernels import KernelFit, predict_rows, subsample
from perfmodel.calibration.kernel_rows import KernelRows
from perfmodel.calibration.kernel_scores import host_floors
from perfmodel.calibration.profiles import chosen_steps, kernel_groups, kernel_observations
from perfmodel.efficiency.features import GROUP_CODE, GROUPS
from perfmodel.efficiency.levels import Setting
from perfmodel.efficiency.prior import Corrections, Prior
from perfmodel.efficiency.profile import Profile
from perfmodel.validation.features import QuestionFeatures
from perfmodel.validation.observations import step_observations
from perfmodel.validation.predictions import predict_questions
from perfmodel.validation.resolve import Question

Floats = npt.NDArray[np.float64]
Index = npt.NDArray[np.intp]

#: Steps that a calibration measures, and how many rows must be left to score.
STEPS, LEFT = (3, 5, 10), 5
KERNELS_OF_A_CLASS = 4


@dataclass
class Calibrated:
    """Errors of rows that were left, by number of steps measured.

    Attributes
    ----------
    ratio : dict of int to dict of str to list of array
        Log of measured over predicted after calibration, by count and cell.
    before : dict of int to dict of str to list of array
        The same rows before.
    sigma : dict of int to dict of str to list of array
        Standard deviation of log time after calibration, before conformal scaling.
    """

    ratio: dict[int, dict[str, list[Floats]]] = field(default_factory=dict)
    before: dict[int, dict[str, list[Floats]]] = field(default_factory=dict)
    sigma: dict[int, dict[str, list[Floats]]] = field(default_factory=dict)

    def add(self, count: int, cell: str, ratio: Floats, before: Floats, sigma: Floats) -> None:
        """Keep the rows of a cell."""
        for table, values in ((self.ratio, ratio), (self.before, before), (self.sigma, sigma)):
            table.setdefault(count, {}).setdefault(cell, []).append(values)


def score_steps(
    into: Calibrated, questions: list[Question], cells: npt.NDArray[np.str_], found: QuestionFeatures, prior: Prior,
    take: Callable[[QuestionFeatures, Index], QuestionFeatures],
) -> None:  # fmt: skip
    """Calibrate one left-out card on every stack that measured it, and keep the errors of its other rows.

    Parameters
    ----------
    into : Calibrated
    questions, found
        Rows of the card, and their features under ``prior``.
    cells : array of str
        ``source|gpu|phase``.
    prior : Prior
        Fitted without the card.
    take : callable
        Picks some rows of features.
    """
    stack = np.array([_stack(one.plan.setting) for one in questions])
    single = np.array([one.gpus == 1 for one in questions])
    for name in np.unique(stack):
        at = np.flatnonzero((stack == name) & single)
        if len(at) < min(STEPS) + LEFT:
            continue
        some, part = [questions[i] for i in at], take(found, at)
        observed = step_observations(some, prior, part)
        for count in (n for n in STEPS if len(at) >= n + LEFT):
            chosen = chosen_steps(observed, count)
            profile = Profile(gpu=some[0].gpu.key).update([observed[i] for i in chosen])
            _keep(into, count, some, cells[at], part, prior, profile, np.setdiff1d(np.arange(len(at)), chosen))


def _stack(setting: Setting) -> str:
    return f"{setting.campaign}|{setting.version}|{setting.layout}|{setting.compiled}"


def _keep(
    into: Calibrated, count: int, questions: list[Question], cells: npt.NDArray[np.str_], found: QuestionFeatures,
    prior: Prior, profile: Profile, left: Index,
) -> None:  # fmt: skip
    unit = replace(prior, conformal={"0.9": 1.0})
    after = predict_questions(questions, found, unit, profile=profile)
    before = predict_questions(questions, found, unit)
    measured = np.array([one.time_s for one in questions])
    for cell in np.unique(cells[left]):
        rows = left[cells[left] == cell]
        into.add(
            count, str(cell), np.log(measured[rows] / after.time_s[rows]),
            np.log(measured[rows] / before.time_s[rows]), np.asarray(after.half_width)[rows],
        )  # fmt: skip


@dataclass(frozen=True)
class KernelCalibration:
    """Errors (percent) of one class of kernels of a left-out card, before and after a calibration with kernels."""

    source: str
    cls: str
    gpu: str
    n: int
    median: float
    mean: float
    median_before: float
    mean_before: float


def score_kernel_profiles(
    rows: KernelRows, without: Callable[[str], KernelFit], per_cell: int = 600
) -> list[KernelCalibration]:
    """Calibrate every card on four kernels of each class and engine, and score its other kernels.

    The fit never saw the card; the host's floor is read off the card's fastest rows, as in `score_kernels`.
    """
    sample = subsample(rows, per_cell, seed=11)
    floors = host_floors(rows)
    scores = []
    for gpu in np.unique(sample.gpu):
        fit = without(str(gpu))
        fit = replace(fit, floors={**fit.floors, **{key: value for key, value in floors.items() if key[1] == gpu}})
        for source in np.unique(sample.source[sample.gpu == gpu]):
            own = sample.select(np.flatnonzero((sample.gpu == gpu) & (sample.source == source)))
            scores += _calibrated_kernels(own, fit)
    return scores


def _calibrated_kernels(own: KernelRows, fit: KernelFit) -> list[KernelCalibration]:
    before = predict_rows(own, fit)
    floor = np.array([fit.floor(*key) for key in zip(own.source, own.gpu, own.cls, strict=True)])
    chosen = _spread(own, before)
    prior = replace(base_prior(fit.coefficients), cards=fit.cards)
    profile = Profile(gpu=str(own.gpu[0])).update(kernel_observations(own.select(chosen), prior, floor[chosen]))
    after = (before - floor) * np.exp(_kernel_theta(own, profile)) + floor
    left = np.setdiff1d(np.arange(len(own)), chosen)
    scores = []
    for cls in np.unique(own.cls[left]):
        at = left[own.cls[left] == cls]
        if len(at) < 20:
            continue
        errors = [np.abs(time[at] / own.time_s[at] - 1) for time in (after, before)]
        numbers = [100 * float(value) for error in errors for value in (np.median(error), error.mean())]
        scores.append(KernelCalibration(str(own.source[0]), str(cls), str(own.gpu[0]), len(at), *numbers))
    return scores


def _spread(own: KernelRows, predicted: Floats) -> Index:
    """Rows at even ranks of the predicted time of each class and precision."""
    label = np.char.add(own.cls, own.precision)
    chosen = []
    for name in np.unique(label):
        at = np.flatnonzero(label == name)
        ranks = ((np.arange(KERNELS_OF_A_CLASS) + 0.5) / KERNELS_OF_A_CLASS * len(at)).astype(np.intp)
        chosen.append(at[np.argsort(predicted[at], kind="stable")][np.unique(ranks)])
    return np.concatenate(chosen)


def _kernel_theta(own: KernelRows, profile: Profile) -> Floats:
    codes = np.array([GROUP_CODE[name] for name in kernel_groups(own)])
    nothing = Corrections(theta=np.zeros(len(GROUPS) + 1), total=0.0, variance=1.0)
    by_precision: Mapping[str, Floats] = {
        precision: profile.apply(nothing, _kernel_setting(precision)).theta
        for precision in np.unique(own.precision).tolist()
    }
    return np.array([by_precision[str(p)][code] for p, code in zip(own.precision, codes, strict=True)])


def _kernel_setting(precision: str) -> Setting:
    return Setting(
        precision=precision, mode="infer", era="", version="", layout="nchw", compiled=False, campaign="", model="",
        family="", operators=True,
    )  # fmt: skip
