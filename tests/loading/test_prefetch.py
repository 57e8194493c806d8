"""Working ahead: bounded, in order, errors in their turn, no thread left over."""

from __future__ import annotations

import threading
import time
from typing import Any

import pytest

from perfmodel.loading.prefetch import Prefetcher


def started(*arguments: Any, **options: int) -> Prefetcher[int, int]:
    prefetcher: Prefetcher[int, int] = Prefetcher(*arguments, **options)
    prefetcher.start()
    return prefetcher


def threads() -> list[str]:
    return [one.name for one in threading.enumerate() if one.name.startswith("perfmodel")]


def taken(prefetcher: Prefetcher[int, int]) -> list[int]:
    found = []
    while (value := prefetcher.take()) is not None:
        found.append(value)
    return found


def test_results_in_order_and_slots_in_turn() -> None:
    slots: list[int] = []  # appended to by several threads

    def produce(slot: int, job: int) -> int:
        slots.append(slot)
        return job * job

    prefetcher = started(produce, range(7), slots=4, ahead=2)
    assert taken(prefetcher) == [n * n for n in range(7)]
    assert sorted(slots) == [0, 0, 1, 1, 2, 2, 3]
    assert set(slots[:2]) == {0, 1}
    assert prefetcher.take() is None
    prefetcher.stop()
    assert not threads()


@pytest.mark.parametrize("ahead", [1, 2, 5])
def test_no_more_than_the_limit_is_made_ahead(ahead: int) -> None:
    made: list[int] = []
    prefetcher = started(lambda slot, job: made.append(job) or job, range(1, 50), slots=2 * ahead, ahead=ahead)
    deadline = time.monotonic() + 5
    while len(made) < ahead and time.monotonic() < deadline:
        time.sleep(0.001)
    time.sleep(0.05)
    assert len(made) == ahead
    for number in range(1, 5):
        assert prefetcher.take() == number
        time.sleep(0.02)
        assert len(made) == ahead + number
    prefetcher.stop()
    assert not threads()


def test_an_error_comes_in_its_turn_and_once() -> None:
    def produce(slot: int, job: int) -> int:
        if job == 3:
            raise OSError("disk gone")
        return job

    prefetcher = started(produce, range(1, 9), slots=4, ahead=2)
    assert [prefetcher.take(), prefetcher.take()] == [1, 2]
    with pytest.raises(OSError, match="disk gone"):
        prefetcher.take()
    assert prefetcher.take() is None
    prefetcher.stop()
    assert not threads()


def test_order_is_kept_when_the_second_is_ready_first() -> None:
    second_done = threading.Event()

    def produce(slot: int, job: int) -> int:
        if job == 1:
            assert second_done.wait(5), "two are made at a time"
        if job == 2:
            second_done.set()
        return job

    prefetcher = started(produce, range(1, 4), slots=4, ahead=2)
    assert taken(prefetcher) == [1, 2, 3]
    prefetcher.stop()


def test_an_error_behind_a_slow_result_waits_for_it() -> None:
    def produce(slot: int, job: int) -> int:
        if job == 2:
            raise OSError("disk gone")
        time.sleep(0.05)
        return job

    prefetcher = started(produce, range(1, 9), slots=4, ahead=2)
    assert prefetcher.take() == 1
    with pytest.raises(OSError, match="disk gone"):
        prefetcher.take()
    assert prefetcher.take() is None
    prefetcher.stop()
    assert not threads()


def test_jobs_that_raise() -> None:
    def jobs() -> object:
        yield 1
        raise ValueError("no more")

    prefetcher = started(lambda slot, job: job, jobs(), slots=2, ahead=1)
    assert prefetcher.take() == 1
    with pytest.raises(ValueError, match="no more"):
        prefetcher.take()
    prefetcher.stop()


def test_stopping_while_it_waits_or_works() -> None:
    for delay in (0.0, 0.05):
        prefetcher = started(lambda slot, job, d=delay: time.sleep(d) or 1, range(100), slots=2, ahead=1)
        prefetcher.take()
        prefetcher.stop()
        prefetcher.stop()
        assert prefetcher.take() is None
        assert not threads()
