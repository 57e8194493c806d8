"""Driving networks learn, resume bit for bit, stop at whole steps, and log what `validate` can read."""

from __future__ import annotations

import csv
import json
import signal
from pathlib import Path
from typing import Any

import pytest

from perfmodel.errors import InputError

torch = pytest.importorskip("torch")
Image = pytest.importorskip("PIL.Image")

from perfmodel.validation.report import validate  # noqa: E402
from perfmodel.workloads.pilotnet.options import Options  # noqa: E402
from perfmodel.workloads.pilotnet.training import PilotTrainer, train  # noqa: E402

COMMON: dict[str, Any] = {"batch": 4, "workers": 0, "gpus": "cpu", "seed": 5}


def column(path: Path, name: str) -> list[float]:
    with path.open() as file:
        return [float(row[name]) for row in csv.DictReader(file)]


def checkpoint(folder: Path) -> dict[str, Any]:
    found: dict[str, Any] = torch.load(folder / "checkpoint.pt", weights_only=True)
    return found


def assert_same(first: Any, second: Any, where: str = "") -> None:
    """Equal bit for bit, through dictionaries and lists."""
    if isinstance(first, torch.Tensor):
        assert torch.equal(first, second), where
    elif isinstance(first, dict):
        assert first.keys() == second.keys(), where
        for key in first:
            assert_same(first[key], second[key], f"{where}/{key}")
    elif isinstance(first, list | tuple):
        assert len(first) == len(second), where
        for at, (one, other) in enumerate(zip(first, second, strict=True)):
            assert_same(one, other, f"{where}/{at}")
    else:
        assert first == second, where


@pytest.mark.parametrize(
    ("network", "epochs", "rate", "batch", "factor"),
    [("pilotnet", 8, 1e-3, 4, 0.5), ("pilotnet_same", 2, 3e-4, 2, 0.8), ("DeepestLSTMTinyPilotNet", 10, 2e-3, 4, 0.5)],
)
def test_the_loss_falls_and_the_log_resolves(
    frames: Path, tmp_path: Path, network: str, epochs: int, rate: float, batch: int, factor: float
) -> None:
    options = {**COMMON, "network": network, "epochs": epochs, "learning_rate": rate, "batch": batch}
    found = train(Options(data=(str(frames),), output=str(tmp_path / "run"), augment=False, **options))
    losses = column(found.folder / "losses.csv", "mse")
    assert found.steps == len(losses) == 16 // batch * epochs
    assert sum(losses[-4:]) < factor * sum(losses[:4])
    assert found.validation["Epoch"] == epochs
    assert not found.interrupted
    report = validate(found.log)
    assert report.rows == found.steps
    assert report.resolved + report.unresolved["a cold step (loader start-up or warm-up)"] == found.steps
    assert report.resolved > 0


@pytest.mark.filterwarnings("ignore:This process:DeprecationWarning")
def test_a_resumed_run_is_the_uninterrupted_one_bit_for_bit(frames: Path, tmp_path: Path) -> None:
    options = {"data": str(frames), "network": "deepest_lstm_tiny_pilotnet", "epochs": 2, **COMMON}
    whole = train(Options(output=str(tmp_path / "whole"), **options))
    train(Options(output=str(tmp_path / "parts"), max_steps=3, **options))
    train(Options(output=str(tmp_path / "parts"), max_steps=1, resume=True, **options))
    options["workers"] = 1  # what chance does to a sample is not the process's to say
    again = train(Options(output=str(tmp_path / "parts"), resume=True, **options))
    assert (whole.steps, again.steps) == (8, 8)
    assert_same(checkpoint(whole.folder), checkpoint(again.folder))
    for name in ("iters", "mse", "mse_v", "mse_w"):
        assert column(whole.folder / "losses.csv", name) == column(again.folder / "losses.csv", name)
    assert (whole.folder / "validation.csv").read_text() == (again.folder / "validation.csv").read_text()
    assert validate(again.log).rows == 8


