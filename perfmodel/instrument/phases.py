"""The one vocabulary of phases that predictions, measurements and traces share."""

from __future__ import annotations

from collections.abc import Mapping

PHASES = (
    "load",
    "h2d",
    "forward",
    "loss",
    "backward",
    "optimizer",
    "communication",
    "launch",
    "input_wait",
    "other",
)
"""Phases of a step, in order. Each has a total and an exposed part; the exposed parts of all sum to the step."""

MEANING: Mapping[str, str] = {
    "load": "reading, decoding and transforming input on the host",
    "h2d": "copying input from the host to the device",
    "forward": "forward pass on the device",
    "loss": "loss and its own gradient on the device",
    "backward": "backward pass on the device",
    "optimizer": "update of the weights",
    "communication": "reduction of gradients between devices",
    "launch": "time in which the device waits for the host to launch work",
    "input_wait": "time in which the step waits for its input",
    "other": "everything else",
}


def complete(times: Mapping[str, float]) -> dict[str, float]:
    """Return the times of all ten phases in order, 0 for those not given.

    Raises
    ------
    ValueError
        When a name is no phase.
    """
    unknown = sorted(set(times) - set(PHASES))
    if unknown:
        raise ValueError(f"not a phase: {', '.join(unknown)} (phases: {', '.join(PHASES)})")
    return {phase: float(times.get(phase, 0.0)) for phase in PHASES}
