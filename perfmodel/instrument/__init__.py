"""Phases, and the schema of run logs. A leaf: imports nothing above hardware."""

from __future__ import annotations

from perfmodel.instrument.phases import PHASES

__all__ = ["PHASES"]
