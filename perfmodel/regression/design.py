"""What a regression is fitted to: a checked design matrix with the rows it came from, and what a guard found in it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
Severity = Literal["refuse", "warning", "note"]


@dataclass(frozen=True, kw_only=True)
class Finding:
    """What a guard found.

    Attributes
    ----------
    guard : str
        Short name of the guard, such as ``rank`` or ``vif``; docs/guards.md lists them.
    severity : str
        ``refuse``: no estimate would mean anything; ``warning``: the reader must know; ``note``: what was done.
    text : str
        One sentence that names the columns, cards or rows.
    remedy : str
        What would put it right: the data to add, the column to leave out.
    columns : tuple of str
    rows : tuple of int
        Rows of the table it is about, counted from 0; empty when it is about all.
    """

    guard: str
    severity: Severity
    text: str
    remedy: str = ""
    columns: tuple[str, ...] = ()
    rows: tuple[int, ...] = ()

    def to_dict(self) -> dict[str, Any]:
        """JSON form."""
        return {
            "guard": self.guard,
            "severity": self.severity,
            "text": self.text,
            "remedy": self.remedy,
            "columns": list(self.columns),
            "rows": list(self.rows),
        }


@dataclass(frozen=True, kw_only=True)
class Design:
    """A linear design: n rows, p columns.

    Attributes
    ----------
    formula : str
        As the user or the preset wrote it, with every dropped column taken out.
    response : str
        Left-hand side as written, such as ``log(step_ms)``.
    y : array (n,)
    x : array (n, p)
    names : tuple of str, length p
        Names of the columns of `x`, such as ``Intercept``, ``log(cores)``, ``data_pair[T.VKITTI-KITTI]``.
    terms : mapping of str to tuple of int
        Term of the formula -> its columns in `x`.
    frame : pandas.DataFrame (n rows)
        Variables of the rows used (`perfmodel.regression.variables`), one column a variable.
    rows : int array (n,)
        Row in the table that each row of the design came from, counted from 0.
    weights : array (n,)
        Weight of each row, 1 by default: inverse variance up to a factor.
    """

    formula: str
    response: str
    y: Floats
    x: Floats
    names: tuple[str, ...]
    terms: Mapping[str, tuple[int, ...]]
    frame: Any
    rows: npt.NDArray[np.intp]
    weights: Floats = field(default_factory=lambda: np.zeros(0))

    @property
    def log_response(self) -> bool:
        """Whether the response is the logarithm of a time."""
        return self.response.replace(" ", "").startswith("log(")
