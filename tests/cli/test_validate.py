"""``perfmodel validate``: the document, the table, and files that are none."""

from __future__ import annotations

import csv
import gzip
import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

from perfmodel.instrument import runlog

GROUP = {"n", "median_ape", "mean_ape", "p90_ape", "bias", "coverage90", "width90", "interval_score", "baselines"}
BASELINES = {"share_of_peak", "two_constants", "scaled_roofline"}
ROWS: list[dict[str, Any]] = [
    {"gpu": "Tesla V100", "model": "resnet50", "phase": "training", "precision": "fp32", "batch": 32, "source": "a",
     "latency_ms": 100},
    {"gpu": "Tesla V100", "model": "resnet50", "phase": "training", "precision": "fp32", "batch": 64, "source": "a",
     "latency_ms": 190},
    {"gpu": "p100", "model": "resnet-50", "phase": "inference", "precision": "fp32", "batch": 32, "source": "b",
     "throughput_per_s": 700},
    {"gpu": "nosuch", "model": "resnet50", "phase": "training", "batch": 32, "source": "a", "latency_ms": 100},
    {"gpu": "p100", "model": "resnet50", "phase": "training", "batch": 32, "source": "a"},
    {"gpu": "p100", "model": "resnet50", "phase": "training", "source": "a", "latency_ms": 3},
    {"gpu": "p100", "model": "no network", "phase": "training", "batch": 3, "source": "a", "latency_ms": 3},
    {"gpu": "p100", "model": "resnet50", "phase": "training", "batch": 3, "precision": "bf16", "latency_ms": 3},
    {"gpu": "p100", "model": "resnet50", "phase": "training", "batch": 3, "precision": "fp64", "latency_ms": 3},
    {"gpu": "p100", "model": "resnet50", "phase": "training", "batch": 3, "n_gpu": 8, "latency_ms": 3},
    {"gpu": "p100", "model": "resnet50", "phase": "training", "batch": 3, "latency_ms": -3},
]  # fmt: skip


def write(path: Path, rows: list[dict[str, Any]]) -> Path:
    names = list(dict.fromkeys(name for row in rows for name in row))
    opener = gzip.open if path.suffix == ".gz" else open
    with opener(path, "wt", newline="") as stream:
        writer = csv.DictWriter(stream, names)
        writer.writeheader()
        writer.writerows(rows)
    return path


def check_group(group: Mapping[str, Any]) -> None:
    assert group.keys() - {"by"} == GROUP
    for name in GROUP - {"n", "baselines"}:
        assert isinstance(group[name], float), name
    assert set(group["baselines"]) == BASELINES
    for baseline in group["baselines"].values():
        assert set(baseline) == {"median_ape"}
        assert isinstance(baseline["median_ape"], float)
    assert 0 <= group["coverage90"] <= 100
    assert 0 <= group["median_ape"] <= group["p90_ape"]


def test_the_document(perfmodel: Callable[..., Any], tmp_path: Path) -> None:
    found = perfmodel("validate", str(write(tmp_path / "rows.csv", ROWS)), "--json").document()
    assert set(found) == {"schema_version", "rows", "resolved", "unresolved", "overall", "groups"}
    assert (found["schema_version"], found["rows"], found["resolved"]) == (1, len(ROWS), 3)
    assert sum(found["unresolved"].values()) == len(ROWS) - 3
    reasons = " | ".join(found["unresolved"])
    for words in ("unknown GPU 'nosuch'", "no usable time", "no batch size", "'no network'", "no bf16", "fp64",
                  "smaller than the number of cards"):  # fmt: skip
        assert words in reasons
    assert [group["by"] for group in found["groups"]] == [
        {"source": "a", "gpu": "Tesla V100", "phase": "training"},
        {"source": "b", "gpu": "p100", "phase": "inference"},
    ]
    assert [group["n"] for group in found["groups"]] == [2, 1]
    for group in [*found["groups"], found["overall"]]:
        check_group(group)
    assert found["overall"]["n"] == 3
    for name in GROUP - {"n", "baselines"}:
        mean = sum(group[name] for group in found["groups"]) / 2
        assert found["overall"][name] == pytest.approx(mean, rel=1e-12)


