"""This project's run log as measured rows."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from perfmodel.errors import TableError
from perfmodel.instrument import runlog
from perfmodel.runs.gather import gather_runs
from perfmodel.runs.runlog import read_run_log
from tests.runs.conftest import HEADER, run_log_rows, run_log_text


def write(folder: Path, text: str) -> Path:
    path = folder / "run.csv"
    path.write_text(text)
    return path


def test_each_step_is_a_row_and_the_header_its_columns(tmp_path: Path) -> None:
    path = write(tmp_path, run_log_text())
    runs = gather_runs(path).runs
    assert runs.number("latency_ms").tolist() == [1405, 515, 517]
    assert runs.text("cold").tolist() == ["1", "0", "0"]
    expected = {"gpu": "p100", "model": "cyclegan", "phase": "train", "precision": "fp32", "blocks": "9",
                "data_pair": "VKITTI-KITTI", "workers": "4", "framework_version": "2.9", "n_gpu": "1",
                "batch": "4", "synchronised": "true"}  # fmt: skip
    assert {name: runs.text(name)[2] for name in expected} == expected
    warm = runs.select(runs.number("cold") == 0)
    assert warm.step_s.mean() * 1e3 == pytest.approx(read_run_log(path).mean_step_ms())


def test_waiting_for_input_is_not_compute(tmp_path: Path) -> None:
    runs = gather_runs(write(tmp_path, run_log_text())).runs
    assert runs.number("data_ms").tolist() == [905, 15, 17]
    assert runs.number("image_ms").tolist() == [125, 125, 125]


def test_the_batch_is_over_all_cards(tmp_path: Path) -> None:
    runs = gather_runs(write(tmp_path, run_log_text(n_gpu=2, batch=8))).runs
    assert runs.number("batch").tolist() == [8, 8, 8]


def test_parquet_carries_the_header_as_metadata(tmp_path: Path) -> None:
    pa = pytest.importorskip("pyarrow")
    pq = pytest.importorskip("pyarrow.parquet")
    rows = run_log_rows()
    table = pa.table({name: [row[name] for row in rows] for name in runlog.COLUMNS})
    pq.write_table(table.replace_schema_metadata({runlog.HEADER_KEY: json.dumps(HEADER)}), tmp_path / "run.parquet")
    plain, other = (gather_runs(path).runs for path in (write(tmp_path, run_log_text()), tmp_path / "run.parquet"))
    for name in ("latency_ms", "data_ms", "image_ms", "cold", "batch", "epoch"):
        assert other.number(name).tolist() == plain.number(name).tolist()


def test_faults_are_named_and_salvaged(tmp_path: Path) -> None:
    lines = run_log_text().splitlines()
    lines[3] = lines[3].replace("515.0", "x")
    path = write(tmp_path, "\n".join(lines) + "\n")
    with pytest.raises(TableError, match=r"row 2: step_ms is 'x', not a number"):
        gather_runs(path)
    assert gather_runs(path, salvage=True).runs.text("row").tolist() == ["1", "3"]
    path = write(tmp_path, run_log_text().replace("515.0", "600.0"))
    with pytest.raises(TableError, match="row 2: step_ms exposed parts sum to 515 ms, the step is 600 ms"):
        gather_runs(path)


def test_a_run_on_a_processor_is_known(tmp_path: Path) -> None:
    runs = gather_runs(write(tmp_path, run_log_text(gpu="cpu"))).runs
    assert set(runs.text("gpu")) == {"cpu"}


def test_a_contradicting_setting(tmp_path: Path) -> None:
    path = write(tmp_path, run_log_text())
    with pytest.raises(TableError, match="row 1: gpu is 'p100', but gpu=v100 was set"):
        gather_runs(path, known={"gpu": "v100"})


def test_a_log_of_a_later_schema_or_without_a_column(tmp_path: Path) -> None:
    text = run_log_text()
    with pytest.raises(TableError, match="run-log schema 9"):
        gather_runs(write(tmp_path, text.replace('"schema_version": 1', '"schema_version": 9')))
    with pytest.raises(TableError, match="lacks the column load_ms"):
        gather_runs(write(tmp_path, text.replace("load_ms", "loading", 1)))
