"""NVTX ranges: silent without a tool, named when one listens."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from perfmodel.instrument import nvtx as ours

ROOT = Path(__file__).resolve().parents[2]


class Domain:
    """Records what is pushed and popped."""

    def __init__(self) -> None:
        self.log: list[Any] = []

    def get_registered_string(self, name: str) -> str:
        return name

    def get_event_attributes(self, message: str) -> str:
        return message

    def push_range(self, event: str) -> None:
        self.log.append(event)

    def pop_range(self) -> None:
        self.log.append("end")


def test_silent_without_a_tool(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ours.TOOL_VARIABLES:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.delitem(sys.modules, "nvtx", raising=False)
    found = ours.ranges("perfmodel.test", ["read"])
    assert isinstance(found["read"], ours.Silent)
    with found["read"]:
        pass
    assert "nvtx" not in sys.modules


def test_ranges_are_pushed_and_popped_also_around_errors() -> None:
    domain = Domain()
    read, decode = ours.Range(domain, "read"), ours.Range(domain, "decode")
    with pytest.raises(ValueError, match="bad"), read, decode:
        raise ValueError("bad")
    assert domain.log == ["read", "decode", "end", "end"]


def test_a_tool_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    nvtx = pytest.importorskip("nvtx")
    domain = Domain()
    monkeypatch.setattr(nvtx, "get_domain", lambda name: domain)
    monkeypatch.setenv(ours.TOOL_VARIABLES[0], "/opt/tool.so")
    with ours.ranges("perfmodel.test", ["read"])["read"]:
        pass
    assert domain.log == ["read", "end"]


def test_the_real_package_accepts_our_calls() -> None:
    pytest.importorskip("nvtx")
    code = (
        "import nvtx\nfrom perfmodel.instrument.nvtx import Range, ranges\n"
        "found = ranges('perfmodel.test', ['read'])['read']\nassert isinstance(found, Range)\n"
        "with found:\n    pass\nprint('ok')\n"
    )
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, cwd=ROOT)
    assert result.stdout == "ok\n", result.stderr
