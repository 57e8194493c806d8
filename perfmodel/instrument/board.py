"""Scalars of every step for TensorBoard."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from perfmodel.errors import DependencyError
from perfmodel.instrument.phases import PHASES
from perfmodel.instrument.steps import Step


class Board:
    """Writes step and phase times (ms), memory (MB) and noted values.

    Parameters
    ----------
    folder : str or Path

    Raises
    ------
    DependencyError
        When tensorboard or torch is not installed.
    """

    def __init__(self, folder: str | Path) -> None:
        try:
            from torch.utils.tensorboard import SummaryWriter
        except ImportError:
            raise DependencyError(
                "writing for TensorBoard needs the packages torch and tensorboard",
                "pip install 'perfmodel[torch,tensorboard]'",
            ) from None
        self._writer: Any = SummaryWriter(str(folder))

    def take(self, step: Step) -> None:
        """Write one step."""
        scalars = {"step_ms": step.times.length / 1e6}
        scalars |= {f"phase_ms/{p}": step.times.exposed[p] / 1e6 for p in PHASES if step.times.total[p]}
        scalars |= {f"loss/{name}": value for name, value in step.values.items()}
        if step.memory is not None:
            scalars |= {"memory_mb/allocated": step.memory.allocated / 1e6, "memory_mb/peak": step.memory.peak / 1e6}
        for name, value in scalars.items():
            self._writer.add_scalar(name, value, step.number)

    def close(self) -> None:
        """Write what is left."""
        self._writer.close()
