"""How far a driving network's speed and turn rate are from the labels, in scaled and in physical units."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
from torch import nn

from perfmodel.workloads.pilotnet.data import Frames, parts
from perfmodel.workloads.pilotnet.labels import OUTPUTS, UNITS, read_frames, span
from perfmodel.workloads.pilotnet.networks import build, input_size
from perfmodel.workloads.pilotnet.options import Options
from perfmodel.workloads.training.batches import every_sample
from perfmodel.workloads.training.folder import write_json
from perfmodel.workloads.training.processes import Place, joined
from perfmodel.workloads.training.trained import TrainedRun, check_part, read_run
from perfmodel.workloads.training.trainer import measuring, summed

SCHEMA_VERSION = 1
EVALUATION = "evaluation.json"


@dataclass(frozen=True, kw_only=True)
class Evaluation:
    """Errors of a network on a part of the data.

    Attributes
    ----------
    network, part : str
        ``part`` is ``held-out``, ``training`` or ``all``.
    samples : int
    mse_scaled : mapping of str to float
        Of each output, both in [0, 1].
    constant_mse_scaled : mapping of str to float
        The same for an answer that is always the part's own mean label: a network that learnt something is below.
    """

    network: str = ""
    part: str = "held-out"
    samples: int
    mse_scaled: Mapping[str, float]
    constant_mse_scaled: Mapping[str, float]

    @property
    def mse(self) -> float:
        """Mean over both outputs, as trained."""
        return sum(self.mse_scaled.values()) / len(self.mse_scaled)

    @property
    def mse_physical(self) -> dict[str, float]:
        """Of speed in (m/s)^2 and of turn rate in (deg/s)^2."""
        return {name: value * span(name) ** 2 for name, value in self.mse_scaled.items()}

    def to_dict(self) -> dict[str, Any]:
        """JSON form."""
        return {
            "schema_version": SCHEMA_VERSION, "kind": "pilotnet-evaluation", "network": self.network,
            "part": self.part, "samples": self.samples, "mse": self.mse, "mse_scaled": dict(self.mse_scaled),
            "mse_physical": self.mse_physical,
            "rmse_physical": {name: value**0.5 for name, value in self.mse_physical.items()},
            "units": dict(UNITS), "constant_mse_scaled": dict(self.constant_mse_scaled),
        }  # fmt: skip

    def text(self) -> str:
        """Plain text, a line an output."""
        lines = [f"{self.network}, {self.samples} frames ({self.part}): mse {self.mse:.4g} (scaled)"]
        for name in OUTPUTS:
            root = self.mse_physical[name] ** 0.5
            lines.append(
                f"  {name}  mse {self.mse_scaled[name]:.4g} scaled, {self.mse_physical[name]:.4g} ({UNITS[name]})^2, "
                f"rms error {root:.3g} {UNITS[name]}; a constant answer has mse {self.constant_mse_scaled[name]:.4g}"
            )
        return "\n".join(lines)

    def save(self, folder: Path) -> Path:
        """Write ``evaluation.json``."""
        path = folder / EVALUATION
        write_json(path, self.to_dict())
        return path


def measure(
    network: nn.Module,
    data: Frames,
    place: Place,
    *,
    batch: int,
    workers: int = 0,
    network_name: str = "",
    part: str = "held-out",
) -> Evaluation:
    """Measure a network on frames, shared among processes.

    Parameters
    ----------
    network : nn.Module
        Its mode is kept.
    data : Frames
        Without augmentation.
    place : Place
    batch, workers : int
    network_name, part : str
        As the result names them.
    """
    indices = range(len(data))[place.rank :: place.world]
    sums = torch.zeros(3, len(OUTPUTS), dtype=torch.float64)
    with measuring(network, place) as inner:
        for one in every_sample(data, indices, batch=batch, workers=workers):
            output, target = inner(one["image"].to(place.device)).double().cpu(), one["target"].double()
            sums += torch.stack([((output - target) ** 2).sum(0), target.sum(0), (target**2).sum(0)])
    squares, total, powers = (summed(sums, place) / len(data)).tolist()
    constant = (power - mean**2 for power, mean in zip(powers, total, strict=True))
    return Evaluation(
        samples=len(data), mse_scaled=dict(zip(OUTPUTS, squares, strict=True)),
        constant_mse_scaled=dict(zip(OUTPUTS, (max(0.0, value) for value in constant), strict=True)),
        network=network_name, part=part,
    )  # fmt: skip


def load_trained(output: str | Path, *, device: torch.device | None = None) -> TrainedRun[Options]:
    """Read the network of a run's last checkpoint, in evaluation mode, and the run's options.

    Raises
    ------
    InputError
        When the folder holds no checkpoint of a driving network.
    """
    return read_run(output, Options, build, title="driving network", device=device)


def evaluate(
    output: str | Path, *, data: tuple[str, ...] = (), part: str | None = None, batch: int = 64, workers: int = 0,
    gpus: str = "auto",
) -> Evaluation:  # fmt: skip
    """Measure a run's network, and save ``evaluation.json`` in the run's folder.

    Parameters
    ----------
    output : str or Path
        Folder of the run.
    data : tuple of str
        Folders of frames; those of the run by default.
    part : str, optional
        ``held-out`` (default for the run's own data), ``training`` or ``all`` (default for other data).
    batch, workers : int
    gpus : str

    Raises
    ------
    InputError
        For a folder without a run, or data that cannot be read.
    """
    chosen = check_part(part or ("all" if data else "held-out"))
    with joined(gpus) as place:
        run = load_trained(output, device=place.device)
        frames = _part(run, data, chosen)
        found = measure(
            run.network, frames, place, batch=batch, workers=workers, network_name=run.options.network, part=chosen
        )
        if place.first:
            found.save(Path(output))
        return found


def _part(run: TrainedRun[Options], data: tuple[str, ...], part: str) -> Frames:
    options = replace(run.options, augment=False, data=data or run.options.data)
    if part == "all":
        height, width = input_size(options.network)
        limit = None if data else options.limit
        return Frames(read_frames(options.data)[:limit], height=height, width=width)
    both = parts(options)
    run.check_data(sum(map(len, both)))
    return both[part == "held-out"]
