"""The processor as a device on the command line."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from perfmodel.efficiency.cpu import typical_profile
from perfmodel.hardware.gpu import find_gpu


@pytest.fixture(autouse=True)
def data_dir(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("PERFMODEL_DATA_DIR", str(tmp_path))
    return tmp_path


def test_predict_answers_for_this_machine(perfmodel: Callable[..., Any]) -> None:
    words = ("predict", "--gpu", "cpu", "--workload", "pilotnet", "--batch", "8", "--loader", "none", "--json")
    found = perfmodel(*words).document()
    assert found["gpu"]["key"] == "cpu"
    assert found["evidence"]["grade"] == "D"
    assert found["phases_ms"]["h2d"]["total"] == found["phases_ms"]["launch"]["total"] == 0.0
    exposed = sum(phase["exposed"] for phase in found["phases_ms"].values())
    assert exposed == pytest.approx(found["step_ms"]["median"], rel=1e-9)
    text = perfmodel("predict", "--gpu", "cpu", "--workload", "pilotnet", "--explain")
    assert text.status == 0
    assert "measure --device cpu --profile" in text.out


@pytest.mark.parametrize(
    ("words", "reason"),
    [
        (("predict", "--gpu", "cpu:0"), "names no part of this processor"),
        (("predict", "--gpu", "cpu", "--gpus", "2"), "one processor"),
        (("predict", "--gpu", "cpu", "--precision", "fp16"), "has no fp16"),
        (("measure", "--profile", "--device", "cuda"), "--profile is for --device cpu"),
        (("measure", "--profile", "--budget", "1"), "too short"),
        (("measure", "--profile", "--threads", "100000"), "names no part of this processor"),
    ],
)
def test_bad_input(perfmodel: Callable[..., Any], words: tuple[str, ...], reason: str) -> None:
    assert reason in perfmodel(*words).error()


def test_a_damaged_profile_is_one_line(perfmodel: Callable[..., Any], data_dir: Path) -> None:
    (data_dir / "cpu").mkdir()
    for threads in (1, find_gpu("cpu").sm):
        from perfmodel.hardware.cpu import slug

        (data_dir / "cpu" / f"{slug(find_gpu(f'cpu:{threads}'))}.json").write_text("{", encoding="utf-8")
    assert "is not a profile" in perfmodel("predict", "--gpu", "cpu").error()


def test_measure_says_what_it_found(
    perfmodel: Callable[..., Any], data_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from perfmodel.calibration import cpu_profile

    asked: list[tuple[str, float]] = []

    def measured(device: str, *, budget_s: float) -> Any:
        asked.append((device, budget_s))
        profile = typical_profile(find_gpu("cpu:1"))
        return replace(profile, rows=321, residual_sd=0.2, provenance={"used_by_others": 0.5})

    monkeypatch.setattr(cpu_profile, "measure_profile", measured)
    text = perfmodel("measure", "--profile", "--threads", "1", "--budget", "9").out
    assert asked == [("cpu:1", 9.0)]
    assert "321 operators measured" in text
    assert "others used 50 % of the machine" in text
    assert perfmodel("measure", "--profile", "--json").document()["rows"] == 321
    assert asked[1][0] == "cpu"
