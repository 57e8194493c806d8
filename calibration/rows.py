"""Rows of measurements: their columns, and a store that is written as it grows and can be taken up again.

The columns are described in docs/measuring.md (a test compares the two).
"""

from __future__ import annotations

import csv
import gzip
import io
import json
import os
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from .cases import Case
from .timing import Timing

SCHEMA_VERSION = 1

OPERATOR_COLUMNS = (
    "key",
    "part",
    "op",
    "kind",
    "pass",
    "precision",
    "dtype",
    "layout",
    "shape",
    "b",
    "m",
    "n",
    "k",
    "rows",
    "cols",
    "window",
    "stride",
    "groups",
    "flops",
    "read_bytes",
    "write_bytes",
    "time_s",
    "time_min_s",
    "spread",
    "repeats",
    "method",
    "threads",
    "error",
)

STEP_COLUMNS = (
    "key",
    "workload",
    "blocks",
    "batch",
    "size_name",
    "size",
    "precision",
    "mode",
    "optimizer",
    "step_s",
    "step_min_s",
    "spread",
    "repeats",
    "h2d_s",
    "forward_s",
    "loss_s",
    "backward_s",
    "optimizer_s",
    "host_s",
    "parameters",
    "peak_memory_bytes",
    "threads",
    "error",
)

COLUMNS: dict[str, tuple[str, ...]] = {
    "kernels": OPERATOR_COLUMNS,
    "transfers": OPERATOR_COLUMNS,
    "launch": OPERATOR_COLUMNS,
    "steps": STEP_COLUMNS,
}

DTYPES = {
    "fp32": "float32",
    "tf32": "float32",
    "fp16": "float16",
    "bf16": "bfloat16",
    "fp8": "float8_e4m3fn",
    "int8": "int8",
}

Row = dict[str, Any]


def operator_row(part: str, case: Case, timing: Timing | None, *, threads: int = 0, error: str = "") -> Row:
    """One row of an operator table.

    Parameters
    ----------
    part : str
        ``kernels``, ``transfers`` or ``launch``.
    case : Case
        What was timed.
    timing : Timing or None
        Its time; None where it could not be timed.
    threads : int
        CPU threads that computed; 0 on a GPU.
    error : str
        Why it could not be timed.
    """
    return {
        "key": f"{part}|{case.key}",
        "part": part,
        "op": case.op,
        "kind": case.kind,
        "pass": case.pass_,
        "precision": case.precision,
        "dtype": DTYPES[case.precision],
        "layout": case.layout,
        "shape": case.shape_text,
        **{name: getattr(case, name) for name in ("b", "m", "n", "k", "rows", "cols", "window", "stride", "groups")},
        "flops": case.flops,
        "read_bytes": case.read_bytes,
        "write_bytes": case.write_bytes,
        "time_s": timing.time_s if timing else "",
        "time_min_s": timing.time_min_s if timing else "",
        "spread": timing.spread if timing else "",
        "repeats": timing.repeats if timing else 0,
        "method": timing.method if timing else "",
        "threads": threads,
        "error": error,
    }


class RowStore:
    """The tables of one measuring session, in one folder.

    Each part is a ``.csv.gz`` that is replaced as a whole, atomically, every few seconds and when the part ends; a
    session that is killed loses the last seconds at most and goes on where it stopped.

    Parameters
    ----------
    folder : Path
        Where the tables lie; made if missing.
    interval_s : float
        Seconds between writes.
    """

    def __init__(self, folder: Path, *, interval_s: float = 2.0) -> None:
        self.folder = folder
        self.interval_s = interval_s
        folder.mkdir(parents=True, exist_ok=True)
        self._rows: dict[str, dict[str, Row]] = {}
        self._written = time.monotonic()
        self._changed: set[str] = set()

    def rows(self, part: str) -> list[Row]:
        """All rows of a part, those of earlier sessions included; values read from disk are text."""
        return list(self._part(part).values())

    def has(self, part: str, key: str) -> bool:
        """Whether a row of that key is there already."""
        return key in self._part(part)

    def add(self, part: str, row: Mapping[str, Any]) -> None:
        """Add a row, replacing one of the same key, and write the table if it is time to."""
        unknown = set(row) - set(COLUMNS[part])
        if unknown:
            raise ValueError(f"no such columns in {part}: {sorted(unknown)}")
        self._part(part)[row["key"]] = dict(row)
        self._changed.add(part)
        if time.monotonic() - self._written >= self.interval_s:
            self.flush()

    def flush(self) -> None:
        """Write every table that changed."""
        for part in sorted(self._changed):
            write_atomically(self.folder / f"{part}.csv.gz", _table(part, self._part(part).values()))
        self._changed.clear()
        self._written = time.monotonic()

    def write_json(self, name: str, document: Mapping[str, Any]) -> None:
        """Write a JSON document beside the tables."""
        write_atomically(self.folder / name, (json.dumps(document, indent=1) + "\n").encode())

    def _part(self, part: str) -> dict[str, Row]:
        if part not in self._rows:
            self._rows[part] = {row["key"]: row for row in read_table(self.folder / f"{part}.csv.gz")}
        return self._rows[part]


def read_table(path: Path) -> list[Row]:
    """Rows of a table as text; none where there is no such file."""
    if not path.exists():
        return []
    with gzip.open(path, "rt", encoding="utf-8", newline="") as file:
        return [dict(row) for row in csv.DictReader(file)]


def write_atomically(path: Path, content: bytes) -> None:
    """Replace a file so that at any moment either the old or the new content is there."""
    temporary = path.with_name(f"{path.name}.{os.getpid()}.new")
    try:
        with temporary.open("wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


def _table(part: str, rows: Any) -> bytes:
    text = io.StringIO(newline="")
    writer = csv.DictWriter(text, COLUMNS[part], restval="", lineterminator="\n")
    writer.writeheader()
    writer.writerows({name: _cell(value) for name, value in row.items()} for row in rows)
    return gzip.compress(text.getvalue().encode(), mtime=0)


def _cell(value: Any) -> Any:
    return f"{value:.7g}" if isinstance(value, float) else value
