"""From captures at several points to operators symbolic in batch, size and blocks.

A capture is already linear in the batch (`records.split`). Captures at several sizes give each number as a polynomial
in ``x = (size - default) / step``, fitted exactly with rational arithmetic and checked on a point that was not used.
Captures at several block counts differ in how often an operator runs only: counts are linear in the blocks.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache
from typing import Any

from perfmodel.errors import FailureError
from perfmodel.graph.records import NUMERIC, STATIC, Record, split

Poly = tuple[Fraction, ...]
"""Coefficients of ``B^i x^j``: first all powers of x for B^0, then for B^1."""


@dataclass(frozen=True)
class Captured:
    """What one run of a step gave.

    Attributes
    ----------
    records : list of Record
    batch : int
        See `records.split`.
    peaks : dict
        For "amp" and "single": (constant, per sample) bytes at each of `lifetimes.PEAK_BATCHES`.
    parameters, tensors, buffer_bytes : int
        Trainable parameters, their tensors, and the bytes of buffers.
    input_bytes : tuple of int
        (constant, per sample).
    unmodelled : dict
    """

    records: list[Record]
    batch: int
    peaks: dict[str, list[tuple[int, int]]]
    parameters: int
    tensors: int
    buffer_bytes: int
    input_bytes: tuple[int, int]
    unmodelled: dict[str, int]


@dataclass(frozen=True)
class Merged:
    """Distinct operators of one mode: counts by key, where a key is (static fields, polynomials)."""

    counts: dict[tuple[Any, ...], Poly]
    peaks: dict[str, list[Poly]]
    input_bytes: Poly
    parameters: int
    tensors: int
    buffer_bytes: int
    unmodelled: dict[str, int]
    degree: int


@lru_cache(maxsize=200_000)
def interpolate(points: tuple[int, ...], values: tuple[int, ...], degree: int) -> tuple[Fraction, ...]:
    """Coefficients of the polynomial of ``degree`` through the first points.

    Raises
    ------
    FailureError
        When a further point does not lie on it.
    """
    if len(set(values)) == 1:
        return (Fraction(values[0]), *[Fraction(0)] * degree)
    used = degree + 1
    table = [Fraction(value) for value in values[:used]]
    for order in range(1, used):
        for at in range(used - 1, order - 1, -1):
            table[at] = (table[at] - table[at - 1]) / (points[at] - points[at - order])
    poly = [Fraction(0)] * used
    for at in range(used - 1, -1, -1):  # Horner on Newton's form
        shifted = [Fraction(0), *poly[:-1]]
        poly = [up - points[at] * here for up, here in zip(shifted, poly, strict=True)]
        poly[0] += table[at]
    for point, value in zip(points[used:], values[used:], strict=True):
        if sum(c * point**power for power, c in enumerate(poly)) != value:
            raise FailureError(f"not a polynomial of degree {degree} in the size: {values} at {points}", "")
    return tuple(poly)


def _pairs(record: Record, batch: int) -> dict[str, tuple[int, int]]:
    """Every numeric column as (constant, per sample)."""
    found = {}
    for column in NUMERIC:
        if hasattr(record, column):
            value = getattr(record, column)
            found[column] = (value, 0) if column == "count" else split(value, batch)
        else:
            constant, per_sample = record.linear.get(column, (0, 0))
            found[column] = (constant, per_sample)
    return found


def _static(record: Record) -> tuple[Any, ...]:
    return tuple(getattr(record, name) for name in STATIC)


def fit_sizes(captures: Sequence[Captured], points: Sequence[int], degree: int) -> Merged:
    """Fit captures at sizes ``default + step * point`` and merge equal operators.

    Parameters
    ----------
    captures : sequence of Captured
        At least ``degree + 1``; further ones are checked.
    points : sequence of int
    degree : int
        Of the polynomials in the size.

    Raises
    ------
    FailureError
        When the captures differ in more than numbers, or a number is no such polynomial.
    """
    first = captures[0]
    shapes = {tuple(map(_static, capture.records)) for capture in captures}
    if len(shapes) != 1:
        raise FailureError("the operators change with the size, not only their shapes", "capture at one size")
    where = tuple(points)
    columns = [[_pairs(record, capture.batch) for record in capture.records] for capture in captures]
    counts: dict[tuple[Any, ...], Poly] = {}
    for at, record in enumerate(first.records):
        polys = {name: _fit([column[at][name] for column in columns], where, degree) for name in NUMERIC}
        key = (_static(record), tuple(polys[name] for name in NUMERIC[1:]))
        counts[key] = _add(counts[key], polys["count"]) if key in counts else polys["count"]
    peaks = {
        which: [_fit_loosely([c.peaks[which][i] for c in captures], where, degree) for i in range(len(lines))]
        for which, lines in first.peaks.items()
    }
    inputs = _fit([capture.input_bytes for capture in captures], where, degree)
    return Merged(counts, peaks, inputs, first.parameters, first.tensors, first.buffer_bytes, first.unmodelled, degree)


def _fit(values: list[tuple[int, int]], points: tuple[int, ...], degree: int) -> Poly:
    constants = interpolate(points, tuple(pair[0] for pair in values), degree)
    return constants + interpolate(points, tuple(pair[1] for pair in values), degree)


def _fit_loosely(values: list[tuple[int, int]], points: tuple[int, ...], degree: int) -> Poly:
    """Fit without the check: the moment of the peak may move with the size."""
    used = degree + 1
    return _fit(values[:used], points[:used], degree)


def _add(first: Poly, second: Poly, factor: int = 1) -> Poly:
    return tuple(a + factor * b for a, b in zip(first, second, strict=True))


@dataclass(frozen=True)
class Blocks:
    """Merged operators with counts linear in the blocks: ``constant + blocks * slope``."""

    keys: list[tuple[Any, ...]]
    constant: list[Poly]
    slope: list[Poly]
    peaks: dict[str, list[tuple[Poly, Poly]]]
    input_bytes: Poly
    parameters: tuple[int, int]
    tensors: tuple[int, int]
    buffer_bytes: tuple[int, int]
    unmodelled: dict[str, int]
    degree: int


def without_blocks(merged: Merged) -> Blocks:
    """Wrap a network that has no block count."""
    zero = tuple(Fraction(0) for _ in range(2 * (merged.degree + 1)))
    return Blocks(
        keys=list(merged.counts),
        constant=list(merged.counts.values()),
        slope=[zero] * len(merged.counts),
        peaks={which: [(line, zero) for line in lines] for which, lines in merged.peaks.items()},
        input_bytes=merged.input_bytes,
        parameters=(merged.parameters, 0),
        tensors=(merged.tensors, 0),
        buffer_bytes=(merged.buffer_bytes, 0),
        unmodelled=merged.unmodelled,
        degree=merged.degree,
    )


def fit_blocks(merged: dict[int, Merged]) -> Blocks:
    """Fit counts linear in the blocks from three or more block counts; all beyond two are checked.

    Raises
    ------
    FailureError
        When a count is not linear in the blocks.
    """
    (n0, first), (n1, second), *others = sorted(merged.items())
    keys = list(second.counts) + [key for key in first.counts if key not in second.counts]
    zero = tuple(Fraction(0) for _ in range(2 * (first.degree + 1)))
    constant, slope = [], []
    for key in keys:
        low, high = first.counts.get(key, zero), second.counts.get(key, zero)
        rise = tuple((b - a) / (n1 - n0) for a, b in zip(low, high, strict=True))
        start = _add(low, rise, -n0)
        for blocks, other in others:
            if _add(start, rise, blocks) != other.counts.get(key, zero):
                raise FailureError(f"the count of {key[0]} is not linear in the blocks", "")
        constant.append(start)
        slope.append(rise)
    known = set(keys)
    if any(key not in known for _, other in others for key in other.counts):
        raise FailureError("new operators appear at more blocks", "")

    def line(low: int, high: int) -> tuple[int, int]:
        rise = (high - low) // (n1 - n0)
        return low - n0 * rise, rise

    peaks: dict[str, list[tuple[Poly, Poly]]] = {}
    for which, lines in first.peaks.items():
        peaks[which] = []
        for low, high in zip(lines, second.peaks[which], strict=True):
            rise = tuple((b - a) / (n1 - n0) for a, b in zip(low, high, strict=True))
            peaks[which].append((_add(low, rise, -n0), rise))
    return Blocks(
        keys,
        constant,
        slope,
        peaks,
        second.input_bytes,
        line(first.parameters, second.parameters),
        line(first.tensors, second.tensors),
        line(first.buffer_bytes, second.buffer_bytes),
        second.unmodelled,
        second.degree,
    )
