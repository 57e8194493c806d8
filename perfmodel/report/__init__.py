"""Reports: figures, and one self-contained page that answers the reader's question with them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from perfmodel.lazy import importer

if TYPE_CHECKING:
    from perfmodel.report.page import Page as Page
    from perfmodel.report.page import build as build

__all__ = ["Page", "build"]

_LAZY = {"Page": "page", "build": "page"}

__getattr__ = importer("perfmodel.report", _LAZY)
