"""The tables: columns as documented, atomic, resumable."""

from __future__ import annotations

import gzip
import re
from pathlib import Path

import pytest

from perfmodel.calibration import cases, rows, timing

DOC = Path(__file__).resolve().parents[2] / "docs" / "measuring.md"
CASE = cases.product("linear", "fwd", "fp32", m=2, n=3, k=4)
TIMING = timing.Timing(time_s=1.5e-3, time_min_s=1e-3, spread=0.01, repeats=10, method="wall")


def documented(heading: str) -> tuple[str, ...]:
    text = DOC.read_text(encoding="utf-8").split(f"## {heading}\n")[1].split("\n## ")[0]
    return tuple(re.findall(r"^\| `(\w+)` \|", text, re.MULTILINE))


def test_columns_are_those_of_the_documentation() -> None:
    assert documented("Operator rows") == rows.OPERATOR_COLUMNS
    assert documented("Step rows") == rows.STEP_COLUMNS


def test_round_trip(tmp_path: Path) -> None:
    row = rows.operator_row("kernels", CASE, TIMING, threads=2)
    store = rows.RowStore(tmp_path / "a" / "b")
    store.add("kernels", row)
    store.flush()
    (found,) = rows.RowStore(tmp_path / "a" / "b").rows("kernels")
    assert set(found) == set(rows.OPERATOR_COLUMNS)
    assert float(found["time_s"]) == 1.5e-3
    assert (found["m"], found["n"], found["k"], found["flops"]) == ("2", "3", "4", "48")


def test_same_rows_give_the_same_file(tmp_path: Path) -> None:
    for name in ("a", "b"):
        store = rows.RowStore(tmp_path / name)
        store.add("kernels", rows.operator_row("kernels", CASE, TIMING))
        store.flush()
    assert (tmp_path / "a" / "kernels.csv.gz").read_bytes() == (tmp_path / "b" / "kernels.csv.gz").read_bytes()


def test_a_store_goes_on_where_another_stopped(tmp_path: Path) -> None:
    first = rows.RowStore(tmp_path, interval_s=0.0)
    first.add("kernels", rows.operator_row("kernels", CASE, TIMING))
    second = rows.RowStore(tmp_path)
    assert second.has("kernels", f"kernels|{CASE.key}")
    other = cases.product("linear", "fwd", "fp32", m=3, n=3, k=3)
    second.add("kernels", rows.operator_row("kernels", other, TIMING))
    second.flush()
    assert len(rows.read_table(tmp_path / "kernels.csv.gz")) == 2


def test_a_failed_write_keeps_the_old_table(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "file"
    rows.write_atomically(path, b"old")

    def fail(*_: object) -> None:
        raise OSError("disk full")

    monkeypatch.setattr(rows.os, "fsync", fail)
    with pytest.raises(OSError, match="disk full"):
        rows.write_atomically(path, b"new")
    assert path.read_bytes() == b"old"
    assert [entry.name for entry in tmp_path.iterdir()] == ["file"]


def test_unknown_columns_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"no such columns in steps: \['colour'\]"):
        rows.RowStore(tmp_path).add("steps", {"key": "x", "colour": 1})


def test_tables_are_plain_csv(tmp_path: Path) -> None:
    store = rows.RowStore(tmp_path)
    store.add("kernels", rows.operator_row("kernels", CASE, None, error="cannot, at all"))
    store.flush()
    text = gzip.decompress((tmp_path / "kernels.csv.gz").read_bytes()).decode()
    assert text.splitlines()[0] == ",".join(rows.OPERATOR_COLUMNS)
    assert text.splitlines()[1].endswith(',"cannot, at all"')
