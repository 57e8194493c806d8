"""Graphs as JSON documents, and packs of many of them in one file."""

from __future__ import annotations

import json
import lzma
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from perfmodel.errors import FailureError
from perfmodel.graph.graph import Graph
from perfmodel.graph.records import NUMERIC
from perfmodel.graph.table import OperatorTable, decode_statics, encode_statics

SCHEMA_VERSION = 1
_MAGIC = b"PMGRAPH2"
_PLAIN = [
    "name",
    "family",
    "unit",
    "size_name",
    "default_size",
    "size_step",
    "degree",
    "default_blocks",
    "parameter_line",
    "tensor_line",
    "buffer_line",
    "input_column",
    "default_optimizer",
    "default_attention",
]


def to_document(graph: Graph) -> dict[str, Any]:
    """Return a graph as plain JSON values."""
    document: dict[str, Any] = {"schema_version": SCHEMA_VERSION}
    document.update({name: getattr(graph, name) for name in _PLAIN})
    document["polynomials"] = [_trim([_number(value) for value in row]) for row in graph.polynomials]
    document["tables"] = {
        "/".join(key): {
            "statics": encode_statics(table.statics),
            "rows": table.columns.T.tolist(),
            "peaks": {which: [list(line) for line in lines] for which, lines in table.peaks.items()},
            "unmodelled": table.unmodelled,
        }
        for key, table in graph.tables.items()
    }
    return document


def _number(value: float) -> int | float:
    return int(value) if float(value).is_integer() else float(value)


def _trim(row: list[int | float]) -> list[int | float]:
    while len(row) > 1 and row[-1] == 0:
        row.pop()
    return row


def from_document(document: Mapping[str, Any]) -> Graph:
    """Inverse of `to_document`.

    Raises
    ------
    FailureError
        When the document has another schema version.
    """
    if document.get("schema_version") != SCHEMA_VERSION:
        raise FailureError(
            f"graph document has schema version {document.get('schema_version')}, expected {SCHEMA_VERSION}",
            "regenerate it with this version of perfmodel",
        )
    width = 2 * (document["degree"] + 1)
    rows = document["polynomials"]
    polynomials = np.array([row + [0] * (width - len(row)) for row in rows], float).reshape(len(rows), width)
    tables = {}
    for key, table in document["tables"].items():
        mode, _, attention = key.partition("/")
        tables[mode, attention] = OperatorTable(
            statics=decode_statics(table["statics"]),
            columns=np.ascontiguousarray(np.array(table["rows"], np.intp).reshape(-1, 1 + len(NUMERIC)).T),
            peaks={which: [(start, rise) for start, rise in lines] for which, lines in table["peaks"].items()},
            unmodelled=dict(table["unmodelled"]),
        )
    plain = {name: document[name] for name in _PLAIN}
    for name in ("parameter_line", "tensor_line", "buffer_line"):
        plain[name] = tuple(plain[name])
    return Graph(polynomials=polynomials, tables=tables, **plain)


def dumps(document: Mapping[str, Any]) -> str:
    """Return compact JSON."""
    return json.dumps(document, separators=(",", ":"))


def write_pack(path: Path, documents: Mapping[str, Mapping[str, Any]], *, group: int) -> None:
    """Write many documents to one file: magic, index, then LZMA blocks of ``group`` documents each.

    Equal documents are stored once; neighbours by name are alike, so that larger groups compress better.

    Parameters
    ----------
    path : Path
    documents : dict
        By name.
    group : int
        Documents decompressed together when one is read.
    """
    texts: dict[bytes, list[str]] = {}
    for name, document in sorted(documents.items()):
        texts.setdefault(dumps({**document, "name": ""}).encode(), []).append(name)
    places: dict[str, tuple[int, int, int]] = {}
    blocks: list[tuple[int, int]] = []
    body = bytearray()
    distinct = list(texts)
    for start in range(0, len(distinct), group):
        at = 0
        for text in distinct[start : start + group]:
            for name in texts[text]:
                places[name] = (len(blocks), at, len(text))
            at += len(text)
        block = lzma.compress(b"".join(distinct[start : start + group]), preset=9 | lzma.PRESET_EXTREME)
        blocks.append((len(body), len(block)))
        body += block
    index = lzma.compress(dumps({"schema_version": SCHEMA_VERSION, "blocks": blocks, "places": places}).encode())
    path.write_bytes(_MAGIC + len(index).to_bytes(4, "little") + index + bytes(body))


class Pack:
    """Read documents of a pack one by one.

    Parameters
    ----------
    path : Path

    Raises
    ------
    FailureError
        When the file is no pack.
    """

    def __init__(self, path: Path) -> None:
        """Store the options."""
        self._data = path.read_bytes()
        if self._data[: len(_MAGIC)] != _MAGIC:
            raise FailureError(f"{path.name} is not a pack of graphs", "reinstall perfmodel")
        start = len(_MAGIC) + 4
        length = int.from_bytes(self._data[start - 4 : start], "little")
        index = json.loads(lzma.decompress(self._data[start : start + length]))
        self._places: dict[str, list[int]] = index["places"]
        self._blocks: list[list[int]] = index["blocks"]
        self._body = start + length

    def __contains__(self, name: str) -> bool:
        return name in self._places

    def names(self) -> tuple[str, ...]:
        """Return names of the documents."""
        return tuple(self._places)

    def document(self, name: str) -> dict[str, Any]:
        """Return one document; KeyError when there is none."""
        block, at, size = self._places[name]
        start, length = self._blocks[block]
        text = lzma.decompress(self._data[self._body + start : self._body + start + length])[at : at + size]
        document: dict[str, Any] = json.loads(text)
        document["name"] = name
        return document
