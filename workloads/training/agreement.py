"""Ending a run by Ctrl-C after the step in hand, in all processes after the same step."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch

from perfmodel.workloads.training.interrupt import Stop, graceful
from perfmodel.workloads.training.processes import Place


class Agreement:
    """Whether all processes shall end now.

    Processes tell each other while they compute the next step: all end one step after the first of them was asked.

    Parameters
    ----------
    stop : Stop
        What this process was asked.
    place : Place
    """

    def __init__(self, stop: Stop, place: Place) -> None:
        self._stop = stop
        self._group: Any = torch.distributed.new_group(backend="gloo") if place.world > 1 else None
        self._flag = torch.zeros(1)
        self._told: Any = None

    def reached(self) -> bool:
        """Whether to stop; call once after every step, in every process."""
        if self._group is None:
            return bool(self._stop.asked)
        answer = self._answer()
        self._flag = torch.tensor([float(self._stop.asked)])
        self._told = torch.distributed.all_reduce(
            self._flag, op=torch.distributed.ReduceOp.MAX, group=self._group, async_op=True
        )
        return answer

    def _answer(self) -> bool:
        if self._told is None:
            return False
        self._told.wait()
        return bool(self._flag.item())

    def wait_for_all(self) -> None:
        """Wait until every process is here."""
        if self._group is not None:
            torch.distributed.barrier(group=self._group)

    def settle(self) -> None:
        """Wait for what the other processes were still telling."""
        self._answer()
        self._told = None


@contextmanager
def agreeing(place: Place) -> Iterator[Agreement]:
    """Take Ctrl-C as a wish to end after the step in hand; a second one ends this process at once."""
    with graceful() as stop:
        yield Agreement(stop, place)
