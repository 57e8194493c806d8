"""Rows at equal settings: what repeats, so that their times may be compared."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from perfmodel.regression.guards.words import listed, rows_of

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.intp]

#: Columns that together say what was run; rows that agree in all of them repeat each other.
SETTINGS = (
    "gpu", "n_gpu", "model", "phase", "precision", "framework", "framework_version", "layout", "compiled", "timing_def",
    "data", "params_M", "batch", "image_size", "seq_len", "blocks", "workers", "host_cores", "data_pair", "source",
)  # fmt: skip

#: Measured times, ms: of a batch (step, loading) and of an image (compute).
PER_BATCH = ("step_ms", "data_ms")
PER_IMAGE = ("image_ms",)
TIMES = PER_BATCH + PER_IMAGE
#: Columns made of a time: the grey box's measured step over the physical model's.
MADE_OF = {"measured_over_physical": "step_ms"}


def cells(frame: Any, *, without: Sequence[str] = (), also: Sequence[str] = ()) -> Ints:
    """Label rows of equal settings.

    Parameters
    ----------
    frame : DataFrame (n rows)
        Variables; settings that it lacks do not tell rows apart, and missing cells equal each other.
    without, also : sequence of str
        Settings that may differ, and further columns that may not.

    Returns
    -------
    int array (n,)
    """
    names = [name for name in (*SETTINGS, *also) if name in frame.columns and name not in without]
    if not names:
        return np.zeros(len(frame), dtype=np.intp)
    labels: Ints = frame.groupby(names, dropna=False, sort=False).ngroup().to_numpy(dtype=np.intp)
    return labels


def members(labels: npt.NDArray[Any], *, least: int = 1) -> Iterator[tuple[Any, Ints]]:
    """Return each label with the positions that carry it, in order; labels of fewer than `least` are left out."""
    order = np.argsort(labels, kind="stable")
    ordered = labels[order]
    starts = np.flatnonzero(np.r_[True, ordered[1:] != ordered[:-1]]) if len(labels) else np.zeros(0, dtype=np.intp)
    for group in np.split(order, starts[1:]) if len(starts) else ():
        if len(group) >= least:
            yield labels[group[0]], group


def column(frame: Any, name: str) -> Floats:
    """Return a numeric column as float64, shape (n,); NaN where the frame lacks it."""
    if name not in frame.columns:
        return np.full(len(frame), np.nan)
    values: Floats = frame[name].to_numpy(dtype=np.float64, na_value=np.nan)
    return values


def texts(frame: Any, name: str) -> npt.NDArray[np.str_]:
    """Return a text column, shape (n,); empty where the frame lacks it or a cell is missing."""
    if name not in frame.columns:
        return np.full(len(frame), "", dtype=np.str_)
    return np.array(["" if cell is None or cell != cell else str(cell) for cell in frame[name]], dtype=np.str_)


def base_name(path: str) -> str:
    """Last step of a path."""
    return re.split(r"[/\\]", path)[-1]


def rows_told(frame: Any, at: Ints) -> str:
    """Row numbers within the file where the table keeps them, else within the table: ``rows 1 and 2``."""
    own = column(frame, "row")[at]
    numbers = frame.index.to_numpy()[at] if np.isnan(own).any() else own - 1
    return rows_of([int(number) for number in numbers])


def placed(frame: Any, at: Ints, *, most: int = 3) -> str:
    """Name rows by file and number: ``a.csv: rows 1 and 2``, or ``row 1 of a.csv and row 7 of b.csv``."""
    files = texts(frame, "file")
    by_file = [(base_name(str(name)), rows) for name, rows in members(files[at]) if name]
    if not by_file:
        return rows_told(frame, at)
    if len(by_file) == 1 and by_file[0][0]:
        return f"{by_file[0][0]}: {rows_told(frame, at)}"
    return listed((f"{rows_told(frame, at[rows])} of {name}" for name, rows in by_file), most=most)


def log_times(frame: Any, name: str) -> Floats:
    """Return the logarithm of a time column; NaN where a time is missing or not positive."""
    values = column(frame, name)
    with np.errstate(divide="ignore", invalid="ignore"):
        logs = np.log(values)
    return np.where(np.isfinite(logs), logs, np.nan)


def variables_in(text: str) -> tuple[str, ...]:
    """Names of variables in a term, a response or a column of a design, in order and once each.

    ``log(cores):blocks`` holds cores and blocks; the level in ``data_pair[T.a-b]`` is no variable.
    """
    bare = re.sub(r"\[[^\]]*\]", "", text)
    found = re.findall(r"(?<![\w.'\"])[A-Za-z_]\w*(?!\s*\(|\.|\w)", bare)
    return tuple(dict.fromkeys(name for name in found if name not in ("np", "Intercept")))


def response_times(response: str) -> tuple[str, ...]:
    """Times that a response is made of."""
    names = (MADE_OF.get(name, name) for name in variables_in(response))
    return tuple(name for name in names if name in TIMES)


def robust_sd(values: Floats) -> float:
    """Standard deviation by the median absolute deviation (1.4826 MAD: Rousseeuw and Croux 1993)."""
    return 1.4826 * float(np.median(np.abs(values - np.median(values)))) if len(values) else np.nan