def test_ctrl_c_ends_after_the_step_in_hand(frames: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    options: dict[str, Any] = {"data": str(frames), "network": "pilotnet", "epochs": 2, **COMMON}
    whole = train(Options(output=str(tmp_path / "whole"), **options))
    step, count = PilotTrainer.step, 0

    def interrupted(self: PilotTrainer, *given: Any) -> Any:
        nonlocal count
        count += 1
        if count == 2:
            signal.raise_signal(signal.SIGINT)
        return step(self, *given)

    before = signal.getsignal(signal.SIGINT)
    with monkeypatch.context() as patch:
        patch.setattr(PilotTrainer, "step", interrupted)
        found = train(Options(output=str(tmp_path / "parts"), **options))
    assert (found.interrupted, found.steps) == (True, 2)
    assert signal.getsignal(signal.SIGINT) is before
    again = train(Options(output=str(tmp_path / "parts"), resume=True, **options))
    assert_same(checkpoint(whole.folder), checkpoint(again.folder))


def test_a_run_is_not_overwritten_and_not_resumed_with_other_settings(frames: Path, tmp_path: Path) -> None:
    options: dict[str, Any] = {"data": str(frames), "output": str(tmp_path / "run"), **COMMON}
    train(Options(max_steps=1, **options))
    with pytest.raises(InputError, match="holds a run already"):
        train(Options(**options))
    with pytest.raises(InputError, match=r"had learning_rate 0\.0001, not 0\.5"):
        train(Options(learning_rate=0.5, resume=True, **options))
    with pytest.raises(InputError, match="holds no checkpoint"):
        train(Options(**{**options, "output": str(tmp_path / "none")}, resume=True))
    torch.save({"epoch": 0, "network": {}}, tmp_path / "run" / "checkpoint.pt")
    with pytest.raises(InputError, match="is of another run"):
        train(Options(resume=True, **options))


@pytest.mark.filterwarnings("ignore:This process:DeprecationWarning")
@pytest.mark.parametrize("workers", [0, 1])
def test_an_unreadable_image_is_named_and_the_run_can_go_on(tmp_path: Path, workers: int) -> None:
    for at in range(9):
        Image.new("RGB", (64, 48), (20 * at, 90, 40)).save(tmp_path / f"{at}.png")
    rows = "".join(f"{at}.png,{7 + at},{at - 4}\n" for at in range(9))
    (tmp_path / "labels.csv").write_text("image,v,w\n" + rows)
    options: dict[str, Any] = {
        "data": str(tmp_path), "output": str(tmp_path / "run"), "epochs": 1, "validation": 0.1, **COMMON,
        "batch": 1, "workers": workers,
    }  # fmt: skip
    good = (tmp_path / "4.png").read_bytes()
    (tmp_path / "4.png").write_bytes(good[:40])
    with pytest.raises(InputError, match=r"cannot read .*4\.png") as caught:
        train(Options(**options))
    assert "\n" not in str(caught.value)
    (tmp_path / "4.png").write_bytes(good)
    resume = (tmp_path / "run" / "checkpoint.pt").exists()
    assert train(Options(resume=resume, **options)).steps == 8


def test_the_header_says_what_ran(frames: Path, tmp_path: Path) -> None:
    from perfmodel.runs.runlog import read_run_log

    options = Options(data=str(frames), output=str(tmp_path / "run"), max_steps=2, precision="amp", **COMMON)
    header = read_run_log(train(options).log).header
    said = {name: header[name] for name in ("workload", "gpu", "n_gpu", "batch", "precision", "mode", "loader")}
    assert said == {
        "workload": "pilotnet", "gpu": "cpu", "n_gpu": 1, "batch": 4, "precision": "amp_bf16", "mode": "train",
        "loader": "torch",
    }  # fmt: skip
    assert json.loads((tmp_path / "run" / "settings.json").read_text())["samples"] == 20


@pytest.mark.parametrize(
    ("wrong", "line"),
    [
        ({"network": "resnet50"}, "no driving network 'resnet50'"),
        ({"batch": 0}, "--batch is 0"),
        ({"learning_rate": 0.0}, "--learning-rate is 0"),
        ({"brightness": 2.0}, "--brightness is 2"),
        ({"validation": 1.0}, "--validation is 1"),
        ({"batch": 17}, "16 samples are less than one batch of 17"),
        ({"precision": "fp8"}, "no precision 'fp8'"),
    ],
)
def test_wrong_options(frames: Path, tmp_path: Path, wrong: dict[str, Any], line: str) -> None:
    with pytest.raises(InputError, match=line):
        train(Options(**{"data": str(frames), "output": str(tmp_path / "run"), **COMMON, **wrong}))
