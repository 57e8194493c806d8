"""Two processes that share a batch compute the gradients of one, and stop after the same step."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

torch = pytest.importorskip("torch")

from perfmodel.validation.report import validate  # noqa: E402

SCRIPT = """
import json, os, signal, sys
import torch
from torch import nn
from perfmodel.workloads.training.processes import bare, joined
from perfmodel.workloads.depthmap import options as depthmap_options, training as depthmap
from perfmodel.workloads.pilotnet import options as pilotnet_options, training as pilotnet
from perfmodel.instrument import step_phases

frames, quadruples, out = sys.argv[1:]
torch.set_num_threads(1)


def batches():
    chance = torch.Generator().manual_seed(0)
    for name, size in (("pilotnet", (200, 66)), ("lstm", (100, 50))):
        image, target = torch.rand(4, 3, *size, generator=chance), torch.rand(4, 2, generator=chance)
        yield name, {"image": image, "target": target}
    shapes = {"input": 6, "mask": 1, "depth": 1}
    whole = {key: torch.rand(4, planes, 16, 16, generator=chance) for key, planes in shapes.items()}
    yield "roots", whole
    yield "weights", whole


def trainer_of(name, place):
    if name in ("pilotnet", "lstm"):
        network = {"pilotnet": "pilotnet", "lstm": "deepest_lstm_tiny_pilotnet"}[name]
        return pilotnet.PilotTrainer(pilotnet_options.Options(data=frames, output=out, network=network), place, None)
    options = depthmap_options.Options(
        data=quadruples, output=out, size=16, combine=name, mask_loss="bce_logits+ssim", depth_loss="smooth_l1+ssim"
    )
    return depthmap.DepthMaskTrainer(options, place, None, epoch_steps=1)


def stopped_run(place):  # a run of several processes, that one of them is asked to end
    options = depthmap_options.Options(
        data=quadruples, output=out, size=16, batch=2, epochs=50, workers=0, gpus="cpu", checkpoint_every=3
    )
    step, count = depthmap.DepthMaskTrainer.step, 0

    def counted(self, *given):
        nonlocal count
        count += 1
        if count == 6 and place.rank == 1:
            signal.raise_signal(signal.SIGINT)
        return step(self, *given)

    depthmap.DepthMaskTrainer.step = counted
    result = depthmap.train(options)
    with open(f"{out}.{place.rank}.json", "w") as file:
        json.dump({"steps": result.steps, "interrupted": result.interrupted, "validation": result.validation}, file)


found = {}
with joined("cpu") as place, step_phases(device="cpu") as phases:
    share = place.share(4)
    mine = slice(place.rank * share, (place.rank + 1) * share)
    for name, batch in batches():
        trainer = trainer_of(name, place)
        for layer in trainer.network.modules():
            if isinstance(layer, nn.BatchNorm2d | nn.Dropout):
                layer.eval()  # batch statistics are each process's own
        trainer.step({key: value[mine] for key, value in batch.items()}, phases)
        found[name] = {key: value.grad for key, value in bare(trainer.network).named_parameters()}
    if place.first:
        torch.save(found, out + ".pt")
    if place.world > 1:
        stopped_run(place)
"""


def run(script: Path, words: Sequence[str], *, processes: int) -> None:
    launcher = ["-m", "torch.distributed.run", "--standalone", f"--nproc-per-node={processes}"] if processes > 1 else []
    clean = {key: value for key, value in os.environ.items() if key not in ("RANK", "WORLD_SIZE", "LOCAL_RANK")}
    child = subprocess.Popen(
        [sys.executable, *launcher, str(script), *words], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True,
        env=clean | {"OMP_NUM_THREADS": "1"},
    )  # fmt: skip
    try:
        errors = child.communicate(timeout=300)[1]
    except subprocess.TimeoutExpired:
        child.terminate()  # the launcher ends its processes
        child.wait(60)
        raise
    assert child.returncode == 0, errors[-3000:]


def test_gradients_are_those_of_the_whole_batch_and_all_stop_together(
    frames: Path, quadruples: Path, tmp_path: Path
) -> None:
    import json

    script = tmp_path / "script.py"
    script.write_text(SCRIPT)
    gradients: list[dict[str, Any]] = []
    for processes in (1, 2):
        out = tmp_path / f"of{processes}"
        run(script, [str(frames), str(quadruples), str(out)], processes=processes)
        gradients.append(torch.load(f"{out}.pt", weights_only=True))
    for name, whole in gradients[0].items():
        assert any(value.abs().max() > 1e-4 for value in whole.values())
        for key, value in whole.items():
            scale = float(value.abs().max()) + 1e-8
            torch.testing.assert_close(
                gradients[1][name][key], value, rtol=1e-4, atol=1e-5 * scale, msg=f"{name} {key}"
            )
    ends = [json.loads(Path(f"{out}.{rank}.json").read_text()) for rank in (0, 1)]
    assert ends[0] == ends[1]
    assert ends[0]["interrupted"]
    assert ends[0]["steps"] == 7  # asked in step 6, told during step 7
    assert torch.load(out / "checkpoint.pt", weights_only=True)["number"] == 7
    report = validate(out / "run.parquet")
    assert report.rows == 7
