"""Fitting the coefficients of the processor model to measured operators."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from perfmodel.graph.operators import KIND_CODE, PASS_CODE, PHASE_CODE, Operators
from perfmodel.roofline.cpu import (
    CLASS_CODE,
    CLASSES,
    DEFAULT_CLASSES,
    PRODUCT_CLASSES,
    CpuClass,
    CpuCoefficients,
    Work,
    operator_seconds,
    work_of,
)

from .cases import Case

Floats = npt.NDArray[np.float64]

#: Standard deviation of the logarithm of a coefficient around its default: weak, so that it only decides where rows
#: do not.
PRIOR_SD = 1.5
#: Scale of log residuals from which on rows count less (outliers of a shared machine).
ROBUST = 0.15
_STREAMS = ("add", "mul", "relu", "clone", "sum")


@dataclass(frozen=True, kw_only=True)
class Measured:
    """One measured operator.

    Attributes
    ----------
    case : Case
    time_s : float
        Seconds of one call.
    working_set : float
        Bytes that the measurement walked through: the operator's own, or all copies of its data.
    """

    case: Case
    time_s: float
    working_set: float


@dataclass(frozen=True)
class Fit:
    """Coefficients and what they leave unexplained.

    Attributes
    ----------
    coefficients : CpuCoefficients
    residual_sd : dict of str to float
        Root mean square log residual of each class with rows.
    rows : dict of str to int
        Rows of each class.
    """

    coefficients: CpuCoefficients
    residual_sd: dict[str, float]
    rows: dict[str, int]


def operators_of(rows: Sequence[Measured]) -> Operators:
    """The measured cases as operators of a graph, each once."""
    cases = [row.case for row in rows]

    def column(name: str) -> Floats:
        return np.array([float(getattr(case, name)) for case in cases])

    forward = np.array([case.pass_ == "fwd" for case in cases])
    channels = np.array([dict(case.shape).get("cin", 0) for case in cases])
    groups = column("groups")
    return Operators(
        kind=np.array([KIND_CODE[case.kind] for case in cases], np.int8),
        phase=np.where(forward, PHASE_CODE["forward"], PHASE_CODE["backward"]).astype(np.int8),
        pass_=np.array([PASS_CODE[case.pass_] for case in cases], np.int8),
        name=tuple(case.op if case.pass_ == "fwd" else f"{case.op}_backward" for case in cases),
        half=np.zeros(len(cases), bool),
        count=np.ones(len(cases)),
        **{name: column(name) for name in ("b", "m", "n", "k", "flops", "rows", "cols", "window")},
        read=column("read_bytes"),
        write=column("write_bytes"),
        stride=np.maximum(column("stride"), 1.0),
        depthwise=(groups > 1) & (groups == channels),
        winograd=np.zeros(len(cases), bool),
        saved=np.zeros(len(cases)),
    )


def fit_coefficients(rows: Sequence[Measured], start: CpuCoefficients) -> Fit:
    """Fit the peak, the bandwidths and the coefficients of every class that has rows.

    Parameters
    ----------
    rows : sequence of Measured
        Microbenchmarks.
    start : CpuCoefficients
        Threads, vector width, and what was measured directly; its classes are the defaults for those without rows.

    Returns
    -------
    Fit
        Classes are fitted one by one by robust least squares of log time, each coefficient kept positive and near its
        default where its rows do not say otherwise.
    """
    ops = operators_of(rows)
    work = work_of(ops, start.lanes)
    times = np.array([row.time_s for row in rows])
    sets = np.array([row.working_set for row in rows])
    dense = (work.code < CLASS_CODE["depthwise"]) | (work.code == CLASS_CODE["gemm"])
    peak = float(np.max(work.flops[dense] / times[dense])) if dense.any() else start.flops
    found = _fit_memory(rows, work, times, sets, replace(start, flops=peak))
    residual_sd, count = {}, {}
    for code, name in enumerate(CLASSES):
        chosen = work.code == code
        if not chosen.any():
            continue
        part, measured, walked = _select(work, chosen), times[chosen], sets[chosen]
        found, residuals = _fit_class(found, name, part, measured, walked)
        residual_sd[name] = float(np.sqrt(np.mean(residuals**2)))
        count[name] = int(chosen.sum())
    return Fit(found, residual_sd, count)


def _select(work: Work, chosen: npt.NDArray[np.bool_]) -> Work:
    return Work(work.code[chosen], work.flops[chosen], work.sizes[:, chosen], work.traffic[chosen])


def _solve(residuals: Callable[[Floats], Floats], start: Floats, *, sd: float = PRIOR_SD) -> Floats:
    """Minimise robust log residuals plus the pull towards the start; all in logarithms of the coefficients."""
    from scipy.optimize import least_squares

    def weighted(x: Floats) -> Floats:
        r = residuals(x) / ROBUST
        robust = np.sign(r) * np.sqrt(2.0 * (np.sqrt(1.0 + r * r) - 1.0))
        return np.concatenate([robust, (x - start) / sd])

    return np.asarray(least_squares(weighted, start, max_nfev=400).x)


def _fit_memory(
    rows: Sequence[Measured], work: Work, times: Floats, sets: Floats, c: CpuCoefficients
) -> CpuCoefficients:
    """Bandwidths and the size of the cache, from streaming operators, together with the cost of their calls."""
    chosen = np.array([row.case.op in _STREAMS for row in rows])
    if chosen.sum() < 6:
        return c
    part, measured, walked = _select(work, chosen), np.log(times[chosen]), sets[chosen]
    base = c.classes["elementwise"]
    start = np.log([c.bandwidth, c.cache_bandwidth, c.cache_bytes, base.overhead_s])
    streams = {name: replace(c.classes[name], memory=1.0, share=1e3) for name in ("elementwise", "reduce", "copy")}

    def build(x: Floats) -> CpuCoefficients:
        bandwidth, cache, size, overhead = np.exp(x)
        classes = {**c.classes, **{n: replace(one, overhead_s=float(overhead)) for n, one in streams.items()}}
        return replace(
            c, bandwidth=float(bandwidth), cache_bandwidth=float(max(cache, bandwidth)), cache_bytes=float(size),
            classes=classes,
        )  # fmt: skip

    best = _solve(lambda x: np.log(operator_seconds(part, build(x), working_set=walked)) - measured, start, sd=3.0)
    solved = build(best)
    return replace(solved, classes=c.classes)


def _fit_class(
    c: CpuCoefficients, name: str, work: Work, times: Floats, sets: Floats
) -> tuple[CpuCoefficients, Floats]:
    """Fit one class; returns the coefficients with it, and its log residuals (predicted over measured)."""
    product = name in PRODUCT_CLASSES
    base = DEFAULT_CLASSES[name]
    start = [base.overhead_s, base.share, base.memory]
    if product:
        start += [max(value, 0.3) for value in base.half]
    measured = np.log(times)

    def build(x: Floats) -> CpuCoefficients:
        values = [float(value) for value in np.exp(x)]
        half = (values[3], values[4], values[5]) if product else (0.0, 0.0, 0.0)
        one = CpuClass(overhead_s=values[0], share=values[1], memory=values[2], half=half)
        return replace(c, classes={**c.classes, name: one})

    def residuals(x: Floats) -> Floats:
        return np.asarray(np.log(operator_seconds(work, build(x), working_set=sets)) - measured)

    best = _solve(residuals, np.log(np.array(start)))
    return build(best), residuals(best)


def describe(fit: Fit) -> dict[str, Any]:
    """Rows and residuals by class, for the profile's provenance."""
    return {name: {"rows": fit.rows[name], "log_sd": round(fit.residual_sd[name], 4)} for name in fit.rows}
