"""The layouts of files of measured rows; each is told by its first lines and has a reader of its own."""

from __future__ import annotations

from perfmodel.runs.layouts import cyclegan, cyclegan_text, run_log, run_table
from perfmodel.runs.reading import Layout
from perfmodel.runs.table import Contents

LAYOUTS: tuple[Layout, ...] = (
    run_log.LAYOUT,
    cyclegan_text.LAYOUT,
    cyclegan.ITERATIONS,
    cyclegan.COMBINED,
    run_table.LAYOUT,
)
"""In the order in which they are tried; the last one takes what no other one knows."""


def find_layout(contents: Contents) -> Layout:
    """Return the layout of an opened file.

    Raises
    ------
    TableError
        When the file holds no table at all.
    """
    return next(layout for layout in LAYOUTS if layout.recognises(contents))
