"""Timing training loops: phases, run logs, and when a timer lies. A leaf: imports nothing above hardware."""

from __future__ import annotations

from perfmodel.instrument.honesty import Doubt, check_reported, check_units, doubts
from perfmodel.instrument.phases import PHASES
from perfmodel.instrument.steps import StepPhases, step_phases

__all__ = ["PHASES", "Doubt", "StepPhases", "check_reported", "check_units", "doubts", "step_phases"]
