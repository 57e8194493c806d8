"""Training CycleGAN: all losses, image pool, linear decay, mixed precision, several processes, resume."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from perfmodel.errors import InputError
from perfmodel.instrument import StepPhases
from perfmodel.workloads.cyclegan.data import UnpairedImages
from perfmodel.workloads.cyclegan.networks import CYCLE_WEIGHT, IDENTITY_WEIGHT, adversarial_loss, build
from perfmodel.workloads.cyclegan.pool import ImagePool
from perfmodel.workloads.training.folder import RunFolder
from perfmodel.workloads.training.loop import Loop, Result
from perfmodel.workloads.training.options import RunOptions
from perfmodel.workloads.training.order import EpochOrder
from perfmodel.workloads.training.precision import Casting
from perfmodel.workloads.training.processes import Place, bare, distributed, joined
from perfmodel.workloads.training.trainer import Trainer

LOSSES = ("D_A", "G_A", "cycle_A", "idt_A", "D_B", "G_B", "cycle_B", "idt_B")
_DEVIATION = 0.02


@dataclass(frozen=True, kw_only=True)
class Options(RunOptions):
    """Settings of a run beside `RunOptions`; defaults as published (Zhu et al. 2017).

    Half of the epochs run at the full learning rate, half with linear decay to 0.

    Attributes
    ----------
    dataroot, name : str
        Images lie in ``dataroot/SOURCE`` and ``dataroot/TARGET`` of the name ``SOURCE-TARGET``.
    blocks : int
        Residual blocks.
    max_dataset_size : int or None
        Images a domain at most.
    load_size, crop_size : int
        Pixels.
    beta1, cycle_weight, identity_weight : float
    pool_size : int
    loader : str
        ``torch`` (PIL in a DataLoader) or ``native``.
    sample_every : int
        Steps between sample sheets; 0 for one an epoch.
    """

    dataroot: str
    name: str
    blocks: int = 9
    batch: int = 1
    epochs: int = 200
    learning_rate: float = 2e-4
    max_dataset_size: int | None = None
    load_size: int = 286
    crop_size: int = 256
    beta1: float = 0.5
    cycle_weight: float = CYCLE_WEIGHT
    identity_weight: float = IDENTITY_WEIGHT
    pool_size: int = 50
    loader: str = "torch"
    sample_every: int = 0

    FREE: ClassVar[tuple[str, ...]] = (*RunOptions.FREE, "dataroot", "sample_every")
    LEAST: ClassVar[dict[str, int]] = {**RunOptions.LEAST, "blocks": 1, "max_dataset_size": 1, "pool_size": 0}

    def __post_init__(self) -> None:
        """Refuse values that cannot be trained with."""
        super().__post_init__()
        if self.loader not in ("torch", "native"):
            raise InputError(f"no loader {self.loader!r}", "give torch or native")


def decay(epoch: int, epochs: int) -> float:
    """Factor of the learning rate in an epoch counted from 0: 1 in the first half, then linearly towards 0."""
    rest = epochs - epochs // 2
    return 1.0 - max(0, epoch + 1 - epochs // 2) / (rest + 1)


def initialise(module: nn.Module) -> None:
    """Draw weights from a normal distribution of deviation 0.02, as published; biases are 0."""
    for layer in module.modules():
        if isinstance(layer, nn.Conv2d | nn.ConvTranspose2d):
            nn.init.normal_(layer.weight, 0.0, _DEVIATION)
            if layer.bias is not None:
                nn.init.zeros_(layer.bias)


class CycleganTrainer(Trainer):
    """Networks, optimizers and one step.

    Parameters
    ----------
    options : Options
    place : Place
    """

    losses = LOSSES
    options: Options

    def __init__(self, options: Options, place: Place) -> None:
        torch.manual_seed(options.seed)
        self.options, self.place, self.draws = options, place, False
        networks = build(options.blocks)
        for network in networks:
            initialise(network)
            network.to(place.device)
        self.networks = [distributed(network, place) for network in networks]
        generators = itertools.chain(*(network.parameters() for network in networks[:2]))
        judges = itertools.chain(*(network.parameters() for network in networks[2:]))
        betas = (options.beta1, 0.999)
        self.optimizers = [
            torch.optim.Adam(parameters, lr=options.learning_rate, betas=betas) for parameters in (generators, judges)
        ]
        self.casting = Casting(options.precision, place.device)
        seeds = (options.seed * 2 + place.rank * 2_000_003, options.seed * 2 + 1 + place.rank * 2_000_003)
        self.pools = [ImagePool(options.pool_size, seed=seed) for seed in seeds]
        self.last: tuple[Tensor, ...] = ()

    def step(self, batch: dict[str, Tensor], phases: StepPhases) -> dict[str, Tensor]:
        """Train on one batch of each domain; returns the eight losses as they are added up, without waiting."""
        with phases.h2d():
            a, b = (batch[key].to(self.place.device, non_blocking=True) for key in ("A", "B"))
        losses = self._generators(a, b, phases)
        with phases.backward():
            self.optimizers[0].zero_grad(set_to_none=True)
            self.casting.backward(sum(losses.values(), start=torch.zeros((), device=a.device)))
        with phases.optimizer():
            self.casting.step(self.optimizers[0])
        judged = self._judges(a, b, phases)
        with phases.optimizer():
            self.casting.step(self.optimizers[1])
            self.casting.update()
        found = losses | judged
        return {name: found[name].detach() for name in LOSSES}

    def _generators(self, a: Tensor, b: Tensor, phases: StepPhases) -> dict[str, Tensor]:
        """Forward pass and losses of both generators; discriminators only pass gradients on."""
        to_b, to_a = self.networks[:2]
        judge_b, judge_a = map(bare, self.networks[2:])
        for judge in (judge_b, judge_a):
            judge.requires_grad_(False)
        identity = self.options.identity_weight > 0
        with phases.forward(), self.casting.context():
            fake_b, fake_a = to_b(a), to_a(b)
            again_a, again_b = to_a(fake_b), to_b(fake_a)
            same = (to_b(b), to_a(a)) if identity else (b, a)
            scores = judge_b(fake_b), judge_a(fake_a)
        with phases.loss(), self.casting.context():
            cycle, same_weight = self.options.cycle_weight, self.options.cycle_weight * self.options.identity_weight
            losses = {
                "G_A": adversarial_loss(scores[0], 1.0), "cycle_A": cycle * F.l1_loss(again_a, a),
                "idt_A": same_weight * F.l1_loss(same[0], b), "G_B": adversarial_loss(scores[1], 1.0),
                "cycle_B": cycle * F.l1_loss(again_b, b), "idt_B": same_weight * F.l1_loss(same[1], a),
            }  # fmt: skip
        self.last = (a, fake_b, again_a, b, fake_a, again_b)
        return losses

    def _judges(self, a: Tensor, b: Tensor, phases: StepPhases) -> dict[str, Tensor]:
        """Forward, loss and backward of both discriminators, on real images and on the pool's."""
        fake_b, fake_a = self.last[1], self.last[4]
        self.optimizers[1].zero_grad(set_to_none=True)
        found = {}
        parts = (
            ("D_A", self.networks[2], b, self.pools[0], fake_b),
            ("D_B", self.networks[3], a, self.pools[1], fake_a),
        )
        for name, judge, real, pool, fake in parts:
            bare(judge).requires_grad_(True)
            with phases.forward(), self.casting.context():
                both = torch.cat((real, pool.query(fake).to(real.dtype)))
                right, wrong = judge(both).chunk(2)
            with phases.loss(), self.casting.context():
                found[name] = (adversarial_loss(right, 1.0) + adversarial_loss(wrong, 0.0)) * 0.5
            with phases.backward():
                self.casting.backward(found[name])
        return found

    @property
    def learning_rate(self) -> float:
        """The one of the next step."""
        return float(self.optimizers[0].param_groups[0]["lr"])

    def begin_epoch(self, epoch: int) -> None:
        """Set the learning rate of an epoch."""
        for optimizer in self.optimizers:
            for group in optimizer.param_groups:
                group["lr"] = self.options.learning_rate * decay(epoch, self.options.epochs)

    def end_epoch(self) -> dict[str, float]:
        """Nothing is held out."""
        return {}

    def sample(self, path: Path) -> bool:
        """Write a sheet of the last step's images."""
        if self.last:
            write_sheet(path, self.last)
        return bool(self.last)

    def state(self) -> dict[str, Any]:
        """Tensors and plain values that a resumed run needs."""
        return {
            "networks": [bare(network).state_dict() for network in self.networks],
            "optimizers": [optimizer.state_dict() for optimizer in self.optimizers],
            "scaler": self.casting.scaler.state_dict(), "pools": [pool.state() for pool in self.pools],
        }  # fmt: skip

    def restore(self, state: dict[str, Any]) -> None:
        """Take the state of a checkpoint."""
        for network, values in zip(self.networks, state["networks"], strict=True):
            bare(network).load_state_dict(values)
        for optimizer, values in zip(self.optimizers, state["optimizers"], strict=True):
            optimizer.load_state_dict(values)
        self.casting.scaler.load_state_dict(state["scaler"])
        for pool, values in zip(self.pools, state["pools"], strict=True):
            pool.restore(values)


