"""How alike predicted and true masks and depths are: SSIM, the share of images above a threshold, sheets to look at."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from perfmodel.workloads.depthmap.data import Quadruples, Statistics, open_planes, parts
from perfmodel.workloads.depthmap.losses import Objective
from perfmodel.workloads.depthmap.networks import build
from perfmodel.workloads.depthmap.options import Options
from perfmodel.workloads.depthmap.similarity import ssim
from perfmodel.workloads.training.batches import every_sample
from perfmodel.workloads.training.folder import write_json
from perfmodel.workloads.training.images import write_png
from perfmodel.workloads.training.processes import Place, joined
from perfmodel.workloads.training.trained import TrainedRun, check_part, read_run
from perfmodel.workloads.training.trainer import measuring, summed

SCHEMA_VERSION = 1
EVALUATION = "evaluation.json"
SHEET = "evaluation.png"
THRESHOLDS: Mapping[str, float] = {"mask": 0.90, "depth": 0.50}
"""SSIM above which an image counts as right."""


@dataclass(frozen=True, kw_only=True)
class Evaluation:
    """Results of a network on a part of the data.

    Attributes
    ----------
    network, part : str
        ``part`` is ``held-out``, ``training`` or ``all``.
    samples : int
    loss : float
        The run's objective.
    losses : mapping of str to float
        Its terms, means over samples.
    mean_ssim, accuracy : mapping of str to float
        Of ``mask`` and ``depth``; accuracy is the share of images whose SSIM is above `THRESHOLDS`.
    """

    network: str = ""
    part: str = "held-out"
    samples: int
    loss: float
    losses: Mapping[str, float]
    mean_ssim: Mapping[str, float]
    accuracy: Mapping[str, float]

    def figures(self) -> dict[str, float]:
        """Flat, as a row of a table."""
        found = {"loss": self.loss, **self.losses}
        found |= {f"ssim_{head}": value for head, value in self.mean_ssim.items()}
        return found | {f"accuracy_{head}": value for head, value in self.accuracy.items()}

    def to_dict(self) -> dict[str, Any]:
        """JSON form."""
        return {
            "schema_version": SCHEMA_VERSION, "kind": "depthmap-evaluation", "network": self.network,
            "part": self.part, "samples": self.samples, "loss": self.loss, "losses": dict(self.losses),
            "mean_ssim": dict(self.mean_ssim), "accuracy": dict(self.accuracy), "thresholds": dict(THRESHOLDS),
        }  # fmt: skip

    def text(self) -> str:
        """Plain text, a line a head."""
        lines = [f"{self.network}, {self.samples} samples ({self.part}): loss {self.loss:.4g}"]
        for head, limit in THRESHOLDS.items():
            share = f"{100 * self.accuracy[head]:.1f} % above {limit:.2f}"
            lines.append(f"  {head:<5}  mean SSIM {self.mean_ssim[head]:.3f}, {share}")
        return "\n".join(lines)

    def save(self, folder: Path) -> Path:
        """Write ``evaluation.json``."""
        path = folder / EVALUATION
        write_json(path, self.to_dict())
        return path


def measure(
    network: nn.Module, data: Quadruples, objective: Objective, place: Place, *, batch: int, workers: int = 0,
    network_name: str = "", part: str = "held-out",
) -> Evaluation:  # fmt: skip
    """Measure a network on samples, shared among processes.

    Parameters
    ----------
    network : nn.Module
        Its mode is kept.
    data : Quadruples
        Without augmentation.
    objective : Objective
    place : Place
    batch, workers : int
    network_name, part : str
        As the result names them.
    """
    indices = range(len(data))[place.rank :: place.world]
    sums = torch.zeros(4 + len(objective.names), dtype=torch.float64)
    with measuring(network, place) as inner:
        for one in every_sample(data, indices, batch=batch, workers=workers):
            seen, mask, depth = (one[key].to(place.device) for key in ("input", "mask", "depth"))
            sums += _batch_sums(inner(seen), mask, depth, objective).cpu()
    means = (summed(sums, place) / len(data)).tolist()
    losses = means[4:]
    return Evaluation(
        network=network_name, part=part, samples=len(data), loss=objective.combined(losses),
        losses=dict(zip(objective.names, losses, strict=True)),
        mean_ssim=dict(zip(THRESHOLDS, means[:2], strict=True)),
        accuracy=dict(zip(THRESHOLDS, means[2:4], strict=True)),
    )  # fmt: skip


def _batch_sums(output: tuple[Tensor, Tensor], mask: Tensor, depth: Tensor, objective: Objective) -> Tensor:
    """Sums over a batch: SSIM of both heads, images above the threshold, terms of the objective."""
    pairs = zip(objective.images(output), (mask, depth), strict=True)
    alike = torch.stack([ssim(image.clamp(0, 1), target) for image, target in pairs]).double()
    right = alike > torch.tensor(list(THRESHOLDS.values()), device=alike.device)[:, None]
    terms = torch.stack(objective.terms(output, mask, depth)).double() * len(mask)
    return torch.cat([alike.sum(1), right.sum(1).double(), terms])


def write_sheet(path: Path, network: nn.Module, data: Quadruples, objective: Objective, place: Place) -> None:
    """Write up to four samples, one a row: background, composite, true and predicted mask, true and predicted depth."""
    chosen = range(min(4, len(data)))
    with measuring(network, replace(place, world=1)) as inner:
        seen = torch.stack([data[i]["input"] for i in chosen]).to(place.device)
        images = [image.clamp(0, 1).mul(255).round().byte().cpu().numpy() for image in objective.images(inner(seen))]
    rows = [_row(data.raw(i), images[0][i, 0], images[1][i, 0]) for i in chosen]
    write_png(path, np.concatenate(rows))


def _row(planes: Any, mask: Any, depth: Any) -> Any:
    colours = [planes[at : at + 3].transpose(1, 2, 0) for at in (0, 3)]
    greys = [np.repeat(one[:, :, None], 3, axis=2) for one in (planes[6], mask, planes[7], depth)]
    return np.concatenate([*colours, *greys], axis=1)


def load_trained(output: str | Path, *, device: torch.device | None = None) -> TrainedRun[Options]:
    """Read the network of a run's last checkpoint, in evaluation mode, and the run's options.

    Raises
    ------
    InputError
        When the folder holds no checkpoint of a depth and mask network.
    """
    return read_run(output, Options, build, title="depth and mask network", device=device)


def evaluate(
    output: str | Path, *, data: str = "", part: str | None = None, batch: int = 32, workers: int = 0,
    gpus: str = "auto",
) -> Evaluation:  # fmt: skip
    """Measure a run's network, and save ``evaluation.json`` and ``evaluation.png`` in the run's folder.

    Parameters
    ----------
    output : str or Path
        Folder of the run; its statistics are used for other data too.
    data : str
        Folder or ZIP of quadruples; that of the run by default.
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
        samples, objective = _part(run, data, chosen), run.options.objective()
        found = measure(
            run.network, samples, objective, place, batch=batch, workers=workers, part=chosen,
            network_name=run.options.network,
        )  # fmt: skip
        if place.first:
            found.save(Path(output))
            write_sheet(Path(output) / SHEET, run.network, samples, objective, place)
        return found


def _part(run: TrainedRun[Options], data: str, part: str) -> Quadruples:
    limit = None if data and part == "all" else run.options.limit
    options = replace(run.options, augment=False, data=data or run.options.data, limit=limit)
    statistics, planes = Statistics.load(Path(options.output)), open_planes(options)
    if part == "all":
        return Quadruples(planes, range(len(planes)), statistics=statistics)
    run.check_data(len(planes))
    return parts(options, planes, statistics=statistics)[part == "held-out"]
