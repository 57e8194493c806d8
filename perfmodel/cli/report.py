"""``perfmodel report``: one page for people who were not there."""

from __future__ import annotations

import click


@click.command()
@click.argument("inputs", nargs=-1, required=True, type=click.Path(allow_dash=True), metavar="INPUT...")
@click.option(
    "-o", "--output", type=click.Path(dir_okay=False), default="report.html", show_default=True, help="Page to write; - for stdout."
)
@click.option("--title", default=None, help="Heading of the page.")
def command(inputs: tuple[str, ...], output: str, title: str | None) -> None:
    """Make one self-contained page of documents and measured tables.

    INPUT is what --json of any verb printed, or a table of runs (CSV, .csv.gz, Parquet, run log), or - for standard
    input. The page begins with the answer in a sentence and needs no network.
    """
    from perfmodel.report.page import build

    page = build(inputs, title=title)
    if output == "-":
        click.echo(page.html, nl=False)
        return
    path = page.save(output)
    click.echo(f"{path}: {len(page.html.encode()) / 1e3:.0f} kB", err=True)
    for text in page.summary:
        click.echo(text)
