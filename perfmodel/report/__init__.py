"""Reports: figures, and one self-contained page that answers the reader's question with them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from perfmodel.lazy import importer

if TYPE_CHECKING:
    from perfmodel.report.page import Page as Page
    from perfmodel.report.page import build as build

__all__ = ["Page", "build"]

__getattr__ = importer("perfmodel.report", dict.fromkeys(__all__, "page"))
