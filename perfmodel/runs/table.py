"""Plain tables of text from CSV, gzipped CSV and Parquet, with one clear line for everything that is not one."""

from __future__ import annotations

import csv
import gzip
import io
import zlib
from pathlib import Path
from typing import Any

from perfmodel.errors import DependencyError, TableError

Text = dict[str, list[str]]
_REMEDY = "give a CSV, .csv.gz or Parquet table"


def read_table(path: str | Path, *, comment: str = "") -> Text:
    """Read a table as columns of text, each cell as it stands; missing cells are empty.

    The format is told by the file's first bytes, not by its name. Lines before the header that begin with `comment`
    are skipped.

    Raises
    ------
    TableError
        When the file is missing, a directory, unreadable, empty, binary, cut short, or its rows do not fit its header.
    """
    where = Path(path)
    raw = _read_bytes(where)
    if raw[:4] == b"PAR1":
        return _parquet(raw, where)
    text = _decode(_unpacked(raw, where), where)
    while comment and text.startswith(comment):
        text = text.partition("\n")[2]
    return _csv(text, where)


def read_text(path: str | Path) -> str:
    """Read a text file, gzipped or not, with the same errors as `read_table`."""
    where = Path(path)
    return _decode(_unpacked(_read_bytes(where), where), where)


def _read_bytes(where: Path) -> bytes:
    if where.is_dir():
        raise TableError(f"{where} is a folder, not a table", _REMEDY)
    try:
        return where.read_bytes()
    except FileNotFoundError:
        raise TableError(f"no file {where}", _REMEDY) from None
    except OSError as error:
        raise TableError(f"cannot read {where}: {error.strerror}", _REMEDY) from None


def _unpacked(raw: bytes, where: Path) -> bytes:
    if raw[:2] != b"\x1f\x8b":
        return raw
    try:
        return gzip.decompress(raw)
    except (OSError, EOFError, zlib.error) as error:
        raise TableError(f"{where} is a damaged gzip file: {error}", _REMEDY) from None


def _decode(raw: bytes, where: Path) -> str:
    if b"\x00" in raw[:65536]:
        raise TableError(f"{where} is binary, not a table", _REMEDY)
    try:
        return raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise TableError(f"{where} is not UTF-8 text (byte {error.start})", _REMEDY) from None


def _csv(text: str, where: Path) -> Text:
    lines = text.lstrip("\ufeff\r\n")
    first = lines.split("\n", 1)[0]
    delimiter = max(",;\t", key=first.count)
    reader = csv.reader(io.StringIO(lines, newline=""), delimiter=delimiter)
    try:
        header = [title.strip() for title in next(reader, [])]
        _check_header(header, where)
        rows = [_fitted(row, header, reader.line_num, where) for row in reader if row]
    except csv.Error as error:
        raise TableError(f"{where}, line {reader.line_num}: {error}", _REMEDY) from None
    return {title: [row[i] for row in rows] for i, title in enumerate(header)}


def _check_header(header: list[str], where: Path) -> None:
    if not any(header):
        raise TableError(f"{where} is empty", _REMEDY)
    if len(header) == 1:
        raise TableError(f"{where} is not a table: its first line has one column, {header[0][:40]!r}", _REMEDY)
    double = sorted({title for title in header if header.count(title) > 1})
    if double:
        raise TableError(f"{where} has two columns called {double[0]!r}", "rename one of them")


def _fitted(row: list[str], header: list[str], line: int, where: Path) -> list[str]:
    extra = len(row) - len(header)
    if extra > 0 and any(row[len(header) :]):
        raise TableError(f"{where}, line {line} has {len(row)} cells under {len(header)} columns", "correct that line")
    return row[: len(header)] if extra >= 0 else row + [""] * -extra


def parquet_metadata(path: str | Path, key: str) -> str | None:
    """Return a value of a Parquet file's key-value metadata: empty without the key, None for other files."""
    where = Path(path)
    raw = _read_bytes(where)
    if raw[:4] != b"PAR1":
        return None
    value: bytes = (_arrow_table(raw, where).schema.metadata or {}).get(key.encode(), b"")
    return value.decode("utf-8", errors="replace")


def _arrow_table(raw: bytes, where: Path) -> Any:
    from importlib import import_module

    try:
        pyarrow, parquet = import_module("pyarrow"), import_module("pyarrow.parquet")
    except ImportError:
        raise DependencyError(f"reading {where} needs the package pyarrow", "pip install pyarrow") from None
    try:
        return parquet.read_table(io.BytesIO(raw))
    except (pyarrow.ArrowException, OSError) as error:
        raise TableError(f"{where} is a damaged Parquet file: {str(error).splitlines()[0]}", _REMEDY) from None


def _parquet(raw: bytes, where: Path) -> Text:
    table = _arrow_table(raw, where)
    return {name: [_cell(v) for v in table.column(name).to_pylist()] for name in table.column_names}


def _cell(value: Any) -> str:
    if value is None or value != value:
        return ""
    return str(value)
