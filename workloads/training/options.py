"""Settings that runs of one network share."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from typing import Any, ClassVar

from perfmodel.errors import InputError


@dataclass(frozen=True, kw_only=True)
class RunOptions:
    """How long to train, on what, and what to write.

    Attributes
    ----------
    output : str
        Folder of the run.
    batch : int
        Samples a step, over all processes.
    epochs, workers, seed : int
        Passes over the training part; loader processes a card.
    learning_rate : float
        Of Adam.
    precision : str
        As `perfmodel.workloads.training.precision.Casting` takes it.
    gpus : str
        ``auto``, ``cpu``, or numbers of cards.
    max_steps : int or None
        Stop after so many steps of this run.
    checkpoint_every : int
        Steps between checkpoints; 0 for one an epoch.
    resume, tensorboard, progress : bool
    """

    output: str
    batch: int = 32
    epochs: int = 100
    workers: int = 4
    learning_rate: float = 1e-3
    precision: str = "fp32"
    gpus: str = "auto"
    seed: int = 0
    max_steps: int | None = None
    checkpoint_every: int = 0
    resume: bool = False
    tensorboard: bool = False
    progress: bool = False

    FREE: ClassVar[tuple[str, ...]] = ("data", "epochs", "workers", "max_steps", "checkpoint_every")
    """Settings that a resumed run may change."""
    LEAST: ClassVar[dict[str, int]] = {"batch": 1, "epochs": 1, "workers": 0, "max_steps": 1}
    """Least values."""

    def __post_init__(self) -> None:
        """Refuse values that cannot be trained with."""
        for name, least in self.LEAST.items():
            value = getattr(self, name)
            if value is not None and value < least:
                raise InputError(f"--{name.replace('_', '-')} is {value}", f"give {least} or more")
        if not (0.0 < self.learning_rate < math.inf):
            raise InputError(f"--learning-rate is {self.learning_rate:g}", "give a number above 0")

    @property
    def recorded(self) -> dict[str, Any]:
        """What the run folder keeps, and a resumed run must have again but for `FREE`."""
        left_out = ("resume", "output", "progress", "tensorboard", "gpus")
        return {name: value for name, value in asdict(self).items() if name not in left_out}


@dataclass(frozen=True, kw_only=True)
class HeldOutOptions(RunOptions):
    """Settings of runs that hold a part of their samples out.

    Attributes
    ----------
    validation : float
        Share of the samples that is held out, by seed.
    limit : int or None
        At most so many samples, the first ones.
    """

    validation: float = 0.2
    limit: int | None = None

    LEAST: ClassVar[dict[str, int]] = {**RunOptions.LEAST, "limit": 2}


def check_range(name: str, value: float, low: float, high: float) -> None:
    """Refuse an option outside ``[low, high]``.

    Raises
    ------
    InputError
        Naming it.
    """
    if not low <= value <= high:
        raise InputError(f"--{name} is {value:g}", f"give {low:g} to {high:g}")
