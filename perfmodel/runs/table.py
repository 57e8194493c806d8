"""Plain tables of text from CSV, gzipped CSV and Parquet, with one clear line for everything that is not one."""

from __future__ import annotations

import csv
import gzip
import io
import zlib
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from perfmodel.errors import DependencyError, TableError

Text = dict[str, list[str]]
_REMEDY = "give a CSV, .csv.gz or Parquet table"


@dataclass(frozen=True, kw_only=True)
class RaggedRow:
    """A row whose cells do not fit the header.

    Attributes
    ----------
    index : int
        Row counted from 0 below the header; blank lines do not count.
    line : int
        Line of the file's table, counted from 1.
    cells : int
        Cells that it has.
    """

    index: int
    line: int
    cells: int


@dataclass(frozen=True, kw_only=True)
class RawTable:
    """A table as it stands, n rows.

    Attributes
    ----------
    columns : dict of str to list of str, length n
        Rows that are too short are filled with empty cells, those too long are cut.
    ragged : tuple of RaggedRow
        The rows to which that was done; empty cells beyond the header are no fault.
    """

    columns: Text
    ragged: tuple[RaggedRow, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Contents:
    """An opened file, told by its first bytes to be text or Parquet.

    Attributes
    ----------
    where : Path
    text : str
        The whole text, unpacked; empty for Parquet.
    arrow : pyarrow.Table or None
        The Parquet table; None for text.
    """

    where: Path
    text: str = ""
    arrow: Any = None

    @cached_property
    def metadata(self) -> dict[str, str]:
        """Key-value metadata of a Parquet file; empty for text."""
        stored = {} if self.arrow is None else self.arrow.schema.metadata or {}
        return {key.decode(errors="replace"): value.decode(errors="replace") for key, value in stored.items()}

    @cached_property
    def table(self) -> RawTable:
        """The table below lines that begin with ``# ``.

        Raises
        ------
        TableError
            When there is none.
        """
        return self.parse(comment="# ")

    def parse(self, *, comment: str = "") -> RawTable:
        """Return the table below lines that begin with `comment`, with the errors of `read_table`."""
        if self.arrow is not None:
            return RawTable(columns=_parquet(self.arrow, self.where))
        text = self.text
        while comment and text.startswith(comment):
            text = text.partition("\n")[2]
        return _csv(text, self.where, self.text.count("\n") - text.count("\n"))


def open_table(path: str | Path) -> Contents:
    """Open a CSV, gzipped CSV or Parquet file; the content decides, not the name.

    Raises
    ------
    TableError
        When the file is missing, a directory, unreadable, binary or cut short.
    """
    where = Path(path)
    raw = _read_bytes(where)
    if raw[:4] == b"PAR1":
        return Contents(where=where, arrow=_arrow_table(raw, where))
    return Contents(where=where, text=_decode(_unpacked(raw, where), where))


def read_table(path: str | Path, *, comment: str = "") -> Text:
    """Read a table as columns of text, each cell as it stands; missing cells are empty.

    The format is told by the file's first bytes, not by its name. Lines before the header that begin with `comment`
    are skipped.

    Raises
    ------
    TableError
        When the file is missing, a directory, unreadable, empty, binary, cut short, or its rows do not fit its header.
    """
    table = open_table(path).parse(comment=comment)
    check_no_long_row(table, path)
    return table.columns


def check_no_long_row(table: RawTable, path: str | Path) -> None:
    """Raise `TableError` for the first row with more cells than columns."""
    columns = len(table.columns)
    for row in table.ragged:
        if row.cells > columns:
            raise TableError(
                f"{path}, line {row.line} has {row.cells} cells under {columns} columns", "correct that line"
            )


def read_text(path: str | Path) -> str:
    """Read a text file, gzipped or not, with the same errors as `read_table`."""
    where = Path(path)
    return _decode(_unpacked(_read_bytes(where), where), where)


def _read_bytes(where: Path) -> bytes:
    if where.is_dir():
        raise TableError(f"{where} is a folder, not a table", f"name the files in it, such as {where / '*.csv'}")
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


def _csv(text: str, where: Path, skipped: int = 0) -> RawTable:
    lines = text.lstrip("\ufeff\r\n")
    skipped += text[: len(text) - len(lines)].count("\n")
    first = lines.split("\n", 1)[0]
    delimiter = max(",;\t", key=first.count)
    reader = csv.reader(io.StringIO(lines, newline=""), delimiter=delimiter)
    ragged: list[RaggedRow] = []
    try:
        header = [title.strip() for title in next(reader, [])]
        _check_header(header, where)
        rows = _fitted(reader, len(header), ragged, skipped)
    except csv.Error as error:
        raise TableError(f"{where}, line {reader.line_num + skipped}: {error}", _REMEDY) from None
    return RawTable(columns={title: [row[i] for row in rows] for i, title in enumerate(header)}, ragged=tuple(ragged))


def _check_header(header: list[str], where: Path) -> None:
    if not any(header):
        raise TableError(f"{where} is empty", _REMEDY)
    if len(header) == 1:
        raise TableError(f"{where} is not a table: its first line has one column, {header[0][:40]!r}", _REMEDY)
    double = sorted({title for title in header if header.count(title) > 1})
    if double:
        raise TableError(f"{where} has two columns called {double[0]!r}", "rename one of them")


def _fitted(reader: Any, width: int, ragged: list[RaggedRow], skipped: int) -> list[list[str]]:
    """Rows of exactly `width` cells; those that had others are noted."""
    rows: list[list[str]] = []
    for row in reader:
        if len(row) != width:
            if not row:
                continue
            if len(row) < width or any(row[width:]):
                ragged.append(RaggedRow(index=len(rows), line=reader.line_num + skipped, cells=len(row)))
            row = row[:width] + [""] * (width - len(row))
        rows.append(row)
    return rows


def parquet_metadata(path: str | Path, key: str) -> str | None:
    """Return a value of a Parquet file's key-value metadata: empty without the key, None for other files."""
    contents = open_table(path)
    return None if contents.arrow is None else contents.metadata.get(key, "")


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


def _parquet(table: Any, where: Path) -> Text:
    double = sorted({name for name in table.column_names if table.column_names.count(name) > 1})
    if double:
        raise TableError(f"{where} has two columns called {double[0]!r}", "rename one of them")
    return {name: [_cell(v) for v in table.column(name).to_pylist()] for name in table.column_names}


def _cell(value: Any) -> str:
    if value is None or value != value:
        return ""
    return str(value)
