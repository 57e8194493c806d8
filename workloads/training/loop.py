"""The loop over epochs and batches: timed, logged, checkpointed, resumable, ended by Ctrl-C after the step in hand."""

from __future__ import annotations

import csv
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from perfmodel.errors import InputError
from perfmodel.instrument import StepPhases, step_phases
from perfmodel.instrument.steps import Step
from perfmodel.workloads.training.agreement import Agreement, agreeing
from perfmodel.workloads.training.batches import torch_loader
from perfmodel.workloads.training.folder import LOG, RunFolder
from perfmodel.workloads.training.options import RunOptions
from perfmodel.workloads.training.order import EpochOrder, keyed
from perfmodel.workloads.training.processes import Place, mean_over_processes
from perfmodel.workloads.training.trainer import Trainer

VALIDATION = "validation.csv"
SAMPLES = "samples"


@dataclass(frozen=True, kw_only=True)
class Result:
    """How a run ended.

    Attributes
    ----------
    folder, log : Path
    steps : int
        Done in all, with those before a resume.
    losses : dict of str to float
        Of the last step.
    validation : dict of str to float
        Of the last whole epoch; empty before its end.
    interrupted : bool
        By Ctrl-C.
    """

    folder: Path
    log: Path
    steps: int
    losses: dict[str, float]
    validation: dict[str, float]
    interrupted: bool


class Loop:
    """Trains a `Trainer` on a data set.

    Parameters
    ----------
    options : RunOptions
    place : Place
    data : torch Dataset
        Its ``epoch`` is set as epochs begin.
    order : EpochOrder
    folder : RunFolder
    trainer : Trainer
    header : mapping
        What the run log's header says beside what is common to all workloads.
    """

    def __init__(
        self, options: RunOptions, place: Place, *, data: Any, order: EpochOrder, folder: RunFolder, trainer: Trainer,
        header: Mapping[str, Any],
    ) -> None:  # fmt: skip
        self.options, self.place, self.data, self.order = options, place, data, order
        self.folder, self.trainer, self._header = folder, trainer, header
        self.epoch = self.number = 0
        self.losses: dict[str, float] = {}
        self.history: list[dict[str, float]] = []
        self._begun: deque[tuple[int, int, float]] = deque()
        if options.resume:
            self._resume()

    def _resume(self) -> None:
        state = self.folder.load(self.place.device)
        try:
            self.trainer.restore(state)
            self.epoch, self.order.start, self.number = state["epoch"], state["step"], state["number"]
            self.history = state["history"]
        except (KeyError, RuntimeError, ValueError, TypeError) as error:
            raise InputError(
                f"the checkpoint in {self.folder.path} is of another run ({type(error).__name__})",
                "start without --resume",
            ) from None
        self.folder.trim_losses(self.number)

    def go(self) -> Result:
        """Train to the end, to ``max_steps``, or to Ctrl-C."""
        log = self.folder.path / LOG
        board = self.folder.path / "tensorboard" if self.options.tensorboard and self.place.first else None
        try:
            with agreeing(self.place) as end:
                with step_phases(
                    log if self.place.first else None, device=str(self.place.device), first=self.number,
                    batch=self.order.batch, tensorboard=board, progress=self.options.progress and self.place.first,
                    **self._described(),
                ) as phases:  # fmt: skip
                    phases.listeners.append(self._finished)
                    interrupted = self._epochs(phases, end)
                self._checkpoint()
                end.wait_for_all()
        except InputError:
            if self.number:
                self._checkpoint()  # all steps so far are whole: what is wrong is a sample of the next
            raise
        finally:
            self.folder.close()
        return Result(
            folder=self.folder.path, log=log, steps=self.number, losses=self.losses,
            validation=self.history[-1] if self.history else {}, interrupted=interrupted,
        )  # fmt: skip

    def _described(self) -> dict[str, Any]:
        options = self.options
        return {
            "n_gpu": self.place.world, "precision": self.trainer.casting.name,
            "workers": options.workers, "seed": options.seed,
            "timing_def": "forward + loss + backward + optimizer with input copy and real input", **self._header,
        }  # fmt: skip

    def _epochs(self, phases: StepPhases, end: Agreement) -> bool:
        """Train; whether the run was interrupted."""
        last = None if self.options.max_steps is None else self.number + self.options.max_steps
        while self.epoch < self.options.epochs:
            ended = self._steps(phases, end, last) if self.order.start < self.order.steps else ""
            phases.flush()
            if ended == "interrupted":
                return True
            if self.order.start < self.order.steps:
                break
            self._end_epoch()
            if self.number == last:
                break
        end.settle()
        return False

    def _steps(self, phases: StepPhases, end: Agreement, last: int | None) -> str:
        """Train on the rest of the epoch; says why it ended before, if it did."""
        self.data.epoch = self.order.epoch = self.epoch
        self.trainer.begin_epoch(self.epoch)
        for step, batch in enumerate(phases(self._batches()), self.order.start):
            self._step(batch, phases)
            self.order.start = step + 1
            if end.reached():
                end.settle()
                return "interrupted"
            if self.number == last:
                return "done"
            self._between(step)
            every = self.options.checkpoint_every
            if every and self.number % every == 0:
                phases.flush()
                self._checkpoint()
        return ""

    def _between(self, step: int) -> None:
        """Do what is due after a step."""

    def _batches(self) -> Any:
        return torch_loader(
            self.data, self.order, batch=self.order.batch, workers=self.options.workers,
            pin=self.place.device.type == "cuda",
        )  # fmt: skip

    def _step(self, batch: Any, phases: StepPhases) -> None:
        if self.trainer.draws:
            torch.manual_seed(int(keyed(self.options.seed, self.number, 3, self.place.rank).integers(2**62)))
        self._begun.append((self.epoch, self.number + 1, self.trainer.learning_rate))
        losses = self.trainer.step(batch, phases)
        self.number += 1
        values = torch.stack([losses[name].detach().float() for name in self.trainer.losses])
        if self.place.world > 1:
            with phases.communication():
                values = mean_over_processes(values, self.place)
        phases.note(**dict(zip(self.trainer.losses, values, strict=True)))

    def _finished(self, step: Step) -> None:
        """Write the losses of a step that the device has finished."""
        epoch, number, rate = self._begun.popleft()
        self.losses = {name: step.values[name] for name in self.trainer.losses}
        waited = step.times.exposed["load"] + step.times.exposed["input_wait"]
        times = {"step_ms": step.times.length / 1e6, "data_ms": waited / 1e6, "learning_rate": rate}
        self.folder.write_losses({"Epoch": epoch + 1, "iters": number, **times, **self.losses})

    def _end_epoch(self) -> None:
        """Measure on the held-out part and write what is due; outside of all steps."""
        figures = self.trainer.end_epoch()
        if figures:
            self.history.append({"Epoch": float(self.epoch + 1), "iters": float(self.number), **figures})
        self.epoch, self.order.start = self.epoch + 1, 0
        if self.place.first and self.history:
            _write_table(self.folder.path / VALIDATION, self.history)
        self._sample()
        self._checkpoint()

    def _sample(self) -> None:
        if self.place.first:
            self.trainer.sample(self.folder.path / SAMPLES / f"{self.number:07d}.png")

    def _checkpoint(self) -> None:
        where = {"epoch": self.epoch, "step": self.order.start, "number": self.number, "history": self.history}
        self.folder.save(self.trainer.state() | where)


def _write_table(path: Path, rows: list[dict[str, float]]) -> None:
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(rows[0])
        writer.writerows([f"{value:.6g}" for value in row.values()] for row in rows)
