"""What the verbs that train share: options, several cards, and how a run ends."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from typing import Any, TypeVar

import click

from perfmodel.cli.options import WholeNumber

Function = TypeVar("Function", bound=Callable[..., Any])


def training_options(*, batch: int, epochs: int, learning_rate: float) -> Callable[[Function], Function]:
    """Add the options that all workloads share, with a workload's own defaults, in both spellings."""
    options = [
        click.option("--output", default="run", show_default=True, type=click.Path(), help="Folder of the run."),
        click.option("--batch", "--batch_size", "batch", type=WholeNumber(), default=batch, show_default=True,
                     help="Samples a step, over all cards."),
        click.option("--epochs", "--n_epochs", "epochs", type=WholeNumber(), default=epochs, show_default=True,
                     help="Passes over the data."),
        click.option("--max-steps", type=WholeNumber(), default=None, help="Stop after so many steps of this run."),
        click.option("--learning-rate", "--lr", "learning_rate", type=float, default=learning_rate, show_default=True,
                     help="Of Adam."),
        click.option("--gpus", "--gpu_ids", "gpus", default="auto", show_default=True,
                     help="auto, cpu, or numbers of cards such as 0,1."),
        click.option("--precision", default="fp32", show_default=True, help="fp32, tf32, amp, amp_fp16, amp_bf16."),
        click.option("--workers", "--num_threads", "workers", type=WholeNumber(0), default=4, show_default=True,
                     help="Loader processes a card."),
        click.option("--seed", type=WholeNumber(0), default=0, show_default=True, help="Same seed, same run."),
        click.option("--checkpoint-every", type=WholeNumber(0), default=0, help="Steps; 0 for once an epoch."),
        click.option("--resume", "--continue_train", "resume", is_flag=True, help="Go on from the last checkpoint."),
        click.option("--tensorboard", is_flag=True, help="Also write scalars for TensorBoard."),
        click.option("--compare", is_flag=True, help="End with predicted against measured, phase by phase."),
        click.option("--json", "as_json", is_flag=True, help="The comparison as one JSON document."),
    ]  # fmt: skip

    def add(function: Function) -> Function:
        for option in reversed(options):
            function = option(function)
        return function

    return add


def run_training(train: Callable[..., Any], options: Any, *, compare: bool, as_json: bool) -> None:
    """Train, in one process a card where several were asked for, and say how it went."""
    if not _relaunched(click.get_current_context(), options.gpus):
        _finish(train(options, told=tell), compare=compare, as_json=as_json)


def tell(text: str) -> None:
    """Print what a run says of itself to standard error."""
    click.echo(text, err=True)


def _relaunched(context: click.Context, gpus: str) -> bool:
    """Start one process a card through torch's launcher where several cards were asked for; whether it did."""
    from perfmodel.workloads.training.processes import check_cards, launched, read_gpu_ids

    ids = read_gpu_ids(gpus) or ()
    if len(ids) < 2 or launched():
        return False
    check_cards(ids)
    words = context.find_root().obj or sys.argv[1:]
    start = [sys.executable, "-m", "torch.distributed.run", "--standalone", f"--nproc-per-node={len(ids)}"]
    status = subprocess.run([*start, "-m", "perfmodel", *words], check=False).returncode
    if status:
        raise click.exceptions.Exit(status)
    return True


def _finish(result: Any, *, compare: bool, as_json: bool) -> None:
    """Say where everything lies, and compare where asked for."""
    if int(os.environ.get("RANK", "0")):
        return
    state = "interrupted; --resume goes on" if result.interrupted else "done"
    losses = ", ".join(f"{name} {value:.3g}" for name, value in result.losses.items())
    if not as_json:
        click.echo(f"{state}: {result.steps} steps; log {result.log}\nlast losses: {losses}")
    if compare:
        from perfmodel.validation.run_phases import compare_run, run_phases_text

        found = compare_run(result.log)
        if as_json:
            import json

            click.echo(json.dumps(found.to_dict(), indent=1, allow_nan=False))
        else:
            click.echo("\n" + run_phases_text(found))
    if result.interrupted:
        raise KeyboardInterrupt
