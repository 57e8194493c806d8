"""A fit as plain text for people: what is wrong first, then what was found and what to do next."""

from __future__ import annotations

import textwrap
from typing import TYPE_CHECKING

import numpy as np

from perfmodel.regression.matrix import back
from perfmodel.regression.vocabulary import describe

if TYPE_CHECKING:
    from perfmodel.regression.design import Finding
    from perfmodel.regression.result import Coefficient, Fit

_WIDTH = 118
_METHODS = {
    "ols": "least squares", "wls": "weighted least squares", "robust": "Huber's robust regression",
    "quantile": "quantile regression", "mixed": "mixed effects", "nls": "nonlinear least squares",
}  # fmt: skip


def summary(fit: Fit) -> str:
    """Return a fit as text: serious findings, the fit and its coefficients, what was dropped, what to do next."""
    serious = [one for one in fit.findings if one.severity != "note"]
    notes = [one for one in fit.findings if one.severity == "note"]
    lines = [fit.formula.text, _basis(fit), _quality(fit), ""]
    if serious:
        lines += ["Beware", *_bullets(serious), ""]
    lines += _table(fit)
    if fit.dropped:
        lines += ["", "Left out", *_listed([(one.column, one.why) for one in fit.dropped])]
    if notes:
        lines += ["", "Notes", *_bullets(notes)]
    return "\n".join([*lines, "", *_next(fit)])


def _basis(fit: Fit) -> str:
    weighed = fit.method != "wls" and bool(np.ptp(fit.design.weights) > 0)
    groups = ", ".join(f"{count} {_plural(name, count)}" for name, count in fit.groups.items() if name != "file")
    how = _METHODS[fit.method]
    if fit.method == "quantile":
        how += f" at {fit.options.quantile:g}"
    if fit.method == "mixed":
        how += f", a random intercept by {fit.options.group}"
    if weighed:
        how += ", inconsistent cards counting less,"
    return f"{how} on {fit.n} rows{f' of {groups}' if groups else ''}; standard errors: {fit.estimate.errors}"


def _plural(name: str, count: int) -> str:
    words = {"gpu": "card", "model": "network", "data_pair": "data pair", "source": "source"}
    return words[name] + "s" * (count != 1)


def _quality(fit: Fit) -> str:
    spread = spread_text(fit)
    text = f"R2 {fit.r_squared:.3f} in these rows; a measurement lies {spread} about the fit (one standard deviation)"
    if fit.method == "mixed":
        text += f"; {fit.options.group}s differ by {_spread(fit, float(np.sqrt(fit.estimate.group_variance)))}"
    return text


def spread_text(fit: Fit) -> str:
    """Residual standard deviation in percent of the time, or in its unit."""
    return _spread(fit, fit.residual_sd)


def _spread(fit: Fit, deviation: float) -> str:
    if fit.formula.transform.startswith("log"):
        return f"{100 * (float(back(fit.formula.transform, np.array([deviation]))[0]) - 1):.3g} %"
    unit = describe(fit.formula.measured).unit if not fit.formula.transform else ""
    return f"{deviation:.3g} {unit}".strip()


def _bullets(findings: list[Finding]) -> list[str]:
    lines = []
    for one in findings:
        text = f"{one.guard}: {one.text}" + (f" -> {one.remedy}" if one.remedy else "")
        lines += textwrap.wrap(text, _WIDTH, initial_indent="  - ", subsequent_indent="    ")
    return lines


def _listed(pairs: list[tuple[str, str]]) -> list[str]:
    width = max(len(name) for name, _ in pairs)
    return [f"  {name:<{width}}  {why}" for name, why in pairs]


def _table(fit: Fit) -> list[str]:
    rows = [("", "estimate", "std error", "90 % interval", "meaning")]
    shown = fit.coefficients[:60]
    rows += [_row(one) for one in shown]
    widths = [max(len(row[at]) for row in rows) for at in range(4)]
    lines = [
        "  ".join(["", f"{name:<{widths[0]}}", *(f"{n:>{w}}" for n, w in zip(numbers, widths[1:], strict=False)), text])
        for name, *numbers, text in rows
    ]
    more = len(fit.coefficients) - len(shown)
    return lines + ([f"  ... and {more} more (--json has all)"] if more else [])


def _row(one: Coefficient) -> tuple[str, str, str, str, str]:
    sure = "" if not one.low <= 0 <= one.high else " (could be none)"
    meaning = one.meaning if one.name == "Intercept" else one.meaning + sure
    interval = f"{one.low:.3g} to {one.high:.3g}"
    return one.name, f"{one.value:.4g}", f"{one.standard_error:.2g}", interval, meaning


def _next(fit: Fit) -> list[str]:
    """What a reader may do next."""
    cards, sources = fit.groups.get("gpu", 0), fit.groups.get("source", 0)
    lines = []
    if sources > 1 and fit.options.group != "source":
        lines.append(f"Next: {sources} sources may time different things: --group source, or --where source=ONE.")
    if cards > 2:
        lines.append("Next: --cv gpu says how well it predicts cards it has not seen; R2 does not.")
    elif cards:
        lines.append(
            f"Next: {cards} different card{'s' * (cards != 1)} say nothing about others; add rows of more cards."
        )
    if fit.formula.transform.startswith("log"):
        lines.append("Predictions are medians, back-transformed from the log.")
    return lines
