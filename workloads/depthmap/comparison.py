"""What each loss says about pairs of images, and how well a network learns by it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from perfmodel.errors import InputError
from perfmodel.workloads.depthmap.data import open_planes
from perfmodel.workloads.depthmap.evaluation import THRESHOLDS, Evaluation, evaluate
from perfmodel.workloads.depthmap.losses import LOSSES, loss_of
from perfmodel.workloads.depthmap.options import Options
from perfmodel.workloads.depthmap.similarity import WINDOW
from perfmodel.workloads.depthmap.training import train
from perfmodel.workloads.training.folder import CHECKPOINT, write_json
from perfmodel.workloads.training.images import decode
from perfmodel.workloads.training.processes import joined

SCHEMA_VERSION = 1
COMPARISON = "losses.json"


@dataclass(frozen=True)
class Pair:
    """An image that stands for a prediction, and what it should be: float32 [1, 1, H, W] in [0, 1]."""

    name: str
    image: Tensor
    target: Tensor


@dataclass(frozen=True, kw_only=True)
class Trained:
    """A network that was trained by one loss for mask and depth, measured on the held-out part."""

    loss: str
    epochs: int
    evaluation: Evaluation


@dataclass(frozen=True, kw_only=True)
class LossComparison:
    """What losses say.

    Attributes
    ----------
    pairs : mapping of str to mapping of str to float
        Value of each loss by pair and loss.
    trained : tuple of Trained
        Empty where nothing was trained.
    """

    pairs: Mapping[str, Mapping[str, float]]
    trained: tuple[Trained, ...] = ()

    def to_dict(self) -> dict[str, Any]:
        """JSON form."""
        rows = [one.evaluation.to_dict() | {"trained_by": one.loss, "epochs": one.epochs} for one in self.trained]
        for row in rows:
            del row["schema_version"], row["kind"]
        return {
            "schema_version": SCHEMA_VERSION, "kind": "loss-comparison",
            "pairs": {name: dict(values) for name, values in self.pairs.items()}, "trained": rows,
        }  # fmt: skip

    def text(self) -> str:
        """Plain text: a table of the pairs, then one of what was trained."""
        names = list(next(iter(self.pairs.values()), {}))
        lines = [f"{'pair':<24}" + "".join(f"{name:>12}" for name in names)] if names else []
        lines += [
            f"{pair:<24}" + "".join(f"{value:>12.4g}" for value in values.values())
            for pair, values in self.pairs.items()
        ]
        if self.trained:
            first = self.trained[0]
            lines += ["", f"trained for {first.epochs} epochs, {first.evaluation.samples} held-out samples"]
            limits = "".join(f"{f'{head} > {limit:.2f}':>15}{f'{head} SSIM':>12}" for head, limit in THRESHOLDS.items())
            lines.append(f"{'loss':<24}{limits}")
            for one in self.trained:
                found = one.evaluation
                heads = (f"{100 * found.accuracy[head]:>13.1f} %{found.mean_ssim[head]:>12.3f}" for head in THRESHOLDS)
                lines.append(f"{one.loss:<24}" + "".join(heads))
        return "\n".join(lines)


def judge(pairs: Sequence[Pair], losses: Sequence[str] = LOSSES) -> dict[str, dict[str, float]]:
    """Return the value of each loss for each pair; binary cross entropies take the image as a probability."""
    return {pair.name: {name: float(loss_of(name, None, pair.image, pair.target)) for name in losses} for pair in pairs}


def standard_pairs(target: Tensor, *, seed: int = 0) -> list[Pair]:
    """Make pairs from one image: itself, and what may become of it.

    Parameters
    ----------
    target : Tensor
        float32 [1, 1, H, W] in [0, 1].
    seed : int
        Of the noise.
    """
    noise = torch.randn(target.shape, generator=torch.Generator().manual_seed(seed))
    side = max(3, target.shape[-1] // 16) | 1
    padded = F.pad(target, [side // 2] * 4, mode="replicate")
    by = max(1, target.shape[-1] // 24)
    images = {
        "identical": target,
        "inverted": 1 - target,
        f"blurred by {side} px": F.avg_pool2d(padded, side, stride=1),
        f"shifted by {by} px": torch.roll(target, by, dims=-1),
        "noise of 0.1": target + 0.1 * noise,
        "brighter by 0.1": target + 0.1,
        "its mean": torch.full_like(target, float(target.mean())),
        "black": torch.zeros_like(target),
    }
    return [Pair(name, image.clamp(0, 1), target) for name, image in images.items()]


def read_pairs(files: Sequence[str | Path]) -> list[Pair]:
    """Read image files two by two, the prediction before its target, as grey in [0, 1].

    Raises
    ------
    InputError
        When their number is odd, one cannot be read, or two differ in size.
    """
    if len(files) % 2:
        raise InputError(f"{len(files)} images make no pairs", "give the prediction and its target, A.png B.png")
    images = [decode(Path(path), path, mode="L") for path in files]
    found = []
    for at in range(0, len(files), 2):
        one, other = images[at : at + 2]
        if one.size != other.size:
            raise InputError(f"{files[at]} and {files[at + 1]} differ in size", "give images of one size")
        if min(one.size) < WINDOW:
            raise InputError(f"{files[at]} is smaller than {WINDOW} pixels", "SSIM needs larger images")
        image, target = (torch.from_numpy(np.asarray(i, np.float32) / 255)[None, None] for i in (one, other))
        found.append(Pair(f"{Path(files[at]).name}, {Path(files[at + 1]).name}", image, target))
    return found


def compare_losses(
    files: Sequence[str | Path] = (), *, options: Options | None = None, losses: Sequence[str] = LOSSES,
    told: Callable[[str], None] = lambda text: None,
) -> LossComparison:  # fmt: skip
    """Say what each loss makes of pairs of images, and train one network by each.

    Parameters
    ----------
    files : sequence of str or Path
        Pairs of images, prediction before target; without any, pairs made from a depth image of the data, or from a
        drawn one where there is no data either.
    options : Options, optional
        Of the networks to train; nothing is trained without. Each loss has a folder of its own below ``output``, and
        a loss whose network was trained already, or in part, goes on from there.
    losses : sequence of str
        Some of `LOSSES`; mask and depth are both trained by each.
    told : callable

    Raises
    ------
    InputError
        For unknown losses, or images and data that cannot be read.
    """
    unknown = [name for name in losses if name not in LOSSES]
    if unknown:
        raise InputError(f"no loss {unknown[0]!r}", f"there are {', '.join(LOSSES)}")
    pairs = read_pairs(files) if files else standard_pairs(_depth_image(options))
    if options is None:
        return LossComparison(pairs=judge(pairs, losses))
    with joined(options.gpus) as place:
        found = LossComparison(
            pairs=judge(pairs, losses), trained=tuple(_trained(name, options, told) for name in losses)
        )
        if place.first:
            write_json(Path(options.output) / COMPARISON, found.to_dict())
    return found


def _depth_image(options: Options | None) -> Tensor:
    """A depth image: the data's first, or that of a generated scene."""
    if options is not None:
        depth = open_planes(replace(options, memory="no"))[0][7].astype(np.float32) / 255
    else:
        from perfmodel.workloads.datasets.domains import find_domain
        from perfmodel.workloads.datasets.render import FAR_M, render
        from perfmodel.workloads.datasets.scene import scene_of

        domain = find_domain("KITTI")
        scene = scene_of(domain, seed=0, index=0)
        depth = 1 - render(scene, domain, height=192, width=192, index=0).depth_m / FAR_M
    return torch.from_numpy(np.ascontiguousarray(depth))[None, None]


def _trained(name: str, options: Options, told: Callable[[str], None]) -> Trained:
    """Train by one loss, or go on with it, and measure what came out.

    Raises
    ------
    KeyboardInterrupt
        When the training was interrupted; its checkpoint is kept.
    """
    folder = Path(options.output) / name
    own = replace(options, output=str(folder), mask_loss=name, depth_loss=name, resume=(folder / CHECKPOINT).exists())
    told(f"loss {name}")
    if train(own, told=told).interrupted:
        raise KeyboardInterrupt
    return Trained(loss=name, epochs=own.epochs, evaluation=evaluate(folder, batch=own.batch, gpus=own.gpus))
