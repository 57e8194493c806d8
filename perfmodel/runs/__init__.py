"""Measured rows: their schema, readers of tables and run logs, and what their words mean."""

from __future__ import annotations

from perfmodel.runs.gather import Gathered, gather_runs
from perfmodel.runs.problems import Problem
from perfmodel.runs.rows import Runs, read_runs
from perfmodel.runs.stack import Stack, newest_stack, parse_stack, read_stack
from perfmodel.runs.timing import TimingScope, read_timing

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
