"""Errors per output in both units, and exported programs that compute the same."""

from __future__ import annotations

import importlib.util
import json
from pathlib import Path
from typing import Any

import pytest

from perfmodel.errors import DependencyError, FailureError, InputError

torch = pytest.importorskip("torch")
pytest.importorskip("PIL.Image")

from perfmodel.workloads.pilotnet import export as exporting  # noqa: E402
from perfmodel.workloads.pilotnet.data import parts  # noqa: E402
from perfmodel.workloads.pilotnet.evaluation import evaluate, load_trained  # noqa: E402
from perfmodel.workloads.pilotnet.options import Options  # noqa: E402
from perfmodel.workloads.pilotnet.training import train  # noqa: E402


@pytest.fixture(scope="module")
def run(frames: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run of the smallest network."""
    output = tmp_path_factory.mktemp("run") / "lstm"
    train(
        Options(
            data=(str(frames),), output=str(output), network="deepest_lstm_tiny_pilotnet", batch=8, workers=0,
            gpus="cpu", max_steps=2,
        )
    )  # fmt: skip
    return output


def test_errors_are_those_of_the_held_out_part(run: Path) -> None:
    found = evaluate(run, batch=3, gpus="cpu")
    trained = load_trained(run)
    held = parts(trained.options)[1]
    with torch.no_grad():
        output = torch.stack([trained.network(held[i]["image"][None])[0] for i in range(len(held))])
    target = torch.stack([held[i]["target"] for i in range(len(held))])
    squares = ((output - target) ** 2).mean(0)
    assert found.samples == len(held) == 4
    assert list(found.mse_scaled.values()) == pytest.approx(squares.tolist(), rel=1e-5)
    assert list(found.constant_mse_scaled.values()) == pytest.approx(target.var(0, unbiased=False).tolist(), rel=1e-4)
    document = json.loads((run / "evaluation.json").read_text())
    assert document["mse"] == pytest.approx(float(squares.mean()), rel=1e-5)
    assert document["mse_physical"]["v"] == pytest.approx(float(squares[0]) * 17.5**2, rel=1e-5)
    assert document["mse_physical"]["w"] == pytest.approx(float(squares[1]) * 14.2**2, rel=1e-5)
    assert "4 frames (held-out)" in found.text()


def test_other_parts_and_other_data(run: Path, frames: Path) -> None:
    assert evaluate(run, part="training", gpus="cpu").samples == 16
    assert evaluate(run, data=(str(frames.parent),), gpus="cpu").part == "all"
    with pytest.raises(InputError, match="no part 'test'"):
        evaluate(run, part="test")
    with pytest.raises(InputError, match=r"the data has 40 samples, the run in .* had 20"):
        evaluate(run, data=(str(frames), str(frames)), part="held-out")


def test_a_folder_without_a_run(run: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="holds no run with a checkpoint"):
        evaluate(tmp_path)
    (tmp_path / "settings.json").write_text(json.dumps({"network": "pilotnet"}))
    (tmp_path / "checkpoint.pt").write_bytes((run / "checkpoint.pt").read_bytes())
    with pytest.raises(InputError, match="is no run of a driving network"):
        evaluate(tmp_path)
    (tmp_path / "checkpoint.pt").write_bytes(b"nothing")
    with pytest.raises(InputError, match="is damaged"):
        evaluate(tmp_path)


def test_exported_programs_give_the_same_outputs(run: Path, tmp_path: Path) -> None:
    found = exporting.export(run, chosen=("pt2", "torchscript"), folder=tmp_path)
    assert [one.path.name for one in found] == ["model.pt2", "model.pt"]
    assert all(one.largest_difference < 1e-5 for one in found)
    assert all(one.path.stat().st_size == one.size_bytes > 4 * 62_470 for one in found)
    image = torch.rand(3, 3, 100, 50)
    program: Any = torch.export.load(tmp_path / "model.pt2").module()
    with torch.no_grad():
        torch.testing.assert_close(program(image), load_trained(run).network(image), atol=1e-6, rtol=1e-5)


def test_an_export_that_computes_otherwise_is_refused(
    run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def wrong(network: Any, example: Any, path: Path) -> Any:
        path.write_bytes(b"")
        return lambda image: network(image) + 0.01

    monkeypatch.setitem(exporting.WRITERS, "pt2", ("pt2", wrong))  # type: ignore[misc]
    with pytest.raises(FailureError, match=r"outputs that differ by 0\.01"):
        exporting.export(run, chosen=("pt2",), folder=tmp_path)
    assert not list(tmp_path.iterdir())
    with pytest.raises(InputError, match="no format 'tflite'"):
        exporting.export(run, chosen=("tflite",))


@pytest.mark.skipif(not importlib.util.find_spec("onnxscript"), reason="the packages onnx and onnxscript are not here")
def test_onnx(run: Path, tmp_path: Path) -> None:
    found = exporting.export(run, chosen=("onnx",), folder=tmp_path)
    assert found[0].largest_difference < 1e-5


@pytest.mark.skipif(bool(importlib.util.find_spec("onnxscript")), reason="onnxscript is here")
def test_onnx_needs_its_packages(run: Path) -> None:
    assert exporting.formats() == ("pt2", "torchscript")
    with pytest.raises(DependencyError, match="onnx and onnxscript"):
        exporting.export(run, chosen=("onnx",))
