"""A measuring session: all parts of one device, in order, each with its share of the time, resumable at every row."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

from perfmodel import __version__
from perfmodel.errors import InputError

from . import machine, measure, programs
from .rows import SCHEMA_VERSION, Row, RowStore

# In the order of measuring, with the share of the time that each may take; what one leaves over the next ones get.
PARTS: dict[str, float] = {"kernels": 0.5, "transfers": 0.06, "launch": 0.04, "steps": 0.4}

Progress = Callable[[str], None]


@dataclass(frozen=True, kw_only=True)
class Request:
    """What to measure.

    Parameters
    ----------
    device : str
        ``cuda`` or ``cpu``.
    output : Path
        Folder under which the session's own folder, ``DEVICE-DATE``, is made or taken up again.
    budget_s : float
        Seconds for all parts together.
    parts : tuple of str
        Those of `PARTS` to measure.
    dry : bool
        Measure a few tiny cases of every part, to try the whole path.
    """

    device: str
    output: Path
    budget_s: float
    parts: tuple[str, ...] = tuple(PARTS)
    dry: bool = False

    def __post_init__(self) -> None:
        """Check the parts, the device and the budget."""
        unknown = [part for part in self.parts if part not in PARTS]
        if unknown:
            raise InputError(f"no part '{unknown[0]}'", f"known: {', '.join(PARTS)}")
        if self.device not in ("cuda", "cpu"):
            raise InputError(f"no device '{self.device}'", "known: cuda, cpu")
        if not self.budget_s > 0:
            raise InputError(f"a budget of {self.budget_s:g} s is too short", "give a positive number of seconds")


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """What a session left.

    Parameters
    ----------
    folder : Path
        Folder of its tables.
    complete : dict of str to bool
        For each part asked for, whether all its cases are there.
    rows : dict of str to int
        Rows of each part, those of earlier sessions included.
    """

    folder: Path
    complete: dict[str, bool] = field(default_factory=dict)
    rows: dict[str, int] = field(default_factory=dict)


def run(request: Request, *, progress: Progress = lambda _: None) -> Outcome:
    """Measure what is asked for and not yet there.

    Rows are on disk a few seconds after they are measured; whatever ends the session, an interrupt included, writes
    the rest first.

    Raises
    ------
    DependencyError, CudaUnavailableError
        As `measure.open_session`.
    """
    started = time.monotonic()
    torch = measure.import_torch()
    session = measure.open_session(request.device, dry=request.dry, emit=lambda _: None)
    facts = machine.describe(torch, request.device)
    day = datetime.now(UTC).strftime("%Y%m%d")
    store = RowStore(request.output / f"{machine.slug(facts)}-{day}{'-dry' if request.dry else ''}")
    sessions = _earlier_sessions(store.folder)
    complete: dict[str, bool] = {}
    try:
        for part, deadline in _deadlines(request, started):
            complete[part] = _run_part(part, session, store, deadline(), progress)
            store.flush()
    finally:
        store.flush()
        facts |= {"complete": complete, "seconds": round(time.monotonic() - started, 1), "dry": request.dry}
        if request.device == "cuda":
            facts["gpu_state_after"] = machine.gpu_state()
        store.write_json("session.json", _document([*sessions, facts]))
    return Outcome(folder=store.folder, complete=complete, rows={part: len(store.rows(part)) for part in complete})


def _document(sessions: Sequence[dict[str, Any]]) -> dict[str, Any]:
    return {"schema_version": SCHEMA_VERSION, "perfmodel": __version__, "sessions": list(sessions)}


def _earlier_sessions(folder: Path) -> list[dict[str, Any]]:
    path = folder / "session.json"
    if not path.exists():
        return []
    sessions: list[dict[str, Any]] = json.loads(path.read_text(encoding="utf-8"))["sessions"]
    return sessions


def _deadlines(request: Request, started: float) -> list[tuple[str, Callable[[], float]]]:
    """Parts with their deadlines, each computed when the part begins so that time left over is passed on."""
    wanted = [part for part in PARTS if part in request.parts]
    end = started + request.budget_s

    def deadline(index: int) -> float:
        now = time.monotonic()
        rest = sum(PARTS[part] for part in wanted[index:])
        return now + max(0.0, end - now) * PARTS[wanted[index]] / rest

    return [(part, partial(deadline, index)) for index, part in enumerate(wanted)]


def _run_part(part: str, session: measure.Session, store: RowStore, deadline: float, progress: Progress) -> bool:
    begun, before = time.monotonic(), len(store.rows(part))
    progress(f"{part}: {before} rows there, {max(0.0, deadline - begun):.0f} s to measure more")
    last = begun

    def emit(row: Row) -> None:
        nonlocal last
        store.add(part, row)
        if time.monotonic() - last > 10.0:
            last = time.monotonic()
            progress(f"{part}: {len(store.rows(part))} rows")

    active = measure.Session(
        **{**vars(session), "emit": emit, "known": lambda key: store.has(part, key)},
    )
    runners = {
        "kernels": measure.measure_kernels,
        "transfers": measure.measure_transfers,
        "launch": measure.measure_launch,
        "steps": programs.measure_steps,
    }
    done = runners[part](active, deadline=deadline)
    rows = len(store.rows(part))
    ending = "" if done else ", not complete"
    progress(f"{part}: {rows} rows ({rows - before} new) in {time.monotonic() - begun:.0f} s{ending}")
    return done
