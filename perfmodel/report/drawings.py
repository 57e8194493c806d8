"""Figures of `perfmodel.report.plots` as markup for the page."""
from __future__ import annotations
from typing import Any
from perfmodel.report.content import Html


def drawn(name: str, module: str, function: str, *arguments: Any, **options: Any) -> Html | None:
    """Draw."""
    return None
