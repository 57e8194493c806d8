"""Timing loops: on a simulated asynchronous device, and on torch modules here."""

from __future__ import annotations

import os
import signal
import statistics
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from perfmodel.errors import InputError
from perfmodel.instrument import PHASES, check_reported, check_units, doubts, step_phases
from perfmodel.instrument.devices import SimulatedDevice, find_device
from perfmodel.instrument.steps import Step, StepPhases, samples
from perfmodel.runs.runlog import read_run_log

#: The published step of the depth and mask networks, ms.
PUBLISHED = {"load": 368.0, "forward": 4.38, "loss": 0.52, "backward": 8.83}


def compute_bound(device: SimulatedDevice, steps: int = 12, *, start_up_s: float = 0.0) -> list[Step]:
    """A loop whose copy blocks behind the backward pass of the step before, as a pageable copy does."""
    with step_phases(device=device, batch=32) as phases:
        for number in phases(range(steps)):
            device.host(start_up_s if number == 0 else 0.0)
            with phases.h2d():
                device.block(1.3e-3)
            with phases.forward():
                device.submit(120e-3)
            with phases.loss():
                device.submit(0.5e-3)
            with phases.backward():
                device.submit(240e-3)
    return phases.steps


def median_ms(steps: list[Step], phase: str, *, kind: str = "exposed") -> float:
    return statistics.median(getattr(step.times, kind)[phase] for step in steps if not step.cold) / 1e6


def test_mistake_3_the_96_percent_data_loading_step_is_compute_bound() -> None:
    """A timer around a blocking copy is charged with the backward pass queued before it (REFERENCE_SYSTEMS 3)."""
    steps = compute_bound(SimulatedDevice())
    warm = [step for step in steps if not step.cold]
    length = statistics.median(step.times.length for step in warm) / 1e6
    by_host = statistics.median(sum(s.end - s.start for s in step.host if s.phase == "h2d") for step in warm) / 1e6
    assert by_host / length > 0.96  # what the published profile says
    assert median_ms(steps, "h2d") == pytest.approx(1.3, rel=0.02)
    assert median_ms(steps, "backward") == pytest.approx(240, rel=0.01)
    assert sum(median_ms(steps, p) for p in ("forward", "loss", "backward")) / length > 0.99
    found = {(doubt.kind, doubt.phase): doubt for doubt in doubts(steps)}
    assert "the step is compute-bound" in found["asynchronous", "h2d"].text


def test_a_loop_that_waits_for_its_loader_is_not_doubted() -> None:
    device = SimulatedDevice()

    def slow() -> Any:
        for number in range(12):
            device.host(0.3)
            yield number

    with step_phases(device=device) as phases:
        for _ in phases(slow()):
            with phases.forward():
                device.submit(0.02)
    assert median_ms(phases.steps, "input_wait") == pytest.approx(280, rel=0.01)
    assert median_ms(phases.steps, "input_wait", kind="total") == pytest.approx(300, rel=0.01)
    assert not doubts(phases.steps)


def test_published_times_are_impossible_and_say_where_the_time_went() -> None:
    """4.38 ms of forward would be 130 to 206 TFLOP/s on a card of 9.3 (REFERENCE_SYSTEMS 3)."""
    forward_gflop = 2 * 14.13 * 32
    found = check_reported(PUBLISHED, gflops={"forward": forward_gflop, "backward": 2 * forward_gflop}, peak_tflops=9.3)
    assert [doubt.kind for doubt in found] == ["impossible", "impossible", "asynchronous"]
    assert f"{forward_gflop / 4.38:.3g} TFLOP/s" in found[0].text
    assert found[-1].phase == "load"
    assert "compute-bound" in found[-1].text
    assert not check_reported({"forward": 120.0}, gflops={"forward": forward_gflop}, peak_tflops=9.3)


def test_mistake_1_the_cold_first_batch_is_marked_and_named() -> None:
    """The first logged row holds the loader's start-up (REFERENCE_SYSTEMS 1.1)."""
    device = SimulatedDevice()

    def loader() -> Any:
        for number in range(20):
            device.host(4.0 if number == 0 else 1e-3)
            yield number

    with step_phases(device=device, warm_up=1) as phases:
        for _ in phases(loader()):
            with phases.forward():
                device.submit(0.01)
    assert phases.steps[0].cold
    assert not any(step.cold for step in phases.steps[1:])
    assert [doubt.kind for doubt in doubts(phases.steps)] == ["cold"]


