"""``perfmodel compare``: lists, ranges, prices, files and errors."""

from __future__ import annotations

import csv
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import perfmodel as pm


def test_points_are_those_of_predict(perfmodel: Callable[..., Any]) -> None:
    words = ["--gpu", "p100,v100", "--batch", "1,4", "--blocks", "3:9:3", "--precision", "fp32,amp"]
    found = perfmodel("compare", *words, "--json").document()
    assert found["schema_version"] == 1
    assert len(found["rows"]) == 2 * 2 * 3 * 2
    for row in found["rows"]:
        options = ["--gpu", row["gpu"], "--batch", str(row["batch"]), "--blocks", str(row["blocks"])]
        one = perfmodel("predict", *options, "--precision", row["precision"], "--json").document()
        assert row["step_ms"] == pytest.approx(one["step_ms"]["median"], rel=1e-9)
        assert row["low_ms"] == pytest.approx(one["step_ms"]["low"], rel=1e-9)
        assert row["high_ms"] == pytest.approx(one["step_ms"]["high"], rel=1e-9)
        assert row["memory_gb"] == pytest.approx(one["memory_gb"]["peak"], rel=1e-9)
        assert row["fits"] is one["fits"]
        assert row["evidence"] == one["evidence"]["grade"]
        assert row["epoch_s"] == pytest.approx(one["epoch_s"]["median"], rel=1e-9)


def test_ranges_have_both_ends(perfmodel: Callable[..., Any]) -> None:
    rows = perfmodel("compare", "--gpu", "p100", "--blocks", "3:9", "--batch", "8,1:3", "--json").document()["rows"]
    assert sorted({row["blocks"] for row in rows}) == [3, 4, 5, 6, 7, 8, 9]
    assert {row["batch"] for row in rows} == {8, 1, 2, 3}


def test_a_lacking_precision_is_null(perfmodel: Callable[..., Any]) -> None:
    rows = perfmodel("compare", "--gpu", "p100,a100", "--precision", "bf16", "--json").document()["rows"]
    assert [row["step_ms"] is None for row in rows] == [True, False]
    assert [row["fits"] for row in rows] == [False, True]


def test_the_table(perfmodel: Callable[..., Any]) -> None:
    words = ["--gpu", "p100,v100,k80", "--batch", "1,64", "--precision", "fp32,bf16,amp"]
    with_price = perfmodel("compare", *words, "--price", "p100=0.5,v100=1.2,a100=2", "--gpu", "p100,v100,a100")
    assert with_price.status == 0
    lines = with_price.out.splitlines()
    rows = [line.split() for line in lines if line.split()[:1] and line.split()[0] in {"p100-pcie-16", "v100-sxm2-16"}]
    assert len(rows) == 2 * 3 * 2
    assert any(line.endswith("*") for line in lines)
    assert any("NO" in line and not line.endswith("*") for line in lines)
    assert "the card lacks the precision" in with_price.out
    assert "cost" not in perfmodel("compare", *words).out


def test_csv(perfmodel: Callable[..., Any], tmp_path: Path) -> None:
    path = tmp_path / "rows.csv"
    found = perfmodel("compare", "--gpu", "p100,a100", "--precision", "fp32,bf16", "--csv", str(path))
    assert (found.status, found.out) == (0, "")
    with path.open(newline="") as stream:
        rows = list(csv.DictReader(stream))
    assert [row["gpu"] for row in rows] == ["p100-pcie-16"] * 2 + ["a100-sxm-80"] * 2
    assert rows[1]["step_ms"] == ""
    assert float(rows[0]["step_ms"]) == 1e3 * pm.predict(gpu="p100").step_s.median


def test_csv_that_cannot_be_written(perfmodel: Callable[..., Any], tmp_path: Path) -> None:
    found = perfmodel("compare", "--csv", str(tmp_path / "no" / "rows.csv"))
    assert found.status == 1
    assert "cannot write" in found.err
    assert found.err.count("\n") == 1


@pytest.mark.parametrize(
    ("words", "text"),
    [
        (["--gpu", ","], "--gpu names nothing"),
        (["--gpu", "p100,p1000"], "unknown GPU 'p1000'"),
        (["--batch", "1,zero"], "--batch must be a whole number, not 'zero'"),
        (["--batch", "0:4"], "--batch must be at least 1, not 0"),
        (["--blocks", "9:3"], "--blocks 9:3 is no range"),
        (["--blocks", "3:9:0"], "--blocks must be at least 1, not 0"),
        (["--blocks", "1:2:3:4"], "is no range"),
        (["--batch", "1:100000000"], "more than a million values"),
        (["--blocks", ""], "--blocks must be a whole number, not ''"),
        (["--gpu", "p100", "--precision", "bf16"], "has no bf16"),
        (["--precision", "lots"], "unknown precision 'lots'"),
        (["--price", "cheap"], "--price 'cheap' is not a number"),
        (["--price", "p100=-1"], "price of p100 must be at least 0"),
        (["--price", "k80=1"], "there is a price for k80, which is not compared"),
        (["--price", "nosuch=1"], "unknown GPU 'nosuch'"),
        (["--model", "resnet50", "--blocks", "3:9"], "resnet50 has no block count"),
        (["--model", "nosuch"], "unknown model"),
        (["--ci", "2"], "an interval cannot cover 2.0"),
        (["--workers", "-1"], "--workers must be at least 0"),
        (["--loader", "magic"], "loader 'magic' is unknown"),
        (["--stack", "cobol"], "stack 'cobol' is not understood"),
    ],
)
def test_bad_input_is_one_line(perfmodel: Callable[..., Any], words: list[str], text: str) -> None:
    assert text in perfmodel("compare", *words).error()
