"""Timing training loops: phases, run logs, and when a timer lies. A leaf: imports nothing above hardware."""

from __future__ import annotations

from typing import TYPE_CHECKING

from perfmodel.lazy import importer

if TYPE_CHECKING:
    from perfmodel.instrument.honesty import Doubt as Doubt
    from perfmodel.instrument.honesty import check_reported as check_reported
    from perfmodel.instrument.honesty import check_units as check_units
    from perfmodel.instrument.honesty import doubts as doubts
    from perfmodel.instrument.phases import PHASES as PHASES
    from perfmodel.instrument.steps import StepPhases as StepPhases
    from perfmodel.instrument.steps import step_phases as step_phases

_LAZY = {
    "PHASES": "phases",
    "Doubt": "honesty",
    "StepPhases": "steps",
    "check_reported": "honesty",
    "check_units": "honesty",
    "doubts": "honesty",
    "step_phases": "steps",
}

__all__ = [
    "PHASES",
    "Doubt",
    "StepPhases",
    "check_reported",
    "check_units",
    "doubts",
    "step_phases",
]

__getattr__ = importer("perfmodel.instrument", _LAZY)
