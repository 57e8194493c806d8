"""A run's network and settings, read back for evaluation and export."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Generic, TypeVar

import torch
from torch import nn

from perfmodel.errors import InputError
from perfmodel.workloads.training.folder import load_run
from perfmodel.workloads.training.options import RunOptions

Settings = TypeVar("Settings", bound=RunOptions)
PARTS = ("held-out", "training", "all")
"""Parts of the data that a network can be measured on."""


@dataclass(frozen=True, kw_only=True)
class TrainedRun(Generic[Settings]):
    """A network in evaluation mode, the options of its run, and how many samples the run's data had.

    Attributes
    ----------
    network : nn.Module
    options : RunOptions
    samples : int
    """

    network: nn.Module
    options: Settings
    samples: int

    def check_data(self, count: int) -> None:
        """Refuse to split other data than the run had: what was held out would not be what is held out now.

        Raises
        ------
        InputError
            When the number of samples differs.
        """
        if count != self.samples:
            raise InputError(
                f"the data has {count} samples, the run in {self.options.output} had {self.samples}",
                "give its own data, or --part all",
            )


def read_run(
    output: str | Path, kind: type[Settings], build: Callable[[str], nn.Module], *, title: str,
    device: torch.device | None = None,
) -> TrainedRun[Settings]:  # fmt: skip
    """Read the last checkpoint of a run.

    Parameters
    ----------
    output : str or Path
    kind : class of options
    build : callable
        Makes a network by its name.
    title : str
        What errors call the network.
    device : torch.device, optional
        The processor by default.

    Raises
    ------
    InputError
        When the folder holds no checkpoint of such a network.
    """
    where = device or torch.device("cpu")
    state, settings = load_run(output, where)
    known = {one.name for one in fields(kind)} - {"output"}
    try:
        options = kind(output=str(output), **{name: value for name, value in settings.items() if name in known})
        network = build(settings["network"])
        network.load_state_dict(state["network"])
        samples = int(settings["samples"])
    except (KeyError, TypeError, RuntimeError, InputError):
        raise InputError(f"{output} is no run of a {title}", "give the --output of one") from None
    return TrainedRun(network=network.to(where).eval(), options=options, samples=samples)


def check_part(part: str) -> str:
    """Return the part, or raise `InputError` when there is none of that name."""
    if part not in PARTS:
        raise InputError(f"no part {part!r} of the data", f"there are {', '.join(PARTS)}")
    return part
