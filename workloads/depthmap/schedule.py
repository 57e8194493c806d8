"""Cyclic learning rate (Smith 2017, arXiv:1506.01186) whose maximum is halved when the held-out loss stands still."""

from __future__ import annotations

import warnings
from typing import Any

import torch
from torch.optim.lr_scheduler import CyclicLR, ReduceLROnPlateau

_LOWEST = 0.1
"""The cycle's minimum over its first maximum."""


class CyclicWithPlateau:
    """Triangular cycles between a tenth of the first maximum and a maximum that torch's plateau rule halves.

    Parameters
    ----------
    optimizer : Optimizer
    highest : float
        First maximum of the cycle.
    rise : int
        Steps from minimum to maximum, and back.
    patience : int
        Epochs without a lower loss before the maximum is halved.
    """

    def __init__(self, optimizer: torch.optim.Optimizer, *, highest: float, rise: int, patience: int) -> None:
        low = _LOWEST * highest
        self._cycle = CyclicLR(optimizer, low, highest, step_size_up=max(1, rise), cycle_momentum=False)
        self._top = torch.optim.SGD([torch.zeros(1)], lr=highest)  # holds the maximum for the plateau rule
        self._plateau = ReduceLROnPlateau(self._top, factor=0.5, patience=patience, min_lr=low)

    @property
    def highest(self) -> float:
        """Maximum of the cycle now."""
        return float(self._top.param_groups[0]["lr"])

    def step(self) -> None:
        """Set the learning rate of the next step."""
        with warnings.catch_warnings():
            # where loss scaling skips the first step, torch takes the order of calls for wrong
            warnings.filterwarnings("ignore", message="Detected call of `lr_scheduler.step")
            self._cycle.step()

    def end_epoch(self, loss: float) -> None:
        """Take the held-out loss of an epoch."""
        self._plateau.step(loss)
        self._cycle.max_lrs = [self.highest for _ in self._cycle.max_lrs]

    def state(self) -> dict[str, Any]:
        """Plain values, for a checkpoint."""
        return {"cycle": self._cycle.state_dict(), "plateau": self._plateau.state_dict(), "highest": self.highest}

    def restore(self, state: dict[str, Any]) -> None:
        """Take the state of a checkpoint."""
        self._cycle.load_state_dict(state["cycle"])
        self._plateau.load_state_dict(state["plateau"])
        self._top.param_groups[0]["lr"] = state["highest"]
