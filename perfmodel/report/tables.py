"""Tables of measured rows as inputs of a page: fitted, predicted and drawn."""

from __future__ import annotations

from pathlib import Path

from perfmodel.report.documents import Document


def table_documents(name: str, raw: bytes, source: str | Path) -> list[Document]:
    """Documents that a table of measured rows stands for."""
    raise NotImplementedError