@pytest.mark.parametrize("by", ["gpu", "gpu,source", "precision,model", "device", "batch"])
def test_groups_by_any_column(perfmodel: Callable[..., Any], tmp_path: Path, by: str) -> None:
    path = write(tmp_path / "rows.csv", ROWS)
    groups = perfmodel("validate", str(path), "--by", by, "--json").document()["groups"]
    expected = [{"device": "gpu"}.get(name, name) for name in by.split(",")]
    assert all(list(group["by"]) == expected for group in groups)
    assert sum(group["n"] for group in groups) == 3
    keys = {tuple(str(row.get(name, "")) for name in expected) for row in ROWS[:3]}
    assert {tuple(group["by"].values()) for group in groups} == keys


def test_no_row_resolves(perfmodel: Callable[..., Any], tmp_path: Path) -> None:
    found = perfmodel("validate", str(write(tmp_path / "rows.csv", ROWS[3:])), "--json").document()
    assert (found["resolved"], found["groups"], found["overall"]["n"]) == (0, [], 0)
    assert "0 of 8 rows predicted" in perfmodel("validate", str(tmp_path / "rows.csv")).out


def test_every_row_counts_even_equal_ones(perfmodel: Callable[..., Any], tmp_path: Path) -> None:
    found = perfmodel("validate", str(write(tmp_path / "rows.csv", [ROWS[0]] * 7)), "--json").document()
    assert found["overall"]["n"] == 7


def test_formats_agree(perfmodel: Callable[..., Any], tmp_path: Path) -> None:
    plain = write(tmp_path / "rows.csv", ROWS)
    documents = [perfmodel("validate", str(plain), "--json").document()]
    documents.append(perfmodel("validate", str(write(tmp_path / "rows.csv.gz", ROWS)), "--json").document())
    pandas = pytest.importorskip("pandas")
    pytest.importorskip("pyarrow")
    pandas.read_csv(plain, dtype=str).to_parquet(tmp_path / "rows.parquet")
    documents.append(perfmodel("validate", str(tmp_path / "rows.parquet"), "--json").document())
    assert documents[0] == documents[1] == documents[2]


def test_the_table(perfmodel: Callable[..., Any], tmp_path: Path) -> None:
    found = perfmodel("validate", str(write(tmp_path / "rows.csv", ROWS)))
    assert found.status == 0
    for words in ("3 of 11 rows predicted", "unknown GPU 'nosuch'", "Tesla V100", "average of 2", "share of peak"):
        assert words in found.out
    assert "nan" not in found.out.split("errors in percent")[1]


@pytest.mark.parametrize(
    ("name", "content", "text"),
    [
        ("missing.csv", None, "no file"),
        ("binary.csv", b"\x00\x01\x02\x03" * 50, "is binary, not a table"),
        ("picture.png", b"\x89PNG\r\n\x1a\n\x00\x00", "is binary, not a table"),
        ("empty.csv", b"", "is empty"),
        ("words.txt", b"these are some words\nand more of them\n", "is not a table"),
        ("other.csv", b"a,b\n1,2\n", "lacks the column gpu"),
        ("cut.csv.gz", gzip.compress(b"gpu,model,latency_ms\n" * 100)[:40], "is a damaged gzip file"),
        ("cut.parquet", b"PAR1 and nothing more", "is a damaged Parquet file"),
        ("ragged.csv", b"gpu,model,latency_ms\np100,resnet50,1,2,3\n", "line 2 has 5 cells under 3 columns"),
    ],
)
def test_files_that_are_no_table(
    perfmodel: Callable[..., Any], tmp_path: Path, name: str, content: bytes | None, text: str
) -> None:
    if name.endswith(".parquet"):
        pytest.importorskip("pyarrow")
    path = tmp_path / name
    if content is not None:
        path.write_bytes(content)
    line = perfmodel("validate", str(path)).error()
    assert text in line
    assert name in line


