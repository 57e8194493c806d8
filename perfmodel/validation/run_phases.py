"""Predicted against measured, phase by phase, for a run that logged its own steps."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from perfmodel.errors import PerfmodelError, TableError
from perfmodel.instrument.phases import PHASES
from perfmodel.runs.runlog import RunLog, read_run_log
from perfmodel.step.predict import predict
from perfmodel.step.prediction import Prediction

SCHEMA_VERSION = 1


@dataclass(frozen=True, kw_only=True)
class RunPhases:
    """A run's warm steps beside their prediction, all times in ms.

    Attributes
    ----------
    steps : int
        Warm steps.
    measured_step_ms, measured_low_ms, measured_high_ms : float
        Median, and the 5 % and 95 % quantiles over steps.
    predicted : Prediction
    measured_ms : mapping of str to float
        Mean exposed part of each phase, scaled so that they sum to the median step.
    """

    steps: int
    measured_step_ms: float
    measured_low_ms: float
    measured_high_ms: float
    predicted: Prediction
    measured_ms: Mapping[str, float]

    @property
    def predicted_ms(self) -> dict[str, float]:
        """Predicted exposed part of each phase."""
        return {phase: 1e3 * part.exposed for phase, part in self.predicted.phases.items()}

    @property
    def error(self) -> float:
        """Relative error of the predicted step."""
        return 1e3 * self.predicted.step_s.median / self.measured_step_ms - 1.0

    @property
    def covered(self) -> bool:
        """Whether the interval holds the measured step."""
        step = self.predicted.step_s
        return step.low <= self.measured_step_ms / 1e3 <= step.high

    def to_dict(self) -> dict[str, Any]:
        """JSON form."""
        step = self.predicted.step_s
        return {
            "schema_version": SCHEMA_VERSION,
            "kind": "run-phases",
            "steps": self.steps,
            "measured_step_ms": self.measured_step_ms,
            "predicted_step_ms": {"median": 1e3 * step.median, "low": 1e3 * step.low, "high": 1e3 * step.high,
                                  "coverage": step.coverage},
            "error_percent": 100 * self.error,
            "phases_ms": {p: {"measured": self.measured_ms[p], "predicted": self.predicted_ms[p]} for p in PHASES},
        }  # fmt: skip


def compare_run(log: RunLog | str | Path, **options: Any) -> RunPhases:
    """Predict the steps of a run log from its header and compare phase by phase.

    Parameters
    ----------
    log : RunLog, str or Path
    **options
        Settings of `perfmodel.predict` that the header does not tell.

    Raises
    ------
    TableError
        When no step is warm, or the header names no workload that can be predicted.
    """
    run = log if isinstance(log, RunLog) else read_run_log(log)
    if not run.warm.any():
        raise TableError("the run log has no warm step", "run more steps")
    steps = run.columns["step_ms"][run.warm]
    exposed = {phase: float(run.columns[f"{phase}_own_ms"][run.warm].mean()) for phase in PHASES}
    exposed["input_wait"] += exposed["load"]  # loading in the training process is waiting for input
    exposed["load"] = 0.0
    median, whole = float(np.median(steps)), sum(exposed.values())
    return RunPhases(
        steps=len(steps),
        measured_step_ms=median,
        measured_low_ms=float(np.quantile(steps, 0.05)),
        measured_high_ms=float(np.quantile(steps, 0.95)),
        predicted=_prediction(run.header, options),
        measured_ms={phase: value * median / whole for phase, value in exposed.items()},
    )


def _prediction(header: Mapping[str, Any], options: Mapping[str, Any]) -> Prediction:
    cards = max(1, int(header["n_gpu"]))
    settings: dict[str, Any] = {
        "gpu": header["gpu"],
        "gpus": cards,
        "batch": max(1, int(header["batch"]) // cards),
        "precision": header["precision"],
        "mode": header["mode"],
        "loader": header.get("loader", "torch"),
    }
    for name, key in (("blocks", "blocks"), ("size", "image_size"), ("workers", "workers")):
        if header.get(key) is not None:
            settings[name] = int(header[key])
    try:
        return predict(str(header["workload"]), **(settings | dict(options)))
    except PerfmodelError as error:
        raise TableError(f"the run cannot be predicted: {error.reason}", error.remedy) from None


def run_phases_text(found: RunPhases) -> str:
    """Plain text: the step, each phase that takes time in either, and what the prediction rests on."""
    step = found.predicted.step_s
    lines = [
        f"measured   {found.measured_step_ms:.4g} ms a step, median of {found.steps} warm ones "
        f"(90 % of them {found.measured_low_ms:.4g} to {found.measured_high_ms:.4g})",
        f"predicted  {1e3 * step.median:.4g} ms ({100 * step.coverage:.3g} %: {1e3 * step.low:.4g} to "
        f"{1e3 * step.high:.4g}); {100 * found.error:+.0f} %, {'inside' if found.covered else 'outside'} the interval",
        "",
        "  phase           measured ms  predicted ms   (exposed parts)",
    ]
    for phase in PHASES:
        measured, predicted = found.measured_ms[phase], found.predicted_ms[phase]
        if max(measured, predicted) > 1e-3 * found.measured_step_ms:
            lines.append(f"  {phase:<14} {measured:>12.4g}  {predicted:>12.4g}")
    evidence = found.predicted.evidence
    lines += [
        "",
        f"evidence   {evidence.grade}: {evidence.why}",
        *(f"note       {note}" for note in found.predicted.notes),
    ]
    return "\n".join(lines)
