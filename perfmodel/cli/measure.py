"""``perfmodel measure``."""

from __future__ import annotations

import importlib
import json
from pathlib import Path

import click


@click.command(short_help="Measure operators and steps on this machine.")
@click.option("--device", type=click.Choice(["cpu", "cuda"]), default="cpu", show_default=True, help="What to measure.")
@click.option("--budget", type=float, default=60.0, show_default=True, metavar="SECONDS", help="Time for all parts.")
@click.option(
    "--output",
    type=click.Path(path_type=Path, file_okay=False),
    default=Path("measurements"),
    show_default=True,
    help="Folder of all sessions; a session of the same day and device is taken up again.",
)
@click.option("--parts", default="kernels,transfers,launch,steps", show_default=True, help="Parts to measure.")
@click.option("--dry-run", is_flag=True, help="Measure a few tiny cases of every part.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")
def command(device: str, budget: float, output: Path, parts: str, dry_run: bool, as_json: bool) -> None:
    """Measure operators and steps on this machine.

    Rows are written as they are measured; the same command goes on where an earlier one stopped. The tables are
    described in docs/measuring.md.
    """
    session = importlib.import_module("perfmodel.calibration.session")
    request = session.Request(device=device, output=output, budget_s=budget, parts=tuple(parts.split(",")), dry=dry_run)
    outcome = session.run(request, progress=lambda text: click.echo(text, err=True))
    if as_json:
        document = {
            "schema_version": 1,
            "folder": str(outcome.folder),
            "rows": outcome.rows,
            "complete": outcome.complete,
        }
        click.echo(json.dumps(document, indent=2))
        return
    for part, rows in outcome.rows.items():
        click.echo(f"{part:<10} {rows:>6} rows{'' if outcome.complete[part] else ', not complete'}")
    click.echo(outcome.folder)
