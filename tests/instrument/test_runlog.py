"""The run-log schema."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from perfmodel.errors import TableError
from perfmodel.instrument import runlog
from perfmodel.instrument.phases import PHASES

HEADER: dict[str, Any] = {
    "schema_version": 1,
    "workload": "cyclegan",
    "gpu": "p100-pcie-16",
    "n_gpu": 1,
    "host": "local",
    "framework": "pytorch",
    "framework_version": "2.9",
    "precision": "fp32",
    "mode": "train",
    "batch": 4,
    "synchronised": True,
    "started_utc": "2026-01-01T00:00:00Z",
}


def log(steps: int = 3) -> dict[str, list[float]]:
    columns: dict[str, list[float]] = {name: [0.0] * steps for name in runlog.COLUMNS}
    columns["step"] = [float(i) for i in range(steps)]
    columns["batch"] = [4.0] * steps
    columns["step_ms"] = [100.0] * steps
    for phase, total, own in (("forward", 40.0, 40.0), ("backward", 60.0, 55.0), ("load", 90.0, 5.0)):
        columns[f"{phase}_ms"] = [total] * steps
        columns[f"{phase}_own_ms"] = [own] * steps
    return columns


def test_a_right_log_passes() -> None:
    runlog.validate_run_log(log(), HEADER)
    runlog.validate_run_log(log(0), HEADER)


def test_every_phase_has_a_total_and_an_exposed_column() -> None:
    assert {f"{p}_ms" for p in PHASES} | {f"{p}_own_ms" for p in PHASES} <= set(runlog.COLUMNS)


def test_the_docstring_names_every_column() -> None:
    text = runlog.__doc__ or ""
    assert all(f"``{name}``" in text for name in runlog.STEP_COLUMNS + runlog.OPTIONAL_COLUMNS)


Change = Callable[[dict[str, list[float]]], Any]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda c: c.pop("cold"), "lacks the column cold"),
        (lambda c: c["step"].append(9.0), "differ in length"),
        (lambda c: c["step_ms"].__setitem__(1, -1.0), "row 2: step_ms is -1.0"),
        (lambda c: c["load_ms"].__setitem__(0, float("nan")), "row 1: load_ms is nan"),
        (lambda c: c["step"].__setitem__(2, 1.0), "row 3: step 1 does not follow 1"),
        (lambda c: c["forward_own_ms"].__setitem__(0, 45.0), "row 1: forward_own_ms is above forward_ms"),
        (lambda c: c["step_ms"].__setitem__(2, 120.0), "row 3: exposed parts sum to 100 ms, the step is 120 ms"),
    ],
)
def test_each_fault_is_named_with_its_row(change: Change, message: str) -> None:
    columns = log()
    change(columns)
    with pytest.raises(TableError, match=message):
        runlog.validate_run_log(columns, HEADER, where="run.csv")


def test_steps_of_two_ranks_rise_each_for_itself() -> None:
    columns = log(4)
    columns["step"], columns["rank"] = [0.0, 0.0, 1.0, 1.0], [0.0, 1.0, 0.0, 1.0]
    runlog.validate_run_log(columns, HEADER)


def test_the_header_survives_its_line() -> None:
    line = runlog.header_line(HEADER | {"dataset": "VKITTI-KITTI"})
    assert line.startswith("# perfmodel-runlog {")
    assert runlog.parse_header(line)["dataset"] == "VKITTI-KITTI"


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"gpu": None}, "gpu is None"),
        ({"batch": True}, "batch is True"),
        ({"synchronised": 1}, "synchronised is 1"),
        ({"schema_version": 2}, "schema 2; this version reads up to 1"),
    ],
)
def test_wrong_headers(change: dict[str, Any], message: str) -> None:
    with pytest.raises(TableError, match=message):
        runlog.check_header(HEADER | change)


def test_missing_header_fields_and_lines_without_header() -> None:
    with pytest.raises(TableError, match="lacks precision"):
        runlog.check_header({k: v for k, v in HEADER.items() if k != "precision"})
    for line in ("step,epoch", "# perfmodel-runlog [1]", ""):
        with pytest.raises(TableError, match="header"):
            runlog.parse_header(line)
