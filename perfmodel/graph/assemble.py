"""Turn fitted captures into a `Graph`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from perfmodel.graph.graph import Graph
from perfmodel.graph.records import NUMERIC, STATIC
from perfmodel.graph.symbolic import Blocks, Poly
from perfmodel.graph.table import OperatorTable


class _Polynomials:
    """Collect distinct polynomials, padded to one degree."""

    def __init__(self, degree: int) -> None:
        """Store the options."""
        self.degree = degree
        self.rows: dict[tuple[float, ...], int] = {}

    def index(self, poly: Poly) -> int:
        half = len(poly) // 2
        pad = (0.0,) * (self.degree + 1 - half)
        row = (*map(float, poly[:half]), *pad, *map(float, poly[half:]), *pad)
        return self.rows.setdefault(row, len(self.rows))


def assemble(fitted: Mapping[tuple[str, str], Blocks], **attributes: Any) -> Graph:
    """Build a graph from the fitted captures of its modes.

    Parameters
    ----------
    fitted : dict
        By (mode, attention).
    **attributes
        The plain attributes of `Graph`.
    """
    degree = max(blocks.degree for blocks in fitted.values())
    polynomials = _Polynomials(degree)
    first = next(iter(fitted.values()))
    inputs = polynomials.index(first.input_bytes)
    tables = {key: _table(blocks, polynomials) for key, blocks in fitted.items()}
    return Graph(
        polynomials=np.array(list(polynomials.rows), float),
        tables=tables,
        degree=degree,
        parameter_line=first.parameters,
        tensor_line=first.tensors,
        buffer_line=first.buffer_bytes,
        input_column=inputs,
        **attributes,
    )


def _table(blocks: Blocks, polynomials: _Polynomials) -> OperatorTable:
    statics = {name: [key[0][at] for key in blocks.keys] for at, name in enumerate(STATIC)}
    rows = [[polynomials.index(poly) for poly in blocks.slope], [polynomials.index(poly) for poly in blocks.constant]]
    for column in range(len(NUMERIC) - 1):
        rows.append([polynomials.index(key[1][column]) for key in blocks.keys])
    peaks = {
        which: list(dict.fromkeys((polynomials.index(start), polynomials.index(rise)) for start, rise in lines))
        for which, lines in blocks.peaks.items()
    }
    columns = np.array(rows, np.intp).reshape(1 + len(NUMERIC), len(blocks.keys))
    return OperatorTable(statics=statics, columns=columns, peaks=peaks, unmodelled=blocks.unmodelled)
