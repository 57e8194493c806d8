"""Training a depth and mask network: any combination of losses, cyclic learning rate, sheets of predictions."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from perfmodel.instrument import StepPhases
from perfmodel.workloads.depthmap.data import STATISTICS, Quadruples, Statistics, open_planes, parts
from perfmodel.workloads.depthmap.evaluation import measure, write_sheet
from perfmodel.workloads.depthmap.networks import build
from perfmodel.workloads.depthmap.options import Options
from perfmodel.workloads.depthmap.schedule import CyclicWithPlateau
from perfmodel.workloads.training.folder import RunFolder
from perfmodel.workloads.training.loop import Loop, Result
from perfmodel.workloads.training.order import EpochOrder
from perfmodel.workloads.training.processes import Place, joined
from perfmodel.workloads.training.trainer import Trainer


class DepthMaskTrainer(Trainer):
    """Trains a depth and mask network.

    Parameters
    ----------
    options : Options
    place : Place
    held : Quadruples
        The held-out part.
    epoch_steps : int
        Steps of an epoch.
    """

    def __init__(self, options: Options, place: Place, held: Quadruples, *, epoch_steps: int) -> None:
        torch.manual_seed(options.seed)
        super().__init__(build(options.network), options, place)
        self._held = held
        self.objective = options.objective()
        self.losses = ("loss", *self.objective.names)
        self.schedule = CyclicWithPlateau(
            self.optimizer, highest=options.learning_rate, rise=options.cycle or 2 * epoch_steps,
            patience=options.patience,
        )  # fmt: skip

    def step(self, batch: Any, phases: StepPhases) -> dict[str, Tensor]:
        """Train on a batch of `Quadruples`."""
        with phases.h2d():
            keys = ("input", "mask", "depth")
            seen, mask, depth = (batch[key].to(self.place.device, non_blocking=True) for key in keys)
        with phases.forward(), self.casting.context():
            output = self.network(seen)
        with phases.loss():
            terms = self.objective.terms(output, mask, depth)
            loss = self.objective.total(terms, self.place)
        self.update(loss, phases)
        self.schedule.step()
        return {"loss": loss, **dict(zip(self.objective.names, terms, strict=True))}

    def end_epoch(self) -> dict[str, float]:
        """Measure the held-out part; its loss decides whether the cycle's maximum is halved."""
        found = measure(
            self.network, self._held, self.objective, self.place, batch=self.options.batch,
            workers=self.options.workers,
        )  # fmt: skip
        self.schedule.end_epoch(found.loss)
        return {**found.figures(), "highest_learning_rate": self.schedule.highest}

    def sample(self, path: Path) -> bool:
        """Write a sheet of held-out samples."""
        write_sheet(path, self.network, self._held, self.objective, self.place)
        return True

    def state(self) -> dict[str, Any]:
        """Tensors and plain values that a resumed run needs."""
        return {**super().state(), "schedule": self.schedule.state()}

    def restore(self, state: dict[str, Any]) -> None:
        """Take the state of a checkpoint."""
        super().restore(state)
        self.schedule.restore(state["schedule"])


def train(options: Options, *, told: Callable[[str], None] = lambda text: None) -> Result:
    """Train a depth and mask network as the options say.

    Ctrl-C ends the run after the step in hand, with a checkpoint; ``resume`` goes on from it.

    Raises
    ------
    InputError
        For data that cannot be trained on, naming the file.
    """
    with joined(options.gpus) as place:
        share = place.share(options.batch)
        planes = open_planes(options)
        training, held, statistics = parts(options, planes, statistics=_stored(options))
        order = EpochOrder(len(training), batch=share, seed=options.seed, rank=place.rank, world=place.world)
        recorded = options.recorded | {"samples": len(planes)}
        folder = RunFolder(options.output, recorded, resume=options.resume, first=place.first, free=options.FREE)
        if place.first:
            statistics.save(folder.path)
            told(
                f"{options.network}: {len(training)} samples to train on{' held in memory' * planes.held}, "
                f"{len(held)} held out, {order.steps} steps an epoch, on {place.world} x {place.device}"
            )
        trainer = DepthMaskTrainer(options, place, held, epoch_steps=order.steps)
        header = {
            "workload": options.network, "image_size": options.size, "dataset": "quadruples",
            "loader": "none" if planes.held else "torch", "held": planes.held, "samples": len(training),
            "loss": f"{options.mask_loss}, {options.depth_loss} by {options.combine}",
        }  # fmt: skip
        return Loop(options, place, data=training, order=order, folder=folder, trainer=trainer, header=header).go()


def _stored(options: Options) -> Statistics | None:
    """Statistics of the run that is resumed; they are measured once."""
    if options.resume and (Path(options.output) / STATISTICS).exists():
        return Statistics.load(Path(options.output))
    return None
