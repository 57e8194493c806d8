"""Work done ahead by a few threads, a bounded number of steps: backpressure, order kept, an end without leftovers."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from queue import SimpleQueue
from typing import Generic, TypeVar

Job = TypeVar("Job")
Result = TypeVar("Result")

THREADS = 2
"""That many results are made at a time, so that what makes them has work while the last pieces of one are finished."""


@dataclass(frozen=True)
class _Made(Generic[Result]):
    """Result `number`, or the error in its place; neither where it only says that there are no more than `number`."""

    number: int
    result: Result | None = None
    error: BaseException | None = None
    last: bool = False


class Prefetcher(Generic[Job, Result]):
    """Runs ``produce(slot, job)`` for each job in threads of its own, from `start` on.

    They are at most `ahead` results before the consumer, and result n is written to slot n modulo `slots`; so a slot is
    written again only when ``slots - ahead`` later results were taken.

    Parameters
    ----------
    produce : callable
        Called with a slot's number and a job, by several threads at once; an exception ends the work and is raised by
        `take` in its turn.
    jobs : iterable
    slots : int
        More than or equal to `ahead`.
    ahead : int
        At least 1.
    """

    def __init__(self, produce: Callable[[int, Job], Result], jobs: Iterable[Job], *, slots: int, ahead: int) -> None:
        self._produce, self._jobs, self._slots = produce, iter(jobs), slots
        self._owner = os.getpid()
        # The consumer holds no lock of Python's, ever: Ctrl-C in the middle of one would leave it locked.
        self._room: SimpleQueue[None] = SimpleQueue()
        self._made: SimpleQueue[_Made[Result]] = SimpleQueue()
        self._early: dict[int, _Made[Result]] = {}
        self._next_job = threading.Lock()
        self._begun = self._taken = 0
        self._exhausted = self._stopped = False
        for _ in range(ahead):
            self._room.put(None)
        self._threads = [
            threading.Thread(target=self._run, name="perfmodel-prefetch", daemon=True)
            for _ in range(min(THREADS, ahead))
        ]

    def start(self) -> None:
        """Begin; apart from the constructor, so that whoever must stop it holds it before there are threads."""
        for thread in self._threads:
            thread.start()

    def take(self) -> Result | None:
        """Return the next result, waiting for it; None after the last.

        Raises
        ------
        Exception
            What `produce` raised, once, in its turn.
        """
        while self._taken not in self._early and not self._stopped:
            made = self._made.get()
            self._early[made.number] = made
        if self._stopped or self._early[self._taken].last:
            return None
        made = self._early.pop(self._taken)
        self._taken += 1
        if made.error is not None:
            self._end()
            raise made.error
        self._room.put(None)
        return made.result

    def stop(self) -> None:
        """End the threads, after the jobs that they are at, and wait for them; harmless when repeated or in a child."""
        if self._owner != os.getpid():
            return  # the threads stayed in the parent
        self._end()
        for thread in self._threads:
            if thread.ident is not None and thread is not threading.current_thread():
                thread.join()

    def _end(self) -> None:
        """Tell everyone that there is no more to do."""
        self._stopped = True
        self._made.put(_Made(-1))
        self._wake()

    def _wake(self) -> None:
        for _ in self._threads:
            self._room.put(None)

    def _run(self) -> None:
        while True:
            self._room.get()
            with self._next_job:
                if self._stopped or self._exhausted:
                    return
                number = self._begun
                self._begun += 1
                try:
                    job = next(self._jobs)
                except BaseException as error:
                    self._exhausted = True
                    over = isinstance(error, StopIteration)
                    self._made.put(_Made(number, last=over, error=None if over else error))
                    self._wake()
                    return
            try:
                made = _Made(number, result=self._produce(number % self._slots, job))
            except BaseException as error:
                self._exhausted = True
                made = _Made(number, error=error)
            self._made.put(made)
            del made