def test_a_folder_is_no_table(perfmodel: Callable[..., Any], tmp_path: Path) -> None:
    assert "is a folder, not a table" in perfmodel("validate", str(tmp_path)).error()


@pytest.mark.parametrize(
    ("words", "text"), [(["--by", "colour"], "no column 'colour'"), (["--by", ","], "--by names nothing")]
)
def test_wrong_groups(perfmodel: Callable[..., Any], tmp_path: Path, words: list[str], text: str) -> None:
    assert text in perfmodel("validate", str(write(tmp_path / "rows.csv", ROWS)), *words).error()


def test_a_header_alone(perfmodel: Callable[..., Any], tmp_path: Path) -> None:
    path = tmp_path / "header.csv"
    path.write_text("gpu,model,latency_ms\n")
    assert perfmodel("validate", str(path), "--json").document()["rows"] == 0


SETTINGS: list[tuple[dict[str, Any], list[str]]] = [
    ({"model": "resnet50", "gpu": "v100", "phase": "train", "precision": "fp32", "batch": 32}, ["--loader", "none"]),
    ({"model": "vgg16", "gpu": "k80", "phase": "infer", "precision": "fp32", "batch": 4}, ["--loader", "none"]),
    ({"model": "cyclegan", "gpu": "p100", "phase": "train", "precision": "amp", "batch": 4, "blocks": 6},
     ["--loader", "none", "--blocks", "6"]),
    ({"model": "resnet50", "gpu": "a100", "phase": "train", "precision": "tf32", "batch": 8, "source": "timm",
      "framework": "pytorch", "framework_version": "2.4.0", "layout": "nhwc", "image_size": 288,
      "timing_def": "forward + backward + optimizer"},
     ["--stack", "pytorch 2.4.0 nhwc", "--campaign", "timm", "--image-size", "288", "--timing",
      "forward + backward + optimizer"]),
    ({"model": "bert_base", "gpu": "h100", "phase": "train", "precision": "bf16", "batch": 8, "seq_len": 128,
      "timing_def": "forward + backward"}, ["--seq-len", "128", "--timing", "forward + backward"]),
    ({"model": "gpt2_large", "gpu": "v100", "phase": "train", "precision": "fp32", "batch": 16, "n_gpu": 8,
      "framework": "pytorch", "framework_version": "1.13"},
     ["--gpus", "8", "--batch", "2", "--loader", "none", "--stack", "pytorch 1.13"]),
    ({"model": "resnet50", "gpu": "v100", "phase": "train", "precision": "fp32", "batch": 32,
      "timing_def": "training step, pageable input copy included"},
     ["--timing", "training step, pageable input copy included"]),
]  # fmt: skip


@pytest.mark.parametrize(
    ("row", "words"), SETTINGS, ids=lambda value: value["model"] if isinstance(value, dict) else ""
)
def test_a_row_is_predicted_as_predict_does(
    perfmodel: Callable[..., Any], tmp_path: Path, row: dict[str, Any], words: list[str]
) -> None:
    path = write(tmp_path / "rows.csv", [{**row, "latency_ms": 100.0}])
    bias = perfmodel("validate", str(path), "--json").document()["overall"]["bias"]
    options = ["--model", row["model"], "--gpu", row["gpu"], "--precision", row["precision"], "--mode", row["phase"]]
    document = perfmodel("predict", *options, "--batch", str(row["batch"]), *words, "--json").document()
    assert 100.0 * (1 + bias / 100) == pytest.approx(document["step_ms"]["median"], rel=1e-9)


