"""Arguments of verbs that read measured rows: files, what is known of them, and whether to salvage."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar

import click

if TYPE_CHECKING:
    from perfmodel.runs.gather import Gathered

Function = TypeVar("Function", bound=Callable[..., Any])


def run_inputs(function: Function) -> Function:
    """Add FILES..., ``--set`` and ``--salvage``; the command gets `files`, `settings` and `salvage`."""
    options = [
        click.argument("files", nargs=-1, required=True, metavar="FILE..."),
        click.option(
            "--set", "settings", multiple=True, metavar="COLUMN=VALUE",
            help="A column that the files do not tell, such as gpu=v100. For one file: FILE@gpu=v100,batch=4.",
        ),
        click.option("--salvage", is_flag=True, help="Leave out broken rows, naming each, instead of refusing a file."),
    ]  # fmt: skip
    for option in reversed(options):
        function = option(function)
    return function


def report(gathered: Gathered) -> None:
    """Print what was left out, and notes, to standard error."""
    for problem in gathered.problems:
        click.echo(f"left out: {problem}", err=True)
    for note in gathered.notes:
        click.echo(f"note: {note}", err=True)
