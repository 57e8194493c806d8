"""Left-out groups: a fold never sees its own group's times."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from perfmodel.calibration.base import base_prior
from perfmodel.calibration.cross_validation import (
    Fitted,
    Fold,
    Table,
    answer_table,
    features_of,
    fit_table,
    kernel_cache,
    leave_out,
    take,
)
from perfmodel.calibration.fit_kernels import KernelFit, fit_kernels
from perfmodel.calibration.kernel_rows import read_kernel_rows
from perfmodel.roofline.coefficients import KernelCoefficients
from perfmodel.validation.features import QuestionFeatures

Rows = list[dict[str, Any]]
PLAIN = KernelFit(KernelCoefficients())


def fitted(table: Table) -> tuple[QuestionFeatures, Fitted]:
    """Features and a fit of all rows."""
    found = features_of(table, PLAIN)
    return found, fit_table(table, found, PLAIN)


def without(table: Table, key: str) -> Fold:
    """Every group left out in turn."""
    found, full = fitted(table)
    return leave_out(key, table, getattr(table, key), full, found, progress=False)


def poisoned(rows: Rows, column: str, value: str, factor: float = 10.0) -> Rows:
    """The same rows with the times of one group changed."""
    return [{**row, "latency_ms": row["latency_ms"] * (factor if row[column] == value else 1.0)} for row in rows]


@pytest.mark.parametrize(
    ("key", "column", "value", "group"),
    [
        ("gpu", "gpu", "t4", "t4"),
        ("gpu", "gpu", "k80", "k80"),
        ("source", "source", "lab", "lab"),
        ("family", "model", "vgg16", "vgg"),
    ],
)
def test_times_of_a_group_do_not_move_its_predictions(
    tables: Callable[[Rows], Table], step_table: Rows, key: str, column: str, value: str, group: str
) -> None:
    table = tables(step_table)
    clean, poison = without(table, key), without(tables(poisoned(step_table, column, value)), key)
    own = getattr(table, key) == group
    assert own.sum() >= 8
    # The first guess of a fold is the fit of all rows; what it leaves in the answer is below a tenth of a percent.
    np.testing.assert_allclose(poison.time_s[own] / clean.time_s[own], 1.0, atol=1e-3)
    np.testing.assert_allclose(poison.sigma[own], clean.sigma[own], rtol=1e-12)
    for name, values in clean.baselines.items():
        np.testing.assert_allclose(poison.baselines[name][own], values[own], rtol=1e-9)
    assert np.abs(poison.time_s[~own] / clean.time_s[~own] - 1.0).max() > 0.05  # the others did see the poison


def test_a_fold_is_a_fit_of_the_other_rows(tables: Callable[[Rows], Table], step_table: Rows) -> None:
    table = tables(step_table)
    fold = without(table, "gpu")
    found = features_of(table, PLAIN)
    own = table.gpu == "v100-sxm2-16"
    train, test = np.flatnonzero(~own), np.flatnonzero(own)
    cold = fit_table(table.select(train), take(found, train), PLAIN, iterations=20)
    alone = answer_table(table.select(test), take(found, test), cold.prior)
    np.testing.assert_allclose(fold.time_s[own] / alone.time_s, 1.0, atol=2e-3)
    np.testing.assert_allclose(fold.sigma[own], alone.sigma, rtol=1e-12)


def test_left_out_cards_are_predicted_but_worse(tables: Callable[[Rows], Table], step_table: Rows) -> None:
    table = tables(step_table)
    found, full = fitted(table)
    seen, left = answer_table(table, found, full.prior), without(table, "gpu")
    measured = np.array([one.time_s for one in table.questions])
    inside, outside = (np.median(np.abs(fold.time_s / measured - 1.0)) for fold in (seen, left))
    assert inside < 0.04
    assert inside < outside < 0.25
    assert np.median(left.sigma / seen.sigma) > 1.0  # what was not seen is less certain


def test_every_row_is_answered(tables: Callable[[Rows], Table], step_table: Rows) -> None:
    table = tables(step_table)
    for key in ("gpu", "family", "source"):
        fold = without(table, key)
        for values in (fold.time_s, fold.sigma, *fold.baselines.values()):
            assert values.shape == (len(step_table),)
            assert np.isfinite(values).all()
            assert (values > 0).all()
        assert set(fold.baselines) == {"share_of_peak", "two_constants", "scaled_roofline"}


def test_progress_names_what_is_left_out(
    tables: Callable[[Rows], Table], step_table: Rows, capsys: pytest.CaptureFixture[str]
) -> None:
    table = tables(step_table)
    found, full = fitted(table)
    leave_out("source", table, table.source, full, found)
    lines = capsys.readouterr().err.splitlines()
    assert [line.split(":")[0].strip() for line in lines] == ["without source cloud", "without source lab"]


def test_a_left_out_card_gets_kernels_that_never_saw_it(tables: Callable[[Rows], Table], step_table: Rows) -> None:
    table = tables(step_table)
    found, full = fitted(table)
    asked: list[str] = []

    def slower(gpu: str) -> KernelFit:
        asked.append(gpu)
        return replace(PLAIN, coefficients=KernelCoefficients(convolution=0.2)) if gpu == "t4" else PLAIN

    # Kernels as they were are `full.kernels` itself: the features at hand are used again.
    fold = leave_out("gpu", table, table.gpu, full, found, slower, progress=False)
    plain = leave_out("gpu", table, table.gpu, full, found, progress=False)
    assert asked == sorted(set(table.gpu))
    own = table.gpu == "t4"
    np.testing.assert_array_equal(fold.time_s[~own], plain.time_s[~own])
    assert (fold.time_s[own] != plain.time_s[own]).any()


def test_kernel_fits_leave_siblings_out_and_are_kept(
    kernel_table: Callable[..., Path], random_kernels: Callable[..., Any]
) -> None:
    cards = ("a100-pcie-40", "a100-pcie-80", "v100-pcie-32", "p4")
    rows = read_kernel_rows(kernel_table(random_kernels(cards, 4)))
    full = fit_kernels(rows, names=("convolution",), iterations=1)
    cached = kernel_cache(rows, full)
    left = cached("a100-sxm4-40")
    assert set(left.cards) == {"v100-pcie-32", "p4"}
    assert cached("a100-pcie-80") is left
    assert set(cached("p4").cards) == {"a100-pcie-40", "a100-pcie-80", "v100-pcie-32"}
    assert cached("h100") is full
    assert cached("t4") is full


def test_kernel_fits_do_not_move_with_the_times_of_the_card(
    kernel_table: Callable[..., Path], random_kernels: Callable[..., Any]
) -> None:
    rows = read_kernel_rows(kernel_table(random_kernels(("a100-pcie-40", "v100-pcie-32"), 4)))
    full = fit_kernels(rows, names=("convolution",), iterations=1)
    slow = replace(rows, time_s=np.where(rows.gpu == "v100-pcie-32", 10 * rows.time_s, rows.time_s))
    first, second = (kernel_cache(some, full)("v100-sxm2-16") for some in (rows, slow))
    assert first == second
    assert kernel_cache(rows, full)("a100-pcie-40") != kernel_cache(slow, full)("a100-pcie-40")


def test_tables_know_their_groups(tables: Callable[[Rows], Table], step_table: Rows) -> None:
    table = tables(step_table)
    assert set(table.source) == {"lab", "cloud"}
    assert set(table.family) == {"resnet", "vgg", "bert", "mobile"}
    assert table.cell[0] == f"{table.source[0]}|{table.gpu[0]}|{table.phase[0]}"
    some = table.select(np.array([5, 2]))
    assert some.questions == [table.questions[5], table.questions[2]]
    assert some.cell.tolist() == [table.cell[5], table.cell[2]]


def test_features_of_some_rows(tables: Callable[[Rows], Table], step_table: Rows) -> None:
    table = tables(step_table)
    found = features_of(table, PLAIN)
    index = np.array([7, 3, 3])
    some, alone = take(found, index), features_of(table.select(index), PLAIN)
    np.testing.assert_allclose(some.steps.seconds, alone.steps.seconds)
    np.testing.assert_allclose(some.host, alone.host)
    np.testing.assert_allclose(some.input_bytes, alone.input_bytes)
    assert base_prior(PLAIN.coefficients).kernel == PLAIN.coefficients
