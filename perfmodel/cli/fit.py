"""``perfmodel fit``: regression on measured rows."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import click

from perfmodel.cli.plotting import check_plot, plot_options, write_plot
from perfmodel.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from matplotlib.figure import Figure

    from perfmodel.regression.forecasting import FitPrediction
    from perfmodel.regression.result import Fit

KINDS = ("law", "box", "residuals", "accuracy", "coverage")
METHODS = ("ols", "wls", "robust", "quantile", "mixed", "nls")


@click.command()
@click.argument("runs", nargs=-1, required=True, type=click.Path())
@click.option(
    "--formula", default=None, help="'log(step_ms) ~ log(cores) + blocks', or a law 'step_ms = a + b / cores'."
)
@click.option("--preset", default=None, help="training-time (default) or data-loading-time.")
@click.option("--method", type=click.Choice(METHODS), default="ols", show_default=True, help="Estimator.")
@click.option("--group", default=None, help="Column with a random intercept (mixed effects), such as gpu or source.")
@click.option("--quantile", type=float, default=0.5, show_default=True, help="Of --method quantile.")
@click.option("--weights", default=None, help="Column of weights (weighted least squares).")
@click.option("--start", default=None, help="Start values of a law's parameters: a=1,b=2000.")
@click.option("--response", type=click.Choice(["step_ms", "image_ms", "data_ms"]), default=None,
              help="What a preset explains.")  # fmt: skip
@click.option("--where", default=None, help="Rows to fit: gpu=v100,phase=train; a column named twice takes either.")
@click.option("--set", "settings", multiple=True, help="Column that a file lacks: gpu=v100. Can be repeated.")
@click.option("--salvage", is_flag=True, help="Leave out broken rows instead of refusing the file.")
@click.option("--cv", default=None, help="Leave out one gpu, family, source or dataset after the other.")
@click.option(
    "--grey-box", is_flag=True, help="Fit what the physical prediction leaves over; judged by --cv, else gpu."
)
@click.option(
    "--predict", "predictions", multiple=True, help="Rows to predict: gpu=h100,blocks=9,batch=1. Can be repeated."
)
@click.option("--ci", type=float, default=0.9, show_default=True, help="Coverage of the predictions' intervals.")
@click.option("--save", type=click.Path(), default=None, help="Write the fit as JSON, to load or report later.")
@plot_options(KINDS)
@click.option("--against", default=None, help="Column of a law figure: cores, bandwidth, flops, batch, ...")
@click.option("--json", "as_json", is_flag=True, help="One JSON document.")
def command(runs: tuple[str, ...], **options: Any) -> None:
    """Fit a regression to measured rows and say what it means.

    RUNS are tables of measured rows or run logs (CSV, .csv.gz, Parquet), also as FILE@gpu=v100,batch=4. Without a
    formula the training-time preset is cut down to what the rows can tell. A formula that they cannot tell is refused.
    """
    check_plot(options, KINDS)
    given: dict[str, Any] = {
        "method": options["method"], "group": options["group"], "quantile": options["quantile"],
        "weights": options["weights"], "where": _conditions(options["where"]),
        "known": _settings(options["settings"]), "salvage": options["salvage"],
    }  # fmt: skip
    formula = _formula(options["formula"], options["preset"])
    asked = [_pairs(text, "--predict") for text in options["predictions"]]
    if options["grey_box"]:
        return _grey_box(list(runs), formula, asked, options, given)
    from perfmodel.regression.fitting import fit

    found = fit(list(runs), formula, start=_numbers(options["start"]), response=options["response"], **given)
    answers = [found.predict(row, options["ci"]) for row in asked]
    validation = found.cross_validate(options["cv"]) if options["cv"] else None
    if options["save"]:
        found.save(options["save"])
    if options["plot"] is not None:
        write_plot(options, figure_of(found, options))
    if options["as_json"]:
        return _print_document(found.to_dict(cross_validation=validation), asked, answers)
    return _print_text(found.summary(), found.formula.measured, validation, asked, answers)


def _grey_box(
    runs: list[str], formula: str | None, asked: list[dict[str, str]], options: dict[str, Any], given: dict[str, Any]
) -> None:
    """Fit the residual of the physical prediction, and print what that adds."""
    for name in ("response", "start", "save", "plot"):
        if options[name]:
            raise InputError(f"--{name} is not for --grey-box, which explains the step", "leave it out")
    from perfmodel.validation.grey_box import fit_residual

    box = fit_residual(runs, formula, by=options["cv"] or "gpu", **given)
    answers = [box.predict(row, options["ci"]) for row in asked]
    if options["as_json"]:
        return _print_document(box.to_dict(), asked, answers)
    return _print_text(box.summary(), "step_ms", box.validation if options["cv"] else None, asked, answers)


def figure_of(fit: Fit, options: dict[str, Any]) -> Figure:
    """The figure that ``--plot-kind`` names."""
    from perfmodel.report.plots import fits

    kind, theme = options["plot_kind"] or KINDS[0], options["theme"]
    if options["against"] is not None and kind != "law":
        raise InputError(f"--against says nothing to a figure of kind {kind}", "leave it out, or give --plot-kind law")
    return fits.fit_figure(fit, kind, against=options["against"] or "", coverage=options["ci"], theme=theme)


def _formula(formula: str | None, preset: str | None) -> str | None:
    if formula is not None and preset is not None:
        raise InputError("--formula and --preset exclude each other", "give one of them")
    from perfmodel.regression.formula import is_formula

    if formula is not None and not is_formula(formula):
        raise InputError(f"--formula {formula!r} is no formula", "write such as 'log(step_ms) ~ log(cores) + blocks'")
    return preset if formula is None else formula


def _pairs(text: str, option: str) -> dict[str, str]:
    """Read ``name=value,name=value``."""
    found: dict[str, str] = {}
    for name, value in _split(text, option):
        if name in found:
            raise InputError(f"{option} names {name} twice", "give each name once")
        found[name] = value
    return found


def _split(text: str, option: str) -> list[tuple[str, str]]:
    parts = [part.partition("=") for part in text.split(",") if part.strip()]
    if not parts or not all(name.strip() and sign and value.strip() for name, sign, value in parts):
        raise InputError(f"{option} {text!r} is not name=value,name=value", "write such as gpu=h100,blocks=9")
    return [(name.strip(), value.strip()) for name, _, value in parts]


def _conditions(text: str | None) -> dict[str, list[str]] | None:
    if text is None:
        return None
    found: dict[str, list[str]] = {}
    for name, value in _split(text, "--where"):
        found.setdefault(name, []).append(value)
    return found


def _settings(texts: tuple[str, ...]) -> dict[str, str] | None:
    if not texts:
        return None
    from perfmodel.runs.settings import parse_settings

    return parse_settings(texts)


def _numbers(text: str | None) -> dict[str, float] | None:
    if text is None:
        return None
    try:
        return {name: float(value) for name, value in _pairs(text, "--start").items()}
    except ValueError:
        raise InputError(f"--start {text!r} holds something that is no number", "write such as a=1,b=2000") from None


def _print_document(document: dict[str, Any], asked: list[dict[str, str]], answers: Sequence[FitPrediction]) -> None:
    if asked:
        pairs = zip(asked, answers, strict=True)
        document["predictions"] = [{"asked": row, **_first(answer)} for row, answer in pairs]
    click.echo(json.dumps(document, indent=1, allow_nan=False))


def _first(answer: FitPrediction) -> dict[str, Any]:
    """Document of a prediction of one row: numbers instead of lists."""
    return {name: value[0] if name in _OF_ROWS else value for name, value in answer.to_dict().items()}


_VALUES = ("mean", "mean_low", "mean_high", "low", "high")
_OF_ROWS = (*_VALUES, "physical")


def _print_text(
    summary: str, measured: str, validation: Any, asked: list[dict[str, str]], answers: Sequence[FitPrediction]
) -> None:
    click.echo(summary)
    for row, answer in zip(asked, answers, strict=True):
        click.echo("\n" + _prediction_text(measured, row, answer))
    if validation is not None:
        click.echo("\n" + validation.summary())


def _prediction_text(measured: str, row: dict[str, str], answer: FitPrediction) -> str:
    """One prediction: the fitted value, where it may lie, and where a measurement may lie."""
    from perfmodel.regression.vocabulary import describe

    unit = describe(measured).unit
    mean, mean_low, mean_high, low, high = (f"{getattr(answer, name)[0]:.4g}" for name in _VALUES)
    lines = [
        f"{', '.join(f'{name} {value}' for name, value in row.items())}: {measured} {mean} {unit}".rstrip(),
        f"  the fitted value lies in {mean_low} to {mean_high} {unit}, a measurement in {low} to {high} {unit} "
        f"({100 * answer.coverage:.3g} %)",
    ]
    return "\n".join([*lines, *(f"  {one.text} -> {one.remedy}" for one in answer.findings)])