LOG = """Epoch,iters,time/iters,data/iters,D_A,G_A,cycle_A,idt_A,D_B,G_B,cycle_B,idt_B
1,100,0.123,4.5,0.2,0.3,1.2,0.4,0.3,0.3,1.0,0.5
1,200,0.121,0.002,0.2,0.3,1.2,0.4,0.3,0.3,1.0,0.5
"""


def test_a_cyclegan_log_with_settings(perfmodel: Callable[..., Any], tmp_path: Path) -> None:
    log = tmp_path / "log.csv"
    log.write_text(LOG)
    assert "lacks the column gpu; add it, or set gpu=VALUE" in perfmodel("validate", str(log)).error()
    words = ["--set", "gpu=v100", "--set", "blocks=9", "--set", "batch=4", "--json"]
    first = perfmodel("validate", str(log), *words).document()
    assert (first["rows"], first["resolved"]) == (2, 2)
    second = perfmodel("validate", f"{log}@gpu=v100,batch=4,blocks=9", "--json").document()
    assert second == first
    wrong = perfmodel("validate", f"{log}@gpu=v100,batch=4", "--set", "blok=9").error()
    assert "no column 'blok' can be set; near names: blocks" in wrong


def test_several_files(perfmodel: Callable[..., Any], tmp_path: Path) -> None:
    rows = write(tmp_path / "rows.csv", ROWS)
    (tmp_path / "log.csv").write_text(LOG)
    found = perfmodel(
        "validate", str(rows), f"{tmp_path}/log.csv@gpu=v100,batch=4,blocks=9", "--by", "file", "--json"
    ).document()
    assert [group["n"] for group in found["groups"]] == [2, 3]
    assert found["rows"] == len(ROWS) + 2


def test_salvage_names_what_it_leaves_out(perfmodel: Callable[..., Any], tmp_path: Path) -> None:
    path = tmp_path / "rows.csv"
    path.write_text("gpu,model,batch,latency_ms\nv100,resnet50,8,20\nv100,resnet50,8,20,1,2\n")
    assert "row 2: line 3 has 6 cells under 4 columns" in perfmodel("validate", str(path)).error()
    found = perfmodel("validate", str(path), "--salvage", "--json")
    assert found.document()["rows"] == 1
    assert found.err == f"left out: {path}, row 2: line 3 has 6 cells under 4 columns\n"


@pytest.mark.parametrize("gpu", ["v100", "cpu"])
@pytest.mark.parametrize("form", ["csv", "parquet"])
def test_the_project_s_own_run_log(perfmodel: Callable[..., Any], tmp_path: Path, gpu: str, form: str) -> None:
    header = {
        "schema_version": 1, "workload": "pilotnet", "gpu": gpu, "n_gpu": 1, "host": "local", "framework": "pytorch",
        "framework_version": "2.9", "precision": "fp32", "mode": "train", "batch": 16, "synchronised": True,
        "started_utc": "2026-01-01T00:00:00Z",
    }  # fmt: skip
    rows: list[dict[str, Any]] = [
        {**dict.fromkeys(runlog.COLUMNS, 0.0), "step": step, "batch": 16, "cold": int(step == 0), "step_ms": 30.0,
         "forward_ms": 30.0, "forward_own_ms": 30.0}
        for step in range(4)
    ]  # fmt: skip
    path = write(tmp_path / "run.csv", rows)
    if form == "csv":
        path.write_text(f"{runlog.header_line(header)}\n{path.read_text()}")
    else:
        pa, pq = pytest.importorskip("pyarrow"), pytest.importorskip("pyarrow.parquet")
        table = pa.table({name: [row[name] for row in rows] for name in runlog.COLUMNS})
        path = tmp_path / "run.parquet"
        pq.write_table(table.replace_schema_metadata({runlog.HEADER_KEY: json.dumps(header)}), path)
    found = perfmodel("validate", str(path), "--json").document()
    assert (found["rows"], found["resolved"]) == (4, 3)
    assert found["unresolved"] == {"a cold step (loader start-up or warm-up)": 1}
    assert found["groups"][0]["by"]["gpu"] == gpu
