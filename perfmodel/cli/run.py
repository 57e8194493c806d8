"""``perfmodel run``: train a shipped workload, timed phase by phase."""

from __future__ import annotations

from typing import Any

import click

from perfmodel.cli.options import WholeNumber
from perfmodel.cli.run_networks import depthmap, pilotnet
from perfmodel.cli.training import run_training, training_options
from perfmodel.errors import DependencyError


@click.group()
def command() -> None:
    """Train a shipped workload, timed phase by phase."""
    import importlib.util

    if importlib.util.find_spec("torch") is None:
        raise DependencyError("running a workload needs the package torch", "pip install 'perfmodel[torch]'")


command.add_command(pilotnet)
command.add_command(depthmap)


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
@click.option("--pool-size", "--pool_size", "pool_size", type=WholeNumber(0), default=50, show_default=True,
              help="Generated images that discriminators remember.")  # fmt: skip
@click.option(
    "--sample-every", type=WholeNumber(0), default=0, help="Steps between sample sheets; 0 for once an epoch."
)
@training_options(batch=1, epochs=200, learning_rate=2e-4)
def cyclegan(compare: bool, as_json: bool, **options: Any) -> None:
    """Train CycleGAN between two domains of images."""
    from perfmodel.workloads.cyclegan.training import Options, train

    run_training(train, Options(**options, progress=True), compare=compare, as_json=as_json)
