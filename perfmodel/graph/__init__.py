"""Operator graphs: what a network computes in one step, for any batch, size and block count.

`load` and `resolve` find shipped graphs and need numpy alone; `capture` records a torch module.
"""

from __future__ import annotations

from typing import Any

from perfmodel.graph.catalogue import load, names, resolve
from perfmodel.graph.graph import Graph, Totals
from perfmodel.graph.memory import Memory
from perfmodel.graph.operators import KINDS, PASSES, PHASES, Operators

__all__ = [
    "KINDS",
    "PASSES",
    "PHASES",
    "Graph",
    "Memory",
    "Operators",
    "Totals",
    "capture",
    "load",
    "names",
    "resolve",
]


def capture(module: Any, *inputs: Any, **options: Any) -> Graph:
    """Capture a module's operators; see `perfmodel.graph.capturing.capture` for the options."""
    from perfmodel.graph.capturing import capture as run

    return run(module, *inputs, **options)
