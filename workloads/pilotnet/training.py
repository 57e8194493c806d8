"""Training a driving network: mean squared error of scaled speed and turn rate, by Adam."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

from perfmodel.instrument import StepPhases
from perfmodel.workloads.pilotnet.data import Frames, parts
from perfmodel.workloads.pilotnet.evaluation import measure
from perfmodel.workloads.pilotnet.labels import OUTPUTS
from perfmodel.workloads.pilotnet.networks import build, input_size
from perfmodel.workloads.pilotnet.options import Options
from perfmodel.workloads.training.folder import RunFolder
from perfmodel.workloads.training.loop import Loop, Result
from perfmodel.workloads.training.order import EpochOrder
from perfmodel.workloads.training.processes import Place, joined
from perfmodel.workloads.training.trainer import Trainer


class PilotTrainer(Trainer):
    """Trains a driving network.

    Parameters
    ----------
    options : Options
    place : Place
    held : Frames
        The held-out part.
    """

    losses = ("mse", *(f"mse_{name}" for name in OUTPUTS))

    def __init__(self, options: Options, place: Place, held: Frames) -> None:
        torch.manual_seed(options.seed)
        super().__init__(build(options.network), options, place)
        self._held = held

    def step(self, batch: Any, phases: StepPhases) -> dict[str, Tensor]:
        """Train on a batch of `Frames`."""
        with phases.h2d():
            image, target = (batch[key].to(self.place.device, non_blocking=True) for key in ("image", "target"))
        with phases.forward(), self.casting.context():
            output = self.network(image)
        with phases.loss():
            each = F.mse_loss(output.float(), target, reduction="none").mean(0)
            loss = each.mean()
        self.update(loss, phases)
        return {"mse": loss, "mse_v": each[0], "mse_w": each[1]}

    def end_epoch(self) -> dict[str, float]:
        """Mean squared error on the held-out part."""
        found = measure(self.network, self._held, self.place, batch=self.options.batch, workers=self.options.workers)
        return {"mse": found.mse, **{f"mse_{name}": value for name, value in found.mse_scaled.items()}}


def train(options: Options, *, told: Callable[[str], None] = lambda text: None) -> Result:
    """Train a driving network as the options say.

    Ctrl-C ends the run after the step in hand, with a checkpoint; ``resume`` goes on from it.

    Raises
    ------
    InputError
        For data that cannot be trained on, naming file and row.
    """
    with joined(options.gpus) as place:
        share = place.share(options.batch)
        training, held = parts(options)
        order = EpochOrder(len(training), batch=share, seed=options.seed, rank=place.rank, world=place.world)
        recorded = options.recorded | {"samples": len(training) + len(held)}
        folder = RunFolder(options.output, recorded, resume=options.resume, first=place.first, free=options.FREE)
        trainer = PilotTrainer(options, place, held)
        height, width = input_size(options.network)
        header = {
            "workload": options.network, "input": f"3x{height}x{width}", "dataset": "driving frames",
            "loader": "torch", "samples": len(training),
        }  # fmt: skip
        loop = Loop(options, place, data=training, order=order, folder=folder, trainer=trainer, header=header)
        if place.first:
            told(
                f"{options.network}: {len(training)} frames to train on, {len(held)} held out, "
                f"{order.steps} steps an epoch, on {place.world} x {place.device}"
            )
        return loop.go()