def test_mistake_2_times_of_an_image_beside_times_of_a_batch() -> None:
    """Compute time was divided by the batch, data time was not (REFERENCE_SYSTEMS 1.2)."""
    batches = [1, 4, 16]
    assert check_units([200.0, 190.0, 180.0], batches) is not None
    assert check_units([200.0, 700.0, 2700.0], batches) is None
    assert check_units([200.0, 201.0], [4, 4]) is None


def test_the_last_batch_is_a_step_and_the_end_of_the_loader_is_none() -> None:
    device = SimulatedDevice()
    with step_phases(device=device) as phases:
        for _ in range(2):
            for _ in phases([1, 2, 3]):
                with phases.forward():
                    device.submit(0.01)
    assert [step.number for step in phases.steps] == list(range(6))
    assert [step.epoch for step in phases.steps] == [0, 0, 0, 1, 1, 1]


def test_leaving_the_loop_early_keeps_its_steps() -> None:
    with step_phases(device="cpu") as phases:
        for number in phases(range(100)):
            if number == 4:
                break
    assert len(phases.steps) == 5


def test_a_step_that_an_error_cut_short_is_dropped() -> None:
    timer = step_phases(device="cpu")

    def loop() -> None:
        with timer as phases:
            for number in phases(range(100)):
                if number == 4:
                    raise ValueError("broken")

    with pytest.raises(ValueError, match="broken"):
        loop()
    assert len(timer._phases.steps) == 4


@pytest.fixture(scope="module")
def torch() -> Any:
    return pytest.importorskip("torch")


def train(torch: Any, phases: StepPhases, steps: int = 8, workers: int = 0) -> None:
    network = torch.nn.Sequential(torch.nn.Linear(64, 256), torch.nn.ReLU(inplace=True), torch.nn.Linear(256, 4))
    optimizer = torch.optim.Adam(network.parameters())
    phases.watch(network, optimizer)
    data = torch.utils.data.TensorDataset(torch.randn(32 * steps, 64), torch.randint(0, 4, (32 * steps,)))
    for x, y in phases(torch.utils.data.DataLoader(data, batch_size=32, num_workers=workers)):
        loss = torch.nn.functional.cross_entropy(network(x), y)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        phases.note(ce=loss)


def test_hooks_find_the_phases_of_a_torch_loop(torch: Any, tmp_path: Path) -> None:
    with step_phases(log=tmp_path / "run.parquet", workload="mlp") as phases:
        train(torch, phases)
    assert len(phases.steps) == 8
    for step in phases.steps:
        assert step.batch == 32
        for phase in ("load", "forward", "loss", "backward", "optimizer"):
            assert step.times.exposed[phase] > 0, phase
        assert step.times.exposed["input_wait"] == 0
        assert [span.phase for span in step.host] == ["load", "forward", "loss", "backward", "optimizer"]


def test_worker_processes_are_input_wait_not_loading(torch: Any) -> None:
    with step_phases() as phases:
        train(torch, phases, steps=3, workers=1)
    assert all(step.times.exposed["load"] == 0 < step.times.exposed["input_wait"] for step in phases.steps)


def test_hooks_come_off(torch: Any) -> None:
    network = torch.nn.Linear(2, 2)
    optimizer = torch.optim.SGD(network.parameters(), lr=0.1)
    with step_phases(model=network, optimizer=optimizer):
        assert network._forward_hooks
        assert optimizer._optimizer_step_pre_hooks
    assert not network._forward_hooks
    assert not network._forward_pre_hooks
    assert not optimizer._optimizer_step_pre_hooks
    assert not optimizer._optimizer_step_post_hooks


@pytest.mark.parametrize("name", ["run.parquet", "run.csv", "run.csv.gz"])
def test_the_log_is_read_back_and_holds_the_losses(torch: Any, tmp_path: Path, name: str) -> None:
    with step_phases(log=tmp_path / "new" / name, workload="mlp", dataset="random") as phases:
        train(torch, phases)
    log = read_run_log(tmp_path / "new" / name)
    assert log.header["workload"] == "mlp"
    assert log.header["gpu"] == "cpu"
    assert log.header["batch"] == 32
    assert log.header["framework_version"] == torch.__version__
    assert log.columns["loss_ce"] == pytest.approx([step.values["ce"] for step in phases.steps])
    assert log.columns["step_ms"] == pytest.approx([step.times.length / 1e6 for step in phases.steps])
    assert log.warm.sum() == 8 - 3
    assert [path.name for path in (tmp_path / "new").iterdir()] == [name]


