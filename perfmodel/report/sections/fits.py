"""``fit`` documents: the fitted law, what each coefficient means, and how far to trust it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from perfmodel.report.content import Child, Column, Html, Limits, Section, block, join, listing, pairs, table, tag
from perfmodel.report.documents import NUMBER, Document
from perfmodel.report.drawings import drawn
from perfmodel.report.sections import Types
from perfmodel.report.words import count, listed, number, percent

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
    "rows": list,
}


def section(documents: Sequence[Document], limits: Limits) -> Section:
    """Law, coefficients, warnings and figures of each fit."""
    return Section(
        title="Fitted law",
        summary=tuple(_answer(one.content) for one in documents),
        body=join(*(_body(one, at, limits) for at, one in enumerate(documents))),
        data=tuple(one.content for one in documents),
    )


def _answer(content: Mapping[str, Any]) -> tuple[str, ...]:
    meanings = [one["meaning"] for one in content["coefficients"] if one["name"] != "Intercept" and one["meaning"]]
    said = "; ".join(meanings[:3]) or content["formula"]
    first = f"In {count(content['n'], 'measured row')}: {said}."
    return first, _trust(content), *_warnings(content)


def _trust(content: Mapping[str, Any]) -> str:
    explained = content["r_squared"]
    return "" if explained is None else f"The law explains {percent(explained)} of the variation among these rows."


def _warnings(content: Mapping[str, Any]) -> list[str]:
    found = len(content["findings"])
    return [f"{count(found, 'warning')} below: read before relying on it."] if found else []


def _body(document: Document, at: int, limits: Limits) -> Html:
    content, name = document.content, f"fit-{at + 1}"
    dropped = [f"{one['column']} is left out: {one['why']}" for one in content["dropped"]]
    facts: list[tuple[str, Child]] = [
        ("Method", content["method"]), ("Rows", count(content["n"], "row")), ("R²", number(content["r_squared"])),
        ("Residual", number(content["residual_sd"])),
    ]  # fmt: skip
    law = tag("p", tag("code", content["formula"]))
    return block(
        name, f"Law of {document.name}", law, pairs(facts), _findings(content), listing(dropped),
        _coefficients(content, name), _figures(content, name, limits), _validated(content, name),
    )  # fmt: skip


def _findings(content: Mapping[str, Any]) -> Html:
    texts = [_finding(one) for one in content["findings"]]
    return listing(texts, class_="warnings")


def _finding(one: Any) -> str:
    if not isinstance(one, Mapping):
        return str(one)
    return " ".join(str(one[key]) for key in ("text", "remedy") if one.get(key))


def _coefficients(content: Mapping[str, Any], name: str) -> Html:
    rows = [
        [one["name"], number(one["value"], 4), number(one.get("standard_error")), _interval(one), one["meaning"]]
        for one in content["coefficients"]
    ]
    columns = [
        Column(title="Coefficient", number=False), Column(title="Value"), Column(title="Standard error"),
        Column(title="Interval"), Column(title="Meaning", number=False),
    ]  # fmt: skip
    return table(f"{name}-coefficients", f"Coefficients of {content['response']}", columns, rows)


def _interval(one: Mapping[str, Any]) -> str:
    low, high = one.get("low"), one.get("high")
    return "-" if low is None or high is None else f"{number(low)} to {number(high)}"


def _figures(content: Mapping[str, Any], name: str, limits: Limits) -> Html | None:
    if not limits.figures or not content["rows"]:
        return None
    drawings = [drawn(f"{name}-{at}", "law", "law_figure", content, against=at) for at in _against(content)]
    return join(*drawings, drawn(f"{name}-residuals", "residuals", "residual_figure", content))


def _against(content: Mapping[str, Any]) -> list[str]:
    known = content["rows"][0]
    return [name for name in ("cores", "flops", "bandwidth") if isinstance(known.get(name), int | float)]


def _validated(content: Mapping[str, Any], name: str) -> Html | None:
    found = content.get("cross_validation")
    if not isinstance(found, Mapping):
        return None
    said = [f"{key.replace('_', ' ')}: {_plain(value)}" for key, value in found.items() if not isinstance(value, dict | list)]
    return join(tag("h4", "Left-out data"), listing(said))


def _plain(value: Any) -> str:
    return number(value) if isinstance(value, int | float) and not isinstance(value, bool) else str(value)
