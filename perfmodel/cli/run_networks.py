"""``perfmodel run pilotnet`` and ``perfmodel run depthmap``: driving networks, depth and mask networks."""

from __future__ import annotations

import json
from typing import Any

import click

from perfmodel.cli.options import Names, WholeNumber
from perfmodel.cli.training import run_training, tell, training_options
from perfmodel.errors import InputError


def _data(values: dict[str, Any], name: str) -> Any:
    """The data option, or a clear line where it is missing."""
    if not values[name]:
        raise InputError("no data to train on", "give --data; perfmodel datasets generate makes some")
    return values[name]


@click.group("pilotnet", invoke_without_command=True)
@click.option("--data", "--dataroot", "data", multiple=True, type=click.Path(), help="Folder with labels.csv; several.")
@click.option("--network", default="pilotnet", show_default=True, help="Or pilotnet_same, deepest_lstm_tiny_pilotnet.")
@click.option("--validation", type=float, default=0.2, show_default=True, help="Share of the frames that is held out.")
@click.option("--limit", type=WholeNumber(), default=None, help="At most so many frames.")
@click.option("--augment/--no-augment", default=True, show_default=True, help="Flip, shift, brightness, contrast.")
@training_options(batch=64, epochs=100, learning_rate=1e-4)
@click.pass_context
def pilotnet(context: click.Context, /, **options: Any) -> None:
    """Train a driving network on frames with speed and turn rate."""
    if context.invoked_subcommand:
        return
    from perfmodel.workloads.pilotnet.options import Options
    from perfmodel.workloads.pilotnet.training import train

    compare, as_json = options.pop("compare"), options.pop("as_json")
    options["data"] = tuple(_data(options, "data"))
    run_training(train, Options(**options, progress=True), compare=compare, as_json=as_json)


@pilotnet.command("evaluate")
@click.argument("run", type=click.Path())
@click.option("--data", multiple=True, type=click.Path(), help="Other frames than the run's.")
@click.option("--part", default=None, help="held-out, training or all.")
@click.option("--json", "as_json", is_flag=True, help="One JSON document.")
def evaluate_pilotnet(run: str, data: tuple[str, ...], part: str | None, as_json: bool) -> None:
    """Mean squared error per output of the network in the folder RUN."""
    from perfmodel.workloads.pilotnet.evaluation import evaluate

    found = evaluate(run, data=data, part=part)
    click.echo(json.dumps(found.to_dict(), indent=1) if as_json else found.text())


@pilotnet.command("export")
@click.argument("run", type=click.Path())
@click.option(
    "--format", "formats", type=Names(), default=None, help="pt2, torchscript, onnx; all that can be written."
)
@click.option("--output", default=None, type=click.Path(), help="Folder; export in the run's by default.")
def export_pilotnet(run: str, formats: tuple[str, ...] | None, output: str | None) -> None:
    """Export the network in the folder RUN; each file is run again and compared."""
    from perfmodel.workloads.pilotnet.export import export

    for one in export(run, chosen=formats or (), folder=output):
        size = one.size_bytes / 1e6
        click.echo(f"{one.path}  {size:.2f} MB, largest difference {one.largest_difference:.2g}")


def _loss_options(function: Any) -> Any:
    options = [
        click.option(
            "--data", "--dataroot", "data", default=None, type=click.Path(), help="Folder or ZIP of quadruples."
        ),
        click.option(
            "--network", default="dmnet_cnn", show_default=True, help="dmnet_cnn, dmnet_cnn_v1, dmnet_resnet."
        ),
        click.option("--size", type=WholeNumber(), default=192, show_default=True, help="Pixels of a side."),
        click.option("--validation", type=float, default=0.3, show_default=True, help="Share that is held out."),
        click.option("--limit", type=WholeNumber(), default=None, help="At most so many samples."),
        click.option("--memory", default="auto", show_default=True, help="Hold decoded samples: auto, yes, no."),
        click.option("--augment/--no-augment", default=True, show_default=True, help="Flip, colour jitter, cut-out."),
    ]
    for option in reversed(options):
        function = option(function)
    return function


@click.group("depthmap", invoke_without_command=True)
@_loss_options
@click.option(
    "--mask-loss", default="bce_logits", show_default=True, help="bce, smooth_l1, mse, ssim, mse+0.5*ssim ..."
)
@click.option("--depth-loss", default="smooth_l1", show_default=True, help="The same for depth.")
@click.option("--combine", default="weights", show_default=True, help="weights, or roots: sum of square roots.")
@click.option(
    "--cycle", type=WholeNumber(0), default=0, help="Steps up and down of the learning rate; 0 for two epochs."
)
@click.option("--patience", type=WholeNumber(0), default=3, show_default=True, help="Epochs before the peak is halved.")
@training_options(batch=32, epochs=100, learning_rate=1e-3)
@click.pass_context
def depthmap(context: click.Context, /, **options: Any) -> None:
    """Train a depth and mask network on background and composite images."""
    if context.invoked_subcommand:
        return
    from perfmodel.workloads.depthmap.options import Options
    from perfmodel.workloads.depthmap.training import train

    compare, as_json = options.pop("compare"), options.pop("as_json")
    _data(options, "data")
    run_training(train, Options(**options, progress=True), compare=compare, as_json=as_json)


@depthmap.command("evaluate")
@click.argument("run", type=click.Path())
@click.option("--data", default="", type=click.Path(), help="Other samples than the run's.")
@click.option("--part", default=None, help="held-out, training or all.")
@click.option("--json", "as_json", is_flag=True, help="One JSON document.")
def evaluate_depthmap(run: str, data: str, part: str | None, as_json: bool) -> None:
    """Losses and SSIM accuracy of the network in the folder RUN, and a sheet of predictions."""
    from perfmodel.workloads.depthmap.evaluation import evaluate

    found = evaluate(run, data=data, part=part)
    click.echo(json.dumps(found.to_dict(), indent=1) if as_json else found.text())


@depthmap.command("compare-losses")
@click.argument("images", nargs=-1, type=click.Path())
@_loss_options
@click.option(
    "--losses", type=Names(), default=None, help="Some of bce, bce_logits, smooth_l1, mse, ssim; all by default."
)
@click.option("--epochs", type=WholeNumber(), default=3, show_default=True, help="Passes for each network.")
@click.option("--batch", type=WholeNumber(), default=8, show_default=True, help="Samples a step.")
@click.option("--output", default="losses", show_default=True, type=click.Path(), help="Folder of the runs.")
@click.option("--workers", type=WholeNumber(0), default=0, show_default=True, help="Loader processes.")
@click.option("--gpus", default="auto", show_default=True, help="auto, cpu, or a card's number.")
@click.option("--json", "as_json", is_flag=True, help="One JSON document.")
def compare_losses_(images: tuple[str, ...], losses: tuple[str, ...] | None, as_json: bool, **options: Any) -> None:
    """Say what each loss makes of pairs of IMAGES (prediction, target), and train one network by each on --data."""
    from perfmodel.workloads.depthmap.comparison import compare_losses
    from perfmodel.workloads.depthmap.losses import LOSSES
    from perfmodel.workloads.depthmap.options import Options

    settings = Options(**options) if options["data"] else None
    found = compare_losses(images, options=settings, losses=losses or LOSSES, told=tell)
    click.echo(json.dumps(found.to_dict(), indent=1) if as_json else found.text())
