"""Graphs as JSON documents, and packs of many compressed documents in one file."""

from __future__ import annotations

import json
import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from perfmodel.errors import FailureError
from perfmodel.graph.graph import Graph
from perfmodel.graph.records import NUMERIC
from perfmodel.graph.table import OperatorTable, decode_statics, encode_statics

SCHEMA_VERSION = 1
_MAGIC = b"PMGRAPH1"
_PLAIN = (
    "name family unit size_name default_size size_step degree default_blocks parameter_line tensor_line buffer_line "
    "input_column default_optimizer default_attention"
).split()


def to_document(graph: Graph) -> dict[str, Any]:
    """Return a graph as plain JSON values."""
    document: dict[str, Any] = {"schema_version": SCHEMA_VERSION}
    document.update({name: getattr(graph, name) for name in _PLAIN})
    document["polynomials"] = [_trim([_number(value) for value in row]) for row in graph.polynomials]
    document["tables"] = {
        "/".join(key): {
            "statics": encode_statics(table.statics),
            "columns": table.columns.tolist(),
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
            columns=np.array(table["columns"], np.intp).reshape(1 + len(NUMERIC), -1),
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


def write_pack(path: Path, documents: Mapping[str, Mapping[str, Any]]) -> None:
    """Write many documents to one file: magic, index, a shared dictionary, one deflated block each.

    Parameters
    ----------
    path : Path
    documents : dict
        By name.
    """
    texts = {name: dumps(document).encode() for name, document in sorted(documents.items())}
    dictionary = b"".join(list(texts.values())[:: max(len(texts) // 8, 1)])[-32768:]
    blocks: dict[str, tuple[int, int]] = {}
    body = bytearray()
    for name, text in texts.items():
        packer = zlib.compressobj(9, zlib.DEFLATED, -15, 9, zlib.Z_DEFAULT_STRATEGY, dictionary)
        block = packer.compress(text) + packer.flush()
        blocks[name] = (len(body), len(block))
        body += block
    index = dumps({"schema_version": SCHEMA_VERSION, "blocks": blocks}).encode()
    packed = zlib.compress(dictionary, 9)
    lengths = len(index).to_bytes(4, "little") + len(packed).to_bytes(4, "little")
    path.write_bytes(_MAGIC + lengths + index + packed + bytes(body))


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
        self._data = path.read_bytes()
        if self._data[: len(_MAGIC)] != _MAGIC:
            raise FailureError(f"{path.name} is not a pack of graphs", "reinstall perfmodel")
        at = len(_MAGIC) + 8
        index, dictionary = (int.from_bytes(self._data[at - 8 + i : at - 4 + i], "little") for i in (0, 4))
        self._blocks: dict[str, list[int]] = json.loads(self._data[at : at + index])["blocks"]
        self._dictionary = zlib.decompress(self._data[at + index : at + index + dictionary])
        self._body = at + index + dictionary

    def __contains__(self, name: str) -> bool:
        return name in self._blocks

    def names(self) -> tuple[str, ...]:
        """Return names of the documents."""
        return tuple(self._blocks)

    def document(self, name: str) -> dict[str, Any]:
        """Return one document; KeyError when there is none."""
        start, length = self._blocks[name]
        unpacker = zlib.decompressobj(-15, self._dictionary)
        block = self._data[self._body + start : self._body + start + length]
        document: dict[str, Any] = json.loads(unpacker.decompress(block) + unpacker.flush())
        return document
