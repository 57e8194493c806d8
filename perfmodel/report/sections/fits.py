"""``fit`` documents: the fitted law, what each coefficient means, and how far to trust it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from statistics import median
from typing import Any

from perfmodel.errors import PerfmodelError
from perfmodel.report.content import (
    Child,
    Column,
    Html,
    Limits,
    Section,
    block,
    details,
    join,
    listing,
    pairs,
    table,
    tag,
)
from perfmodel.report.documents import NUMBER, Document
from perfmodel.report.drawings import drawn
from perfmodel.report.grids import short
from perfmodel.report.sections import Types
from perfmodel.report.words import count, number, percent, sentence

_SCORES = ("median_ape", "p90_ape", "bias", "coverage")
NEEDED: Mapping[str, Types] = {
    "formula": str,
    "method": str,
    "response": str,
    "n": int,
    "coefficients[].name": str,
    "coefficients[].value": NUMBER,
    "coefficients[].standard_error?": NUMBER,
    "coefficients[].low?": NUMBER,
    "coefficients[].high?": NUMBER,
    "coefficients[].meaning": str,
    "dropped[].column": str,
    "dropped[].why": str,
    "findings": list,
    "r_squared?": NUMBER,
    "residual_sd?": NUMBER,
    "rows[]": dict,
    "cross_validation?.sentence": str,
    "cross_validation?.by": str,
    "cross_validation?.n": int,
    **{f"cross_validation?.{name}?": NUMBER for name in _SCORES},
    "cross_validation?.groups[].name": str,
    "cross_validation?.groups[].n": int,
    **{f"cross_validation?.groups[].{name}?": NUMBER for name in _SCORES},
    "cross_validation?.rows[].measured": NUMBER,
    "cross_validation?.rows[].predicted": NUMBER,
}


#: Coefficients that a reader asks about first.
_FIRST = ("bandwidth", "flops", "cores", "sms", "blocks", "batch", "workers", "host_cores")
#: Columns against which a law is drawn.
_AGAINST = ("cores", "flops", "bandwidth")


def section(documents: Sequence[Document], limits: Limits) -> Section:
    """Law, coefficients, warnings and figures of each fit."""
    share = limits.points // len(documents)
    return Section(
        title="Fitted law",
        summary=tuple(_answer(one.content) for one in documents),
        body=join(*(_body(one, at, limits) for at, one in enumerate(documents))),
        data=tuple(_data(one.content, share) for one in documents),
        left_out=tuple(
            f"{one.name}: {count(len(one.content['rows']) - share, 'row')} of the fit's {len(one.content['rows'])}"
            for one in documents
            if len(one.content["rows"]) > share
        ),
    )


def _data(content: Mapping[str, Any], most: int) -> dict[str, Any]:
    """The document with its rows as columns, and at most so many of them."""
    rows = content["rows"][:most]
    names = dict.fromkeys(name for row in rows for name in row)
    kept: dict[str, Any] = {**content, "rows": {name: [short(row.get(name)) for row in rows] for name in names}}
    if isinstance(kept.get("cross_validation"), Mapping):
        kept["cross_validation"] = {key: value for key, value in kept["cross_validation"].items() if key != "rows"}
    return kept


def _answer(content: Mapping[str, Any]) -> tuple[str, ...]:
    asked = sorted(content["coefficients"], key=lambda one: _place(one["name"]))
    meanings = [one["meaning"] for one in asked if _place(one["name"]) < len(_FIRST) and one["meaning"]]
    said = "; ".join(meanings[:3]) or f"the law is {content['formula']}"
    if len(content["coefficients"]) < 2:
        said = "nothing but their mean can be fitted, because no column that explains times differs between them"
    first = f"From {count(content['n'], 'measured row')}{_groups(content)}: {said}."
    return first, _scatter(content), _trust(content), _unseen(content), *_warnings(content)


def _place(name: str) -> int:
    """Place of a coefficient in `_FIRST`."""
    plain = name.removeprefix("log(").removesuffix(")")
    return _FIRST.index(plain) if plain in _FIRST else len(_FIRST)


def _groups(content: Mapping[str, Any]) -> str:
    groups = content.get("groups")
    cards = groups.get("gpu") if isinstance(groups, Mapping) else None
    return f" on {count(cards, 'card')}" if isinstance(cards, int) else ""


def _scatter(content: Mapping[str, Any]) -> str:
    """How far a new row may lie from the law: the median of the rows' own prediction intervals."""
    rows = [row for row in content["rows"] if all(isinstance(row.get(key), int | float) for key in ("fitted", "high"))]
    ratios = [row["high"] / row["fitted"] for row in rows if row["fitted"] > 0]
    return (
        f"A new row is meant to lie within a factor of {number(median(ratios))} of the law nine times in ten."
        if ratios
        else ""
    )


def _trust(content: Mapping[str, Any]) -> str:
    explained = content["r_squared"]
    return "" if not explained else f"The law explains {percent(explained)} of the variation among these rows."


