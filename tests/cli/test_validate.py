"""``perfmodel validate``: the document, the table, and files that are none."""

from __future__ import annotations

import csv
import gzip
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

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
