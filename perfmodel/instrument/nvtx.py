"""NVTX ranges: named pieces of time that Nsight Systems and other tools record; about 50 ns when none listens.

One domain, ``perfmodel``, and one prebuilt set of attributes a name: building them at each range costs ten times more.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable, Mapping
from functools import lru_cache
from types import TracebackType
from typing import Any

DOMAIN = "perfmodel"

#: Set by Nsight Systems and other tools for the processes that they watch.
TOOL_VARIABLES = ("NVTX_INJECTION64_PATH", "CUDA_INJECTION64_PATH", "NSYS_PROFILING_SESSION_ID")


@lru_cache(maxsize=1)
def _domain() -> Any:
    """The domain, or None where the package nvtx is missing or switched off."""
    try:
        import nvtx
    except ImportError:
        return None
    return nvtx.get_domain(DOMAIN)


class Range:
    """A range of one name; ``with prebuilt("decode"): ...``, or `push` and `pop` where it spans functions."""

    __slots__ = ("_attributes", "_pop", "_push", "name")

    def __init__(self, name: str) -> None:
        self.name = name
        self._push: Any = None
        self._pop: Any = None
        self._attributes: Any = None

    def push(self) -> None:
        """Open the range."""
        if self._push is None:
            self._prepare()
        self._push(self._attributes)

    def pop(self) -> None:
        """Close the range that was opened last on this thread."""
        if self._pop is not None:
            self._pop()

    def _prepare(self) -> None:
        domain = _domain()
        if domain is None:
            self._push, self._pop = _nothing, _nothing
            return
        self._attributes = domain.get_event_attributes(message=self.name)
        self._push, self._pop = domain.push_range, domain.pop_range

    def __enter__(self) -> Range:
        self.push()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.pop()


def _nothing(*_: Any) -> None:
    """Stand in for a missing library."""


@lru_cache(maxsize=256)
def prebuilt(name: str) -> Range:
    """Return the range of a name, the same object each time."""
    return Range(name)


class Silent:
    """A range that nobody sees."""

    def __enter__(self) -> None:
        """Do nothing."""

    def __exit__(self, *_: object) -> None:
        """Do nothing."""


def listening() -> bool:
    """Whether a tool may watch this process, as far as can be told without loading anything."""
    return "nvtx" in sys.modules or any(os.environ.get(name) for name in TOOL_VARIABLES)


def ranges(names: Iterable[str]) -> Mapping[str, Range | Silent]:
    """Return a range for each name; silent ones, which do not even import nvtx, where no tool listens."""
    watched = listening()
    return {name: prebuilt(name) if watched else Silent() for name in names}
