"""Cold first rows are left out and named."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from perfmodel.regression.guards import check_rows
from perfmodel.regression.guards.cold import check_cold

Make = Callable[..., Any]


def test_mistake_1_cold_first_row(log_table: Make) -> None:
    """The first logged row held the start of the loader and was plotted as data-loading time."""
    frame = log_table()
    frame.loc[0, "data_ms"] = 4200.0
    checks = check_rows(frame, "data_ms")
    assert np.flatnonzero(~checks.keep).tolist() == [0]
    (finding,) = [one for one in checks.findings if one.guard == "cold"]
    assert finding.severity == "warning"
    assert finding.rows == (0,)
    assert "run.csv" in finding.text
    assert "row 1" in finding.text
    assert "data_ms 4200" in finding.text


def test_the_first_row_of_each_epoch_is_judged(log_table: Make) -> None:
    frame = log_table()
    frame.loc[[0, 10, 20], "data_ms"] = [5000.0, 900.0, 1000.0]
    cold, findings = check_cold(frame)
    assert np.flatnonzero(cold).tolist() == [0, 10, 20]
    assert "rows 1, 11 and 21" in findings[0].text


def test_two_first_rows_may_be_cold_but_a_late_one_stays(log_table: Make) -> None:
    frame = log_table(epochs=1, rows=30)
    frame.loc[[0, 1, 15], "step_ms"] *= 6.0
    assert np.flatnonzero(check_cold(frame)[0]).tolist() == [0, 1]


def test_each_file_is_a_run_of_its_own(log_table: Make) -> None:
    pandas = pytest.importorskip("pandas")
    frame = pandas.concat([log_table(file="a.csv"), log_table(file="b.csv")], ignore_index=True)
    frame.loc[30, "data_ms"] *= 50.0
    frame["row"] = np.tile(np.arange(1.0, 31.0), 2)
    cold, findings = check_cold(frame)
    assert np.flatnonzero(cold).tolist() == [30]
    assert findings[0].text.startswith("b.csv: row 1 is first")


def test_cold_rows_of_many_files_are_one_finding_with_base_names(log_table: Make) -> None:
    pandas = pytest.importorskip("pandas")
    logs = [log_table(file=f"/data/logs/{name}.csv") for name in "abcdef"]
    for log in logs:
        log.loc[0, "data_ms"] *= 50.0
        log["row"] = np.arange(1.0, len(log) + 1)
    cold, (finding,) = check_cold(pandas.concat(logs, ignore_index=True))
    assert cold.sum() == 6
    assert finding.text.startswith("6 rows of 6 files are first of a run or an epoch")
    assert "(row 1 of a.csv, row 1 of b.csv, row 1 of c.csv and 3 more; data_ms" in finding.text
    assert "/data" not in finding.text
    assert len(finding.rows) == 6


def test_rows_marked_cold_are_left_out(log_table: Make) -> None:
    frame = log_table()
    frame.loc[:1, "cold"] = 1.0
    cold, findings = check_cold(frame)
    assert np.flatnonzero(cold).tolist() == [0, 1]
    assert [(one.severity, one.columns) for one in findings] == [("note", ("cold",))]


def test_the_rows_of_a_table_of_results_have_no_first_one(table: Make) -> None:
    frame = table(repeats=8).sample(frac=1.0, random_state=0, ignore_index=True).assign(file="results.csv")
    first = frame.drop_duplicates(["gpu", "blocks", "batch"]).index
    frame.loc[first, "step_ms"] *= 1.8
    assert not check_cold(frame)[0].any()


@pytest.mark.parametrize("seed", range(20))
def test_a_sound_table_is_silent(table: Make, seed: int) -> None:
    frame = table(("p100-pcie-16",), blocks=(9,), repeats=40, noise=0.05, seed=seed)
    cold, findings = check_cold(frame)
    assert not cold.any()
    assert not findings


def test_a_loader_with_many_slow_batches_has_no_cold_row(log_table: Make) -> None:
    frame = log_table()
    frame.loc[::5, "data_ms"] *= 20.0
    assert not check_cold(frame)[0].any()


def short(log_table: Make, data_ms: list[float]) -> Any:
    frame = log_table().head(4).reset_index(drop=True)
    frame["data_ms"] = data_ms
    return frame


def test_mistake_1_is_found_in_a_short_log_too(log_table: Make) -> None:
    """Four rows, the first a thousand times the others: start-up of the loader, not another unit."""
    checked = check_rows(short(log_table, [2101.0, 2.0, 2.0, 3.0]), "log(data_ms)")
    assert checked.keep.tolist() == [False, True, True, True]
    assert [one.guard for one in checked.findings] == ["cold"]


def test_a_short_run_that_merely_varies_has_no_cold_row(log_table: Make) -> None:
    assert check_rows(short(log_table, [5.0, 2.0, 2.0, 3.0]), "log(data_ms)").keep.all()
