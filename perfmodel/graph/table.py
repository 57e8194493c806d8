"""The operators of one mode as columns of indices into a table of distinct polynomials."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from perfmodel.graph.operators import KIND_CODE, PASS_CODE, PHASE_CODE, Array, Operators
from perfmodel.graph.records import NUMERIC, STATIC

_WIDTH = {"fp32": (4, 4), "amp": (2, 4), "half": (2, 2)}
"""Bytes of (half, single) elements in each variant."""
VARIANTS = tuple(_WIDTH)


@dataclass(frozen=True)
class OperatorTable:
    """One mode of a graph.

    Attributes
    ----------
    statics : dict
        Columns of `records.STATIC`, each of length n.
    columns : intp [1 + len(NUMERIC), n]
        Row 0: count per block, then `records.NUMERIC`; indices into the graph's polynomials.
    peaks : dict
        For "amp" and "single": index pairs (constant, per block) of each line of the peak.
    unmodelled : dict
    """

    statics: dict[str, list[Any]]
    columns: NDArray[np.intp]
    peaks: dict[str, list[tuple[int, int]]]
    unmodelled: dict[str, int]

    @cached_property
    def fixed(self) -> dict[str, Any]:
        """Columns that depend on nothing, as `Operators` wants them."""
        codes = {"kind": KIND_CODE, "phase": PHASE_CODE, "pass_": PASS_CODE}
        found: dict[str, Any] = {
            name: np.array([code[value] for value in self.statics[name]], np.int8) for name, code in codes.items()
        }
        for name in ("half", "cast", "depthwise", "winograd"):
            found[name] = np.array(self.statics[name], bool)
        for name in ("window", "stride"):
            found[name] = np.array(self.statics[name], float)
        found["name"] = tuple(self.statics["name"])
        return found

    @cached_property
    def _without_casts(self) -> tuple[dict[str, Any], NDArray[np.intp]]:
        keep = ~self.fixed["cast"]
        fixed = {name: value[keep] for name, value in self.fixed.items() if name != "name"}
        fixed["name"] = tuple(name for name, kept in zip(self.fixed["name"], keep, strict=True) if kept)
        return fixed, self.columns[:, keep]

    def evaluate(self, values: Array, *, blocks: Array | float, variant: str) -> Operators:
        """Operators at the points where the polynomials take ``values``.

        Parameters
        ----------
        values : float64 [..., polynomials]
        blocks : float or float64 [..., 1]
        variant : str
            One of `VARIANTS`.
        """
        fixed, columns = (self.fixed, self.columns) if variant == "amp" else self._without_casts
        numbers = dict(zip(("slope", *NUMERIC), np.moveaxis(values[..., columns], -2, 0), strict=True))
        half, single = _WIDTH[variant]
        saved = numbers["saved_amp"] if variant == "amp" else numbers["saved_single"] * (half / 4)
        flags = {"fp32": np.zeros_like(fixed["half"]), "amp": fixed["half"], "half": np.ones_like(fixed["half"])}
        return Operators(
            **{name: fixed[name] for name in ("kind", "phase", "pass_", "name", "window", "stride")},
            depthwise=fixed["depthwise"],
            winograd=fixed["winograd"],
            half=flags[variant],
            count=numbers["count"] + blocks * numbers["slope"],
            read=numbers["read_half"] * half + numbers["read_single"] * single + numbers["read_other"],
            write=numbers["write_half"] * half + numbers["write_single"] * single + numbers["write_other"],
            saved=saved,
            **{name: numbers[name] for name in ("b", "m", "n", "k", "flops", "rows", "cols")},
        )

    def peak(self, values: Array, *, blocks: Array | float, variant: str) -> Array:
        """Upper envelope of the lines of the peak, bytes [...]."""
        lines = self.peaks["amp" if variant == "amp" else "single"]
        found = [values[..., start] + blocks * values[..., rise] for start, rise in lines]
        envelope = np.max(np.stack(np.broadcast_arrays(*found)), axis=0)
        return np.asarray(envelope * (0.5 if variant == "half" else 1.0))


def encode_statics(statics: dict[str, list[Any]]) -> dict[str, Any]:
    """Distinct rows of the static columns and which one each operator has."""
    rows = list(zip(*(statics[name] for name in STATIC), strict=True))
    distinct = list(dict.fromkeys(rows))
    where = {row: at for at, row in enumerate(distinct)}
    return {"rows": [list(map(_plain, row)) for row in distinct], "of": [where[row] for row in rows]}


def _plain(value: Any) -> Any:
    return int(value) if isinstance(value, bool) else value


def decode_statics(document: dict[str, Any]) -> dict[str, list[Any]]:
    """Inverse of `encode_statics`."""
    rows = document["rows"]
    return {name: [rows[at][column] for at in document["of"]] for column, name in enumerate(STATIC)}
