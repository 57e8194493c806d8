"""Measuring the processor: the clocks, a short profile, its errors, and prediction beside measurement."""

from __future__ import annotations

import builtins
import time
from pathlib import Path
from typing import Any

import pytest

from perfmodel.calibration import cpu_clock, cpu_profile, cpu_steps, timing
from perfmodel.efficiency.cpu import profile_of
from perfmodel.errors import DependencyError, FailureError, InputError
from perfmodel.hardware.gpu import find_gpu


@pytest.fixture(autouse=True)
def data_dir(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("PERFMODEL_DATA_DIR", str(tmp_path))
    return tmp_path


def test_one_thread_is_timed_by_processor_time_and_more_by_the_wall_clock() -> None:
    def sleep(_: int) -> None:
        time.sleep(0.01)

    effort = timing.Effort(bursts=3, burst_s=0.01, max_calls=2)
    alone = cpu_clock.CpuTimer(cpu_clock.clock_for(1)).time(sleep, copies=1, effort=effort)
    several = cpu_clock.CpuTimer(cpu_clock.clock_for(2)).time(sleep, copies=1, effort=effort)
    assert alone.time_s < 0.005
    assert several.time_s >= 0.01


def test_without_torch_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    real = builtins.__import__

    def without(name: str, *arguments: Any, **options: Any) -> Any:
        if name == "torch":
            raise ImportError("No module named 'torch'")
        return real(name, *arguments, **options)

    monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(DependencyError, match="pip install"):
        cpu_profile.measure_profile("cpu:1")


@pytest.mark.parametrize("budget", [0.0, -1.0, 2.9, float("nan")])
def test_a_budget_that_is_too_short(budget: float) -> None:
    with pytest.raises(InputError, match="too short"):
        cpu_profile.measure_profile("cpu:1", budget_s=budget)


def test_a_point_that_cannot_be_measured_is_a_failure() -> None:
    pytest.importorskip("torch")
    with pytest.raises(FailureError, match="measuring no such network"):
        cpu_steps.measure_apart(cpu_steps.Point(workload="no such network", batch=1), 1)


def test_results_know_their_error_and_whether_the_interval_held() -> None:
    point = cpu_steps.Point(workload="pilotnet", batch=8)
    result = cpu_steps.result_of(point, [0.010, 0.012, 0.011], "cpu:1")
    assert result.measured_s == 0.011
    assert result.error == pytest.approx(result.predicted_s / 0.011 - 1)
    assert result.covered == (result.low_s <= 0.011 <= result.high_s)
    assert cpu_steps.median_error([result]) == abs(result.error)
    assert {one.workload for one in cpu_steps.POINTS} == {
        "pilotnet", "pilotnet_same", "deepest_lstm_tiny_pilotnet", "dmnet_cnn", "dmnet_cnn_v1", "dmnet_resnet",
        "cyclegan",
    }  # fmt: skip
    assert len(cpu_steps.POINTS) >= 8
    assert len({one.key for one in cpu_steps.POINTS}) == len(cpu_steps.POINTS)


@pytest.mark.slow
def test_a_machine_too_busy_to_measure_gets_no_profile(monkeypatch: pytest.MonkeyPatch) -> None:
    """Eight operators measured in 13 minutes once stood as a profile with evidence A, 40 times off."""
    pytest.importorskip("torch")
    real = cpu_profile.measure_rows
    monkeypatch.setattr(cpu_profile, "measure_rows", lambda *args, **options: real(*args, **options)[:8])
    with pytest.raises(FailureError, match=r"only 8 operators could be measured in 3 s .*too few"):
        cpu_profile.measure_profile("cpu:1", budget_s=3.0)


@pytest.mark.slow
def test_predicted_steps_are_near_measured_ones() -> None:
    """The loop that needs no GPU, in about a minute: profile, steps, errors."""
    pytest.importorskip("torch")
    profile = cpu_profile.measure_profile("cpu:1", budget_s=30.0)
    assert profile.rows > 60
    assert profile_of(find_gpu("cpu:1")) == profile
    assert 1e9 < profile.coefficients.flops < 1e13
    assert profile.coefficients.cache_bandwidth >= profile.coefficients.bandwidth > 1e8
    results = cpu_steps.compare_points(cpu_steps.SHORT, "cpu:1", budget_s=1.5)
    text = ", ".join(f"{one.point.key}: {one.error:+.0%}" for one in results)
    assert cpu_steps.median_error(results) < 0.35, text
