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

    def get_event_attributes(self, message: str) -> str:
        return message

    def push_range(self, event: str) -> None:
        self.log.append(event)

    def pop_range(self) -> None:
        self.log.append("end")


@pytest.fixture
def domain(monkeypatch: pytest.MonkeyPatch) -> Domain:
    found = Domain()
    monkeypatch.setattr(ours, "_domain", lambda: found)
    return found


def test_silent_without_a_tool(monkeypatch: pytest.MonkeyPatch, domain: Domain) -> None:
    for name in ours.TOOL_VARIABLES:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.delitem(sys.modules, "nvtx", raising=False)
    with ours.ranges(["read"])["read"]:
        pass
    assert "nvtx" not in sys.modules
    assert domain.log == []


def test_ranges_are_pushed_and_popped_also_around_errors(domain: Domain) -> None:
    with pytest.raises(ValueError, match="bad"), ours.Range("read"), ours.Range("decode"):
        raise ValueError("bad")
    assert domain.log == ["read", "decode", "end", "end"]


@pytest.mark.parametrize("variable", ours.TOOL_VARIABLES)
def test_a_tool_is_noticed(monkeypatch: pytest.MonkeyPatch, domain: Domain, variable: str) -> None:
    monkeypatch.delitem(sys.modules, "nvtx", raising=False)
    monkeypatch.setenv(variable, "/opt/tool.so")
    with ours.ranges([f"read {variable}"])[f"read {variable}"]:
        pass
    assert domain.log == [f"read {variable}", "end"]


def test_the_real_package_accepts_our_calls() -> None:
    pytest.importorskip("nvtx")
    code = (
        "import nvtx\nfrom perfmodel.instrument.nvtx import Range, ranges\n"
        "found = ranges(['read'])['read']\nassert isinstance(found, Range)\n"
        "with found:\n    pass\nprint('ok')\n"
    )
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, cwd=ROOT)
    assert result.stdout == "ok\n", result.stderr
