"""``measure --profile`` documents: what a processor does as a device."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from perfmodel.report.content import Child, Html, Limits, Section, block, join, pairs
from perfmodel.report.documents import NUMBER, Document
from perfmodel.report.sections import Types
from perfmodel.report.words import count, number, percent

NEEDED: Mapping[str, Types] = {
    "processor": str,
    "rows": int,
    "residual_sd": NUMBER,
    "coefficients.threads": int,
    "coefficients.flops": NUMBER,
    "coefficients.bandwidth": NUMBER,
    "coefficients.cache_bandwidth": NUMBER,
    "provenance": dict,
}


def section(documents: Sequence[Document], limits: Limits) -> Section:
    """Figures of each processor."""
    return Section(
        title="Processors",
        summary=tuple(_answer(one.content) for one in documents),
        body=join(*(_body(one, at) for at, one in enumerate(documents))),
        data=tuple(one.content for one in documents),
    )


def _answer(content: Mapping[str, Any]) -> tuple[str, ...]:
    found = content["coefficients"]
    others = content["provenance"].get("used_by_others")
    shared = isinstance(others, float) and others > 0.05
    return (
        f"{content['processor']} with {count(found['threads'], 'thread')} does up to "
        f"{number(found['flops'] / 1e9)} GFLOP/s in fp32 and moves {number(found['bandwidth'] / 1e9)} GB/s.",
        f"Single operators lie {percent(content['residual_sd'])} about that "
        f"({count(content['rows'], 'operator')} measured).",
        f"Others used {percent(others)} of the machine meanwhile: measure again when it is idle." if shared else "",
    )


def _body(document: Document, at: int) -> Html:
    facts: list[tuple[str, Child]] = [
        (name.replace("_", " "), number(value, 4))
        for name, value in document.content["coefficients"].items()
        if isinstance(value, int | float)
    ]
    return block(f"processor-{at + 1}", f"Coefficients of {document.content['processor']} (SI units)", pairs(facts))
