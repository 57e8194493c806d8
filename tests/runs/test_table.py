"""Tables that are right, and everything that is none."""

from __future__ import annotations

import gzip
import os
import time
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from perfmodel.errors import DependencyError, TableError
from perfmodel.runs.table import read_table

CSV = 'gpu,model,latency_ms\np100,resnet50,12.50\nv100,"a, b",\n'
CELLS = {"gpu": ["p100", "v100"], "model": ["resnet50", "a, b"], "latency_ms": ["12.50", ""]}


def write(folder: Path, content: bytes | str, name: str = "t.csv") -> Path:
    path = folder / name
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


@pytest.mark.parametrize(
    "content",
    [
        CSV,
        "\ufeff" + CSV,
        CSV.replace("\n", "\r\n"),
        "\n" + CSV,
        CSV + "\n\n",
        gzip.compress(CSV.encode()),
        CSV.replace('"a, b"', "a: b").replace(",", ";").replace("a: b", "a, b"),
        CSV.replace('"a, b"', "a: b").replace(",", "\t").replace("a: b", "a, b"),
    ],
)
def test_cells_keep_their_own_strings(tmp_path: Path, content: bytes | str) -> None:
    assert read_table(write(tmp_path, content)) == CELLS


def test_the_content_decides_not_the_name(tmp_path: Path) -> None:
    assert read_table(write(tmp_path, gzip.compress(CSV.encode()), "plain.csv")) == CELLS
    assert read_table(write(tmp_path, CSV, "t.csv.gz")) == CELLS


def test_parquet(tmp_path: Path) -> None:
    pa = pytest.importorskip("pyarrow")
    pq = pytest.importorskip("pyarrow.parquet")
    path = tmp_path / "t.parquet"
    pq.write_table(pa.table({"gpu": ["p100", None], "batch": [4, None], "x": [1.5, float("nan")]}), path)
    assert read_table(path) == {"gpu": ["p100", ""], "batch": ["4", ""], "x": ["1.5", ""]}
    path.write_bytes(path.read_bytes()[:60])
    with pytest.raises(TableError, match="damaged Parquet"):
        read_table(path)


def test_parquet_without_pyarrow(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "pyarrow", None)
    with pytest.raises(DependencyError, match="pyarrow"):
        read_table(write(tmp_path, b"PAR1 and more", "t.parquet"))


def test_a_header_alone_and_short_rows(tmp_path: Path) -> None:
    assert read_table(write(tmp_path, "a,b\n")) == {"a": [], "b": []}
    assert read_table(write(tmp_path, "a,b\n1\n2,3,,\n")) == {"a": ["1", "2"], "b": ["", "3"]}


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("", "is empty"),
        ("\n\n", "is empty"),
        ("just one line of words\n", "is not a table"),
        (b"\x7fELF\x00\x01\x02", "is binary"),
        (b"gpu,model\n\xff\xfe\xfd,x\n", "not UTF-8 text"),
        (gzip.compress(CSV.encode())[:-12], "damaged gzip"),
        ("a,a\n1,2\n", "two columns called 'a'"),
        ("a,b\n1,2\n1,2,3\n", "line 3 has 3 cells under 2 columns"),
        ("a,b\n1," + "x" * 200_000 + "\n", "field larger"),
    ],
)
def test_what_is_no_table_gives_one_line_that_names_it(tmp_path: Path, content: bytes | str, message: str) -> None:
    path = write(tmp_path, content)
    with pytest.raises(TableError, match=message) as caught:
        read_table(path)
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)


def test_missing_files_and_folders(tmp_path: Path) -> None:
    with pytest.raises(TableError, match="no file"):
        read_table(tmp_path / "absent.csv")
    with pytest.raises(TableError, match="is a folder"):
        read_table(tmp_path)


@pytest.mark.skipif(os.geteuid() == 0, reason="root reads everything")
def test_unreadable_files(tmp_path: Path) -> None:
    path = write(tmp_path, CSV)
    path.chmod(0)
    with pytest.raises(TableError, match="cannot read"):
        read_table(path)


@given(st.binary(max_size=200))
def test_any_bytes_are_a_table_or_a_table_error(tmp_path_factory: pytest.TempPathFactory, content: bytes) -> None:
    path = tmp_path_factory.getbasetemp() / "any"
    path.write_bytes(content)
    try:
        table = read_table(path)
    except TableError:
        return
    assert len({len(cells) for cells in table.values()}) == 1


def test_twenty_thousand_rows_in_under_two_seconds(tmp_path: Path) -> None:
    path = write(tmp_path, CSV.splitlines()[0] + "\n" + "p100,resnet50,12.5\n" * 20_000)
    start = time.perf_counter()
    assert len(read_table(path)["gpu"]) == 20_000
    assert time.perf_counter() - start < 2
