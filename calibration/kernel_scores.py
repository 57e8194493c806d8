"""Errors of single kernels on cards left out of the fit, beside a scaled roofline."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from perfmodel.calibration.fit_kernels import KernelFit, predict_rows, subsample
from perfmodel.calibration.kernel_rows import KernelRows
from perfmodel.roofline.physical import PRODUCT_KINDS

Floats = npt.NDArray[np.float64]

#: A measurement's floor is the host's, not the card's: it is read off the fastest hundredth of the card's own rows.
_FLOOR_SHARE = 0.01


@dataclass(frozen=True)
class KernelScore:
    """Errors (percent) of one class of operators on one left-out card."""

    source: str
    precision: str
    cls: str
    gpu: str
    n: int
    median: float
    mean: float
    roofline_median: float
    roofline_mean: float


def host_floors(rows: KernelRows) -> dict[tuple[str, str, str], float]:
    """Seconds below which no row of a (source, card, class) lies: launch and timing of that host."""
    floors = {}
    for key in sorted(set(zip(rows.source.tolist(), rows.gpu.tolist(), rows.cls.tolist(), strict=True))):
        at = (rows.source == key[0]) & (rows.gpu == key[1]) & (rows.cls == key[2])
        floors[key] = 0.9 * float(np.quantile(rows.time_s[at], _FLOOR_SHARE))
    return floors


def roofline_bound(rows: KernelRows) -> Floats:
    """Seconds at the specified peak or bandwidth, whichever is longer."""
    engines = {"fp16": "half", "bf16": "half", "tf32": "tf32", "int8": "int8", "fp8": "fp8"}
    peak = np.select(
        [rows.precision == name for name in engines],
        [getattr(rows.device, f"{engine}_flops") for engine in engines.values()],
        default=rows.device.simt_flops,
    )
    arithmetic = np.where(np.isin(rows.ops.kind, PRODUCT_KINDS), rows.ops.flops, 0.0) / np.maximum(peak, 1.0)
    result: Floats = np.maximum(arithmetic, (rows.ops.read + rows.ops.write) / rows.device.bandwidth)
    return result


def score_kernels(rows: KernelRows, without: Callable[[str], KernelFit], per_cell: int = 600) -> list[KernelScore]:
    """Score every class on every card with a fit that never saw the card.

    The scaled roofline gets the same floors and a constant for each class fitted on the other cards.
    """
    sample = subsample(rows, per_cell, seed=11)
    floors = host_floors(rows)
    bound = roofline_bound(sample)
    floor = np.array(
        [floors[key] for key in zip(sample.source.tolist(), sample.gpu.tolist(), sample.cls.tolist(), strict=True)]
    )
    scores = []
    for gpu in np.unique(sample.gpu):
        fit = without(str(gpu))
        fit = replace(fit, floors={**fit.floors, **{key: value for key, value in floors.items() if key[1] == gpu}})
        at = np.flatnonzero(sample.gpu == gpu)
        own = sample.select(at)
        predicted = predict_rows(own, fit)
        for source, precision, cls in sorted(set(zip(own.source, own.precision, own.cls, strict=True))):
            mask = (own.source == source) & (own.precision == precision) & (own.cls == cls)
            others = (sample.gpu != gpu) & (sample.cls == cls) & (sample.precision == precision)
            others &= sample.source == source
            if mask.sum() < 20 or others.sum() < 20:
                continue
            scale = np.median((sample.time_s[others] - floor[others]).clip(1e-7) / bound[others])
            simple = scale * bound[at][mask] + floor[at][mask]
            ours = np.abs(predicted[mask] / own.time_s[mask] - 1)
            theirs = np.abs(simple / own.time_s[mask] - 1)
            scores.append(
                KernelScore(
                    str(source), str(precision), str(cls), str(gpu), int(mask.sum()),
                    *(100 * float(value) for value in (np.median(ours), ours.mean(), np.median(theirs), theirs.mean())),
                )
            )  # fmt: skip
    return scores
