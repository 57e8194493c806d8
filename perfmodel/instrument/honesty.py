"""When a timer lies, and what the truth is.

Four mistakes of published timings, each told from the steps themselves or from a table of reported times:

``asynchronous``  the host's clock around a call that waited for earlier work of the device
``impossible``    a phase faster than the card can compute it: nobody waited for the device
``cold``          a first batch that holds the loader's start-up
``units``         times of an image beside times of a batch
"""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from perfmodel.instrument.phases import MEANING, PHASES
from perfmodel.instrument.steps import Step

_WAITED = 2.0
"""A blocking call is doubted when the host's clock shows more than this times its work on the device ..."""
_SHARE = 0.05
"""... and the difference is more than this share of the step."""
_COLD = 3.0
"""A first step is cold when its input wait exceeds the others' median by this factor ..."""
_COLD_SHARE = 0.25
"""... and by this share of the median step."""


@dataclass(frozen=True, kw_only=True)
class Doubt:
    """A way in which a timing misleads.

    Attributes
    ----------
    kind : str
        ``asynchronous``, ``impossible``, ``cold`` or ``units``.
    phase : str
        Phase it is about; empty for the step.
    text : str
        What was timed, and what it really was, with figures.
    remedy : str
    """

    kind: str
    phase: str
    text: str
    remedy: str


def doubts(steps: Sequence[Step]) -> tuple[Doubt, ...]:
    """Say what the host's own clock would have got wrong about these steps.

    Parameters
    ----------
    steps : sequence of Step
        As `perfmodel.instrument.step_phases` collects them; three warm ones at least say something.
    """
    warm = [step for step in steps if not step.cold]
    found: list[Doubt] = []
    if len(warm) >= 3:
        found += [doubt for phase in PHASES if (doubt := _blocked(phase, warm))]
    first = _cold(steps)
    return (*found, first) if first else tuple(found)


def _blocked(phase: str, steps: Sequence[Step]) -> Doubt | None:
    """Whether the host's time of a phase is mostly waiting for other work of the device."""
    host = statistics.median(sum(s.end - s.start for s in step.host if s.phase == phase) for step in steps)
    work = statistics.median(step.times.total[phase] for step in steps)
    length = statistics.median(step.times.length for step in steps)
    if phase in ("load", "input_wait", "other") or host <= _WAITED * work or host - work <= _SHARE * length:
        return None
    busy = statistics.median(
        sum(step.times.exposed[p] for p in ("forward", "loss", "backward", "optimizer", "communication"))
        for step in steps
    )
    verdict = "compute-bound" if busy > 0.5 * length else "not bound by this phase"
    return Doubt(
        kind="asynchronous",
        phase=phase,
        text=f"by the host's clock {phase} takes {host / 1e6:.3g} ms of a {length / 1e6:.3g} ms step "
        f"({100 * host / length:.0f} %), but its own work is {work / 1e6:.3g} ms: the call waits for work queued "
        f"before it ({100 * busy / length:.0f} % of the step is computing); the step is {verdict}",
        remedy=f"read the device's own time ({MEANING[phase]}): events, as this log does",
    )


def _cold(steps: Sequence[Step]) -> Doubt | None:
    waits = [step.times.exposed["input_wait"] + step.times.exposed["load"] for step in steps]
    if len(steps) < 4:
        return None
    rest, length = statistics.median(waits[1:]), statistics.median(step.times.length for step in steps[1:])
    if waits[0] <= _COLD * rest or waits[0] - rest <= _COLD_SHARE * length:
        return None
    return Doubt(
        kind="cold",
        phase="input_wait",
        text=f"the first batch took {waits[0] / 1e6:.3g} ms to arrive, the others {rest / 1e6:.3g} ms: "
        "it holds the loader's start-up",
        remedy="leave it out of averages (its row is marked cold)",
    )


def check_reported(
    phases_ms: Mapping[str, float], *, gflops: Mapping[str, float], peak_tflops: float, slack: float = 1.0
) -> tuple[Doubt, ...]:
    """Check times that somebody reported against what the card can do.

    Parameters
    ----------
    phases_ms : mapping of str to float
        Reported time of each phase of one step, ms.
    gflops : mapping of str to float
        Floating-point operations of each phase of one step, 10^9.
    peak_tflops : float
        The card's peak in that precision.
    slack : float
        Times the peak that is still believed; 2.25 where Winograd convolution may count fewer operations.

    Returns
    -------
    tuple of Doubt
        A phase above the peak, and the phase that then must hold the missing time.
    """
    found = []
    for phase, work in gflops.items():
        time_ms = phases_ms.get(phase, 0.0)
        if work > 0 and work > slack * peak_tflops * time_ms:
            rate = f"{work / time_ms:.3g} TFLOP/s" if time_ms > 0 else "no time at all"
            found.append(
                Doubt(
                    kind="impossible",
                    phase=phase,
                    text=f"{phase} in {time_ms:.3g} ms would be {rate} on a card of {peak_tflops:.3g} TFLOP/s: "
                    f"the timer did not wait for the device, which needs {work / (slack * peak_tflops):.3g} ms or more",
                    remedy="synchronise around the timer, or use events",
                )
            )
    if not found:
        return ()
    largest = max(phases_ms, key=lambda name: phases_ms[name])
    missing = sum(w / (slack * peak_tflops) - phases_ms.get(p, 0.0) for p, w in gflops.items())
    if largest not in {doubt.phase for doubt in found} and phases_ms[largest] > missing > 0:
        found.append(
            Doubt(
                kind="asynchronous",
                phase=largest,
                text=f"{largest} ({phases_ms[largest]:.3g} ms) holds at least {missing:.3g} ms of that computing: "
                "the first call that waits is charged with all work queued before it; the step is compute-bound",
                remedy="time the step from start to start, and each phase by events",
            )
        )
    return tuple(found)


def check_units(time_ms: Sequence[float], batch: Sequence[int], *, name: str = "time") -> Doubt | None:
    """Say when a column holds times of an image where others hold times of a batch.

    Parameters
    ----------
    time_ms, batch : sequences of equal length
        Times of runs that differ in batch only.
    """
    pairs = sorted(zip(batch, time_ms, strict=True))
    if len({b for b, _ in pairs}) < 2:
        return None
    (small, fast), (large, slow) = pairs[0], pairs[-1]
    if slow < 0.5 * fast * large / small and slow < 1.1 * fast:
        return Doubt(
            kind="units",
            phase="",
            text=f"{name} does not grow from batch {small} ({fast:.3g} ms) to batch {large} ({slow:.3g} ms): "
            "it looks like the time of an image",
            remedy="multiply by the batch before comparing with times of a step",
        )
    return None
