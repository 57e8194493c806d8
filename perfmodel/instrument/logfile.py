"""Writing a run log while the run goes on: whole after Ctrl-C, at most half lost after a kill.

The file is written anew, beside the old one and then in its place, each time the number of steps has doubled and at
the end; so a reader never sees half a file, and the cost of writing stays in proportion to the steps.
"""

from __future__ import annotations

import csv
import gzip
import io
import os
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from perfmodel.errors import InputError
from perfmodel.instrument import runlog
from perfmodel.instrument.devices import Device
from perfmodel.instrument.phases import PHASES
from perfmodel.instrument.steps import Step

_FIRST_FLUSH = 64
_SUFFIXES = (".parquet", ".csv", ".csv.gz")


class LogFile:
    """A run log in Parquet or CSV (by its suffix).

    Parameters
    ----------
    path : str or Path
    device : Device
    header : mapping
        Fields of the header that the caller knows; the rest is found out (`describe_run`).
    first : int
        Number of the first step; an existing log's steps before it are kept.

    Raises
    ------
    InputError
        When the suffix is none of .parquet, .csv, .csv.gz, or the folder cannot be written.
    """

    def __init__(self, path: str | Path, *, device: Device, header: Mapping[str, Any], first: int = 0) -> None:
        self.path = Path(path)
        if not self.path.name.endswith(_SUFFIXES):
            raise InputError(f"a run log cannot be written as {self.path.name}", "end its name in .parquet or .csv")
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            self._partial.touch()
            self._partial.unlink()
        except OSError as error:
            raise InputError(f"cannot write {self.path}: {error.strerror}", "choose another folder") from None
        self._header = describe_run(device, header)
        self._rows = _earlier(self.path, first) if first else []
        self._due = _FIRST_FLUSH

    @property
    def _partial(self) -> Path:
        return self.path.with_name(f".{self.path.name}.partial")

    def take(self, step: Step) -> None:
        """Add a row; write when their number has doubled."""
        self._rows.append(row_of(step))
        if len(self._rows) >= self._due:
            self._due *= 2
            self.write()

    def close(self) -> None:
        """Write all rows."""
        self.write()

    def write(self) -> None:
        """Write the file anew."""
        header = dict(self._header)
        if not header.get("batch") and self._rows:
            header["batch"] = int(self._rows[-1]["batch"]) * int(header["n_gpu"])
        names = list(dict.fromkeys([*runlog.COLUMNS, *(name for row in self._rows for name in row)]))
        columns = {name: [row.get(name, float("nan")) for row in self._rows] for name in names}
        runlog.check_header(header, where=str(self.path))
        if self.path.suffix == ".parquet":
            _write_parquet(self._partial, columns, header)
        else:
            _write_csv(self._partial, columns, header, packed=self.path.suffix == ".gz")
        os.replace(self._partial, self.path)


def _earlier(path: Path, first: int) -> list[dict[str, float]]:
    """Rows of an existing log before a step; none where there is no readable one."""
    if path.suffix != ".parquet" or not path.exists():
        return []
    from importlib import import_module

    rows: list[dict[str, float]] = import_module("pyarrow.parquet").read_table(path).to_pylist()
    return [row for row in rows if row["step"] < first]


def row_of(step: Step) -> dict[str, float]:
    """A step as a row of the run log."""
    times = step.times
    row: dict[str, float] = {
        "step": step.number,
        "epoch": step.epoch,
        "rank": _rank(),
        "start_ns": times.start,
        "batch": step.batch,
        "cold": int(step.cold),
        "step_ms": times.length / 1e6,
    }
    row |= {f"{phase}_ms": times.total[phase] / 1e6 for phase in PHASES}
    row |= {f"{phase}_own_ms": times.exposed[phase] / 1e6 for phase in PHASES}
    if step.memory is not None:
        row |= {"memory_mb": step.memory.allocated / 1e6, "memory_peak_mb": step.memory.peak / 1e6,
                "memory_reserved_mb": step.memory.reserved / 1e6}  # fmt: skip
    row |= {f"loss_{name}": value for name, value in step.values.items()}
    return row


def _rank() -> int:
    text = os.environ.get("RANK", "0")
    return int(text) if text.isdigit() else 0


def describe_run(device: Device, known: Mapping[str, Any]) -> dict[str, Any]:
    """Return a complete header: what the caller knows, and of this machine what can be found out.

    Nothing in it names the user, a path, or the machine on its network.
    """
    import platform
    import sys

    torch = sys.modules.get("torch")
    world = os.environ.get("WORLD_SIZE", "1")
    found: dict[str, Any] = {
        "schema_version": runlog.SCHEMA_VERSION,
        "workload": "",
        "gpu": device.name,
        "n_gpu": int(world) if world.isdigit() else 1,
        "host": f"{os.cpu_count()}-core {platform.machine()}",
        "host_cores": len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count(),
        "python": platform.python_version(),
        "framework": "pytorch" if torch is not None else "",
        "framework_version": str(torch.__version__) if torch is not None else "",
        "precision": "fp32",
        "mode": "train",
        "batch": 0,
        "synchronised": True,
        "started_utc": datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
    }
    if torch is not None and device.name != "cpu" and torch.cuda.is_available():
        found |= {"cuda": str(torch.version.cuda), "cudnn": torch.backends.cudnn.version()} | _nvidia_state()
    return found | {name: value for name, value in known.items() if value is not None}


def _nvidia_state() -> dict[str, Any]:
    """Driver and clocks of the first card by NVML; empty where that is missing."""
    try:
        import pynvml

        pynvml.nvmlInit()
        card = pynvml.nvmlDeviceGetHandleByIndex(0)
        return {
            "driver": str(pynvml.nvmlSystemGetDriverVersion()),
            "sm_clock_mhz": int(pynvml.nvmlDeviceGetClockInfo(card, pynvml.NVML_CLOCK_SM)),
            "memory_clock_mhz": int(pynvml.nvmlDeviceGetClockInfo(card, pynvml.NVML_CLOCK_MEM)),
        }
    except Exception:
        return {}


def _write_parquet(path: Path, columns: Mapping[str, list[float]], header: Mapping[str, Any]) -> None:
    import json
    from importlib import import_module

    pyarrow, parquet = import_module("pyarrow"), import_module("pyarrow.parquet")
    table = pyarrow.table(dict(columns))
    stored = {runlog.HEADER_KEY: json.dumps(dict(header), sort_keys=True)}
    parquet.write_table(table.replace_schema_metadata(stored), path)


def _write_csv(path: Path, columns: Mapping[str, list[float]], header: Mapping[str, Any], *, packed: bool) -> None:
    text = io.StringIO(newline="")
    text.write(runlog.header_line(header) + "\n")
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(columns)
    writer.writerows(zip(*columns.values(), strict=True))
    raw = text.getvalue().encode("utf-8")
    path.write_bytes(gzip.compress(raw, mtime=0) if packed else raw)
