"""Reading run logs: files of one row a step, as `perfmodel.instrument.runlog` describes them."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from perfmodel.errors import TableError
from perfmodel.instrument import runlog
from perfmodel.runs.table import parquet_metadata, read_table, read_text


@dataclass(frozen=True)
class RunLog:
    """A checked run log of n steps.

    Attributes
    ----------
    header : dict
        What ran (fields of `perfmodel.instrument.runlog.HEADER` and free ones).
    columns : dict of str to array of float64, shape (n,)
        Columns of the schema and optional ones, with their units in the names.
    """

    header: dict[str, Any]
    columns: dict[str, npt.NDArray[np.float64]]

    @property
    def warm(self) -> npt.NDArray[np.bool_]:
        """Steps that count: neither loader start-up nor warm-up."""
        return np.equal(self.columns["cold"], 0.0)

    def mean_step_ms(self) -> float:
        """Mean time of the warm steps, ms.

        Raises
        ------
        TableError
            When no step is warm.
        """
        if not self.warm.any():
            raise TableError("the run log has no warm step", "log more steps")
        return float(self.columns["step_ms"][self.warm].mean())


def read_run_log(path: str | Path) -> RunLog:
    """Read and check a run log in CSV (plain or gzipped) or Parquet.

    Raises
    ------
    TableError
        When the file is missing, is no table, or breaks the schema.
    """
    stored = parquet_metadata(path, runlog.HEADER_KEY)
    header = runlog.parse_header(_first_line(path) if stored is None else stored, where=str(path))
    columns = {name: _numbers(name, cells, path) for name, cells in read_table(path, comment="#").items()}
    runlog.validate_run_log({name: values.tolist() for name, values in columns.items()}, header, where=str(path))
    return RunLog(header, columns)


def _first_line(path: str | Path) -> str:
    return read_text(path).split("\n", 1)[0]


def _numbers(name: str, cells: list[str], path: str | Path) -> npt.NDArray[np.float64]:
    try:
        return np.array([float(cell) if cell else np.nan for cell in cells], dtype=np.float64)
    except ValueError as error:
        raise TableError(f"{path}: the column {name} holds text ({error})", runlog.REMEDY) from None
