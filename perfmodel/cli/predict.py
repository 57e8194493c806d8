"""``perfmodel predict``: how long one training or inference step takes on a card."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import click

from perfmodel.errors import DependencyError, InputError, UnknownModelError


class WholeNumber(click.ParamType):
    """A whole number of at least a minimum, with one clear line otherwise."""

    name = "integer"

    def __init__(self, least: int = 1) -> None:
        self.least = least

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        """Read the number."""
        label = f"--{param.name.replace('_', '-')}" if param is not None and param.name else "value"
        try:
            number = int(value)
        except (TypeError, ValueError):
            raise InputError(f"{label} must be a whole number, not {value!r}", f"give {self.least} or more") from None
        if number < self.least:
            raise InputError(f"{label} must be at least {self.least}, not {number}", f"give {self.least} or more")
        return number


def load_model(text: str, mode: str) -> Any:
    """Resolve ``--model``: a zoo name, ``timm:NAME``, or ``package.module:function`` that builds a module and inputs."""
    from perfmodel.graph.catalogue import resolve

    if ":" not in text or text.startswith(("timm:", "torchvision:")):
        resolve(text)
        return text
    module_name, _, function = text.partition(":")
    return _capture_function(text, module_name, function, mode)


def _capture_function(text: str, module_name: str, function: str, mode: str) -> Any:
    import importlib

    sys.path.insert(0, "")
    try:
        build = getattr(importlib.import_module(module_name), function)
    except ModuleNotFoundError as error:
        missing = error.name or module_name
        if missing == "torch":
            raise DependencyError(
                f"--model {text} needs torch, which is not installed", "pip install 'perfmodel[torch]'"
            ) from None
        raise UnknownModelError(
            f"--model {text}: there is no module {missing!r}", "give package.module:function, importable from here"
        ) from None
    except AttributeError:
        raise UnknownModelError(
            f"--model {text}: module {module_name} has no {function!r}", "name a function that builds the network"
        ) from None
    except Exception as error:
        raise UnknownModelError(f"--model {text} cannot be imported: {error}", "correct that module") from None
    try:
        import torch  # noqa: F401
    except ModuleNotFoundError:
        raise DependencyError(
            f"--model {text} needs torch, which is not installed", "pip install 'perfmodel[torch]'"
        ) from None
    from perfmodel.graph import capture

    built = build()
    if not isinstance(built, tuple) or len(built) < 2:
        raise InputError(f"--model {text} returned no inputs", "return (module, input, ...), inputs of batch 1")
    return capture(built[0], *built[1:], mode=mode)


def totals_model(text: str) -> Any:
    """Build a graph from ``params=25.6,gmacs=4.1,macts=11.1`` (millions, 10^9, millions; of one sample)."""
    from perfmodel.graph.totals import graph_from_totals

    known = {"params": "params_M", "gmacs": "gmacs", "macts": "macts", "size": "image_size"}
    values: dict[str, float] = {}
    for part in text.split(","):
        name, _, number = part.partition("=")
        if name.strip() not in known:
            raise InputError(f"--totals has no {name.strip()!r}", "write params=25.6,gmacs=4.1,macts=11.1")
        try:
            values[known[name.strip()]] = float(number)
        except ValueError:
            raise InputError(f"--totals {name}={number} is not a number", "write params=25.6,gmacs=4.1") from None
    if not {"params_M", "gmacs"} <= values.keys() or min(values.values()) <= 0:
        raise InputError("--totals needs positive params and gmacs", "write params=25.6,gmacs=4.1,macts=11.1")
    return graph_from_totals(**values)


def common_options(function: Any) -> Any:
    """Options that predict and compare share."""
    options = [
        click.option("--workload", default=None, help="Shipped workload: cyclegan (default), pilotnet, dmnet_cnn, ..."),
        click.option("--model", default=None, help="Zoo name, timm:NAME, or package.module:function."),
        click.option("--totals", default=None, help="params=..,gmacs=..,macts=.. (millions, 10^9, millions)."),
        click.option("--mode", type=click.Choice(["train", "infer"]), default="train", show_default=True),
        click.option("--stack", default="newest", show_default=True, help="Such as 'pytorch 2.4 nhwc compiled'."),
        click.option("--optimizer", default="default", help="adam, adamw, sgd, ... (_fused, _loop)."),
        click.option("--accumulate", type=WholeNumber(), default=1, help="Micro-batches before a weight update."),
        click.option("--checkpoint-activations", is_flag=True, help="Recompute activations in the backward pass."),
        click.option("--host", default="default", show_default=True, help="default, laptop, server, colab, local."),
        click.option("--loader", default="torch", show_default=True, help="torch, native, opencv, grain, none."),
        click.option("--workers", type=WholeNumber(0), default=4, show_default=True, help="Loader processes a card."),
        click.option("--dataset-size", type=WholeNumber(), default=None, help="Samples of an epoch."),
        click.option("--ci", type=float, default=0.9, show_default=True, help="Coverage of the interval."),
    ]
    for option in reversed(options):
        function = option(function)
    return function


@click.command()
@click.option("--gpu", default="p100", show_default=True, help="Card; 'cpu' for this machine's processor.")
@click.option("--gpus", type=WholeNumber(), default=1, help="Cards that train data-parallel.")
@click.option("--batch", type=WholeNumber(), default=1, show_default=True, help="Samples on one card.")
@click.option("--blocks", type=WholeNumber(), default=None, help="Residual blocks (cyclegan; default 9).")
@click.option("--image-size", type=WholeNumber(), default=None, help="Side of a square image.")
@click.option("--seq-len", type=WholeNumber(), default=None, help="Sequence length.")
@click.option("--precision", default="fp32", show_default=True, help="fp32, tf32, fp16, bf16, amp, amp_bf16, int8.")
@click.option("--timing", default=None, help="Timed region in words, as tables state it ('fwd+bwd, no optimizer').")
@click.option("--price", type=float, default=None, help="Price of one card for an hour.")
@click.option("--profile", type=click.Path(), default=None, help="Profile of this very card.")
@click.option("--explain", is_flag=True, help="Terms, top operators, and what would change it.")
@click.option("--json", "as_json", is_flag=True, help="One JSON document.")
@common_options
def command(**values: Any) -> None:
    """Predict the time of one step on a card: compute, loading, copies, memory and cost, with an interval."""
    from perfmodel.step.predict import predict

    request = options_of(values)
    model = choose_model(values)
    prediction = predict(model, **request)
    if values["as_json"]:
        document = prediction.to_dict()
        if values["explain"]:
            from perfmodel.step.explain import explain

            document["explanation"] = explain(prediction).to_dict()
        click.echo(json.dumps(document, indent=1))
        return
    from perfmodel.cli.text import explanation_text, prediction_text

    click.echo(prediction_text(prediction))
    if values["explain"]:
        from perfmodel.step.explain import explain

        click.echo(explanation_text(explain(prediction)))


def choose_model(values: dict[str, Any]) -> Any:
    """The network that the options name; cyclegan where they name none."""
    given = [name for name in ("workload", "model", "totals") if values[name] is not None]
    if len(given) > 1:
        raise InputError(f"--{given[0]} and --{given[1]} exclude each other", "give one of them")
    if values["totals"] is not None:
        return totals_model(values["totals"])
    if values["model"] is not None:
        return load_model(values["model"], values["mode"])
    return values["workload"] or "cyclegan"


def options_of(values: dict[str, Any]) -> dict[str, Any]:
    """Keyword arguments of `perfmodel.predict` from command-line values."""
    if values.get("image_size") is not None and values.get("seq_len") is not None:
        raise InputError("--image-size and --seq-len exclude each other", "give the one the network has")
    found = {
        name: values[name]
        for name in (
            "gpu", "gpus", "batch", "blocks", "precision", "timing", "price", "mode", "stack", "optimizer",
            "accumulate", "host", "loader", "workers", "dataset_size",
        )
    }  # fmt: skip
    size = values["image_size"] if values["image_size"] is not None else values["seq_len"]
    profile = None
    if values["profile"] is not None:
        from perfmodel.efficiency.profile import Profile

        profile = Profile.load(Path(values["profile"]))
    return {
        **found, "size": size, "coverage": values["ci"], "checkpoint": values["checkpoint_activations"],
        "profile": profile,
    }  # fmt: skip
