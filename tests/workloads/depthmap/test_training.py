"""Depth and mask networks learn, resume bit for bit, and losses are compared by training."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from perfmodel.errors import InputError

torch = pytest.importorskip("torch")
Image = pytest.importorskip("PIL.Image")

from perfmodel.validation.report import validate  # noqa: E402
from perfmodel.workloads.depthmap.comparison import compare_losses  # noqa: E402
from perfmodel.workloads.depthmap.data import open_planes, parts  # noqa: E402
from perfmodel.workloads.depthmap.evaluation import evaluate, load_trained  # noqa: E402
from perfmodel.workloads.depthmap.options import Options  # noqa: E402
from perfmodel.workloads.depthmap.similarity import ssim  # noqa: E402
from perfmodel.workloads.depthmap.training import train  # noqa: E402

COMMON: dict[str, Any] = {"size": 16, "batch": 2, "workers": 0, "gpus": "cpu", "seed": 4}


def column(path: Path, name: str) -> list[float]:
    with path.open() as file:
        return [float(row[name]) for row in csv.DictReader(file)]


@pytest.mark.parametrize(
    ("network", "losses"),
    [
        ("dmnet_cnn", {}),
        ("dmnet_cnn_v1", {"mask_loss": "bce+ssim", "depth_loss": "mse", "combine": "roots"}),
        ("dmnet_resnet", {"mask_loss": "bce_logits:2", "depth_loss": "ssim+smooth_l1:0.5"}),
    ],
)
def test_the_loss_falls_and_the_log_resolves(
    quadruples: Path, tmp_path: Path, network: str, losses: dict[str, str]
) -> None:
    options = Options(
        data=str(quadruples), output=str(tmp_path / "run"), network=network, epochs=6, learning_rate=3e-3,
        augment=False, **losses, **COMMON,
    )  # fmt: skip
    found = train(options)
    curve = column(found.folder / "losses.csv", "loss")
    assert found.steps == len(curve) == 24
    assert sum(curve[-4:]) < 0.7 * sum(curve[:4])
    assert set(found.losses) == {"loss", *options.objective().names}
    report = validate(found.log)
    assert report.resolved + report.unresolved["a cold step (loader start-up or warm-up)"] == found.steps
    assert report.resolved > 0
    sheets = sorted((found.folder / "samples").iterdir())
    assert [path.name for path in sheets] == [f"{4 * epoch:07d}.png" for epoch in range(1, 7)]
    with Image.open(sheets[-1]) as sheet:
        assert sheet.size == (6 * 16, 4 * 16)
        pixels = np.asarray(sheet)
    held = parts(options, open_planes(options))[1]
    np.testing.assert_array_equal(pixels[:16, 64:80, 0], held.raw(0)[7])  # the true depth


def assert_same(first: Any, second: Any) -> None:
    if isinstance(first, torch.Tensor):
        assert torch.equal(first, second)
    elif isinstance(first, dict):
        assert first.keys() == second.keys()
        for key in first:
            assert_same(first[key], second[key])
    elif isinstance(first, list | tuple):
        for one, other in zip(first, second, strict=True):
            assert_same(one, other)
    else:
        assert first == second


def test_a_resumed_run_is_the_uninterrupted_one_bit_for_bit(quadruples: Path, tmp_path: Path) -> None:
    options: dict[str, Any] = {
        "data": str(quadruples), "network": "dmnet_resnet", "epochs": 3, "cycle": 3, "patience": 0, **COMMON,
    }  # fmt: skip
    whole = train(Options(output=str(tmp_path / "whole"), **options))
    for steps in (3, 1, 2):  # within an epoch, to its end, and within the next
        resume = (tmp_path / "parts").exists()
        train(Options(output=str(tmp_path / "parts"), max_steps=steps, resume=resume, **options))
    again = train(Options(output=str(tmp_path / "parts"), resume=True, **options))
    states = [torch.load(run.folder / "checkpoint.pt", weights_only=True) for run in (whole, again)]
    assert_same(*states)
    assert states[0]["number"] == 12
    for name in ("iters", "Epoch", "learning_rate", "loss", "mask_bce_logits"):
        assert column(whole.folder / "losses.csv", name) == column(again.folder / "losses.csv", name)
    assert (whole.folder / "validation.csv").read_text() == (again.folder / "validation.csv").read_text()
    assert len(set(column(again.folder / "losses.csv", "learning_rate"))) > 3


def test_accuracy_is_the_share_of_alike_images(quadruples: Path, tmp_path: Path) -> None:
    run = train(Options(data=str(quadruples), output=str(tmp_path / "run"), epochs=3, learning_rate=3e-3, **COMMON))
    found = evaluate(run.folder, batch=3, gpus="cpu")
    trained = load_trained(run.folder)
    held = parts(trained.options, open_planes(trained.options))[1]
    alike: dict[str, list[float]] = {"mask": [], "depth": []}
    for index in range(len(held)):
        one = held[index]
        with torch.no_grad():
            mask, depth = trained.network(one["input"][None])
        alike["mask"].append(float(ssim(mask.sigmoid(), one["mask"][None])))
        alike["depth"].append(float(ssim(depth.clamp(0, 1), one["depth"][None])))
    for head, limit in (("mask", 0.90), ("depth", 0.50)):
        assert found.mean_ssim[head] == pytest.approx(np.mean(alike[head]), abs=1e-5)
        assert found.accuracy[head] == pytest.approx(np.mean(np.array(alike[head]) > limit))
    document = json.loads((run.folder / "evaluation.json").read_text())
    assert (document["samples"], document["thresholds"]) == (4, {"mask": 0.90, "depth": 0.50})
    assert document["loss"] == pytest.approx(run.validation["loss"], rel=1e-5)
    assert (run.folder / "evaluation.png").exists()
    assert evaluate(run.folder, data=str(quadruples), gpus="cpu").samples == 12


def test_losses_are_compared_by_training(quadruples: Path, tmp_path: Path) -> None:
    options = Options(data=str(quadruples), output=str(tmp_path / "cmp"), epochs=1, **COMMON)
    found = compare_losses(options=options, losses=("mse", "bce_logits"))
    assert [one.loss for one in found.trained] == ["mse", "bce_logits"]
    document = json.loads((tmp_path / "cmp" / "losses.json").read_text())
    assert document == json.loads(json.dumps(found.to_dict()))
    assert document["pairs"]["identical"]["mse"] == 0
    assert document["trained"][1]["accuracy"].keys() == {"mask", "depth"}
    assert "mask > 0.90" in found.text()
    log = tmp_path / "cmp" / "mse" / "losses.csv"
    before = log.read_text()
    again = compare_losses(options=options, losses=("mse",))  # goes on where nothing is left to do
    assert log.read_text() == before
    assert again.trained[0].evaluation == found.trained[0].evaluation
    with pytest.raises(InputError, match="no loss 'dice'"):
        compare_losses(losses=("dice",))
    assert not compare_losses(losses=("ssim",)).trained


@pytest.mark.parametrize(
    ("wrong", "line"),
    [
        ({"network": "unet"}, "no depth and mask network 'unet'"),
        ({"size": 8}, "--size is 8"),
        ({"cutout": 1.5}, "--cutout is 1.5"),
        ({"memory": "maybe"}, "--memory is 'maybe'"),
        ({"mask_loss": "dice"}, "no loss 'dice'"),
        ({"patience": -1}, "--cycle or --patience is below 0"),
    ],
)
def test_wrong_options(wrong: dict[str, Any], line: str) -> None:
    with pytest.raises(InputError, match=line):
        Options(**{"data": "data", "output": "run", **wrong})
