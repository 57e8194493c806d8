"""``perfmodel validate``: how well measured rows are predicted."""

from __future__ import annotations

import click

from perfmodel.cli.inputs import report, run_inputs
from perfmodel.cli.options import Names


@click.command()
@run_inputs
@click.option("--by", type=Names(), default="source,gpu,phase", show_default=True, help="Columns that make groups.")
@click.option("--json", "as_json", is_flag=True, help="One JSON document.")
def command(
    files: tuple[str, ...], settings: tuple[str, ...], salvage: bool, by: tuple[str, ...], as_json: bool
) -> None:
    """Predict every row of a measured table and score the predictions.

    FILE is a table or log (CSV, .csv.gz, Parquet) of any layout in docs/runs.md. Rows that cannot be predicted are
    counted by reason. The overall score is the average over groups.
    """
    from perfmodel.runs.gather import gather_measured
    from perfmodel.runs.settings import parse_settings
    from perfmodel.validation.report import validate

    gathered = gather_measured(files, known=parse_settings(settings), salvage=salvage)
    report(gathered)
    found = validate(gathered.runs, by=by)
    if as_json:
        import json

        click.echo(json.dumps(found.to_dict(), indent=1, allow_nan=False))
        return
    from perfmodel.cli.text import validation_text

    click.echo(validation_text(found))
