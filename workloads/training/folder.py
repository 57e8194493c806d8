"""The folder of a run: run log, losses, checkpoints, samples; nothing of an earlier run is overwritten unasked."""

from __future__ import annotations

import csv
import json
import math
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, TextIO

import torch

from perfmodel.errors import InputError

CHECKPOINT = "checkpoint.pt"
LOSSES = "losses.csv"
LOG = "run.parquet"
SETTINGS = "settings.json"


class RunFolder:
    """Files of one run.

    Parameters
    ----------
    path : str or Path
    settings : mapping
        Settings of the run; a resumed run must have the same ones, but for those in `free`.
    resume : bool
        Go on from the folder's checkpoint.
    first : bool
        Whether this process writes.
    free : tuple of str
        Settings that may change on resuming, such as ``epochs``.

    Raises
    ------
    InputError
        When the folder holds a run already and `resume` is not given, has none to resume, or has one with other
        settings; when it cannot be written.
    """

    def __init__(
        self, path: str | Path, settings: Mapping[str, Any], *, resume: bool, first: bool, free: tuple[str, ...] = ()
    ) -> None:
        self.path, self.first = Path(path), first
        self.settings = json.loads(json.dumps(dict(settings)))
        self._losses: TextIO | None = None
        if resume:
            self._check_same(free)
        elif (self.path / CHECKPOINT).exists() or (self.path / LOSSES).exists():
            raise InputError(f"{self.path} holds a run already", "give --resume to go on with it, or another --output")
        if first:
            try:
                self.path.mkdir(parents=True, exist_ok=True)
                partial = self.path / f".{SETTINGS}.partial"
                partial.write_text(json.dumps(self.settings, indent=1), encoding="utf-8")
                os.replace(partial, self.path / SETTINGS)
            except OSError as error:
                raise InputError(f"cannot write to {self.path}: {error.strerror}", "choose another --output") from None

    def _check_same(self, free: tuple[str, ...]) -> None:
        if not (self.path / CHECKPOINT).exists():
            raise InputError(f"{self.path} holds no checkpoint to resume", "start without --resume")
        before = json.loads((self.path / SETTINGS).read_text(encoding="utf-8"))
        for name, value in self.settings.items():
            if name not in free and name in before and before[name] != value:
                raise InputError(
                    f"the run in {self.path} had {name} {before[name]!r}, not {value!r}", "resume with its settings"
                )

    def save(self, state: Mapping[str, Any]) -> None:
        """Write the checkpoint; a kill leaves the old one."""
        if not self.first:
            return
        partial = self.path / f".{CHECKPOINT}.partial"
        torch.save(dict(state), partial)
        os.replace(partial, self.path / CHECKPOINT)

    def load(self, device: torch.device) -> dict[str, Any]:
        """Read the checkpoint; it holds tensors and plain values only.

        Raises
        ------
        InputError
            When it is damaged.
        """
        return read_checkpoint(self.path / CHECKPOINT, device)

    def trim_losses(self, steps: int) -> None:
        """Keep the losses of the first `steps` steps only, as the checkpoint of a resumed run has them."""
        path = self.path / LOSSES
        if not self.first or not path.exists():
            return
        lines = path.read_text(encoding="utf-8").splitlines(keepends=True)
        kept = lines[:1] + [line for line in lines[1:] if int(line.split(",")[1]) <= steps]
        path.write_text("".join(kept), encoding="utf-8")

    def write_losses(self, row: Mapping[str, float]) -> None:
        """Append a row to ``losses.csv``; its first columns are ``Epoch`` and ``iters``."""
        if not self.first:
            return
        if self._losses is None:
            path = self.path / LOSSES
            new = not path.exists()
            self._losses = path.open("a", newline="", encoding="utf-8")
            if new:
                csv.writer(self._losses, lineterminator="\n").writerow(row)
        csv.writer(self._losses, lineterminator="\n").writerow(
            [f"{value:.6g}" if isinstance(value, float) else value for value in row.values()]
        )
        self._losses.flush()

    def close(self) -> None:
        """Close the table of losses."""
        if self._losses is not None:
            self._losses.close()
            self._losses = None


def write_json(path: Path, document: Any) -> None:
    """Write a JSON document; numbers that are not finite, as of a run that diverged, become null."""
    path.write_text(json.dumps(_finite(document), indent=1, allow_nan=False) + "\n", encoding="utf-8")


def _finite(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {key: _finite(one) for key, one in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(one) for one in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def read_checkpoint(path: Path, device: torch.device) -> dict[str, Any]:
    """Read a checkpoint of tensors and plain values.

    Raises
    ------
    InputError
        When it is damaged.
    """
    try:
        state: dict[str, Any] = torch.load(path, map_location=device, weights_only=True)
    except Exception as error:
        raise InputError(f"{path} is damaged ({type(error).__name__})", "start without --resume") from None
    return state


def load_run(output: str | Path, device: torch.device) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return checkpoint and settings of a finished or interrupted run.

    Raises
    ------
    InputError
        When the folder holds none, or it is damaged.
    """
    folder = Path(output)
    if not (folder / CHECKPOINT).is_file() or not (folder / SETTINGS).is_file():
        raise InputError(f"{folder} holds no run with a checkpoint", "give the --output of a run")
    try:
        settings = json.loads((folder / SETTINGS).read_text(encoding="utf-8"))
    except ValueError:
        raise InputError(f"{folder / SETTINGS} is damaged", "train again") from None
    return read_checkpoint(folder / CHECKPOINT, device), settings
