"""Write ``docs/accuracy.md`` from cross-validated answers."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from perfmodel.calibration.after_calibration import Calibrated, KernelCalibration
from perfmodel.calibration.calibration_report import calibration_lines
from perfmodel.calibration.cross_validation import Fold, Table
from perfmodel.calibration.kernel_scores import KernelScore
from perfmodel.calibration.scoring import constant_share, cross_conformal, repeat_noise, score_cells
from perfmodel.calibration.targets import Reached, calibration_targets, operator_targets, target_lines
from perfmodel.validation.scores import Score

Strings = npt.NDArray[np.str_]
Bools = npt.NDArray[np.bool_]


@dataclass(frozen=True)
class Results:
    """Everything the report shows.

    Attributes
    ----------
    table : Table
        Rows that were fitted (repeats collapsed).
    everything : Table
        All resolved rows.
    unresolved : Counter
        Reasons of the rows that were not.
    rows : int
        Eligible rows.
    folds : dict
        ``gpu``, ``family``, ``source`` -> (answers, key).
    fitted : Fold
        Answers on the rows that were fitted.
    conformal, spread : dict
    kernels : list of KernelScore
    calibrated : Calibrated
        Left-out cards after a few of their steps were measured.
    calibrated_kernels : list of KernelCalibration
        The same of single kernels.
    seconds : float
        Processor time that the run took.
    """

    table: Table
    everything: Table
    unresolved: Counter[str]
    rows: int
    folds: dict[str, tuple[Fold, Strings]]
    fitted: Fold
    conformal: dict[str, float]
    spread: dict[str, float]
    kernels: list[KernelScore]
    calibrated: Calibrated
    calibrated_kernels: list[KernelCalibration]
    seconds: float


_HEAD = (
    "| what | rows | median % | mean % | p90 % | bias % | covers % | width % | interval score |"
    " share of peak | two constants | scaled roofline |\n|---|--:|--:|--:|--:|--:|--:|--:|--:|--:|--:|--:|"
)
_TITLES = {"gpu": "card", "family": "network family", "source": "source"}


def _line(name: str, one: Score) -> str:
    numbers = [one.median_ape, one.mean_ape, one.p90_ape, one.bias, one.coverage90, one.width90, one.interval_score]
    simple = [one.baselines[key] for key in ("share_of_peak", "two_constants", "scaled_roofline")]
    return f"| {name} | {one.n} | " + " | ".join(f"{value:.1f}" for value in (*numbers, *simple)) + " |"


def write_accuracy(path: Path, results: Results) -> None:
    """Write the report.

    Parameters
    ----------
    path : Path
    results : Results
    """
    text = "\n".join(
        [
            *_introduction(results),
            *target_lines(_reached(results), **_constants(results)),
            *_summary(results),
            *_intervals(results),
            *calibration_lines(results.calibrated, results.calibrated_kernels, results.conformal),
            *_details(results),
        ]
    )
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text + "\n")


def _reached(results: Results) -> list[Reached]:
    """Targets of left-out cards and families, of their intervals, after calibration, and of operators."""
    cards = _fold_targets(results, "gpu", "step on a left-out card", median=12.0, p90=30.0)
    families = _fold_targets(results, "family", "step of a left-out network family", median=8.0)
    others = [*calibration_targets(results.calibrated), *operator_targets(results.kernels)]
    return [*cards, *families, *others]


def _constants(results: Results) -> dict[str, float]:
    """Shares of the squared error of left-out cards and families that one constant for each of their kind explains."""
    plans = [one.plan for one in results.table.questions]
    network = np.array([f"{one.campaign}|{one.model}|{one.mode}" for one in plans])
    (cards, _), (families, _) = _fold(results, "gpu"), _fold(results, "family")
    return {
        "cards": constant_share(cards, results.table, results.table.cell),
        "families": constant_share(families, results.table, network),
    }


def _fold_targets(results: Results, name: str, what: str, *, median: float, p90: float | None = None) -> list[Reached]:
    fold, key = _fold(results, name)
    half, flat = (cross_conformal(fold, results.table, key, constant=constant) for constant in (False, True))
    ours, plain = (score_cells(fold, results.table, width).overall for width in (half, flat))
    found = [Reached(f"{what}, median", f"{median:.0f} %", f"{ours.median_ape:.1f} %", ours.median_ape <= median)]
    if p90 is not None:
        found.append(Reached(f"{what}, nine of ten", f"{p90:.0f} %", f"{ours.p90_ape:.1f} %", ours.p90_ape <= p90))
    covered, score, other = ours.coverage90, ours.interval_score, plain.interval_score
    found.append(Reached(f"{what}: interval covers", "85-95 %", f"{covered:.1f} %", 85 <= covered <= 95))
    found.append(Reached(f"{what}: interval score", f"below {other:.1f}", f"{score:.1f}", score < other))
    if name == "gpu":
        share, worst = _worst(fold, results.table, key, half)
        found.append(Reached("coverage of the worst card", "75 %", f"{share:.0f} % ({worst})", share >= 75))
    return found


def _introduction(results: Results) -> list[str]:
    resolved = len(results.everything.questions)
    graph = sum(one.plan.resolved == "graph" for one in results.everything.questions)
    noise = repeat_noise(results.everything)
    lines = [
        "# Accuracy",
        "",
        "Made by `python -m perfmodel.calibration.fit_prior --data DIR`"
        f" in {results.seconds / 60:.0f} minutes of processor time. No figure below is of a row that the answering fit"
        " had seen, unless it says so. A few choices (prior standard deviations, which effects there are, the clock of"
        " cards short of power) were made with the scores of left-out cards in sight, so that those are slightly"
        " optimistic; so are a profile's standard deviations, the meaning of mixed precision in NVIDIA's BERT scripts,"
        " the prior standard deviations of old cards' shares, and the freedom of interval weights.",
        "",
        f"{resolved} of {results.rows} rows ({100 * resolved / results.rows:.1f} %) resolve, {graph} of them to an"
        " operator graph, the others to totals; repeats of one setting are collapsed to their median, which leaves"
        f" {len(results.table.questions)} rows. Scores are averaged over source x card x phase (cells), so that two"
        " cards with thousands of rows do not decide. Fits use the other rows of the same sources: what a stack or a"
        " harness does is learned from other cards. Kernel coefficients are refitted without a card that is left out.",
        "",
        f"Repeat-noise floor: {noise:.2f} % (median spread of settings repeated five times or more)."
        if np.isfinite(noise)
        else "No setting was measured three times, so that the noise of repeats is unknown.",
    ]
    if results.unresolved:
        lines += [
            "",
            "Rows that do not resolve: " + "; ".join(f"{n} {why}" for why, n in results.unresolved.most_common(12)),
        ]
    return lines


def _fold(results: Results, name: str) -> tuple[Fold, Strings]:
    return results.folds[name]


def _summary(results: Results) -> list[str]:
    lines = ["", "## Left out", "", _HEAD]
    graph = np.array([one.plan.resolved == "graph" for one in results.table.questions])
    training = np.array([one.plan.mode == "train" for one in results.table.questions])
    for name, title in _TITLES.items():
        fold, key = _fold(results, name)
        half = cross_conformal(fold, results.table, key)
        for label, chosen in (
            (f"every {title} left out in turn", np.ones_like(graph)),
            ("... training, resolved to a graph", training & graph),
            ("... training, resolved to totals", training & ~graph),
            ("... inference, resolved to a graph", ~training & graph),
            ("... inference, resolved to totals", ~training & ~graph),
        ):
            if chosen.any():
                lines.append(_line(label, score_cells(fold, results.table, half, chosen).overall))
    half = np.full(len(graph), 0.1)
    lines.append(
        _line("rows that were fitted (for comparison)", score_cells(results.fitted, results.table, half).overall)
    )
    return lines


def _intervals(results: Results) -> list[str]:
    lines = [
        "",
        "## Intervals",
        "",
        "90 % intervals of left-out rows, their factor from the other groups' errors. The width follows what is"
        " known of a run (card, generation, precision, stack, network, and how many cards stand behind these); what"
        " each gap costs is learned from the other groups' errors as well. Constant width is the usual split-conformal"
        " interval.",
        "",
        "| left out | covers % | worst group covers % | interval score | constant width: covers % | interval score |",
        "|---|--:|--:|--:|--:|--:|",
    ]
    for name, title in _TITLES.items():
        fold, key = _fold(results, name)
        half, flat = (cross_conformal(fold, results.table, key, constant=constant) for constant in (False, True))
        ours, plain = (score_cells(fold, results.table, width).overall for width in (half, flat))
        share, worst = _worst(fold, results.table, key, half)
        lines.append(
            f"| {title} | {ours.coverage90:.1f} | {share:.0f} ({worst}) | {ours.interval_score:.1f} |"
            f" {plain.coverage90:.1f} | {plain.interval_score:.1f} |"
        )
    return lines


def _worst(fold: Fold, table: Table, key: Strings, half: npt.NDArray[np.float64]) -> tuple[float, str]:
    covered = {str(value): score_cells(fold, table, half, key == value).overall.coverage90 for value in np.unique(key)}
    name = min(covered, key=lambda value: covered[value])
    return covered[name], name


def _details(results: Results) -> list[str]:
    lines: list[str] = []
    fold, key = _fold(results, "gpu")
    half = cross_conformal(fold, results.table, key)
    lines += ["", "## Each left-out card", "", _HEAD]
    for gpu in np.unique(key):
        lines.append(_line(str(gpu), score_cells(fold, results.table, half, key == gpu).overall))
    lines += ["", "## Each cell with its card left out", "", _HEAD]
    lines += [
        _line(name.replace("|", " / "), one) for name, one in score_cells(fold, results.table, half).cells.items()
    ]
    fold, key = _fold(results, "family")
    half = cross_conformal(fold, results.table, key)
    lines += ["", "## Each left-out network family", "", _HEAD]
    for family in np.unique(key):
        lines.append(_line(str(family), score_cells(fold, results.table, half, key == family).overall))
    fold, key = _fold(results, "source")
    half = cross_conformal(fold, results.table, key)
    lines += ["", "## Each left-out source (its harness and stack unknown)", "", _HEAD]
    for source in np.unique(key):
        lines.append(_line(str(source), score_cells(fold, results.table, half, key == source).overall))
    return lines + _kernels(results.kernels)


def _kernels(scores: list[KernelScore]) -> list[str]:
    if not scores:
        return []
    lines = [
        "",
        "## Operators of left-out cards",
        "",
        "Single kernels; the host's measurement floor is read off the card's fastest rows for both models.",
        "",
        "| source | precision | class | card | rows | median % | mean % | scaled roofline median % | mean % |",
        "|---|---|---|---|--:|--:|--:|--:|--:|",
    ]
    for one in scores:
        lines.append(
            f"| {one.source} | {one.precision} | {one.cls} | {one.gpu} | {one.n} | {one.median:.1f} | {one.mean:.1f} |"
            f" {one.roofline_median:.1f} | {one.roofline_mean:.1f} |"
        )
    means = [
        np.mean([getattr(one, name) for one in scores])
        for name in ("median", "mean", "roofline_median", "roofline_mean")
    ]
    lines.append("| all | | | | | " + " | ".join(f"{value:.1f}" for value in means) + " |")
    return lines
