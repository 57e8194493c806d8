"""`perfmodel run` for driving, depth and mask networks, through the command line."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from perfmodel.cli import main
from perfmodel.workloads.datasets.generate import generate, named_order

torch = pytest.importorskip("torch")


def run(*words: str) -> int:
    with pytest.raises(SystemExit) as ended:
        main(words)
    return int(ended.value.code or 0)


def test_pilotnet_trains_is_evaluated_and_exported(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    generate(tmp_path, named_order(["KITTI"], images=24, height=64, width=64, kind="frames"), jobs=1)
    output = str(tmp_path / "run")
    line = "--network deepest_lstm_tiny_pilotnet --batch 4 --epochs 1 --workers 0 --gpus cpu --compare"
    assert run("run", "pilotnet", "--data", str(tmp_path), *line.split(), "--output", output) == 0
    text = capsys.readouterr().out
    assert "done: 4 steps" in text
    assert "measured" in text
    assert "predicted" in text
    assert run("run", "pilotnet", "evaluate", output, "--json") == 0
    assert set(json.loads(capsys.readouterr().out)["mse_scaled"]) == {"v", "w"}
    assert run("run", "pilotnet", "export", output, "--format", "torchscript") == 0
    assert "model.pt" in capsys.readouterr().out


def test_depthmap_trains_and_compares_losses(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    generate(tmp_path, named_order(["KITTI"], images=8, height=32, width=32, kind="quadruples"), jobs=1)
    data, output = str(tmp_path / "KITTI"), str(tmp_path / "run")
    line = "--size 32 --batch 2 --epochs 1 --workers 0 --gpus cpu --depth-loss mse+ssim:0.5 --combine roots"
    assert run("run", "depthmap", "--data", data, *line.split(), "--output", output) == 0
    assert "done: 3 steps" in capsys.readouterr().out
    assert run("run", "depthmap", "evaluate", output) == 0
    assert "mean SSIM" in capsys.readouterr().out
    line = "--size 32 --batch 2 --epochs 1 --gpus cpu --losses mse,ssim --json"
    words = ["--data", data, *line.split(), "--output", str(tmp_path / "losses")]
    assert run("run", "depthmap", "compare-losses", *words) == 0
    document = json.loads(capsys.readouterr().out)
    assert document["pairs"]["identical"]["mse"] == 0
    assert [row["trained_by"] for row in document["trained"]] == ["mse", "ssim"]


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("pilotnet",), "no data to train on"),
        (("pilotnet", "--data", "/nowhere"), "/nowhere"),
        (("pilotnet", "--data", ".", "--network", "vgg"), "vgg"),
        (("depthmap",), "no data to train on"),
        (("depthmap", "--data", "/nowhere"), "/nowhere"),
        (("depthmap", "--data", ".", "--mask-loss", "l7"), "l7"),
        (("depthmap", "compare-losses", "a.png"), "1 images make no pairs"),
        (("pilotnet", "evaluate", "/nowhere"), "/nowhere"),
    ],
)
def test_bad_input_is_one_clear_line(
    words: tuple[str, ...], message: str, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    extra = ("--output", str(tmp_path / "run")) if len(words) != 1 and words[1].startswith("--") else ()
    assert run("run", *words, *extra) == 2
    error = capsys.readouterr().err
    assert message in error
    assert sum(line.startswith("error:") for line in error.splitlines()) == 1
