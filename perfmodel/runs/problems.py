"""What is wrong with a cell or a row of a file, said in one line."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from perfmodel.errors import TableError

SALVAGE = "correct them, or keep the other rows with --salvage (salvage=True)"


@dataclass(frozen=True)
class Problem:
    """A broken cell or row.

    Attributes
    ----------
    file : str
    row : int
        Counted from 1 below the header; blank lines do not count. In a log without a header: the line.
    column : str
        The column's title in the file; empty when it is about the whole row.
    text : str
        What is wrong.
    """

    file: str
    row: int
    column: str
    text: str

    def __str__(self) -> str:
        """Return file, row, column and fault in one line."""
        place = f"{self.file}, row {self.row}"
        return f"{place}: {self.column} {self.text}" if self.column else f"{place}: {self.text}"

    def to_dict(self) -> dict[str, Any]:
        """JSON form."""
        return {"file": self.file, "row": self.row, "column": self.column, "text": self.text}


def refusal(problems: Sequence[Problem]) -> TableError:
    """Return the error that names the first problem and says how many more there are."""
    more = len(problems) - 1
    rest = f" ({more} more broken {'cell' if more == 1 else 'cells'})" if more else ""
    return TableError(f"{problems[0]}{rest}", SALVAGE if more else SALVAGE.replace("them", "it"))
