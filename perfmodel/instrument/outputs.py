"""Where the steps of a run go: run log, progress bar, TensorBoard. Each takes steps as they finish."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Protocol

from perfmodel.instrument.devices import Device
from perfmodel.instrument.steps import Step


class Sink(Protocol):
    """Takes steps."""

    def take(self, step: Step) -> None:
        """Take one finished step."""

    def close(self) -> None:
        """Write what is left."""


def sinks(
    device: Device,
    *,
    log: str | Path | None,
    first: int,
    progress: bool | str,
    board: str | Path | None,
    header: dict[str, Any],
) -> list[Sink]:
    """Make the outputs that were asked for."""
    found: list[Sink] = []
    if log is not None:
        from perfmodel.instrument.logfile import LogFile

        found.append(LogFile(log, device=device, header=header, first=first))
    if board is not None:
        from perfmodel.instrument.board import Board

        found.append(Board(board))
    if progress:
        from perfmodel.instrument.progress import Progress

        found.append(Progress(progress if isinstance(progress, str) else "training"))
    return found
