"""``perfmodel validate``: how well measured rows are predicted."""

from __future__ import annotations

import click

from perfmodel.cli.options import Names


@click.command()
@click.argument("file", type=click.Path())
@click.option("--by", type=Names(), default="source,gpu,phase", show_default=True, help="Columns that make groups.")
@click.option("--json", "as_json", is_flag=True, help="One JSON document.")
def command(file: str, by: tuple[str, ...], as_json: bool) -> None:
    """Predict every row of a measured table and score the predictions.

    FILE is CSV, .csv.gz or Parquet. Rows that cannot be predicted are counted by reason. The overall score is the
    average over groups.
    """
    from perfmodel.validation.report import validate

    found = validate(file, by=by)
    if as_json:
        import json

        click.echo(json.dumps(found.to_dict(), indent=1, allow_nan=False))
        return
    from perfmodel.cli.text import validation_text

    click.echo(validation_text(found))
