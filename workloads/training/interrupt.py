"""Ctrl-C during training: the first ends the run after the step in hand, the second at once."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType


class Stop:
    """Whether the run should end."""

    def __init__(self) -> None:
        self.asked = False

    def ask(self, number: int, frame: FrameType | None) -> None:
        """Take the signal."""
        if self.asked:
            raise KeyboardInterrupt
        self.asked = True


@contextmanager
def graceful(*, enabled: bool = True) -> Iterator[Stop]:
    """Let Ctrl-C ask for a stop instead of raising.

    Parameters
    ----------
    enabled : bool
        Off where several processes must stop at the same step: there Ctrl-C raises, and the last checkpoint counts.
    """
    stop = Stop()
    if not enabled or threading.current_thread() is not threading.main_thread():
        yield stop
        return
    before = signal.signal(signal.SIGINT, stop.ask)
    try:
        yield stop
    finally:
        signal.signal(signal.SIGINT, before)
