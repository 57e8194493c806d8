"""``perfmodel doctor``."""

from __future__ import annotations

import json

import click

from perfmodel import doctor

MARKS = {"ok": "ok", "absent": "--", "problem": "!!"}


@click.command(short_help="Say what is built, found and missing, and what to do.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")
def command(as_json: bool) -> int:
    """Say what is built, found and missing, and what to do.

    The exit status is 1 where something that every installation needs is missing.
    """
    found = doctor.findings()
    document = doctor.to_dict(found)
    if as_json:
        click.echo(json.dumps(document, indent=2))
    else:
        _print_table(found)
    return 1 if document["problems"] else 0


def _print_table(found: tuple[doctor.Finding, ...]) -> None:
    """Print one line a finding, under its group's name, with the remedy below it."""
    width = max(len(finding.name) for finding in found)
    group = ""
    for finding in found:
        if finding.group != group:
            group = finding.group
            click.echo(group)
        click.echo(f"  {MARKS[finding.status]}  {finding.name:<{width}}  {finding.detail}")
        if finding.remedy:
            click.echo(f"      {'':<{width}}  -> {finding.remedy}")
