"""The whole session as a dry run on the CPU: complete, resumed, killed, interrupted, out of time."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from perfmodel import native
from perfmodel.calibration import gpu, measure, programs, rows, session
from perfmodel.errors import CudaUnavailableError, DependencyError, InputError, NativeUnavailableError

torch = pytest.importorskip("torch")

COMMAND = [sys.executable, "-m", "perfmodel.calibration.gpu", "--device", "cpu", "--dry-run"]


def start(output: Path, *words: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [*COMMAND, "--output", str(output), *words], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )


def measured_parts() -> set[str]:
    """Parts that give rows on a processor: streams need the native module."""
    try:
        native.cpu()
    except NativeUnavailableError:
        return set(session.PARTS) - {"transfers"}
    return set(session.PARTS)


def tables(output: Path) -> dict[str, list[rows.Row]]:
    return {path.name.split(".")[0]: rows.read_table(path) for path in output.glob("*/*.csv.gz")}


def test_dry_run_measures_every_part_and_is_not_repeated(tmp_path: Path) -> None:
    first = start(tmp_path)
    stdout, stderr = first.communicate(timeout=120)
    assert first.returncode == 0, stderr
    found = tables(tmp_path)
    assert set(found) == measured_parts()
    for part, table in found.items():
        time_column = "step_s" if part == "steps" else "time_s"
        assert table
        for row in table:
            assert set(row) == set(rows.COLUMNS[part])
            assert not row["error"], row
            assert 0 < float(row[time_column]) < 60
    (folder,) = tmp_path.iterdir()
    assert stdout.strip() == str(folder)
    document = json.loads((folder / "session.json").read_text(encoding="utf-8"))
    assert document["sessions"][0]["complete"] == dict.fromkeys(session.PARTS, True)
    second = start(tmp_path)
    second.communicate(timeout=120)
    assert tables(tmp_path) == found
    assert len(json.loads((folder / "session.json").read_text(encoding="utf-8"))["sessions"]) == 2


def wait_for(condition: Any, *, seconds: float = 60.0) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "it did not happen in time"
        time.sleep(0.02)


@pytest.mark.parametrize("sent", [signal.SIGKILL, signal.SIGINT, signal.SIGTERM])
def test_a_stopped_session_keeps_its_rows_and_goes_on(tmp_path: Path, sent: signal.Signals) -> None:
    process = start(tmp_path)
    wait_for(lambda: "kernels" in tables(tmp_path))
    process.send_signal(sent)
    _, stderr = process.communicate(timeout=60)
    kept = tables(tmp_path)["kernels"]
    assert kept
    assert not list(tmp_path.glob("*/*.new")) or sent == signal.SIGKILL
    if sent != signal.SIGKILL:
        assert process.returncode == 130
        assert "interrupted; what was measured is kept" in stderr
        assert "Traceback" not in stderr
    again = start(tmp_path)
    again.communicate(timeout=120)
    assert again.returncode == 0
    found = tables(tmp_path)
    assert set(found) == measured_parts()
    assert found["kernels"][: len(kept)] == kept


def test_no_time_left_is_an_incomplete_answer(tmp_path: Path) -> None:
    request = session.Request(device="cpu", output=tmp_path, budget_s=1e-6, parts=("kernels", "steps"), dry=True)
    outcome = session.run(request)
    assert outcome.complete == {"kernels": False, "steps": False}
    assert outcome.rows == {"kernels": 0, "steps": 0}


def test_time_left_over_is_passed_on() -> None:
    request = session.Request(device="cpu", output=Path(), budget_s=100.0)
    deadlines = session._deadlines(request, time.monotonic())
    assert [part for part, _ in deadlines] == ["kernels", "transfers", "launch", "steps"]
    ends = [deadline() - time.monotonic() for _, deadline in deadlines]
    assert ends == pytest.approx([50.0, 12.0, 9.1, 100.0], abs=0.5)


@pytest.mark.parametrize(
    ("words", "text"),
    [
        (["--parts", "kernels,nothing"], "no part 'nothing'; known: kernels, transfers, launch, steps"),
        (["--budget", "0"], "a budget of 0 s is too short"),
    ],
)
def test_wrong_arguments_are_one_line(capsys: pytest.CaptureFixture[str], words: list[str], text: str) -> None:
    assert gpu.main(["--device", "cpu", *words]) == 2
    assert f"error: {text}" in capsys.readouterr().err


def test_wrong_device() -> None:
    with pytest.raises(InputError, match="no device 'tpu'"):
        session.Request(device="tpu", output=Path(), budget_s=1.0)


@pytest.mark.skipif(torch.cuda.is_available(), reason="torch sees a GPU here")
def test_no_gpu_is_one_clear_error(tmp_path: Path) -> None:
    with pytest.raises(CudaUnavailableError, match="torch sees no GPU"):
        session.run(session.Request(device="cuda", output=tmp_path, budget_s=1.0))
    assert list(tmp_path.iterdir()) == []


def test_no_torch_is_one_clear_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "torch", None)
    with pytest.raises(DependencyError, match="measuring needs torch"):
        measure.measure_cpu(1.0)


def test_a_case_that_fails_becomes_a_row_and_the_rest_goes_on(monkeypatch: pytest.MonkeyPatch) -> None:
    found: list[rows.Row] = []
    opened = measure.open_session("cpu", dry=True, emit=found.append)

    def fail(*_: object) -> None:
        raise RuntimeError("CUDA out of memory\nmore text")

    monkeypatch.setattr(measure, "prepare", fail)
    assert measure.measure_kernels(opened, deadline=time.monotonic() + 60)
    assert len(found) > 20
    assert {row["error"] for row in found} == {"CUDA out of memory"}
    assert {row["time_s"] for row in found} == {""}


def test_measure_cpu_gives_rows_of_every_kind() -> None:
    found = measure.measure_cpu(20.0, dry=True)
    assert {row["part"] for row in found} >= {"kernels", "launch"}
    assert {row["kind"] for row in found} >= {
        "gemm",
        "conv",
        "norm",
        "softmax",
        "elementwise",
        "copy",
        "embedding",
        "pool",
    }
    assert {row["pass"] for row in found if row["kind"] == "conv"} == {"fwd", "dgrad", "wgrad"}
    assert all(row["time_s"] > 0 and row["repeats"] > 0 for row in found)


def test_a_step_that_fails_becomes_a_row(monkeypatch: pytest.MonkeyPatch) -> None:
    found: list[rows.Row] = []
    opened = measure.open_session("cpu", dry=True, emit=found.append)

    def fail(*_: object) -> None:
        raise ValueError("no such layer")

    monkeypatch.setattr(programs, "_BUILDERS", dict.fromkeys(programs._BUILDERS, fail))
    assert programs.measure_steps(opened, deadline=time.monotonic() + 60)
    assert {row["error"] for row in found} == {"no such layer"}
