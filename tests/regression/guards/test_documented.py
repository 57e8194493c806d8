"""Every guard that the code names stands in docs/guards.md, and the other way round."""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]
#: Notes of reading and choosing, which are no guards of the rows or of the design.
NO_GUARDS = {"identifiable"}


def test_the_page_lists_the_guards_that_there_are() -> None:
    sources = (ROOT / "perfmodel" / "regression" / "guards").glob("*.py")
    named = {name for path in sources for name in re.findall(r"guard=\"([a-z-]+)\"", path.read_text(encoding="utf-8"))}
    named |= {"board-or-die", "laptop-card", "card-figures"}  # named by what a wrong figure is
    page = (ROOT / "docs" / "guards.md").read_text(encoding="utf-8")
    assert set(re.findall(r"^\| `([a-z-]+)` \|", page, re.MULTILINE)) == named - NO_GUARDS
