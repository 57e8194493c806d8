"""``perfmodel predict``: how long one training or inference step takes on a card."""

from __future__ import annotations

from typing import Any

import click

from perfmodel.cli.network import choose_model
from perfmodel.cli.options import WholeNumber, common_options, read_profile, shared_options


@click.command()
@click.option("--gpu", default="p100", show_default=True, help="Card; 'cpu' for this machine's processor.")
@click.option("--batch", type=WholeNumber(), default=1, show_default=True, help="Samples on one card.")
@click.option("--blocks", type=WholeNumber(), default=None, help="Residual blocks (cyclegan; default 9).")
@click.option("--precision", default="fp32", show_default=True, help="fp32, tf32, fp16, bf16, amp, amp_bf16, int8.")
@click.option("--price", type=float, default=None, help="Price of one card for an hour.")
@click.option("--profile", type=click.Path(), default=None, help="Profile of this very card.")
@click.option("--explain", is_flag=True, help="Terms, top operators, and what would change it.")
@click.option("--json", "as_json", is_flag=True, help="One JSON document.")
@common_options
def command(**values: Any) -> None:
    """Predict the time, memory and cost of one step on a card.

    The answer has an interval, the phases of the step, what limits it, and how much measurement it rests on.
    """
    from perfmodel.step.predict import predict

    prediction = predict(choose_model(values), **options_of(values))
    explanation = None
    if values["explain"]:
        from perfmodel.step.explain import explain

        explanation = explain(prediction)
    if values["as_json"]:
        import json

        document = prediction.to_dict()
        if explanation is not None:
            document["explanation"] = explanation.to_dict()
        click.echo(json.dumps(document, indent=1, allow_nan=False))
        return
    from perfmodel.cli.text import explanation_text, prediction_text

    click.echo(prediction_text(prediction))
    if explanation is not None:
        click.echo(explanation_text(explanation))


def options_of(values: dict[str, Any]) -> dict[str, Any]:
    """Keyword arguments of `perfmodel.predict` from command-line values."""
    own = {name: values[name] for name in ("gpu", "batch", "blocks", "precision", "price")}
    return {**own, **shared_options(values), "profile": read_profile(values["profile"])}
