"""Labels of driving frames: speed and turn rate of each image, in physical units and scaled to [0, 1]."""

from __future__ import annotations

import csv
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from perfmodel.errors import InputError
from perfmodel.workloads.datasets.scene import SPEED_RANGE, TURN_RANGE

LABELS = "labels.csv"
COLUMNS = ("image", "v", "w")
OUTPUTS = ("v", "w")
UNITS = {"v": "m/s", "w": "deg/s"}
RANGES = {"v": SPEED_RANGE, "w": TURN_RANGE}
"""What 0 and 1 stand for; the reference data's own ranges."""
_HOW = "perfmodel datasets how-to frames says how it must lie"


@dataclass(frozen=True)
class Labelled:
    """An image file with its speed (m/s) and turn rate (deg/s, positive to the right)."""

    path: Path
    v: float
    w: float


def scale(name: str, value: float) -> float:
    """Map a physical value of output `name` to [0, 1]."""
    low, high = RANGES[name]
    return float((value - low) / (high - low))


def span(name: str) -> float:
    """Physical length of the range that [0, 1] stands for."""
    low, high = RANGES[name]
    return float(high - low)


def read_frames(folders: Sequence[str | Path]) -> tuple[Labelled, ...]:
    """Read the labels of several folders, in order.

    Parameters
    ----------
    folders : sequence of str or Path
        Each with a ``labels.csv``, or with folders in it that have one.

    Raises
    ------
    InputError
        When there is none; naming file and row when a row is wrong or its image is missing.
    """
    if not folders:
        raise InputError("no folder of driving frames", "give --data")
    found = [row for folder in folders for one in _labelled_folders(Path(folder)) for row in _rows(one)]
    return tuple(found)


def _labelled_folders(folder: Path) -> list[Path]:
    if not folder.is_dir():
        raise InputError(f"no folder {folder}", f"give --data; {_HOW}")
    if (folder / LABELS).is_file():
        return [folder]
    below = sorted(path.parent for path in folder.glob(f"*/{LABELS}"))
    if not below:
        raise InputError(f"{folder} holds no {LABELS}", _HOW)
    return below


def _rows(folder: Path) -> Iterator[Labelled]:
    path = folder / LABELS
    here = {one.name for one in folder.iterdir()}
    count = 0
    for count, row in enumerate(_records(path), 1):
        where = f"{path}, row {count}"
        name = (row["image"] or "").strip()
        if not name or (name not in here and not (folder / name).is_file()):
            raise InputError(f"{where}: there is no image {name!r}", "put it back, or take the row out")
        yield Labelled(folder / name, *(_value(row[key], key, where) for key in OUTPUTS))
    if not count:
        raise InputError(f"{path} has no rows", _HOW)


def _records(path: Path) -> list[dict[str, str | None]]:
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            reader = csv.DictReader(file)
            missing = [name for name in COLUMNS if name not in (reader.fieldnames or ())]
            if missing:
                raise InputError(f"{path} lacks the column {missing[0]}", f"its columns are {', '.join(COLUMNS)}")
            return list(reader)
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise InputError(f"cannot read {path} ({type(error).__name__})", "write it anew as CSV") from None


def _value(text: str | None, name: str, where: str) -> float:
    try:
        value = float(text or "")
    except ValueError:
        raise InputError(f"{where}: {name} is {text!r}, no number", "correct it or take the row out") from None
    low, high = RANGES[name]
    if not (math.isfinite(value) and low <= value <= high):
        raise InputError(
            f"{where}: {name} is {value:g}, outside {low:g} to {high:g} {UNITS[name]}",
            "correct it or take the row out",
        )
    return value
