"""The options ``--plot FILE``, ``--plot-kind`` and ``--theme`` of the verbs that draw."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, TypeVar

import click

from perfmodel.errors import InputError

if TYPE_CHECKING:
    from matplotlib.figure import Figure

Function = TypeVar("Function", bound=Callable[..., Any])


def plot_options(kinds: Sequence[str]) -> Callable[[Function], Function]:
    """Add the options of a figure; the first kind is the default unless the verb chooses one from its answer.

    Parameters
    ----------
    kinds : sequence of str
        What the verb can draw; with one there is no ``--plot-kind``.
    """

    def add(function: Function) -> Function:
        options = [
            click.option(
                "--plot", "plot", type=click.Path(), default=None, help="Draw a figure: FILE.svg or FILE.png."
            ),
            click.option("--theme", default="light", show_default=True, help="Of the figure: light or dark."),
        ]
        if len(kinds) > 1:
            options.append(click.option("--plot-kind", default=None, help=f"{', '.join(kinds)}."))
        for option in reversed(options):
            function = option(function)
        return function

    return add


def check_plot(values: dict[str, Any], kinds: Sequence[str]) -> None:
    """Refuse a file, theme or kind that cannot be drawn, before anything is computed.

    Raises
    ------
    InputError
    """
    kind = values.get("plot_kind")
    if kind is not None and kind not in kinds:
        raise InputError(f"there is no figure of kind {kind!r} here", f"give --plot-kind {', '.join(kinds)}")
    if values["plot"] is None:
        if kind is not None:
            raise InputError("--plot-kind needs --plot", "give --plot FILE.svg")
        return
    from perfmodel.report.style import check_path
    from perfmodel.report.themes import find_theme

    find_theme(values["theme"])
    check_path(values["plot"])


def write_plot(values: dict[str, Any], figure: Figure) -> None:
    """Write a figure, and say on stderr what it shows."""
    from perfmodel.report.style import described, save

    path = save(figure, values["plot"])
    click.echo(f"{path}: {described(figure)}", err=True)
