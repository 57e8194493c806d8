"""Ending a run by Ctrl-C after the step in hand, in all processes after the same step."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any

import torch

from perfmodel.workloads.training.processes import Place


class Stop:
    """Whether the run shall end.

    Processes tell each other while they compute the next step: all end one step after the first of them was asked.

    Parameters
    ----------
    place : Place
    """

    def __init__(self, place: Place) -> None:
        self.asked = False
        self._group: Any = torch.distributed.new_group(backend="gloo") if place.world > 1 else None
        self._flag = torch.zeros(1)
        self._told: Any = None

    def ask(self, number: int, frame: FrameType | None) -> None:
        """Handle the signal; the second one ends the process at once."""
        if self.asked:
            raise KeyboardInterrupt
        self.asked = True

    def agreed(self) -> bool:
        """Whether to stop now; call once after every step, in every process."""
        if self._group is None:
            return self.asked
        answer = self._answer()
        self._flag = torch.tensor([float(self.asked)])
        self._told = torch.distributed.all_reduce(
            self._flag, op=torch.distributed.ReduceOp.MAX, group=self._group, async_op=True
        )
        return answer

    def _answer(self) -> bool:
        if self._told is None:
            return False
        self._told.wait()
        return bool(self._flag.item())

    def settle(self) -> None:
        """Wait for what the other processes were still telling."""
        self._answer()
        self._told = None


@contextmanager
def stopping(place: Place) -> Iterator[Stop]:
    """Take Ctrl-C as a wish to end after the step in hand, where this is the main thread."""
    stop = Stop(place)
    main = threading.current_thread() is threading.main_thread()
    before = signal.signal(signal.SIGINT, stop.ask) if main else None
    try:
        yield stop
    finally:
        if main:
            signal.signal(signal.SIGINT, before)
