"""``perfmodel compare``: cards, batches, precisions and block counts side by side."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from perfmodel.cli.network import choose_model
from perfmodel.cli.options import Names, WholeNumbers, common_options, read_profile, shared_options
from perfmodel.cli.plotting import check_plot, plot_options, write_plot
from perfmodel.errors import FailureError, InputError

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    PriceType = click.ParamType[float | dict[str, float]]
else:  # not generic at run time in older versions
    PriceType = click.ParamType

SCHEMA_VERSION = 1
KINDS = ("cards", "scaling", "pareto")


class Price(PriceType):
    """One price for all cards, or ``p100=0.5,v100=1.2``."""

    name = "price"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float | dict[str, float]:
        """Read the prices."""
        if isinstance(value, float | dict):
            return value
        parts = [part.partition("=") for part in str(value).split(",")]
        if len(parts) == 1 and not parts[0][1]:
            return self._number(parts[0][0])
        return {card.strip(): self._number(number) for card, _, number in parts}

    def _number(self, text: str) -> float:
        try:
            return float(text)
        except ValueError:
            raise InputError(f"--price {text!r} is not a number", "give 0.5, or p100=0.5,v100=1.2") from None


@click.command()
@click.option("--gpu", type=Names(), default="p100,v100,a100,h100", show_default=True, help="Cards: p100,v100,a100.")
@click.option("--batch", type=WholeNumbers(), default="1", show_default=True, help="Samples on a card: 1,2,4 or 1:8.")
@click.option("--blocks", type=WholeNumbers(), default=None, help="Residual blocks: 6, 3,6,9 or 3:9 (cyclegan).")
@click.option("--precision", type=Names(), default="fp32", show_default=True, help="Precisions: fp32,amp.")
@click.option("--price", type=Price(), default=None, help="Of a card for an hour: 0.5 or p100=0.5,v100=1.2.")
@click.option("--profile", type=click.Path(), default=None, help="Profile of one of the cards.")
@click.option("--csv", "csv_path", type=click.Path(dir_okay=False), default=None, help="Write the rows to a CSV file.")
@click.option("--json", "as_json", is_flag=True, help="One JSON document.")
@plot_options(KINDS)
@click.option("--along", default=None, help="Of a scaling figure: batch or blocks.")
@common_options
def command(**values: Any) -> None:
    """Compare cards, batches, precisions and block counts.

    Every combination is a row. With prices, rows that no other one beats in both time and cost are marked; what does
    not fit in memory is shown and never marked.
    """
    from perfmodel.step.compare import compare

    check_plot(values, KINDS)
    axes = {name: values[name] for name in ("gpu", "batch", "blocks", "precision", "price")}
    found = compare(choose_model(values), **axes, **shared_options(values), profile=read_profile(values["profile"]))
    if values["csv_path"] is not None:
        _write_csv(Path(values["csv_path"]), found.columns())
    if values["plot"] is not None:
        write_plot(values, figure_of(document(found), values))
    if values["as_json"]:
        import json

        click.echo(json.dumps(document(found), indent=1, allow_nan=False))
        return
    if values["csv_path"] is None:
        from perfmodel.cli.text import comparison_text

        click.echo(comparison_text(found))


def document(found: Any) -> dict[str, Any]:
    """The ``compare --json`` document; what is not known is null."""
    ask = found.request
    columns = {name: column.tolist() for name, column in found.columns().items()}
    rows = [dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)]
    return {
        "schema_version": SCHEMA_VERSION,
        "workload": {
            "model": ask.model, "family": ask.graph.family, "mode": ask.mode, "size": ask.size,
            "size_name": ask.graph.size_name, "accumulate": ask.accumulate, "dataset_size": ask.dataset_size,
        },
        "gpus": ask.gpus,
        "host": {"key": ask.host.key, "cores": ask.host.cores},
        "coverage": ask.coverage,
        "rows": [{name: None if value != value else value for name, value in row.items()} for row in rows],
    }  # fmt: skip


def figure_of(found: dict[str, Any], values: dict[str, Any]) -> Figure:
    """The figure that ``--plot-kind`` names, else the one that says most: cost where there are prices, then scaling."""
    from perfmodel.report.plots.cards import cards_figure, pareto_figure
    from perfmodel.report.plots.scaling import differing, scaling_figure

    kind, theme = values["plot_kind"], values["theme"]
    priced = any(name.startswith("cost_per_") for row in found["rows"] for name in row)
    if kind == "pareto" and not priced:
        raise InputError("a figure of time and cost needs prices", "give --price")
    if kind is None:
        kind = "pareto" if priced else "scaling" if differing(found["rows"]) or values["along"] else "cards"
    if kind == "pareto":
        return pareto_figure(found, theme=theme)
    if kind == "scaling":
        return scaling_figure(found, values["along"] or "", theme=theme)
    return cards_figure(found, theme=theme)


def _write_csv(path: Path, columns: dict[str, Any]) -> None:
    """Write the rows; an empty cell is not known."""
    import csv

    try:
        with path.open("w", newline="", encoding="utf-8") as stream:
            writer = csv.writer(stream)
            writer.writerow(columns)
            for row in zip(*(column.tolist() for column in columns.values()), strict=True):
                writer.writerow(["" if value != value else value for value in row])
    except OSError as error:
        raise FailureError(f"cannot write {path}: {error.strerror}", "give a file in a folder that exists") from None
