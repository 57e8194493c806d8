"""A progress bar on stderr with step time and input wait."""

from __future__ import annotations

import sys
from collections import deque
from typing import Any

from perfmodel.instrument.steps import Step

_WINDOW = 50


class Progress:
    """Shows steps, the median step time of the last 50 warm ones, and the share of it spent waiting for input.

    Parameters
    ----------
    title : str
    """

    def __init__(self, title: str) -> None:
        from rich.console import Console
        from rich.progress import Progress as Bar
        from rich.progress import SpinnerColumn, TextColumn, TimeElapsedColumn

        self._bar: Any = Bar(
            SpinnerColumn(),
            TextColumn("{task.description}"),
            TextColumn("step {task.completed:.0f}"),
            TextColumn("{task.fields[speed]}"),
            TimeElapsedColumn(),
            console=Console(file=sys.stderr),
            refresh_per_second=4,
            disable=not sys.stderr.isatty(),
        )
        self._task = self._bar.add_task(title, total=None, speed="warming up")
        self._last: deque[tuple[int, int]] = deque(maxlen=_WINDOW)
        self._bar.start()

    def take(self, step: Step) -> None:
        """Count a step."""
        if not step.cold:
            wait = step.times.exposed["input_wait"] + step.times.exposed["load"]
            self._last.append((step.times.length, wait))
        self._bar.update(self._task, advance=1, speed=speed_text(self._last) if self._last else "warming up")

    def close(self) -> None:
        """Take the bar off."""
        self._bar.stop()


def speed_text(steps: deque[tuple[int, int]]) -> str:
    """Median step and share of input wait of (length, wait) pairs in ns: ``12.3 ms a step, input wait 4 %``."""
    lengths = sorted(length for length, _ in steps)
    wait = sum(wait for _, wait in steps) / max(1, sum(lengths))
    return f"{lengths[len(lengths) // 2] / 1e6:.3g} ms a step, input wait {100 * wait:.0f} %"