def test_tensorboard_holds_the_scalars(torch: Any, tmp_path: Path) -> None:
    events = pytest.importorskip("tensorboard.backend.event_processing.event_accumulator")
    with step_phases(tensorboard=tmp_path) as phases:
        train(torch, phases)
    board = events.EventAccumulator(str(tmp_path)).Reload()
    assert [event.value for event in board.Scalars("step_ms")] == pytest.approx(
        [step.times.length / 1e6 for step in phases.steps]
    )
    assert {"phase_ms/forward", "phase_ms/backward", "loss/ce"} <= set(board.Tags()["scalars"])


LOOP = """
import sys, time
from perfmodel.instrument import step_phases
with step_phases(log=sys.argv[1], workload="sleep", batch=1) as phases:
    for number in phases(range(100000)):
        with phases.forward():
            time.sleep(0.001)
        if number == 20:
            print("ready", flush=True)
"""


def test_ctrl_c_keeps_the_log(tmp_path: Path) -> None:
    path = tmp_path / "run.csv"
    process = subprocess.Popen(
        [sys.executable, "-c", LOOP, str(path)], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "ready\n"
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=30)
    assert "KeyboardInterrupt" in errors
    assert len(read_run_log(path).columns["step"]) >= 20


def test_timing_costs_less_than_one_percent_of_a_10_ms_step() -> None:
    """The work of timing six phases, watched for 300 steps, in CPU time of this process."""
    with step_phases(device="cpu", batch=1) as phases:
        began = time.process_time()
        for _ in phases(range(300)):
            for phase in ("h2d", "forward", "loss", "backward", "optimizer"):
                with phases.phase(phase):
                    pass
        spent = (time.process_time() - began) / 300
    assert spent < 100e-6


def test_bad_requests_are_one_clear_line(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"no device 'tpu'.*cpu, cuda"):
        step_phases(device="tpu")
    with pytest.raises(InputError, match=r"run\.xls"):
        step_phases(log=tmp_path / "run.xls")
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match="cannot write"):
        step_phases(log=tmp_path / "file" / "run.csv")
    phases = StepPhases(find_device("cpu"), warm_up=0, batch=None)
    with pytest.raises(InputError, match=r"'warp' is no phase.*forward"):
        phases.phase("warp")
    with pytest.raises(AttributeError, match="warp"):
        _ = phases.warp


def test_phases_are_contexts_under_their_names() -> None:
    phases = StepPhases(find_device("cpu"), warm_up=0, batch=None)
    for name in PHASES:
        assert getattr(phases, name)() is phases.phase(name)


@pytest.mark.parametrize(("item", "count"), [({"a": 1}, 1), ([1, 2, 3], 3), ((), 1), (7, 1), ({"n": [1]}, 1)])
def test_samples_of_a_batch_without_arrays(item: Any, count: int) -> None:
    assert samples(item) == count


def test_samples_of_a_batch_of_tensors(torch: Any) -> None:
    assert samples({"a": torch.zeros(5, 3), "b": torch.zeros(5)}) == 5
    assert samples([torch.zeros(6, 3), 1]) == 6
    assert samples(torch.tensor(1.0)) == 1


@pytest.mark.cuda
def test_the_96_percent_case_on_a_real_device(torch: Any) -> None:
    if not torch.cuda.is_available():
        pytest.skip("needs an NVIDIA GPU")
    big = torch.randn(4096, 4096, device="cuda")
    batches = [torch.randn(64, 1024, 64) for _ in range(12)]
    with step_phases(device="cuda") as phases:
        for batch in phases(batches):
            with phases.h2d():
                batch.to("cuda")
            with phases.forward():
                for _ in range(40):
                    big = big @ big
                    big = big / big.norm()
    assert median_ms(phases.steps, "forward") > 5 * median_ms(phases.steps, "h2d")
    assert any(doubt.kind == "asynchronous" and doubt.phase == "h2d" for doubt in doubts(phases.steps))


def test_rank_is_read_from_the_environment(torch: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RANK", "1")
    monkeypatch.setenv("WORLD_SIZE", "2")
    with step_phases(log=tmp_path / "run.csv", workload="mlp") as phases:
        train(torch, phases)
    log = read_run_log(tmp_path / "run.csv")
    assert set(log.columns["rank"]) == {1.0}
    assert log.header["n_gpu"] == 2
    assert log.header["batch"] == 64
    assert os.environ["RANK"] == "1"
