"""Fitting the processor model: planted coefficients come back, outliers do not matter, few rows do no harm."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest

from perfmodel.calibration.cpu_cases import designed_cases
from perfmodel.calibration.cpu_fit import Measured, describe, fit_coefficients, operators_of
from perfmodel.roofline.cpu import CLASSES, CpuClass, CpuCoefficients, classify, operator_seconds, work_of

pytest.importorskip("scipy")

START = CpuCoefficients(threads=1, flops=1e11, lanes=8, bandwidth=1.2e10, cache_bandwidth=4e10, cache_bytes=2e7)
TRUE = replace(
    START,
    bandwidth=3e10,
    cache_bandwidth=9e10,
    cache_bytes=1e7,
    classes={
        **START.classes,
        **{name: CpuClass(overhead_s=1e-6, share=1e3) for name in ("elementwise", "reduce", "copy")},
        "conv_fwd": CpuClass(overhead_s=4e-5, share=0.8, half=(3.0, 1.0, 0.5), memory=4.0),
        "gemm": CpuClass(overhead_s=2e-6, share=0.4, half=(2.0, 5.0, 1.0), memory=1.5),
        "norm_fwd": CpuClass(overhead_s=3e-6, share=0.5),
        "pool": CpuClass(overhead_s=3e-6, share=0.1),
    },
)


def rows_of(c: CpuCoefficients, *, noise: float, seed: int = 0) -> list[Measured]:
    """The designed cases, with cold copies of the streaming ones, timed by the model itself."""
    bare = []
    for case in designed_cases():
        moved = case.read_bytes + case.write_bytes
        sets = (moved,) if case.kind in ("conv", "pool") else (moved, max(moved, 6e7))
        bare += [Measured(case=case, time_s=1.0, working_set=one) for one in sets]
    times = operator_seconds(
        work_of(operators_of(bare), c.lanes), c, working_set=np.array([row.working_set for row in bare])
    )
    times = times * np.exp(noise * np.random.default_rng(seed).standard_normal(len(bare)))
    return [replace(row, time_s=float(time)) for row, time in zip(bare, times, strict=True)]


def predicted(rows: Sequence[Measured], c: CpuCoefficients) -> np.ndarray[tuple[int, ...], np.dtype[np.float64]]:
    sets = np.array([row.working_set for row in rows])
    return np.asarray(operator_seconds(work_of(operators_of(rows), c.lanes), c, working_set=sets))


def test_planted_coefficients_come_back() -> None:
    rows = rows_of(TRUE, noise=0.03)
    fit = fit_coefficients(rows, START)
    found = fit.coefficients
    assert found.bandwidth == pytest.approx(TRUE.bandwidth, rel=0.1)
    assert found.cache_bandwidth == pytest.approx(TRUE.cache_bandwidth, rel=0.15)
    for name in ("conv_fwd", "gemm"):
        reached = found.flops * found.classes[name].share
        assert reached == pytest.approx(TRUE.flops * TRUE.classes[name].share, rel=0.15)
    assert found.classes["norm_fwd"].share == pytest.approx(0.5, rel=0.05)
    assert np.median(np.abs(np.log(predicted(rows, found) / predicted(rows, TRUE)))) < 0.03
    assert fit.residual_sd["conv_fwd"] < 0.06
    assert sum(fit.rows.values()) == len(rows)
    assert describe(fit)["pool"]["rows"] == fit.rows["pool"]


def test_a_few_rows_taken_while_something_else_ran_do_not_move_it() -> None:
    rows = rows_of(TRUE, noise=0.03)
    clean = fit_coefficients(rows, START).coefficients
    disturbed = [replace(row, time_s=row.time_s * (6.0 if index % 17 == 0 else 1.0)) for index, row in enumerate(rows)]
    found = fit_coefficients(disturbed, START).coefficients
    change = np.abs(np.log(predicted(rows, found) / predicted(rows, clean)))
    assert np.median(change) < 0.05


def test_classes_without_rows_keep_typical_figures_and_few_rows_are_enough_for_an_answer() -> None:
    rows = [row for row in rows_of(TRUE, noise=0.0) if row.case.op == "linear"][:4]
    fit = fit_coefficients(rows, START)
    assert fit.coefficients.classes["conv_fwd"] == START.classes["conv_fwd"]
    assert np.all(np.isfinite(predicted(rows, fit.coefficients)))
    assert set(fit.rows) <= {"gemm", "gemm_wgrad"}


def test_the_design_covers_every_class() -> None:
    rows = [Measured(case=case, time_s=1.0, working_set=1.0) for case in designed_cases()]
    covered = {CLASSES[code] for code in classify(operators_of(rows))}
    assert covered == set(CLASSES)
    assert len({case.key for case in designed_cases()}) == len(rows)
    assert max(case.flops for case in designed_cases()) < 1.2e9