class CycleganLoop(Loop):
    """The loop of CycleGAN: batches of either loader, and sample sheets between steps."""

    options: Options

    def _batches(self) -> Any:
        if self.options.loader == "native":
            from perfmodel.workloads.cyclegan.native import NativeBatches

            return NativeBatches(self.data, self.order, self.options)
        return super()._batches()

    def _between(self, step: int) -> None:
        every = self.options.sample_every
        if every and self.number % every == 0 and step + 1 < self.order.steps:
            self._sample()


def train(options: Options, *, told: Callable[[str], None] = lambda text: None) -> Result:
    """Train CycleGAN as the options say.

    Ctrl-C ends the run after the step in hand, with a checkpoint; ``resume`` goes on from it.
    """
    with joined(options.gpus) as place:
        share = place.share(options.batch)
        data = UnpairedImages(
            options.dataroot, options.name, load_size=options.load_size, crop_size=options.crop_size,
            limit=options.max_dataset_size, seed=options.seed,
        )  # fmt: skip
        order = EpochOrder(len(data), batch=share, seed=options.seed, rank=place.rank, world=place.world)
        folder = RunFolder(
            options.output, options.recorded, resume=options.resume, first=place.first, free=options.FREE
        )
        header = {
            "workload": "cyclegan", "blocks": options.blocks, "image_size": options.crop_size,
            "data_pair": options.name, "loader": options.loader,
        }  # fmt: skip
        trainer = CycleganTrainer(options, place)
        loop = CycleganLoop(options, place, data=data, order=order, folder=folder, trainer=trainer, header=header)
        if place.first:
            told(
                f"{options.name}: {len(data)} samples, {order.steps} steps an epoch, on {place.world} x {place.device}"
            )
        return loop.go()


def write_sheet(path: Path, images: tuple[Tensor, ...]) -> None:
    """Write real, translated and reconstructed images of both domains side by side, one row a domain."""
    from PIL import Image

    def tile(image: Tensor) -> Tensor:
        return ((image[0].detach().float().cpu().clamp(-1, 1) + 1) * 127.5).to(torch.uint8)

    rows = [torch.cat([tile(image) for image in images[at : at + 3]], dim=2) for at in (0, 3)]
    sheet = torch.cat(rows, dim=1).permute(1, 2, 0).contiguous().numpy()
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(sheet).save(path)


def losses_of(path: Path) -> Iterator[dict[str, float]]:
    """Read ``losses.csv`` row by row."""
    import csv

    with path.open(encoding="utf-8") as file:
        for row in csv.DictReader(file):
            yield {name: float(value) for name, value in row.items()}
