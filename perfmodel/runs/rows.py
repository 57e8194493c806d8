"""Measured rows: a table of runs with the schema's columns, each cell kept as its author wrote it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from perfmodel.hardware.precision import canonical_precision, precision_words, says_nothing
from perfmodel.runs.stack import Stack, read_stack
from perfmodel.runs.timing import TimingScope, is_training, read_timing

if TYPE_CHECKING:
    from perfmodel.runs.gather import Paths

Numbers = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Runs:
    """n measured rows.

    Attributes
    ----------
    columns : mapping of str to array of str, shape (n,)
        The table's own text under the schema's names (other columns under their own); missing cells are empty.
    path : str
        Where the rows come from.
    """

    columns: Mapping[str, npt.NDArray[np.object_]]
    path: str = ""

    def __len__(self) -> int:
        """Return the number of rows."""
        return len(next(iter(self.columns.values()))) if self.columns else 0

    def text(self, name: str) -> npt.NDArray[np.object_]:
        """Return a column's own strings, shape (n,); empty strings when the table lacks it."""
        found = self.columns.get(name)
        return np.full(len(self), "", dtype=object) if found is None else found

    def number(self, name: str) -> Numbers:
        """Return a column as float64, shape (n,); NaN where a cell is missing or is no number."""
        if name not in self._parsed:
            self._parsed[name] = _numbers(self.text(name))
        return self._parsed[name]

    @cached_property
    def _parsed(self) -> dict[str, Numbers]:
        return {}

    @cached_property
    def gpu_count(self) -> Numbers:
        """Number of cards of each row; 1 where not stated."""
        count = self.number("n_gpu")
        return np.where(np.isnan(count), 1.0, count)

    @cached_property
    def training(self) -> npt.NDArray[np.bool_]:
        """Whether each row is a training step."""
        return np.array([is_training(phase) for phase in self.text("phase")], dtype=bool)

    @cached_property
    def timings(self) -> tuple[TimingScope, ...]:
        """What each row's time covers."""
        cells = zip(*(self.text(c) for c in ("timing_def", "data", "phase", "model")), strict=True)
        return tuple(read_timing(timing, data, phase, model=model) for timing, data, phase, model in cells)

    @cached_property
    def stacks(self) -> tuple[Stack, ...]:
        """Each row's software stack."""
        names = ("framework", "framework_version", "layout", "compiled", "timing_def")
        cells = zip(*(self.text(c) for c in names), strict=True)
        return tuple(read_stack(f, v, layout, c, hints=hints) for f, v, layout, c, hints in cells)

    @cached_property
    def precisions(self) -> tuple[str, ...]:
        """Each row's precision as text that `resolve_precision` reads.

        A row whose precision is not stated may state it in its ``timing_def`` (``Throughput - TF32``); one that says
        nothing anywhere is fp32.
        """
        return tuple(map(row_precision, self.text("precision"), self.text("timing_def")))

    @cached_property
    def step_s(self) -> Numbers:
        """Time of one step of each row, s: `latency_ms`, else global batch over throughput; NaN where neither tells.

        Throughput in tokens needs `seq_len`; units that are neither samples nor tokens (mel frames) give NaN.
        """
        latency = self.number("latency_ms") / 1e3
        units = np.array(
            [samples_per_unit(u, s) for u, s in zip(self.text("unit"), self.number("seq_len"), strict=True)]
        )
        with np.errstate(divide="ignore", invalid="ignore"):
            derived = self.number("batch") / (self.number("throughput_per_s") * units)
        step = np.where(np.isnan(latency), derived, latency)
        return np.where((step > 0) & np.isfinite(step), step, np.nan)

    def select(self, mask: npt.ArrayLike) -> Runs:
        """Return the rows that a boolean mask or an index array picks."""
        chosen = np.asarray(mask)
        return Runs({name: column[chosen] for name, column in self.columns.items()}, self.path)

    def to_frame(self) -> Any:
        """Return the rows as a pandas DataFrame of the table's own text."""
        from importlib import import_module

        return import_module("pandas").DataFrame(dict(self.columns))


def read_runs(path: Paths, *, known: Mapping[str, object] | None = None, salvage: bool = False) -> Runs:
    """Read measured rows that can be predicted, from one file or several of any layout that `gather_runs` reads.

    The cells of tables stay as they are: a row that cannot be predicted is for its reader to judge.

    Parameters
    ----------
    path : str, Path or sequence of them
        CSV, gzipped CSV or Parquet; ``FILE@gpu=v100,blocks=9`` sets columns of one file.
    known : mapping, optional
        Values of columns that the files do not tell.
    salvage : bool
        Leave out rows that do not fit their header, instead of refusing the file.

    Raises
    ------
    TableError
        When a file is not a table, or lacks the columns that a prediction needs; the message names it.
    """
    from perfmodel.runs.gather import gather_measured

    return gather_measured(path, known=known, salvage=salvage).runs


def row_precision(precision: str, timing_def: str = "") -> str:
    """Return the words that tell a row's precision: its own, else what `timing_def` says, else fp32."""
    if precision_words(precision):
        return precision
    if precision_words(timing_def):
        return timing_def
    return canonical_precision("") if says_nothing(precision) else precision


def samples_per_unit(unit: str, seq_len: float) -> float:
    """Return how many samples one unit of throughput is: 1 (images, sequences), 1 / seq_len (tokens), else NaN."""
    word = unit.lower()
    if "tok" in word or "word" in word:
        return 1.0 / seq_len if seq_len > 0 else np.nan
    if "mel" in word or "audio" in word:
        return np.nan
    return 1.0


def _numbers(cells: npt.NDArray[np.object_]) -> Numbers:
    return np.array([_number(cell) for cell in cells], dtype=np.float64)


def _number(cell: str) -> float:
    try:
        return float(cell) if cell else np.nan
    except ValueError:
        return np.nan
