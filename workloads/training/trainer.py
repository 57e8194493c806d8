"""One network, its optimizer, and a step of it: what the loop asks of a workload."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from perfmodel.instrument import StepPhases
from perfmodel.workloads.training.options import RunOptions
from perfmodel.workloads.training.precision import Casting
from perfmodel.workloads.training.processes import Place, bare, distributed


class Trainer(ABC):
    """Trains one network with Adam.

    Parameters
    ----------
    network : nn.Module
    options : RunOptions
    place : Place
    """

    losses: tuple[str, ...] = ("loss",)
    """Names of what `step` returns."""

    def __init__(self, network: nn.Module, options: RunOptions, place: Place) -> None:
        self.options, self.place = options, place
        self.network = distributed(network.to(place.device), place)
        self.optimizer = torch.optim.Adam(network.parameters(), lr=options.learning_rate)
        self.casting = Casting(options.precision, place.device)
        self.draws = any(isinstance(layer, nn.Dropout) for layer in network.modules())
        """Whether the network draws random numbers in training."""

    @abstractmethod
    def step(self, batch: Any, phases: StepPhases) -> dict[str, Tensor]:
        """Train on one batch of the loader; returns losses without waiting for the device."""

    def begin_epoch(self, epoch: int) -> None:  # noqa: B027 - most workloads have nothing to do
        """Set what depends on the epoch, such as the learning rate."""

    @abstractmethod
    def end_epoch(self) -> dict[str, float]:
        """Measure on the held-out part, and adapt what depends on it; alike in every process. Empty: no such part."""

    def sample(self, path: Path) -> bool:
        """Write a sheet of results; False where the workload has none."""
        return False

    def update(self, loss: Tensor, phases: StepPhases) -> None:
        """Backward pass and step of the optimizer."""
        with phases.backward():
            self.optimizer.zero_grad(set_to_none=True)
            self.casting.backward(loss)
        with phases.optimizer():
            self.casting.step(self.optimizer)
            self.casting.update()

    @property
    def learning_rate(self) -> float:
        """The one of the next step."""
        return float(self.optimizer.param_groups[0]["lr"])

    def state(self) -> dict[str, Any]:
        """Tensors and plain values that a resumed run needs."""
        return {
            "network": bare(self.network).state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "scaler": self.casting.scaler.state_dict(),
        }

    def restore(self, state: dict[str, Any]) -> None:
        """Take the state of a checkpoint."""
        bare(self.network).load_state_dict(state["network"])
        self.optimizer.load_state_dict(state["optimizer"])
        self.casting.scaler.load_state_dict(state["scaler"])


@contextmanager
def measuring(network: nn.Module, place: Place) -> Iterator[nn.Module]:
    """The bare network in evaluation mode, without gradients, with the first process's running statistics.

    Batch norm keeps running statistics of its own in every process; they are used here and nowhere in training.
    """
    inner = bare(network)
    training = inner.training
    if place.world > 1:
        for buffer in inner.buffers():
            torch.distributed.broadcast(buffer, src=0)
    inner.eval()
    try:
        with torch.no_grad():
            yield inner
    finally:
        inner.train(training)


def summed(values: Tensor, place: Place) -> Tensor:
    """Sum a float64 tensor over processes."""
    total = values.detach().double().to(place.device)
    if place.world > 1:
        torch.distributed.all_reduce(total)
    return total.cpu()
