"""Coefficients of an image's cost from measured files, by non-negative least squares of relative errors."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from perfmodel.loading.file_sample import FileSample
from perfmodel.loading.pipelines import Cost

Floats = npt.NDArray[np.float64]

_TERMS = {
    "jpeg": ("kb", "mpx", "coded_mpx", "out_mpx", "fixed"),
    "progressive": ("kb", "mpx", "coded_mpx", "out_mpx", "fixed"),
    "png": ("kb", "mpx", "out_mpx", "fixed"),  # samples a pixel do not vary in RGB
}
_SHARED = ("out_mpx", "fixed")
"""What follows decoding, and is alike for all formats: fitted on baseline JPEG, of which there is most."""


@dataclass(frozen=True, kw_only=True)
class CostFit:
    """Coefficients by kind.

    Attributes
    ----------
    costs : dict of str to Cost
    residual_sd : float
        Root mean square log of measured over fitted, single files.
    rows : dict of str to int
        Files of each kind.
    """

    costs: dict[str, Cost]
    residual_sd: float
    rows: dict[str, int]


def fit_costs(sample: FileSample, out_mpx: Floats, ms: Floats) -> CostFit:
    """Fit the cost of files by kind.

    Parameters
    ----------
    sample : FileSample
    out_mpx : array (n,)
        Million pixels of each file's output.
    ms : array (n,)
        Measured CPU time.
    """
    kinds = np.array(sample.kinds)
    costs: dict[str, Cost] = {}
    fitted = np.array(ms, dtype=np.float64)
    for kind in (kind for kind in _TERMS if (kinds == kind).any()):
        one = kinds == kind
        table = {
            "kb": sample.kb[one], "mpx": sample.mpx[one], "coded_mpx": sample.coded_mpx[one], "out_mpx": out_mpx[one],
            "fixed": np.ones(int(one.sum())),
        }  # fmt: skip
        known = {name: getattr(costs["jpeg"], name) for name in _SHARED} if "jpeg" in costs else {}
        costs[kind] = Cost(**known, **_fit(table, [name for name in _TERMS[kind] if name not in known], ms[one], known))
        fitted[one] = costs[kind].ms(**{name: table[name] for name in table if name != "fixed"})
    residual = np.log(ms / np.maximum(fitted, 1e-9))
    return CostFit(
        costs=costs,
        residual_sd=float(np.sqrt(np.mean(residual**2))),
        rows={kind: int((kinds == kind).sum()) for kind in costs},
    )


def _fit(table: dict[str, Floats], names: list[str], ms: Floats, known: dict[str, float]) -> dict[str, float]:
    from scipy.optimize import nnls

    rest = ms - sum((value * table[name] for name, value in known.items()), np.zeros_like(ms))
    matrix = np.stack([table[name] for name in names], axis=1) / ms[:, None]
    scale = np.maximum(np.abs(matrix).max(axis=0), 1e-12)
    solution, _ = nnls(matrix / scale, np.maximum(rest, 0.0) / ms)
    return {name: float(value) for name, value in zip(names, solution / scale, strict=True)}