def _unseen(content: Mapping[str, Any]) -> str:
    found = content.get("cross_validation")
    return str(found["sentence"]) if isinstance(found, Mapping) else ""


def _warnings(content: Mapping[str, Any]) -> list[str]:
    found = [one for one in content["findings"] if not isinstance(one, Mapping) or one.get("severity") != "note"]
    return [f"{count(len(found), 'warning')} below: read before relying on it."] if found else []


def _body(document: Document, at: int, limits: Limits) -> Html:
    content, name = document.content, f"fit-{at + 1}"
    dropped = [f"{one['column']}: {one['why']}" for one in content["dropped"]]
    left_out = (
        details(count(len(dropped), "column left out", "columns left out"), listing(dropped)) if dropped else None
    )
    facts: list[tuple[str, Child]] = [
        ("Method", content["method"]), ("Rows", count(content["n"], "row")), ("R²", number(content["r_squared"])),
        ("Residual", number(content["residual_sd"])),
    ]  # fmt: skip
    law = tag("p", tag("code", content["formula"]))
    return block(
        name, f"Law of {document.name}", law, pairs(facts), _findings(content), left_out,
        _coefficients(content, name), _figures(content, name, limits), _validated(content, name, limits),
    )  # fmt: skip


def _findings(content: Mapping[str, Any]) -> Html:
    return listing(map(_finding, content["findings"]), class_="findings")


def _finding(one: Any) -> Html:
    if not isinstance(one, Mapping):
        return join(str(one))
    said = [sentence(str(one[key])) for key in ("text", "remedy") if one.get(key)]
    return join(tag("b", f"{one.get('severity', 'note').capitalize()}: "), " ".join(said))


def _coefficients(content: Mapping[str, Any], name: str) -> Html:
    rows = [
        [one["name"], number(one["value"], 4), number(one.get("standard_error")), _interval(one), one["meaning"]]
        for one in content["coefficients"]
    ]
    columns = [
        Column(title="Coefficient", number=False), Column(title="Value"), Column(title="Standard error"),
        Column(title="Interval"), Column(title="Meaning", number=False, long=True),
    ]  # fmt: skip
    return table(f"{name}-coefficients", f"Coefficients of {content['response']}", columns, rows)


def _interval(one: Mapping[str, Any]) -> str:
    low, high = one.get("low"), one.get("high")
    return "-" if low is None or high is None else f"{number(low)} to {number(high)}"


def _figures(content: Mapping[str, Any], name: str, limits: Limits) -> Html | None:
    if not limits.figures or not content["rows"]:
        return None
    fit = _rebuilt(content)
    drawings = [
        drawn(f"{name}-{at}", "law", "law_figure", content, against=at, curve=_curve(fit, at))
        for at in _against(content)
    ]
    return join(*drawings, drawn(f"{name}-residuals", "residuals", "residual_figure", content))


def _rebuilt(content: Mapping[str, Any]) -> Any:
    """The fit itself, for the curve of its law; None where the document does not hold all of it."""
    from perfmodel.regression.documents import from_document

    try:
        return from_document(content)
    except (PerfmodelError, KeyError, TypeError, ValueError, IndexError, AttributeError):
        return None


def _curve(fit: Any, against: str) -> Any:
    from perfmodel.report.plots.law import law_curve

    try:
        return None if fit is None else law_curve(fit, against)
    except PerfmodelError:
        return None


def _against(content: Mapping[str, Any]) -> list[str]:
    values = {name: {row.get(name) for row in content["rows"]} for name in _AGAINST}
    return [name for name, found in values.items() if len(found) > 1 and None not in found]


def _validated(content: Mapping[str, Any], name: str, limits: Limits) -> Html | None:
    """How well left-out groups are predicted."""
    found = content.get("cross_validation")
    if not isinstance(found, Mapping):
        return None
    picture = (
        drawn(f"{name}-left-out", "accuracy", "accuracy_figure", _points(content, found)) if limits.figures else None
    )
    rows = [[str(one["name"]), *_scores(one)] for one in found["groups"][: limits.rows]]
    rows.append(["Average over groups", *_scores(found)])
    titles = ("Rows", "Median error, %", "90th percentile of error, %", "Leaning, %", "Held by 90 % interval, %")
    columns = [Column(title=f"Left out: {found['by']}", number=False), *(Column(title=title) for title in titles)]
    scores = table(f"{name}-groups", "Each group predicted by the law fitted to all others", columns, rows)
    return join(tag("h4", "On what it has not seen"), tag("p", found["sentence"]), picture, scores)


def _points(content: Mapping[str, Any], found: Mapping[str, Any]) -> Any:
    from dataclasses import replace

    from perfmodel.report.plots.points import points_of

    return replace(points_of(found["rows"], group="group"), measure=points_of(content).measure)


def _scores(one: Mapping[str, Any]) -> list[str]:
    return [number(one[key]) for key in ("n", *_SCORES)]
