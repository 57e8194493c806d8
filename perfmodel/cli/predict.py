"""``perfmodel predict``: how long one training or inference step takes on a card."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from perfmodel.cli.network import choose_model
from perfmodel.cli.options import WholeNumber, common_options, read_profile, shared_options
from perfmodel.cli.plotting import check_plot, plot_options, write_plot

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from perfmodel.step.prediction import Prediction

KINDS = ("timeline", "roofline", "scaling")


@click.command()
@click.option("--gpu", default="p100", show_default=True, help="Card; 'cpu' for this machine's processor.")
@click.option("--batch", type=WholeNumber(), default=1, show_default=True, help="Samples on one card.")
@click.option("--blocks", type=WholeNumber(), default=None, help="Residual blocks (cyclegan; default 9).")
@click.option("--precision", default="fp32", show_default=True, help="fp32, tf32, fp16, bf16, amp, amp_bf16, int8.")
@click.option("--price", type=float, default=None, help="Price of one card for an hour.")
@click.option("--profile", type=click.Path(), default=None, help="Profile of this very card.")
@click.option("--explain", is_flag=True, help="Terms, top operators, and what would change it.")
@click.option("--json", "as_json", is_flag=True, help="One JSON document.")
@plot_options(KINDS)
@click.option("--along", default="batch", show_default=True, help="Of a scaling figure: batch, blocks, gpus, workers.")
@common_options
def command(**values: Any) -> None:
    """Predict the time, memory and cost of one step on a card.

    The answer has an interval, the phases of the step, what limits it, and how much measurement it rests on.
    """
    from perfmodel.step.predict import predict

    check_plot(values, KINDS)
    prediction = predict(choose_model(values), **options_of(values))
    explanation = None
    if values["explain"]:
        from perfmodel.step.explain import explain

        explanation = explain(prediction)
    if values["plot"] is not None:
        write_plot(values, figure_of(prediction, values))
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


def figure_of(prediction: Prediction, values: dict[str, Any]) -> Figure:
    """The figure that ``--plot-kind`` names."""
    theme, kind = values["theme"], values["plot_kind"] or KINDS[0]
    if kind == "roofline":
        from perfmodel.report.plots.roofline import roofline_figure
        from perfmodel.step.operator_times import operator_times

        ask = prediction.request
        title = f"Roofline of {ask.model} on {ask.gpu.name}, batch {ask.batch}, {ask.precision}"
        return roofline_figure(ask.gpu, operator_times(prediction), precision=ask.precision, title=title, theme=theme)
    if kind == "scaling":
        from perfmodel.report.plots.scaling import scaling_figure
        from perfmodel.step.scaling import scaling

        return scaling_figure(scaling(prediction, values["along"]), values["along"], theme=theme)
    from perfmodel.report.plots.timeline import timeline_figure

    return timeline_figure(prediction.to_dict(), theme=theme)


def options_of(values: dict[str, Any]) -> dict[str, Any]:
    """Keyword arguments of `perfmodel.predict` from command-line values."""
    own = {name: values[name] for name in ("gpu", "batch", "blocks", "precision", "price")}
    return {**own, **shared_options(values), "profile": read_profile(values["profile"])}
