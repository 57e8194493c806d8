"""What a layout's reader makes of a file, before settings, checks and derived columns."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from perfmodel.runs.problems import Problem
from perfmodel.runs.schema import read_title
from perfmodel.runs.table import Contents, RawTable


@dataclass(frozen=True, kw_only=True)
class Reading:
    """n rows of one file.

    Attributes
    ----------
    columns : dict of str to list of str, length n
        Cells under the schema's names where it has one, in its units; a cell that is no number stands as it is.
    titles : dict of str to str
        The file's own titles of these columns, for messages; a column without one is called by its name.
    numbers : sequence of int, length n, or None
        Row numbers; None counts from 1.
    problems : tuple of Problem
        Broken rows and cells that the layout itself tells.
    numeric : frozenset of str
        Columns beside the schema's that hold numbers (NaN and infinity may stand there: a loss diverges).
    defaults : mapping of str to str
        What the layout itself says of every row, where neither the file nor a setting does.
    """

    columns: dict[str, list[str]]
    titles: dict[str, str] = field(default_factory=dict)
    numbers: Sequence[int] | None = None
    problems: tuple[Problem, ...] = ()
    numeric: frozenset[str] = frozenset()
    defaults: Mapping[str, str] = field(default_factory=dict)

    def __len__(self) -> int:
        """Return the number of rows."""
        return len(next(iter(self.columns.values()))) if self.columns else 0

    def title(self, name: str) -> str:
        """Return what the file calls a column."""
        return self.titles.get(name, name)

    def number(self, index: int) -> int:
        """Return the number of the row at an index."""
        return index + 1 if self.numbers is None else self.numbers[index]


@dataclass(frozen=True, kw_only=True)
class Layout:
    """One layout of files.

    Attributes
    ----------
    name : str
    meaning : str
        What the files are, in words.
    recognises : callable
        Whether an opened file has this layout.
    read : callable
        Reads an opened file that has it; the second argument says whether rows that are too short are broken.
    log : bool
        Whether files grow while they are read, so that the last line may be incomplete.
    bare : bool
        Whether the files say nothing of the card and the network, so that their names may.
    """

    name: str
    meaning: str
    recognises: Callable[[Contents], bool]
    read: Callable[[Contents, bool], Reading]
    log: bool = False
    bare: bool = False


def by_schema(table: RawTable) -> tuple[dict[str, list[str]], dict[str, str]]:
    """Return a table's columns under the schema's names and in its units, and their titles.

    Where two titles mean one column, the one spelled as in the schema has it, else the first; the other is kept under
    its own title.
    """
    columns: dict[str, list[str]] = {}
    titles: dict[str, str] = {}
    for title, cells in table.columns.items():
        name, factor = read_title(title)
        if name in columns or (name != title and name in table.columns):
            name, factor = title, 1.0
        columns[name] = cells if factor == 1.0 else [scaled(cell, factor) for cell in cells]
        titles[name] = title
    return columns, titles


def scaled(cell: str, factor: float) -> str:
    """Return a number's text multiplied; what is no number from 0 on is returned as it is."""
    try:
        value = float(cell)
    except ValueError:
        return cell
    return f"{value * factor:.12g}" if 0 <= value < float("inf") else cell


def ragged_rows(table: RawTable, where: str, *, short: bool = True) -> tuple[Problem, ...]:
    """Return the rows with more cells than the header as problems; those with fewer only where `short` says so."""
    width = len(table.columns)
    return tuple(
        Problem(where, row.index + 1, "", f"line {row.line} has {row.cells} cells under {width} columns")
        for row in table.ragged
        if short or row.cells > width
    )
