"""Training CycleGAN: all losses, image pool, linear decay, mixed precision, several processes, resume."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from perfmodel.errors import InputError
from perfmodel.instrument import StepPhases, step_phases
from perfmodel.instrument.steps import Step
from perfmodel.workloads.cyclegan.data import UnpairedImages
from perfmodel.workloads.cyclegan.networks import CYCLE_WEIGHT, IDENTITY_WEIGHT, adversarial_loss, build
from perfmodel.workloads.cyclegan.pool import ImagePool
from perfmodel.workloads.training.folder import LOG, RunFolder
from perfmodel.workloads.training.interrupt import Stop, graceful
from perfmodel.workloads.training.order import EpochOrder, torch_loader
from perfmodel.workloads.training.precision import Casting
from perfmodel.workloads.training.processes import Place, bare, distributed, joined, mean_over_processes

LOSSES = ("D_A", "G_A", "cycle_A", "idt_A", "D_B", "G_B", "cycle_B", "idt_B")
_DEVIATION = 0.02
_FREE = ("epochs", "max_steps", "workers", "sample_every", "checkpoint_every")


@dataclass(frozen=True, kw_only=True)
class Options:
    """Settings of a run; defaults as published (Zhu et al. 2017).

    Attributes
    ----------
    dataroot, name, output : str
        Images lie in ``dataroot/SOURCE`` and ``dataroot/TARGET`` of the name ``SOURCE-TARGET``.
    blocks, batch : int
        Residual blocks; global batch over all processes.
    epochs : int
        Half of them at the full learning rate, half with linear decay to 0.
    max_dataset_size : int or None
        Images a domain at most.
    load_size, crop_size, workers : int
    learning_rate, beta1, cycle_weight, identity_weight : float
    pool_size, seed : int
    precision : str
    gpus : str
        ``auto``, ``cpu``, or numbers of cards.
    loader : str
        ``torch`` (PIL in a DataLoader) or ``native``.
    max_steps : int or None
        Stop after so many steps of this run.
    sample_every, checkpoint_every : int
        Steps between sample sheets and checkpoints; 0 for one an epoch.
    resume, tensorboard, progress : bool
    """

    dataroot: str
    name: str
    output: str
    blocks: int = 9
    batch: int = 1
    epochs: int = 200
    max_dataset_size: int | None = None
    load_size: int = 286
    crop_size: int = 256
    workers: int = 4
    learning_rate: float = 2e-4
    beta1: float = 0.5
    cycle_weight: float = CYCLE_WEIGHT
    identity_weight: float = IDENTITY_WEIGHT
    pool_size: int = 50
    seed: int = 0
    precision: str = "fp32"
    gpus: str = "auto"
    loader: str = "torch"
    max_steps: int | None = None
    sample_every: int = 0
    checkpoint_every: int = 0
    resume: bool = False
    tensorboard: bool = False
    progress: bool = False

    def __post_init__(self) -> None:
        """Refuse values that cannot be trained with."""
        for name in ("blocks", "batch", "epochs"):
            if getattr(self, name) < 1:
                raise InputError(f"--{name} is {getattr(self, name)}", "give 1 or more")
        if self.loader not in ("torch", "native"):
            raise InputError(f"no loader {self.loader!r}", "give torch or native")

    @property
    def recorded(self) -> dict[str, Any]:
        """What a resumed run must have again."""
        left_out = ("resume", "output", "progress", "tensorboard", "gpus", "dataroot")
        return {name: value for name, value in asdict(self).items() if name not in left_out}


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


class Trainer:
    """Networks, optimizers and one step.

    Parameters
    ----------
    options : Options
    place : Place
    """

    def __init__(self, options: Options, place: Place) -> None:
        torch.manual_seed(options.seed)
        self.options, self.place = options, place
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

    def step(self, a: Tensor, b: Tensor, phases: StepPhases) -> dict[str, Tensor]:
        """Train on one batch of each domain; returns the eight losses as they are added up, without waiting."""
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

    def set_epoch(self, epoch: int) -> None:
        """Set the learning rate of an epoch."""
        for optimizer in self.optimizers:
            for group in optimizer.param_groups:
                group["lr"] = self.options.learning_rate * decay(epoch, self.options.epochs)

    def state(self, epoch: int, step: int, number: int) -> dict[str, Any]:
        """Everything that a resumed run needs."""
        return {
            "epoch": epoch, "step": step, "number": number,
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


@dataclass(frozen=True, kw_only=True)
class Result:
    """How a run ended: its folder, steps done in all, last losses, and whether it was interrupted."""

    folder: Path
    log: Path
    steps: int
    losses: dict[str, float]
    interrupted: bool


def train(options: Options, *, told: Callable[[str], None] = lambda text: None) -> Result:
    """Train CycleGAN as the options say.

    Ctrl-C ends the run after the step in hand, with a checkpoint; ``resume`` goes on from it.
    """
    with joined(options.gpus) as place:
        return _train(options, place, told)


def _train(options: Options, place: Place, told: Callable[[str], None]) -> Result:
    share = place.share(options.batch)
    data = UnpairedImages(
        options.dataroot, options.name, load_size=options.load_size, crop_size=options.crop_size,
        limit=options.max_dataset_size, seed=options.seed,
    )  # fmt: skip
    order = EpochOrder(len(data), batch=share, seed=options.seed, rank=place.rank, world=place.world)
    folder = RunFolder(options.output, options.recorded, resume=options.resume, first=place.first, free=_FREE)
    trainer = Trainer(options, place)
    run = _Run(options, place, data, order, folder, trainer)
    if options.resume:
        run.resume()
    told(f"{options.name}: {len(data)} samples, {order.steps} steps an epoch, on {place.world} x {place.device}")
    return run.go()


class _Run:
    """The loop over epochs and batches."""

    def __init__(
        self,
        options: Options,
        place: Place,
        data: UnpairedImages,
        order: EpochOrder,
        folder: RunFolder,
        trainer: Trainer,
    ) -> None:
        self.options, self.place, self.data, self.order = options, place, data, order
        self.folder, self.trainer = folder, trainer
        self.epoch = self.number = 0
        self.losses: dict[str, float] = {}

    def resume(self) -> None:
        """Go to where the checkpoint stands."""
        state = self.folder.load(self.place.device)
        self.trainer.restore(state)
        self.epoch, self.order.start, self.number = state["epoch"], state["step"], state["number"]
        if self.order.start >= self.order.steps:
            self.epoch, self.order.start = self.epoch + 1, 0
        self.folder.trim_losses(self.number)

    def go(self) -> Result:
        """Train to the end, to `max_steps`, or to Ctrl-C."""
        log = self.folder.path / LOG
        board = self.folder.path / "tensorboard" if self.options.tensorboard and self.place.first else None
        with graceful(enabled=self.place.world == 1) as stop:
            with step_phases(
                log=log if self.place.first else None,
                device=str(self.place.device),
                first=self.number,
                batch=self.place.share(self.options.batch),
                tensorboard=board,
                progress=self.options.progress and self.place.first,
                **self._header(),
            ) as phases:
                phases.listeners.append(self._finished)
                self._epochs(phases, stop)
            self._checkpoint()
        self.folder.close()
        return Result(folder=self.folder.path, log=log, steps=self.number, losses=self.losses, interrupted=stop.asked)

    def _header(self) -> dict[str, Any]:
        options = self.options
        return {
            "workload": "cyclegan", "blocks": options.blocks, "n_gpu": self.place.world,
            "image_size": options.crop_size, "precision": self.trainer.casting.name, "workers": options.workers,
            "data_pair": options.name, "loader": options.loader, "seed": options.seed,
            "timing_def": "forward + backward + optimizer with input copy and real input",
        }  # fmt: skip

    def _epochs(self, phases: StepPhases, stop: Stop) -> None:
        last = None if self.options.max_steps is None else self.number + self.options.max_steps
        while self.epoch < self.options.epochs:
            self.data.epoch = self.order.epoch = self.epoch
            self.trainer.set_epoch(self.epoch)
            first = self.order.start
            for step, batch in enumerate(phases(self._batches()), first):
                self._step(batch, phases)
                self.order.start = step + 1
                if self._due(self.options.checkpoint_every, step):
                    phases.flush()
                    self._checkpoint()
                if self._due(self.options.sample_every, step):
                    self._sample()
                if self.number == last or stop.asked:
                    return
            self.epoch, self.order.start = self.epoch + 1, 0

    def _due(self, every: int, step: int) -> bool:
        return self.number % every == 0 if every else step + 1 == self.order.steps

    def _batches(self) -> Any:
        share = self.place.share(self.options.batch)
        if self.options.loader == "native":
            from perfmodel.workloads.cyclegan.native import native_batches

            return native_batches(self.data, self.order, self.options, share)
        return torch_loader(
            self.data, self.order, batch=share, workers=self.options.workers, pin=self.place.device.type == "cuda"
        )

    def _step(self, batch: dict[str, Tensor], phases: StepPhases) -> None:
        with phases.h2d():
            a, b = (batch[key].to(self.place.device, non_blocking=True) for key in ("A", "B"))
        losses = self.trainer.step(a, b, phases)
        self.number += 1
        means = mean_over_processes(torch.stack([losses[name] for name in LOSSES]), self.place)
        phases.note(iters=self.number, **dict(zip(LOSSES, means, strict=True)))

    def _finished(self, step: Step) -> None:
        """Write the losses of a step that the device has finished."""
        self.losses = {name: step.values[name] for name in LOSSES}
        waited = step.times.exposed["load"] + step.times.exposed["input_wait"]
        times = {"step_ms": step.times.length / 1e6, "data_ms": waited / 1e6}
        row = {"Epoch": self.epoch + 1, "iters": int(step.values["iters"]), **times, **self.losses}
        self.folder.write_losses(row)

    def _checkpoint(self) -> None:
        self.folder.save(self.trainer.state(self.epoch, self.order.start, self.number))

    def _sample(self) -> None:
        if self.place.first and self.trainer.last:
            write_sheet(self.folder.path / "samples" / f"{self.number:07d}.png", self.trainer.last)


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
