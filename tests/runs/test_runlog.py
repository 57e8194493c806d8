"""Reading run logs."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path

import pytest

from perfmodel.errors import TableError
from perfmodel.instrument import runlog
from perfmodel.runs.runlog import read_run_log

HEADER = {
    "schema_version": 1,
    "workload": "pilotnet",
    "gpu": "t4",
    "n_gpu": 1,
    "host": "local",
    "framework": "pytorch",
    "framework_version": "2.9",
    "precision": "amp",
    "mode": "train",
    "batch": 2,
    "synchronised": True,
    "started_utc": "2026-01-01T00:00:00Z",
}


def write(
    folder: Path, *, cold: tuple[int, ...] = (1, 0, 0), forward: tuple[object, ...] = (500.0, 10.0, 12.0)
) -> Path:
    text = io.StringIO()
    writer = csv.writer(text)
    writer.writerow(runlog.COLUMNS)
    for i, (is_cold, time) in enumerate(zip(cold, forward, strict=True)):
        row = {"step": i, "batch": 2, "cold": is_cold, "step_ms": time, "forward_ms": time, "forward_own_ms": time}
        writer.writerow([row.get(name, 0) for name in runlog.COLUMNS])
    path = folder / "run.csv"
    path.write_text(f"{runlog.header_line(HEADER)}\n{text.getvalue()}")
    return path


def test_the_cold_first_step_counts_in_no_average(tmp_path: Path) -> None:
    log = read_run_log(write(tmp_path))
    assert log.header["workload"] == "pilotnet"
    assert log.mean_step_ms() == 11.0


def test_a_parquet_log_carries_its_header_as_metadata(tmp_path: Path) -> None:
    pa = pytest.importorskip("pyarrow")
    pq = pytest.importorskip("pyarrow.parquet")
    log = read_run_log(write(tmp_path))
    table = pa.table({name: list(values) for name, values in log.columns.items()})
    pq.write_table(table.replace_schema_metadata({runlog.HEADER_KEY: json.dumps(HEADER)}), tmp_path / "run.parquet")
    again = read_run_log(tmp_path / "run.parquet")
    assert again.header == log.header
    assert again.mean_step_ms() == 11.0
    pq.write_table(table, tmp_path / "bare.parquet")
    with pytest.raises(TableError, match="header"):
        read_run_log(tmp_path / "bare.parquet")


def test_a_log_without_warm_steps(tmp_path: Path) -> None:
    with pytest.raises(TableError, match="no warm step"):
        read_run_log(write(tmp_path, cold=(1, 1, 1))).mean_step_ms()


def test_a_table_that_is_no_run_log(tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    path.write_text("a,b\n1,2\n")
    with pytest.raises(TableError, match="no run-log header"):
        read_run_log(path)


def test_text_in_a_column(tmp_path: Path) -> None:
    with pytest.raises(TableError, match="step_ms holds text"):
        read_run_log(write(tmp_path, forward=("x", 1.0, 1.0)))
