"""Reports: figures, and one self-contained page that answers the reader's question with them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from perfmodel.report.page import Page as Page
    from perfmodel.report.page import build as build

__all__ = ["Page", "build"]


def __getattr__(name: str) -> Any:
    """Import the page when it is first used."""
    if name not in __all__:
        raise AttributeError(f"module 'perfmodel.report' has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module("perfmodel.report.page"), name)
