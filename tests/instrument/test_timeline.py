"""Attribution of a step's time to phases."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from perfmodel.instrument.phases import PHASES
from perfmodel.instrument.timeline import Span, attribute

spans = st.lists(
    st.tuples(st.sampled_from(PHASES), st.integers(0, 1000), st.integers(0, 300)).map(
        lambda t: Span(t[0], t[1], t[1] + t[2])
    ),
    max_size=8,
)


@given(spans, st.none() | spans, st.integers(0, 500), st.integers(0, 500))
def test_exposed_parts_sum_to_the_step_and_lie_within_the_totals(host, device, start, length) -> None:
    times = attribute(start, start + length, host, device)
    assert sum(times.exposed.values()) == times.length == length
    assert all(0 <= times.exposed[phase] <= times.total[phase] for phase in PHASES)


def test_work_of_the_device_hides_what_the_host_does() -> None:
    host = [Span("input_wait", 0, 40), Span("forward", 40, 50), Span("backward", 50, 60)]
    device = [Span("forward", 40, 100), Span("backward", 100, 220)]
    times = attribute(0, 220, host, device)
    assert times.exposed["input_wait"] == 40
    assert times.exposed["forward"] == 60
    assert times.exposed["backward"] == 120
    assert times.exposed["launch"] == 0


def test_the_next_batch_is_fetched_behind_the_device() -> None:
    host = [Span("input_wait", 0, 90), Span("forward", 90, 95)]
    device = [Span("backward", -50, 80), Span("forward", 90, 150)]
    times = attribute(0, 150, host, device)
    assert times.total["input_wait"] == 90
    assert times.exposed["input_wait"] == 10
    assert times.exposed["backward"] == 80


def test_an_idle_device_waits_for_launches_while_the_host_computes() -> None:
    host = [Span("forward", 0, 100)]
    device = [Span("forward", 60, 100)]
    times = attribute(0, 100, host, device)
    assert times.exposed["launch"] == 60
    assert times.exposed["forward"] == 40


def test_inner_phases_are_not_counted_twice() -> None:
    host = [Span("forward", 0, 100), Span("communication", 20, 30)]
    times = attribute(0, 120, host, None)
    assert times.total["forward"] == 90
    assert times.exposed == {**dict.fromkeys(PHASES, 0), "forward": 90, "communication": 10, "other": 20}
