"""Totals of every captured image network: what `graph_from_totals` looks for a near network in.

Run ``python -m perfmodel.calibration.zoo.templates`` after the packs were written.
"""

from __future__ import annotations

import json
from pathlib import Path

from perfmodel.graph.catalogue import DATA, load, names
from perfmodel.graph.totals import TEMPLATES


def templates() -> dict[str, list[float]]:
    """Return name to (million parameters, GMAC, million activations, image size)."""
    rows: dict[str, list[float]] = {}
    for name in names(timm=True):
        graph = load(name)
        if graph.size_name != "image_size" or graph.default_blocks is not None or graph.unmodelled:
            continue
        totals = graph.totals()
        if float(totals.gmacs) > 0 and totals.parameters > 0:
            rows[name] = [
                round(totals.parameters / 1e6, 4),
                round(float(totals.gmacs), 5),
                round(float(totals.activations), 4),
                graph.default_size,
            ]
    return rows


def main(output: Path = DATA) -> None:
    """Write the table."""
    lines = (f"{json.dumps(name)}: {json.dumps(row)}" for name, row in sorted(templates().items()))
    (output / TEMPLATES).write_text("{\n" + ",\n".join(lines) + "\n}\n")


if __name__ == "__main__":
    main()
