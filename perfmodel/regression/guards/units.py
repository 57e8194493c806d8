"""Units that slip: seconds in a column of milliseconds, and rows far from everything like them by a factor of 1000."""

from __future__ import annotations

from typing import Any

import numpy as np

from perfmodel.regression.design import Finding
from perfmodel.regression.guards.cells import Floats, Ints, cells, column, log_times, members, placed, texts
from perfmodel.regression.guards.words import counted, number

#: A slip of 1000, known within a factor of 4.
SLIP, WITHIN = np.log(1000.0), np.log(4.0)
#: Least gap between the two clusters of times.
GAP = np.log(30.0)
#: Rate over the card's peak that no algorithm reaches: Winograd F(4x4, 3x3) saves a factor of 4 (Lavin and Gray 2016).
IMPOSSIBLE = 5.0
#: Settings that change a time by less than a slip does, so that rows that differ in them are still alike.
_ALIKE = ("gpu", "n_gpu", "precision", "framework", "framework_version", "layout", "compiled", "timing_def", "data",
          "batch", "blocks", "workers", "host_cores", "data_pair", "source")  # fmt: skip


def check_units(frame: Any, response: str) -> tuple[Finding, ...]:
    """Find times that are off by a factor of 1000, and times faster than the card can compute.

    Rows of one network are compared with the batch taken out: two clusters of log time, a factor of 30 or more apart
    and their middles a factor of about 1000, are two units.
    """
    return (*_slips(frame, response), *_impossible(frame, response))


def _slips(frame: Any, response: str) -> tuple[Finding, ...]:
    logs = log_times(frame, response)
    like = _without_batch(frame, logs)
    found: list[int] = []
    middles: list[tuple[float, float]] = []
    labels = cells(frame, without=_ALIKE)
    for _, rows in members(labels, least=3):
        rows = rows[np.isfinite(like[rows])]
        split = _two_clusters(like[rows])
        if split is None:
            continue
        low, high = rows[like[rows] <= split], rows[like[rows] > split]
        distance = float(np.median(like[high]) - np.median(like[low]))
        if abs(distance - SLIP) < WITHIN:
            odd = low if len(low) <= len(high) else high
            usual = high if odd is low else low
            found += odd.tolist()
            middles.append((float(np.exp(np.median(logs[odd]))), float(np.exp(np.median(logs[usual])))))
    if not found:
        return ()
    return (_slip(frame, response, np.array(sorted(found)), middles[0]),)


def _slip(frame: Any, response: str, rows: Ints, middles: tuple[float, float]) -> Finding:
    odd, usual = middles
    index = tuple(int(row) for row in frame.index.to_numpy()[rows])
    factor = "times 1000" if odd < usual else "divided by 1000"
    unit = "seconds" if odd < usual else "microseconds"
    return Finding(
        guard="units",
        severity="refuse",
        text=f"{placed(frame, rows)}: {response} is about {number(odd)} where rows like them "
        f"have about {number(usual)}: {unit} in a column of milliseconds",
        remedy=f"give them in ms ({factor})",
        columns=(response,),
        rows=index,
    )


def _without_batch(frame: Any, logs: Floats) -> Floats:
    """Log time less half of log batch, so that a batch of 1 and one of 64 lie a factor of 8 apart, not 64."""
    batch = column(frame, "batch")
    with np.errstate(invalid="ignore", divide="ignore"):
        half = 0.5 * np.log(np.where(batch >= 1, batch, 1.0))
    result: Floats = logs - half
    return result


def _two_clusters(values: Floats) -> float | None:
    """Value that splits at the widest gap; None where no gap is wide enough."""
    if len(values) < 3:
        return None
    ordered = np.sort(values)
    gaps = np.diff(ordered)
    at = int(np.argmax(gaps))
    return float(ordered[at]) if gaps[at] > GAP else None


def _impossible(frame: Any, response: str) -> tuple[Finding, ...]:
    """Rows whose arithmetic in that time exceeds the card's peak several times over."""
    work, peak = column(frame, "gflop_step"), column(frame, "flops")
    if response not in ("step_ms", "image_ms") or np.isnan(work).all():
        return ()
    cards = np.where(np.isnan(column(frame, "n_gpu")), 1.0, column(frame, "n_gpu"))
    with np.errstate(all="ignore"):
        share = work if response == "step_ms" else work / column(frame, "batch")
        rate = share / column(frame, response)  # GFLOP / ms = TFLOP/s
        times = rate / (peak * cards)
    rows = np.flatnonzero(np.isfinite(times) & (times > IMPOSSIBLE))
    if not len(rows):
        return ()
    worst = rows[int(np.argmax(times[rows]))]
    index = tuple(int(row) for row in frame.index.to_numpy()[rows])
    return (
        Finding(
            guard="units",
            severity="warning",
            text=f"{placed(frame, rows)}: {response} {number(column(frame, response)[worst])} would be "
            f"{number(rate[worst])} TFLOP/s on {texts(frame, 'gpu')[worst]}, which has {number(peak[worst])}: "
            f"{counted(len(rows), 'time')} in another unit, of one image instead of a batch, or not synchronised",
            remedy="check the unit, and that the timer waits for the device",
            columns=(response,),
            rows=index,
        ),
    )
