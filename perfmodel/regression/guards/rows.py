"""All checks of rows, run before a design is made of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from perfmodel.regression.design import Finding, Floats
from perfmodel.regression.guards.cards import check_cards
from perfmodel.regression.guards.cells import response_times
from perfmodel.regression.guards.cold import check_cold
from perfmodel.regression.guards.consistency import check_consistency
from perfmodel.regression.guards.per_image import check_per_image
from perfmodel.regression.guards.units import check_units


@dataclass(frozen=True, kw_only=True)
class RowChecks:
    """What is known of n rows before anything is fitted.

    Attributes
    ----------
    keep : bool array (n,)
        Rows to use.
    weights : array (n,)
        Inverse variance up to a factor; 1 unless a card is inconsistent.
    findings : tuple of Finding
    corrected : mapping of str to array (n,)
        Variables put right: a board's figures made a die's, a desktop card's made the laptop card's.
    """

    keep: npt.NDArray[np.bool_]
    weights: Floats
    findings: tuple[Finding, ...]
    corrected: Mapping[str, Any] = field(default_factory=dict)

    def apply(self, frame: Any) -> Any:
        """Return the frame with its variables put right, all n rows."""
        return frame.assign(**{name: values for name, values in self.corrected.items() if name in frame.columns})


def check_rows(frame: Any, response: str, names: Sequence[str] = ()) -> RowChecks:
    """Check rows before the design is made.

    Parameters
    ----------
    frame : DataFrame (n rows)
        Variables of the rows (`perfmodel.regression.variables`).
    response : str
        Left-hand side of the formula, such as ``log(step_ms)``.
    names : sequence of str
        Variables of its right-hand side, where known.

    Returns
    -------
    RowChecks
        Refusals are findings; nothing is raised here.
    """
    n = len(frame)
    if not n:
        return RowChecks(keep=np.zeros(0, dtype=bool), weights=np.zeros(0), findings=())
    cards = check_cards(frame)
    right = frame.assign(**cards.corrected)
    cold, findings = check_cold(right)
    found = [*cards.findings, *findings]
    warm = right[~cold]
    weights = np.ones(n)
    found += check_per_image(warm, response, names)
    times = [name for name in response_times(response) if name in frame.columns]
    for name in times:
        found += check_units(warm, name)
    if times and not any(one.severity == "refuse" for one in found):
        weights, more = check_consistency(right, times[0], ~cold)
        found += more
    return RowChecks(keep=~cold, weights=weights, findings=tuple(found), corrected=cards.corrected)
