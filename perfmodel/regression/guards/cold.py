"""Cold first rows: a loader that starts, libraries that choose kernels. They are no steps of a training that runs."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from perfmodel.regression.design import Finding
from perfmodel.regression.guards.cells import (
    TIMES,
    Floats,
    Ints,
    cells,
    column,
    log_times,
    members,
    placed,
    robust_sd,
    texts,
)
from perfmodel.regression.guards.words import counted, listed, number

Mask = npt.NDArray[np.bool_]

#: How many robust standard deviations of log time above the median is far.
FAR = 5.0
#: Standard deviation of log time that repeats have at least: 2 %, the noise of identical machines.
FLOOR = 0.02
#: Least factor above the slow ones of the rest.
FACTOR = 1.3
#: Rows that a sequence needs, and an epoch within it.
LEAST, LEAST_EPOCH = 3, 3
#: Below so many rows spread says little: there, a cold row takes `FACTOR_FEW` times the longest of the rest.
FEW, FACTOR_FEW = 6, 3.0
#: Share of a run's rows that follow each other in the table.
FOLLOW = 0.9
#: Rows at a start that may be cold.
LEAD = 3
#: Files that are told one by one.
MOST_FILES = 3


def check_cold(frame: Any) -> tuple[Mask, tuple[Finding, ...]]:
    """Find rows that are cold: those the log says are, and first rows far above the rest of their run.

    A run is the rows of one file at equal settings in their order, where they follow each other or state their epochs
    (the rows of a table of results have no first one). Its first rows, and the first of each of its epochs,
    are cold when their step, loading or image time lies above both: the median + 5 robust standard deviations of log
    time (median absolute deviation, at least 2 %), and 1.3 times what 95 % of the run's other rows take at most; in a
    run of fewer than six rows, three times the longest of the others.

    Returns
    -------
    cold : bool array (n,)
    findings : tuple of Finding
    """
    stated = column(frame, "cold") == 1.0
    found = np.zeros(len(frame), dtype=bool)
    causes: dict[int, str] = {}
    sequence = cells(frame, also=("file",))
    warm = {name: np.where(stated, np.nan, log_times(frame, name)) for name in TIMES if name in frame.columns}
    epoch = column(frame, "epoch")
    for _, rows in members(sequence, least=LEAST):
        if not _in_order(rows, epoch):
            continue
        for name, logs in warm.items():
            for at, typical in _cold_rows(logs[rows], epoch[rows]):
                found[rows[at]] = True
                causes.setdefault(int(rows[at]), f"{name} {number(np.exp(logs[rows[at]]))} against {number(typical)}")
    return stated | found, (*_stated(frame, stated), *_found(frame, found & ~stated, causes))


def _in_order(rows: Ints, epoch: Floats) -> bool:
    return bool(np.isfinite(epoch[rows]).all() or np.mean(np.diff(rows) == 1) >= FOLLOW)


def _cold_rows(logs: Floats, epoch: Floats) -> list[tuple[int, float]]:
    """Positions of cold rows in one run with the run's typical time."""
    leads = [start + np.arange(min(LEAD, length)) for start, length in _starts(epoch)]
    body = np.ones(len(logs), dtype=bool)
    body[[at for lead in leads for at in lead[:1]]] = False
    rest = logs[body & np.isfinite(logs)]
    if len(rest) < LEAST - 1:
        return []
    middle = float(np.median(rest))
    few = float(np.max(rest)) + np.log(FACTOR_FEW) if len(logs) < FEW else -np.inf
    far = middle + FAR * max(robust_sd(rest), FLOOR)
    limit = max(far, max(middle, float(np.quantile(rest, 0.95))) + np.log(FACTOR), few)
    cold: list[tuple[int, float]] = []
    for lead in leads:
        above = logs[lead] > limit
        count = len(lead) if above.all() else int(np.argmin(above))
        cold += [(int(at), float(np.exp(middle))) for at in lead[:count]]
    return cold


def _starts(epoch: Floats) -> list[tuple[int, int]]:
    """Start and length of a run and of its epochs (those long enough to have a first row that differs)."""
    n = len(epoch)
    if np.isnan(epoch).all():
        return [(0, n)]
    changes = np.flatnonzero(np.r_[True, epoch[1:] != epoch[:-1]])
    lengths = np.diff(np.r_[changes, n])
    if np.median(lengths) < LEAST_EPOCH:
        return [(0, n)]
    return list(zip(changes.tolist(), lengths.tolist(), strict=True))


def _stated(frame: Any, stated: Mask) -> tuple[Finding, ...]:
    if not stated.any():
        return ()
    at = np.flatnonzero(stated)
    text = f"{counted(len(at), 'row')} marked cold in the log {'is' if len(at) == 1 else 'are'} left out"
    return (Finding(guard="cold", severity="note", text=text, columns=("cold",), rows=_index(frame, at)),)


def _found(frame: Any, cold: Mask, causes: dict[int, str]) -> tuple[Finding, ...]:
    """One finding a file, or one for all where there are many."""
    at = np.flatnonzero(cold)
    by_file = [(name, at[where]) for name, where in members(texts(frame, "file")[at])]
    if len(by_file) > MOST_FILES:
        text = f"{counted(len(at), 'row')} of {len(by_file)} files are first of a run or an epoch, far above the rest "
        return (_finding(frame, at, f"{text}({placed(frame, at)}; {causes[int(at[0])]} in the first)"),)
    findings = []
    for _, rows in by_file:
        reasons = listed((causes[int(row)] for row in rows), most=2)
        verb = "is" if len(rows) == 1 else "are"
        text = f"{placed(frame, rows)} {verb} first of a run or an epoch, far above the rest ({reasons})"
        findings.append(_finding(frame, rows, text))
    return tuple(findings)


def _finding(frame: Any, rows: Ints, text: str) -> Finding:
    return Finding(
        guard="cold",
        severity="warning",
        text=f"{text}: left out as cold (loader start-up, warm-up)",
        remedy="log a warm-up step apart, or mark it in a column cold",
        rows=_index(frame, rows),
    )


def _index(frame: Any, at: Ints) -> tuple[int, ...]:
    return tuple(int(row) for row in frame.index.to_numpy()[at])
