"""Measuring sessions on disk: which there are, whose card each measured, and that their tables are what they should be.

A session is a folder with a ``session.json`` and the tables that docs/measuring.md describes.
"""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from perfmodel.errors import InputError, TableError, UnknownGpuError
from perfmodel.hardware.gpu import Gpu, find_gpu

from .rows import COLUMNS, SCHEMA_VERSION, Row, read_table

#: Where ``make gpu`` puts sessions.
MEASUREMENTS = Path("calibration/measurements")
_AGAIN = "measure again, or leave this folder out"
#: A card's memory as the driver counts it differs by less than this from the table's.
_MEMORY_TOLERANCE = 0.15
_NUMBERS = {
    "kernels": ("b", "m", "n", "k", "rows", "cols", "window", "stride", "groups", "flops", "read_bytes", "write_bytes"),
    "steps": ("blocks", "batch", "size"),
}
_TIME = {"kernels": "time_s", "steps": "step_s"}


@dataclass(frozen=True, kw_only=True)
class MeasuredSession:
    """One session of one device.

    Attributes
    ----------
    path : Path
        Its folder.
    gpu : Gpu or None
        The card; None where a processor was measured.
    facts : mapping
        What the last run of the session recorded of the device, the clocks and the versions.
    kernels, steps : tuple of Row
        Rows that have a time, as text.
    failed : int
        Rows without one: cases that cannot run there.
    """

    path: Path
    gpu: Gpu | None
    facts: Mapping[str, Any]
    kernels: tuple[Row, ...]
    steps: tuple[Row, ...]
    failed: int

    @property
    def name(self) -> str:
        """Name of the session as a source of measurements."""
        return f"perfmodel {self.path.name}"

    @property
    def dry(self) -> bool:
        """Whether the session only tried the path, on tiny cases."""
        return bool(self.facts.get("dry"))

    @property
    def usable(self) -> bool:
        """Whether the rows tell something of a GPU."""
        return self.gpu is not None and not self.dry

    def provenance(self) -> dict[str, object]:
        """Where the rows come from, for the documents that rest on them."""
        tables = [self.path / f"{part}.csv.gz" for part in _TIME]
        known = ("date", "torch", "cuda", "cudnn", "compute_capability")
        state = self.facts.get("gpu_state") or {}
        return {
            "session": self.path.name,
            "gpu": self.gpu.key if self.gpu else "",
            **{name: self.facts[name] for name in known if name in self.facts},
            **({"driver": state["driver_version"]} if "driver_version" in state else {}),
            "kernel_rows": len(self.kernels),
            "step_rows": len(self.steps),
            "data": {f.name: hashlib.sha256(f.read_bytes()).hexdigest()[:16] for f in tables if f.exists()},
        }


def read_sessions(folder: Path) -> list[MeasuredSession]:
    """Read every session in a folder, in the order of their names.

    Raises
    ------
    InputError
        When there is no such folder, or a session is not what it should be.
    """
    if not folder.is_dir():
        raise InputError(f"no folder {folder}", "--measurements is the folder that holds the sessions")
    return [read_session(path.parent) for path in sorted(folder.glob("*/session.json"))]


def read_session(folder: Path) -> MeasuredSession:
    """Read one session.

    Raises
    ------
    InputError
        When the folder holds no session, another schema's, or names a card that is not in the table.
    TableError
        When a table lacks a column, or a cell is not the number that it should be.
    """
    facts = _facts(folder / "session.json")
    parts = {part: _rows(folder / f"{part}.csv.gz", part) for part in _TIME}
    good = {part: tuple(row for row in rows if not row["error"]) for part, rows in parts.items()}
    return MeasuredSession(
        path=folder, gpu=_card(folder, facts), facts=facts, kernels=good["kernels"], steps=good["steps"],
        failed=sum(len(rows) - len(good[part]) for part, rows in parts.items()),
    )  # fmt: skip


def _facts(path: Path) -> Mapping[str, Any]:
    """Facts of the session's last run, after a look at the schema."""
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
        version, last = document["schema_version"], document["sessions"][-1]
        last["device"]
    except FileNotFoundError:
        raise InputError(f"{path.parent} is no measuring session", "give a folder that holds session.json") from None
    except (OSError, UnicodeDecodeError, ValueError, LookupError, TypeError):
        raise InputError(f"{path} does not describe a measuring session", _AGAIN) from None
    if version != SCHEMA_VERSION:
        raise InputError(f"{path} has schema {version}, this version reads {SCHEMA_VERSION}", _AGAIN)
    found: Mapping[str, Any] = last
    return found


def _card(folder: Path, facts: Mapping[str, Any]) -> Gpu | None:
    """The measured card; one of the table's whose name and memory agree."""
    if facts["device"] == "cpu":
        return None
    name = str(facts.get("gpu", ""))
    try:
        card = find_gpu(name)
    except UnknownGpuError:
        raise InputError(f"{folder}: the card {name!r} is not in the table", "add it with perfmodel gpus add") from None
    memory = float(facts.get("memory_bytes") or 0.0) / 2**30
    if memory and abs(memory / card.memory_gb - 1) > _MEMORY_TOLERANCE:
        raise InputError(
            f"{folder}: {name!r} has {memory:.0f} GiB there, {card.key} has {card.memory_gb:g}",
            "add the card with perfmodel gpus add",
        )
    return card


def _rows(path: Path, part: str) -> list[Row]:
    """Rows of a table; none where there is no such table."""
    try:
        rows = read_table(path)
    except (OSError, EOFError, UnicodeDecodeError):
        raise TableError(f"{path} is not a compressed table", _AGAIN) from None
    missing = [name for name in COLUMNS[part] if rows and name not in rows[0]]
    if missing:
        raise TableError(f"{path} lacks the column {missing[0]}", "the columns are described in docs/measuring.md")
    for row in rows:
        _check(path, part, row)
    return rows


def _check(path: Path, part: str, row: Row) -> None:
    numbers = (*_NUMBERS[part], *(() if row["error"] else (_TIME[part],)))
    for name in numbers:
        try:
            value = float(row[name])
        except (TypeError, ValueError):
            value = math.nan
        least = 0.0 if name != _TIME[part] else math.ulp(0.0)
        if not least <= value < math.inf:
            raise TableError(f"{path}, row {row['key']!r}: {name} is {row[name]!r}, not a number it can be", _AGAIN)
