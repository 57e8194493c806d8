"""Measured rows: numbers, step times and what their words mean."""

from __future__ import annotations

import math
import time
from pathlib import Path

import numpy as np
import pytest

from perfmodel.errors import TableError
from perfmodel.runs.rows import Runs, read_runs, row_precision, samples_per_unit
from perfmodel.runs.schema import COLUMNS, canonical_column

HEADER = "gpu,model,phase,batch,latency_ms,throughput_per_s,unit,seq_len,precision,timing_def,n_gpu,extra\n"


def runs_of(tmp_path: Path, *rows: str, header: str = HEADER) -> Runs:
    path = tmp_path / "rows.csv"
    path.write_text(header + "".join(f"{row}\n" for row in rows))
    return read_runs(path)


def test_step_time_from_latency_or_throughput(tmp_path: Path) -> None:
    runs = runs_of(
        tmp_path,
        "p100,a,train,8,20,999,image,,fp32,,,x",
        "p100,a,train,8,,100,image,,fp32,,,x",
        "p100,a,train,8,,100,token,50,fp32,,,x",
        "p100,a,train,8,,100,token,,fp32,,,x",
        "p100,a,train,8,,100,mel,,fp32,,,x",
        "p100,a,train,,,100,image,,fp32,,,x",
        "p100,a,train,8,,0,image,,fp32,,,x",
        "p100,a,train,8,soon,,image,,fp32,,,x",
        "p100,a,train,8,-3,,image,,fp32,,,x",
    )
    expected = [0.02, 0.08, 4.0, *[math.nan] * 6]
    np.testing.assert_allclose(runs.step_s, expected)


def test_own_strings_are_kept(tmp_path: Path) -> None:
    runs = runs_of(tmp_path, "NVIDIA A100 80GB PCIe,a,train,08,20,,,,TF32 ,,2,free")
    assert runs.text("gpu")[0] == "NVIDIA A100 80GB PCIe"
    assert runs.text("batch")[0] == "08"
    assert runs.number("batch")[0] == 8.0
    assert runs.text("extra")[0] == "free"
    assert runs.text("absent")[0] == ""
    assert np.isnan(runs.number("absent")).all()
    assert runs.gpu_count[0] == 2.0


def test_gpu_count_is_one_where_not_stated(tmp_path: Path) -> None:
    assert runs_of(tmp_path, "p100,a,train,8,20,,,,fp32,,,").gpu_count.tolist() == [1.0]


def test_precision_may_stand_in_the_timing_words() -> None:
    assert row_precision("unknown", "Throughput - BF16") == "Throughput - BF16"
    assert row_precision("fp32", "Throughput - BF16") == "fp32"
    assert row_precision("unknown", "") == "fp32"
    assert row_precision("strange", "") == "strange"


def test_selecting_rows(tmp_path: Path) -> None:
    runs = runs_of(tmp_path, *(f"p100,m{i},train,8,20,,,,fp32,,," for i in range(4)))
    picked = runs.select(np.array([True, False, True, False]))
    assert picked.text("model").tolist() == ["m0", "m2"]
    assert len(runs.select([3])) == 1
    assert len(picked.timings) == len(picked.stacks) == len(picked.precisions) == 2


def test_to_frame(tmp_path: Path) -> None:
    pytest.importorskip("pandas")
    frame = runs_of(tmp_path, "p100,a,train,8,20,,,,fp32,,,").to_frame()
    assert frame.loc[0, "latency_ms"] == "20"


@pytest.mark.parametrize(
    ("header", "missing"),
    [
        ("model,latency_ms\n", "lacks the column gpu"),
        ("gpu,latency_ms\n", r"lacks the column model \(or gmacs, params_M\)"),
        ("gpu,model\n", "lacks the column latency_ms or throughput_per_s"),
    ],
)
def test_a_table_without_needed_columns(tmp_path: Path, header: str, missing: str) -> None:
    with pytest.raises(TableError, match=missing):
        runs_of(tmp_path, header=header)


@pytest.mark.parametrize(
    ("title", "name"),
    [("GPU", "gpu"), ("workload", "model"), ("Batch Size", "batch"), ("num_layers", "blocks"), ("mine", "mine")],
)
def test_other_names_of_columns(title: str, name: str) -> None:
    assert canonical_column(title) == name


def test_two_titles_of_one_column_are_both_kept(tmp_path: Path) -> None:
    runs = runs_of(tmp_path, "p100,a,b,5", header="gpu,model,workload,latency_ms\n")
    assert (runs.text("model")[0], runs.text("workload")[0]) == ("a", "b")


def test_the_schema_has_no_name_twice() -> None:
    names = [name.lower() for c in COLUMNS for name in {c.name.lower(), *c.aliases}]
    assert len(names) == len(set(names))


@pytest.mark.parametrize(
    ("unit", "seq", "samples"), [("image", math.nan, 1.0), ("tok/s", 128.0, 1 / 128), ("seq/sec", math.nan, 1.0)]
)
def test_units(unit: str, seq: float, samples: float) -> None:
    assert samples_per_unit(unit, seq) == samples


def test_the_measured_table_reads_in_under_two_seconds(shared_data: Path) -> None:
    start = time.perf_counter()
    runs = read_runs(shared_data / "measurements" / "end_to_end.csv.gz")
    core = runs.text("tier") == "core"
    assert (len(runs), core.sum()) == (18384, 13104)
    assert np.isfinite(runs.step_s[core]).all()
    assert time.perf_counter() - start < 2
