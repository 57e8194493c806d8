"""``perfmodel run``: train a shipped workload, timed phase by phase."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from typing import Any, TypeVar

import click

from perfmodel.cli.options import WholeNumber
from perfmodel.errors import DependencyError

Function = TypeVar("Function", bound=Callable[..., Any])


@click.group()
def command() -> None:
    """Train a shipped workload, timed phase by phase."""
    import importlib.util

    if importlib.util.find_spec("torch") is None:
        raise DependencyError("running a workload needs the package torch", "pip install 'perfmodel[torch]'")


def training_options(function: Function) -> Function:
    """Add the options that all workloads share; both spellings where the originals had their own."""
    options = [
        click.option("--output", default="run", show_default=True, type=click.Path(), help="Folder of the run."),
        click.option("--batch", "--batch_size", "batch", type=WholeNumber(), default=1, show_default=True,
                     help="Samples a step, over all cards."),
        click.option("--epochs", "--n_epochs", "epochs", type=WholeNumber(), default=200, show_default=True,
                     help="Passes over the data."),
        click.option("--max-steps", type=WholeNumber(), default=None, help="Stop after so many steps of this run."),
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
    for option in reversed(options):
        function = option(function)
    return function


@command.command("cyclegan")
@click.option("--dataroot", required=True, type=click.Path(), help="Folder with one folder a domain.")
@click.option("--name", required=True, help="SOURCE-TARGET, such as VKITTI-KITTI.")
@click.option("--blocks", "--num_layers", "blocks", type=WholeNumber(), default=9, show_default=True,
              help="Residual blocks of the generators.")  # fmt: skip
@click.option("--max-dataset-size", "--max_dataset_size", "max_dataset_size", type=WholeNumber(), default=None,
              help="At most so many images a domain.")  # fmt: skip
@click.option("--load-size", "--load_size", "load_size", type=WholeNumber(), default=286, show_default=True,
              help="Side to which images are resized.")  # fmt: skip
@click.option("--crop-size", "--crop_size", "crop_size", type=WholeNumber(), default=256, show_default=True,
              help="Side of the crop that is trained on.")  # fmt: skip
@click.option("--loader", default="torch", show_default=True, help="torch (PIL in a DataLoader) or native.")
@click.option("--learning-rate", "--lr", "learning_rate", type=float, default=2e-4, show_default=True, help="Of Adam.")
@click.option("--pool-size", "--pool_size", "pool_size", type=WholeNumber(0), default=50, show_default=True,
              help="Generated images that discriminators remember.")  # fmt: skip
@click.option(
    "--sample-every", type=WholeNumber(0), default=0, help="Steps between sample sheets; 0 for once an epoch."
)
@training_options
def cyclegan(compare: bool, as_json: bool, **options: Any) -> None:
    """Train CycleGAN between two domains of images."""
    from perfmodel.workloads.cyclegan.training import Options, train

    checked = Options(**options, progress=True)
    if _relaunched(click.get_current_context(), checked.gpus):
        return
    _finish(train(checked, told=_tell), compare=compare, as_json=as_json)


def _tell(text: str) -> None:
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
