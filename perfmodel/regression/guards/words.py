"""Words for findings: lists, numbers, percentages, rows."""

from __future__ import annotations

from collections.abc import Iterable, Sequence


def listed(items: Iterable[object], *, most: int = 4, conjunction: str = "and") -> str:
    """Join items as in a sentence; beyond `most` only their count is told."""
    words = list(dict.fromkeys(str(item) for item in items))
    if len(words) > most:
        return f"{', '.join(words[:most])} {conjunction} {len(words) - most} more"
    if len(words) < 2:
        return "".join(words)
    return f"{', '.join(words[:-1])} {conjunction} {words[-1]}"


def number(value: float) -> str:
    """Three significant digits."""
    text = f"{value:.3g}"
    return f"{value:.0f}" if "e" in text and 1e-3 < abs(value) < 1e7 else text


def rows_of(rows: Sequence[int]) -> str:
    """Row numbers as a reader of the file counts them: from 1 below the header."""
    return ("row " if len(rows) == 1 else "rows ") + listed((row + 1 for row in rows), most=6)


def counted(n: int, noun: str) -> str:
    """Return ``1 card``, ``3 cards``."""
    return f"{n} {noun}" if n == 1 else f"{n} {noun}s"
