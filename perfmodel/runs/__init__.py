"""Measured rows: their schema, readers of tables and run logs, and what their words mean."""

from __future__ import annotations

from typing import TYPE_CHECKING

from perfmodel.lazy import importer

if TYPE_CHECKING:
    from perfmodel.runs.gather import Gathered as Gathered
    from perfmodel.runs.gather import gather_runs as gather_runs
    from perfmodel.runs.problems import Problem as Problem
    from perfmodel.runs.rows import Runs as Runs
    from perfmodel.runs.rows import read_runs as read_runs
    from perfmodel.runs.stack import Stack as Stack
    from perfmodel.runs.stack import newest_stack as newest_stack
    from perfmodel.runs.stack import parse_stack as parse_stack
    from perfmodel.runs.stack import read_stack as read_stack
    from perfmodel.runs.timing import TimingScope as TimingScope
    from perfmodel.runs.timing import read_timing as read_timing

_LAZY = {
    "Gathered": "gather",
    "Problem": "problems",
    "Runs": "rows",
    "Stack": "stack",
    "TimingScope": "timing",
    "gather_runs": "gather",
    "newest_stack": "stack",
    "parse_stack": "stack",
    "read_runs": "rows",
    "read_stack": "stack",
    "read_timing": "timing",
}

__all__ = [
    "Gathered",
    "Problem",
    "Runs",
    "Stack",
    "TimingScope",
    "gather_runs",
    "newest_stack",
    "parse_stack",
    "read_runs",
    "read_stack",
    "read_timing",
]

__getattr__ = importer("perfmodel.runs", _LAZY)
