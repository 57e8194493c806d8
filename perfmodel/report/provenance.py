"""Where a page comes from: inputs, versions, coefficients; never a folder, a user or a machine."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from perfmodel import __version__
from perfmodel.report.content import Column, Html, join, listing, table, tag
from perfmodel.report.documents import Document


def provenance(documents: Sequence[Document]) -> Html:
    """Make the last section of the page."""
    rows = list(
        dict.fromkeys(
            (source.name, one.made_by, str(one.content["schema_version"]), source.sha256)
            for one in documents
            for source in one.sources
        )
    )
    columns = [Column(title=title, number=False) for title in ("Input", "Made by", "Schema", "SHA-256 of its bytes")]
    button = tag("button", "Download the data as JSON", type="button", id="download", hidden=True)
    data = tag("p", "All data of this page is in it as JSON, in the script element whose id is “data”.")
    inner = join(table("inputs", "Inputs of this page", columns, rows), listing(_notes(documents)), data, button)
    title = tag("h2", "Where this comes from", id="provenance-title")
    return tag("section", title, inner, id="provenance", aria_labelledby="provenance-title")


def _coefficients(documents: Iterable[Document]) -> list[str]:
    """What each set of coefficients that answered was fitted to; said once."""
    models = [one.content.get("model") for one in documents]
    return list(dict.fromkeys(f"Coefficients: {_said(model)}." for model in models if isinstance(model, Mapping)))


def _said(model: Mapping[str, Any]) -> str:
    parts = [
        f"{model.get('name', 'unnamed')} {model.get('version', '')} of {model.get('date', 'an unknown day')}".strip()
    ]
    if model.get("step_rows"):
        parts.append(f"fitted to {model['step_rows']} measured steps and {model.get('kernel_rows', 0)} kernels")
    if isinstance(model.get("sources"), list):
        parts.append(f"from {', '.join(map(str, model['sources']))}")
    if model.get("command"):
        parts.append(f"by “{model['command']}”")
    if isinstance(model.get("data"), Mapping):
        parts.append("data " + ", ".join(f"{name} (SHA-256 {digest}…)" for name, digest in model["data"].items()))
    return "; ".join(parts)


def _notes(documents: Sequence[Document]) -> list[str]:
    return [
        f"Page by perfmodel {__version__}.",
        *_coefficients(documents),
        "A 90 % interval is meant to hold nine of ten measured times.",
        "The chance that one card beats another takes the errors of the two predictions as independent. They share "
        "much, so a difference that is called sure here is sure.",
    ]
