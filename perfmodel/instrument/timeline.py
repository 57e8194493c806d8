"""What each phase of a step cost: its whole time, and the part by which it made the step longer.

One clock for host and device. Time in which the device works belongs to the phase it works for. Time in which it is
idle belongs to what the host does meanwhile: waiting for input, copying, or launching work. On a device that works
while the host waits (a processor) every span of the host is its own work.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

from perfmodel.instrument.phases import PHASES

COMPUTE = frozenset({"forward", "loss", "backward", "optimizer", "communication"})
"""Phases that run on the device: the host's time in them is launching."""


@dataclass(frozen=True)
class Span:
    """A phase from `start` to `end`, ns; ``inside`` says which phases it lies in, outermost first."""

    phase: str
    start: int
    end: int


@dataclass(frozen=True)
class StepTimes:
    """Times of one step in ns: start, length, the whole and the exposed time of every phase."""

    start: int
    length: int
    total: Mapping[str, int]
    exposed: Mapping[str, int]


def attribute(start: int, end: int, host: Sequence[Span], device: Sequence[Span] | None) -> StepTimes:
    """Attribute one step.

    Parameters
    ----------
    start, end : int
        From this step's start to the next one's, ns.
    host : sequence of Span
        What the host did, on its own clock; spans nest or follow each other. May reach outside the step.
    device : sequence of Span or None
        When the device worked, on the same clock; None where the host is the device.

    Returns
    -------
    StepTimes
        Exposed parts sum to ``end - start`` exactly; an exposed part is never above its total.
    """
    exposed = dict.fromkeys(PHASES, 0)
    spans = host if device is None else device
    cuts = sorted({start, end, *(t for s in (*host, *spans) for t in (s.start, s.end) if start < t < end)})
    for left, right in pairwise(cuts):
        exposed[_owner(left, right, host, device)] += right - left
    total = dict.fromkeys(PHASES, 0)
    for phase, ns in _own_times(spans).items():
        total[phase] += ns
    if device is not None:
        for phase, ns in _own_times(host).items():
            if phase not in COMPUTE and phase != "h2d":
                total[phase] += ns
    return StepTimes(start, end - start, {p: max(total[p], exposed[p]) for p in PHASES}, exposed)


def _owner(left: int, right: int, host: Sequence[Span], device: Sequence[Span] | None) -> str:
    """The phase that a piece of time belongs to."""
    doing = _innermost(left, right, host)
    if device is None:
        return doing or "other"
    working = _innermost(left, right, device)
    if working:
        return working
    if doing in COMPUTE:
        return "launch"
    return "input_wait" if doing == "load" else doing or "other"


def _innermost(left: int, right: int, spans: Sequence[Span]) -> str:
    """Phase of the shortest span that holds a piece of time."""
    best, length = "", 0
    for span in spans:
        if span.start <= left and right <= span.end and (not best or span.end - span.start <= length):
            best, length = span.phase, span.end - span.start
    return best


def _own_times(spans: Sequence[Span]) -> dict[str, int]:
    """Time of each phase without what lies in spans nested in it, ns."""
    found: dict[str, int] = {}
    cuts = sorted({t for span in spans for t in (span.start, span.end)})
    for left, right in pairwise(cuts):
        phase = _innermost(left, right, spans)
        if phase:
            found[phase] = found.get(phase, 0) + right - left
    return found
