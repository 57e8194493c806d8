"""``perfmodel report``: one page for people who were not there."""

from __future__ import annotations

import sys

import click


@click.command()
@click.argument("inputs", nargs=-1, required=True, metavar="INPUT...")
@click.option(
    "-o", "--output", type=click.Path(dir_okay=False, allow_dash=True), default="report.html", show_default=True,
    help="Page to write; - for stdout.",
)  # fmt: skip
@click.option("--title", default=None, help="Heading of the page.")
@click.option(
    "--set", "settings", multiple=True, metavar="COLUMN=VALUE",
    help="A column that tables do not tell, such as gpu=v100. For one file: FILE@gpu=v100,batch=4.",
)  # fmt: skip
@click.option("--salvage", is_flag=True, help="Leave out broken rows of tables, naming each, instead of refusing them.")
def command(inputs: tuple[str, ...], output: str, title: str | None, settings: tuple[str, ...], salvage: bool) -> None:
    """Make one self-contained page of documents and measured tables.

    INPUT is what --json of any verb printed, or a table of runs (CSV, .csv.gz, Parquet, run log), or - for standard
    input. The page begins with the answer in a sentence and needs no network.
    """
    from perfmodel.report.page import build
    from perfmodel.runs.settings import parse_settings

    page = build(inputs, title=title, known=parse_settings(settings), salvage=salvage)
    if output == "-":
        sys.stdout.buffer.write(page.html.encode())
        return
    path = page.save(output)
    click.echo(f"{path}: {len(page.html.encode()) / 1e3:.0f} kB", err=True)
    for text in page.summary:
        click.echo(text.replace("\u00a0", " ").replace("µs", "us"))
