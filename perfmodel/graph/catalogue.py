"""Shipped graphs by name."""

from __future__ import annotations

from functools import cache
from pathlib import Path

from perfmodel.errors import UnknownModelError
from perfmodel.graph.documents import Pack, from_document
from perfmodel.graph.graph import Graph

DATA = Path(__file__).parent / "data"
PACKS = ("zoo.pack", "timm.pack")


@cache
def _pack(file: str) -> Pack | None:
    path = DATA / file
    return Pack(path) if path.exists() else None


def names() -> tuple[str, ...]:
    """Names of all shipped graphs of the zoo."""
    pack = _pack(PACKS[0])
    return tuple(sorted(pack.names())) if pack else ()


@cache
def load(name: str) -> Graph:
    """Load a shipped graph by its exact name.

    Raises
    ------
    UnknownModelError
        When no graph of that name is shipped.
    """
    for file in PACKS:
        pack = _pack(file)
        if pack is not None and name in pack.names():
            return from_document(pack.document(name))
    raise UnknownModelError(f"unknown model {name!r}", "")
