"""NVTX ranges that cost nothing where no tool listens: one domain, its events prepared once."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable, Mapping
from types import TracebackType
from typing import Any

#: Set by Nsight Systems and other tools for the processes that they watch.
TOOL_VARIABLES = ("NVTX_INJECTION64_PATH", "CUDA_INJECTION64_PATH", "NSYS_PROFILING_SESSION_ID")


class Silent:
    """A range that nobody sees."""

    def __enter__(self) -> None:
        """Do nothing."""

    def __exit__(self, *_: object) -> None:
        """Do nothing."""


class Range:
    """A range of one name, for ``with``; may be entered by several threads at once.

    Parameters
    ----------
    domain : nvtx.Domain
    name : str
    """

    def __init__(self, domain: Any, name: str) -> None:
        self._domain = domain
        self._event = domain.get_event_attributes(message=domain.get_registered_string(name))

    def __enter__(self) -> None:
        """Open the range."""
        self._domain.push_range(self._event)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close it."""
        self._domain.pop_range()


def listening() -> bool:
    """Whether a tool watches this process, as far as can be told without loading anything."""
    return "nvtx" in sys.modules or any(os.environ.get(name) for name in TOOL_VARIABLES)


def ranges(domain: str, names: Iterable[str]) -> Mapping[str, Silent | Range]:
    """Return one range a name.

    Parameters
    ----------
    domain : str
        Shown by the tool, such as ``perfmodel.loader``.
    names : iterable of str

    Returns
    -------
    mapping of str to context manager
        Silent where no tool listens or the package nvtx is missing.
    """
    names = tuple(names)
    if listening():
        try:
            import nvtx
        except ImportError:
            return {name: Silent() for name in names}
        found = nvtx.get_domain(domain)
        return {name: Range(found, name) for name in names}
    return {name: Silent() for name in names}
