"""Work done ahead by one thread, a bounded number of steps: backpressure, errors in order, an end without leftovers."""

from __future__ import annotations

import os
import threading
from collections import deque
from collections.abc import Callable, Iterable
from typing import Generic, TypeVar

Job = TypeVar("Job")
Result = TypeVar("Result")


class Prefetcher(Generic[Job, Result]):
    """Runs ``produce(slot, job)`` for each job in a thread of its own.

    The thread is at most `ahead` results before the consumer, and writes result n to slot n modulo `slots`; so a slot
    is written again only when ``slots - ahead`` later results were taken.

    Parameters
    ----------
    produce : callable
        Called with a slot's number and a job; an exception ends the work and is raised by `take` in its turn.
    jobs : iterable
    slots : int
        More than or equal to `ahead`.
    ahead : int
        At least 1.
    """

    def __init__(self, produce: Callable[[int, Job], Result], jobs: Iterable[Job], *, slots: int, ahead: int) -> None:
        self._produce, self._jobs, self._slots = produce, jobs, slots
        self._owner = os.getpid()
        self._changed = threading.Condition()
        self._ready: deque[Result] = deque()
        self._credit = ahead
        self._error: BaseException | None = None
        self._ended = self._stopped = False
        self._thread = threading.Thread(target=self._run, name="perfmodel-prefetch", daemon=True)
        self._thread.start()

    @property
    def here(self) -> bool:
        """Whether the thread is one of this process: a forked child has none."""
        return self._owner == os.getpid()

    def take(self) -> Result | None:
        """Return the next result, waiting for it; None after the last.

        Raises
        ------
        Exception
            What `produce` raised, once, in its turn.
        """
        with self._changed:
            while not (self._ready or self._ended or self._stopped):
                self._changed.wait()
            if self._ready and not self._stopped:
                self._credit += 1
                self._changed.notify_all()
                return self._ready.popleft()
            error, self._error = self._error, None
        if error is not None:
            raise error
        return None

    def stop(self) -> None:
        """End the thread, after the job that it is at, and wait for it; harmless when repeated or in a child."""
        if not self.here:
            return
        with self._changed:
            self._stopped = True
            self._ready.clear()
            self._changed.notify_all()
        if threading.current_thread() is not self._thread:
            self._thread.join()

    def _run(self) -> None:
        try:
            for number, job in enumerate(self._jobs):
                if not self._may_go_on():
                    break
                result = self._produce(number % self._slots, job)
                with self._changed:
                    self._ready.append(result)
                    self._changed.notify_all()
                del result
        except BaseException as error:
            self._error = error
        with self._changed:
            self._ended = True
            self._changed.notify_all()

    def _may_go_on(self) -> bool:
        with self._changed:
            while self._credit == 0 and not self._stopped:
                self._changed.wait()
            self._credit -= 1
            return not self._stopped
