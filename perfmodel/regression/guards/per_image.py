"""Times of an image mixed with times of a batch: in a formula, and in a column whose rows mean both."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from perfmodel.regression.design import Finding
from perfmodel.regression.guards.cells import (
    PER_BATCH,
    PER_IMAGE,
    TIMES,
    Floats,
    Ints,
    base_name,
    cells,
    column,
    log_times,
    members,
    response_times,
    texts,
    variables_in,
)
from perfmodel.regression.guards.words import counted, listed, number, rows_of

#: Smallest batch at which a time of an image and one of a batch can be told apart.
BATCH = 2.0
#: How far log(ratio) may lie from log(batch), as a share of log(batch), and from 0 for "equal".
NEAR = 0.2
#: Share of its peak that a card reaches only when it does not wait for the host.
AT_WORK = 0.1
#: Share of the repeated settings that must fall in two groups for a refusal; one in many may be a slow machine.
SPLIT = 0.1
#: Slope of log time in log batch: at most this for a time of an image, at least that for a time of a batch.
SLOPE_IMAGE, SLOPE_BATCH = 0.1, 0.5


def check_per_image(frame: Any, response: str, names: Sequence[str] = ()) -> tuple[Finding, ...]:
    """Find mixed times; the first kind of evidence that speaks is told.

    Parameters
    ----------
    frame : DataFrame (n rows)
    response : str
        Left-hand side of the formula.
    names : sequence of str
        Variables of its right-hand side.
    """
    found = _mixed_formula(frame, response, names)
    for name in [name for name in response_times(response) if name in PER_BATCH]:
        for check in (_equal_to_image, _against_other_files, _two_clusters, _slopes):
            finding = check(frame, name)
            if finding is not None:
                found += (finding,)
                break
    return found


def _mixed_formula(frame: Any, response: str, names: Sequence[str]) -> tuple[Finding, ...]:
    """Judge a formula that holds times of both kinds and no batch."""
    own, others = response_times(response), tuple(name for name in names if name in TIMES)
    image = [name for name in (*own, *others) if name in PER_IMAGE]
    whole = [name for name in (*own, *others) if name in PER_BATCH]
    batch = np.nan_to_num(column(frame, "batch"), nan=1.0)
    if not image or not whole or "batch" in (*variables_in(response), *names) or (batch <= 1).all():
        return ()
    verb = "adds" if len(own) > 1 else "sets"
    text = f"the formula {verb} {image[0]}, the time of an image, {'to' if len(own) > 1 else 'against'} {listed(whole)}"
    remedy = f"write {image[0]} * batch, divide {listed(whole)} by batch, or use step_ms"
    text = f"{text}, the time of a batch"
    return (Finding(guard="per-image", severity="refuse", text=text, remedy=remedy, columns=(*own, *others)),)


def _equal_to_image(frame: Any, name: str) -> Finding | None:
    """Rows whose time of a batch is their own time of an image."""
    if name != "step_ms":
        return None
    batch, apart = column(frame, "batch"), np.abs(log_times(frame, name) - log_times(frame, "image_ms"))
    equal = (batch >= BATCH) & (np.nan_to_num(apart, nan=np.inf) < 0.02)
    if not equal.any():
        return None
    rows = np.flatnonzero(equal)
    return _finding(frame, rows, name, f"{name} equals image_ms at batch {number(batch[rows[0]])}")


def _against_other_files(frame: Any, name: str) -> Finding | None:
    """A file (or source) whose times are those of the others at equal settings divided by the batch."""
    logs, batch = log_times(frame, name), column(frame, "batch")
    for label in ("file", "source"):
        words = texts(frame, label)
        same = cells(frame, without=("source",))
        for word in np.unique(words) if len(np.unique(words)) > 1 else ():
            own = words == word
            ratio, expected = _ratios(logs, np.log(np.where(batch >= BATCH, batch, np.nan)), same, own)
            if len(ratio) and np.median(np.abs(ratio - expected) / expected) < NEAR and _few_below(ratio, expected):
                rows = np.flatnonzero(own & (batch >= BATCH) & np.isfinite(logs))
                factor = number(float(np.exp(np.median(ratio))))
                reason = f"{name} is {factor} times below {'other rows' if not word else 'the rest'} at equal settings"
                return _finding(frame, rows, name, f"{reason}, which is the batch", where=str(word))
    return None


def _ratios(logs: Floats, log_batch: Floats, same: Ints, own: Any) -> tuple[Floats, Floats]:
    """log(others' time / own time) in cells that both have, and log(batch) there."""
    usable = np.flatnonzero(np.isfinite(logs) & np.isfinite(log_batch))
    pairs = []
    for _, where in members(same[usable], least=2):
        rows = usable[where]
        if own[rows].any() and not own[rows].all():
            ratio = np.median(logs[rows[~own[rows]]]) - np.median(logs[rows[own[rows]]])
            pairs.append((float(ratio), float(log_batch[rows[0]])))
    table = np.array(pairs, dtype=np.float64).reshape(-1, 2)
    return table[:, 0], table[:, 1]


def _few_below(ratio: Floats, expected: Floats) -> bool:
    """Whether the ratio follows the batch: one cell at batch 2 may be chance, several or a batch of 3 are not."""
    return len(ratio) >= 3 or float(expected.max()) >= np.log(3.0)


def _two_clusters(frame: Any, name: str) -> Finding | None:
    """Cells of equal settings whose times lie in two clusters, a factor of the batch apart."""
    logs, batch = log_times(frame, name), column(frame, "batch")
    usable = np.flatnonzero(np.isfinite(logs) & (batch >= 3))
    low: list[int] = []
    judged = split = 0
    for _, where in members(cells(frame)[usable], least=4):
        rows = usable[where]
        lower = _lower_cluster(rows, logs[rows], float(np.log(batch[rows[0]])))
        judged, split, low = judged + 1, split + bool(lower), low + lower
    if not low:
        return None
    severity = "refuse" if split >= SPLIT * judged else "warning"
    rows = np.array(sorted(low), dtype=np.intp)
    factor = number(float(np.median(batch[rows])))
    reason = f"{name} falls in two groups at equal settings, a factor of the batch ({factor}) apart"
    return _finding(frame, rows, name, reason, severity=severity)


def _lower_cluster(rows: Ints, logs: Floats, log_batch: float) -> list[int]:
    order = np.argsort(logs)
    gaps = np.diff(logs[order])
    at = int(np.argmax(gaps)) + 1
    low, high = logs[order[:at]], logs[order[at:]]
    distance = float(np.median(high) - np.median(low))
    widest = max(np.ptp(low), np.ptp(high))
    apart = min(len(low), len(high)) >= 2 and gaps[at - 1] > 3.0 * widest
    return rows[order[:at]].tolist() if apart and abs(distance - log_batch) < NEAR * log_batch else []


def _slopes(frame: Any, name: str) -> Finding | None:
    """Files (or sources, or cards at work) without common settings: some times grow with the batch, others do not."""
    logs, batch = log_times(frame, name), column(frame, "batch")
    with np.errstate(invalid="ignore", divide="ignore"):
        log_batch = np.log(np.where(batch >= 1, batch, np.nan))
    strata = cells(frame, without=("batch",))
    for label in ("file", "source", "gpu"):
        words = texts(frame, label)
        bounds = {str(word): _slope(logs, log_batch, strata, words == word) for word in np.unique(words)}
        flat = [word for word, (_, high) in bounds.items() if high < SLOPE_IMAGE]
        grows = [word for word, (low, _) in bounds.items() if low > SLOPE_BATCH]
        flat = [word for word in flat if _at_work(frame, name, words == word, unknown=label != "gpu")]
        if flat and grows and _same_networks(frame, np.isin(words, flat), np.isin(words, grows)):
            rows = np.flatnonzero(np.isin(words, flat) & np.isfinite(logs))
            reason = f"{name} does not grow with the batch there, and does in {listed(grows)}"
            return _finding(frame, rows, name, reason, where=listed(flat), severity="warning")
    return None


def _slope(logs: Floats, log_batch: Floats, strata: Ints, own: Any) -> tuple[float, float]:
    """95 % interval of the slope of log time in log batch within strata; infinite where there is too little."""
    x, y, lost = [], [], 0
    usable = np.flatnonzero(own & np.isfinite(logs) & np.isfinite(log_batch))
    for _, where in members(strata[usable], least=2):
        rows = usable[where]
        if np.ptp(log_batch[rows]) > 0:
            x.append(log_batch[rows] - log_batch[rows].mean())
            y.append(logs[rows] - logs[rows].mean())
            lost += 1
    count = sum(map(len, x))
    if count - lost - 1 < 1:
        return -np.inf, np.inf
    dx, dy = np.concatenate(x), np.concatenate(y)
    slope = float(dx @ dy / (dx @ dx))
    residual = dy - slope * dx
    half = 2.0 * float(np.sqrt(residual @ residual / (count - lost - 1) / (dx @ dx)))
    return slope - half, slope + half


def _at_work(frame: Any, name: str, own: Any, *, unknown: bool) -> bool:
    """Whether rows compute most of their time; where they wait for launches, times do not grow with the batch either.

    `unknown` is the answer where the arithmetic of a step is not known.
    """
    with np.errstate(invalid="ignore", divide="ignore"):
        share = column(frame, "gflop_step")[own] / column(frame, name)[own] / column(frame, "flops")[own]
    known = share[np.isfinite(share)]
    return float(np.median(known)) > AT_WORK if len(known) else unknown


def _same_networks(frame: Any, first: Any, second: Any) -> bool:
    """Whether two sets of rows share a network, or name none: launch-bound networks do not grow with the batch."""
    models = texts(frame, "model")
    return bool(set(models[first]) & set(models[second]))


def _finding(frame: Any, rows: Ints, name: str, reason: str, *, where: str = "", severity: str = "refuse") -> Finding:
    index = tuple(int(row) for row in frame.index.to_numpy()[rows])
    place = where or listed(base_name(str(word)) for word in np.unique(texts(frame, "file")[rows]) if word)
    told = f"{place} ({counted(len(index), 'row')})" if place else rows_of(index)
    return Finding(
        guard="per-image",
        severity="refuse" if severity == "refuse" else "warning",
        text=f"{told}: {reason}: times of an image among times of a batch",
        remedy=f"multiply them by batch, or give them as image_ms and leave {name} empty",
        columns=(name, "batch"),
        rows=index,
    )
