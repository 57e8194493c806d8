"""``perfmodel validate``: how well measured rows are predicted."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from perfmodel.cli.inputs import report, run_inputs
from perfmodel.cli.options import Names
from perfmodel.cli.plotting import check_plot, plot_options, write_plot

if TYPE_CHECKING:
    from matplotlib.figure import Figure

KINDS = ("accuracy", "residuals", "coverage")


@click.command()
@run_inputs
@click.option("--by", type=Names(), default="source,gpu,phase", show_default=True, help="Columns that make groups.")
@click.option("--json", "as_json", is_flag=True, help="One JSON document.")
@plot_options(KINDS)
@click.option("--plot-by", default="gpu", show_default=True, help="Column that groups the rows of a figure.")
def command(**values: Any) -> None:
    """Predict every row of a measured table and score the predictions.

    FILE is a table or log (CSV, .csv.gz, Parquet) of any layout in docs/runs.md. Rows that cannot be predicted are
    counted by reason. The overall score is the average over groups.
    """
    from perfmodel.runs.gather import gather_measured
    from perfmodel.runs.settings import parse_settings
    from perfmodel.validation.report import validate

    check_plot(values, KINDS)
    gathered = gather_measured(values["files"], known=parse_settings(values["settings"]), salvage=values["salvage"])
    report(gathered)
    found = validate(gathered.runs, by=values["by"])
    if values["plot"] is not None:
        from perfmodel.report.plots.points import validation_points

        points = validation_points(found.predictions, gathered.runs, group=values["plot_by"])
        write_plot(values, figure_of(points, values))
    if values["as_json"]:
        import json

        click.echo(json.dumps(found.to_dict(), indent=1, allow_nan=False))
        return
    from perfmodel.cli.text import validation_text

    click.echo(validation_text(found))


def figure_of(points: Any, values: dict[str, Any]) -> Figure:
    """The figure that ``--plot-kind`` names."""
    from perfmodel.report.plots.accuracy import accuracy_figure
    from perfmodel.report.plots.coverage import coverage_figure
    from perfmodel.report.plots.residuals import residual_figure

    theme, kind = values["theme"], values["plot_kind"] or KINDS[0]
    if kind == "coverage":
        return coverage_figure(points, theme=theme)
    return residual_figure(points, theme=theme) if kind == "residuals" else accuracy_figure(points, theme=theme)
