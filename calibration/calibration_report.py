"""The part of ``docs/accuracy.md`` about left-out cards after a calibration."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import numpy.typing as npt

from perfmodel.calibration.after_calibration import Calibrated, KernelCalibration

Floats = npt.NDArray[np.float64]

_TEXT = (
    "Every left-out card again, after a few of its own steps were measured on the software stack in question: each"
    " source and stack of a card apart, at least five other rows left to score. Which steps is a fixed rule: greedily"
    " those whose predicted shares take away most of the others' variance; nothing is drawn at random, and no measured"
    " time is looked at. Median errors of cells (source x card x phase), averaged over cells; the same rows before and"
    " after. The standard deviations of a profile's terms were chosen with these rows in sight (largest marginal"
    " likelihood, rounded)."
)


def calibration_lines(
    calibrated: Calibrated, kernels: Sequence[KernelCalibration], conformal: Mapping[str, float]
) -> list[str]:
    """Lines of the report.

    Parameters
    ----------
    calibrated : Calibrated
    kernels : sequence of KernelCalibration
    conformal : mapping
        Factors from standard deviation to half-width, by coverage.
    """
    if not calibrated.ratio:
        return []
    lines = [
        "", "## After calibration", "", _TEXT, "",
        "| steps measured | cells | rows | before: median % | after: median % | half of the cells below % |"
        " nine of ten cells below % | worst cell % | covers % |",
        "|--:|--:|--:|--:|--:|--:|--:|--:|--:|",
    ]  # fmt: skip
    lines += [_line(calibrated, count, conformal["0.9"]) for count in sorted(calibrated.ratio)]
    lines += ["", "### Cells after calibration", "", "Median errors before > after, %, by steps measured.", ""]
    counts = sorted(calibrated.ratio)
    lines += ["| cell | " + " | ".join(map(str, counts)) + " |", "|---|" + "--:|" * len(counts)]
    for cell in sorted(set().union(*calibrated.ratio.values())):
        cells = [_change(calibrated, count, cell) for count in counts]
        lines.append(f"| {cell.replace('|', ' / ')} | " + " | ".join(cells) + " |")
    return lines + _kernel_lines(kernels)


def _median(parts: Sequence[Floats]) -> float:
    """Median error in percent."""
    return 100.0 * float(np.median(np.abs(np.expm1(-np.concatenate(parts)))))


def _line(calibrated: Calibrated, count: int, factor: float) -> str:
    ratio, sigma = calibrated.ratio[count], calibrated.sigma[count]
    after = {cell: _median(parts) for cell, parts in ratio.items()}
    before = [_median(parts) for parts in calibrated.before[count].values()]
    covered = [
        100.0 * float(np.mean(np.abs(np.concatenate(parts)) < factor * np.concatenate(sigma[cell])))
        for cell, parts in ratio.items()
    ]
    worst = max(after, key=lambda cell: after[cell])
    values = list(after.values())
    rows = sum(len(part) for parts in ratio.values() for part in parts)
    numbers = [np.mean(before), np.mean(values), np.median(values), np.quantile(values, 0.9)]
    text = " | ".join(f"{value:.1f}" for value in numbers)
    where = f"{after[worst]:.1f} ({worst.replace('|', ' / ')})"
    return f"| {count} | {len(values)} | {rows} | {text} | {where} | {np.mean(covered):.1f} |"


def _change(calibrated: Calibrated, count: int, cell: str) -> str:
    if cell not in calibrated.ratio[count]:
        return "-"
    return f"{_median(calibrated.before[count][cell]):.1f} > {_median(calibrated.ratio[count][cell]):.1f}"


def _kernel_lines(kernels: Sequence[KernelCalibration]) -> list[str]:
    if not kernels:
        return []
    lines = [
        "", "### Operators after calibration", "",
        "Four kernels of each class of a left-out card were measured, at even ranks of the predicted time; the others:",
        "",
        "| source | class | card | rows | before: median % | mean % | after: median % | mean % |",
        "|---|---|---|--:|--:|--:|--:|--:|",
    ]  # fmt: skip
    for one in kernels:
        numbers = (one.median_before, one.mean_before, one.median, one.mean)
        lines.append(
            f"| {one.source} | {one.cls} | {one.gpu} | {one.n} | " + " | ".join(f"{v:.1f}" for v in numbers) + " |"
        )
    names = ("median_before", "mean_before", "median", "mean")
    means = [np.mean([getattr(one, name) for one in kernels]) for name in names]
    return [*lines, "| all | | | | " + " | ".join(f"{value:.1f}" for value in means) + " |"]
