"""Fit the shipped prior: ``python -m perfmodel.calibration.fit_prior --data DIR``.

Reads ``measurements/kernels.csv.gz`` and ``measurements/end_to_end.csv.gz`` of a data folder and the project's own
sessions, fits kernels and steps, leaves cards, families and sources out, and writes the prior with its provenance
and ``docs/accuracy.md``.
"""

from __future__ import annotations

import argparse
import hashlib
import sys
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import numpy.typing as npt

from perfmodel import __version__
from perfmodel.calibration.accuracy import Results, write_accuracy
from perfmodel.calibration.after_calibration import Calibrated, score_kernel_profiles, score_steps
from perfmodel.calibration.cross_validation import (
    Fitted,
    Fold,
    Table,
    answer_table,
    features_of,
    fit_table,
    kernel_cache,
    leave_out,
    take,
)
from perfmodel.calibration.fit_kernels import fit_kernels
from perfmodel.calibration.kernel_rows import KernelRows, concatenate_rows, read_kernel_rows
from perfmodel.calibration.kernel_scores import score_kernels
from perfmodel.calibration.scoring import conformal_factors
from perfmodel.calibration.session_rows import session_kernels, session_runs
from perfmodel.calibration.sessions import MEASUREMENTS, MeasuredSession, read_sessions
from perfmodel.calibration.spread import cross_spread, fit_spread
from perfmodel.efficiency.prior import PRIOR_FILE, Prior
from perfmodel.errors import InputError
from perfmodel.runs.rows import Runs, read_runs
from perfmodel.validation.features import QuestionFeatures
from perfmodel.validation.resolve import resolve_rows

#: Rows of these tiers are not fitted: several cards, or parsed without a person's check.
_LEFT_TIERS = ("secondary",)


def read_table(path: Path) -> tuple[Table, Counter[str], int]:
    """Read measured steps.

    Returns
    -------
    table : Table
    unresolved : Counter
        Reasons of the rows that cannot be predicted.
    rows : int
        Rows of the table that are eligible.
    """
    runs = read_runs(path)
    runs = runs.select(np.array([tier not in _LEFT_TIERS for tier in runs.text("tier")]))
    table, unresolved = _resolved(runs)
    return table, unresolved, len(runs)


def _resolved(runs: Runs) -> tuple[Table, Counter[str]]:
    questions, unresolved = resolve_rows(runs)
    phase = runs.text("phase")
    return Table(questions, np.array([str(phase[one.row]) for one in questions], dtype=np.str_)), unresolved


def own_sessions(folder: Path | None) -> list[MeasuredSession]:
    """The project's sessions of GPUs; those of processors and dry runs tell nothing of a GPU and are passed over.

    Parameters
    ----------
    folder : Path or None
        None takes the folder that ``make gpu`` fills, where there is one.
    """
    if folder is None and not MEASUREMENTS.is_dir():
        return []
    return [one for one in read_sessions(folder or MEASUREMENTS) if one.usable]


def with_kernels(rows: KernelRows, sessions: Sequence[MeasuredSession]) -> KernelRows:
    """Kernels with those of sessions behind them, each session a source of its own."""
    own = [found for one in sessions if (found := session_kernels(one)) is not None]
    return concatenate_rows([rows, *own])


def with_steps(
    read: tuple[Table, Counter[str], int], sessions: Sequence[MeasuredSession]
) -> tuple[Table, Counter[str], int]:
    """What `read_table` returns, with the steps of sessions behind it, each session a source of its own."""
    (table, unresolved, rows), parts = read, [_resolved(session_runs(one)) for one in sessions]
    steps = [table, *(part for part, _ in parts)]
    questions = [one for part in steps for one in part.questions]
    reasons = sum((counter for _, counter in parts), unresolved)
    whole = Table(questions, np.concatenate([part.phase for part in steps]))
    return whole, reasons, rows + sum(len(one.steps) for one in sessions)


def collapse(table: Table) -> Table:
    """Replace repeats of one setting (39 identical machines) by their median."""
    groups: dict[tuple[object, ...], list[int]] = {}
    for index, one in enumerate(table.questions):
        key = (one.plan, one.gpu.key, one.gpus, one.batch, str(one.size), str(one.blocks))
        groups.setdefault((id(one.plan.graph), *key[1:], one.plan.setting, one.plan.scope), []).append(index)
    questions, phase = [], []
    for members in groups.values():
        median = float(np.median([table.questions[i].time_s for i in members]))
        questions.append(replace(table.questions[members[0]], time_s=median))
        phase.append(table.phase[members[0]])
    return Table(questions, np.array(phase))


def support(rows: KernelRows) -> dict[str, int]:
    """Kernel rows by ``arch|engine|kind``."""
    from perfmodel.efficiency.levels import ENGINE_LABEL
    from perfmodel.hardware.gpu import find_gpu

    arch = {key: find_gpu(key).arch for key in np.unique(rows.gpu)}
    counted = Counter(
        f"{arch[gpu]}|{ENGINE_LABEL[precision]}|{cls}"
        for gpu, precision, cls in zip(rows.gpu, rows.precision, rows.cls, strict=True)
    )
    return dict(sorted(counted.items()))


def provenance(
    files: Sequence[Path], sessions: Sequence[MeasuredSession], kernels: KernelRows, steps: Table
) -> dict[str, object]:
    """Where the coefficients come from."""
    digests = {file.name: hashlib.sha256(file.read_bytes()).hexdigest()[:16] for file in files}
    return {
        "name": "prior",
        "version": __version__,
        "date": time.strftime("%Y-%m-%d"),
        "command": "python -m perfmodel.calibration.fit_prior --data DIR",
        "data": digests,
        "kernel_rows": len(kernels),
        "step_rows": len(steps.questions),
        "sources": sorted({*np.unique(kernels.source).tolist(), *np.unique(steps.source).tolist()}),
        "sessions": [one.provenance() for one in sessions],
    }


def main(arguments: list[str] | None = None) -> int:
    """Fit, validate, write; returns the exit status."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="folder that holds measurements/")
    parser.add_argument(
        "--measurements",
        type=Path,
        default=None,
        help=f"folder of the project's own sessions (default: {MEASUREMENTS})",
    )
    parser.add_argument("--output", type=Path, default=PRIOR_FILE, help="prior to write")
    parser.add_argument("--docs", type=Path, default=Path("docs/accuracy.md"), help="report to write")
    parser.add_argument("--no-validation", action="store_true", help="fit only; keep the old conformal factors")
    options = parser.parse_args(arguments)
    files = [options.data / "measurements" / name for name in ("kernels.csv.gz", "end_to_end.csv.gz")]
    for file in files:
        if not file.is_file():
            raise InputError(f"no file {file}", "--data is the folder that holds measurements/")
    began = time.monotonic()
    sessions = own_sessions(options.measurements)
    everything, unresolved, rows = with_steps(read_table(files[1]), sessions)
    kernel_rows = with_kernels(read_kernel_rows(files[0]), sessions)
    for one in sessions:
        say(began, f"{one.name}: {len(one.kernels)} kernels and {len(one.steps)} steps of {one.gpu and one.gpu.key}")
    kernels = fit_kernels(kernel_rows, iterations=10, per_cell=300)
    say(began, f"kernels fitted on {len(kernel_rows)} rows")
    table = collapse(everything)
    found = features_of(table, kernels)
    full = fit_table(table, found, kernels)
    say(began, f"steps fitted on {len(table.questions)} rows")
    note = provenance(files, sessions, kernel_rows, everything)
    prior = replace(full.prior, support=support(kernel_rows), provenance=note)
    if options.no_validation:
        prior.save(options.output)
        return 0
    results = validate(began, table, everything, unresolved, rows, full, found, kernel_rows)
    prior = replace(prior, conformal=results.conformal, spread=results.spread)
    prior.save(options.output)
    write_accuracy(options.docs, results)
    say(began, f"wrote {options.output.name} and {options.docs}")
    return 0


def validate(
    began: float, table: Table, everything: Table, unresolved: Counter[str], rows: int, full: Fitted,
    found: QuestionFeatures,
    kernel_rows: KernelRows,
) -> Results:  # fmt: skip
    """Leave cards, families and sources out."""
    folds, calibrated = {}, Calibrated()
    measured = np.array([one.time_s for one in table.questions])

    def calibrate(rows: npt.NDArray[np.intp], own: QuestionFeatures, prior: Prior) -> None:
        score_steps(calibrated, [table.questions[i] for i in rows], table.cell[rows], own, prior, take)

    without = kernel_cache(kernel_rows, full.kernels)
    for name, key, kernels in (
        ("gpu", table.gpu, without), ("family", table.family, None), ("source", table.source, None),
    ):  # fmt: skip
        each = calibrate if name == "gpu" else None
        fold = leave_out(name, table, key, full, found, kernels, each=each)
        folds[name] = (cross_spread(fold, measured, key, table.cell), key)
        say(began, f"left every {name} out")
    spread, conformal = shipped_intervals([fold for fold, _ in folds.values()], measured, table.cell)
    fitted = answer_table(table, found, replace(full.prior, spread=spread))
    return Results(
        table=table, everything=everything, unresolved=unresolved, rows=rows, folds=folds, fitted=fitted,
        conformal=conformal, spread=spread, kernels=score_kernels(kernel_rows, without), calibrated=calibrated,
        calibrated_kernels=score_kernel_profiles(kernel_rows, without), seconds=time.process_time(),
    )  # fmt: skip


def shipped_intervals(
    folds: Sequence[Fold], measured: npt.NDArray[np.float64], cell: npt.NDArray[np.str_]
) -> tuple[dict[str, float], dict[str, float]]:
    """Weights of the sources of variance, and conformal factors on top, from all left-out answers together."""
    error = np.concatenate([np.log(measured / fold.time_s) for fold in folds])
    unknown, known = np.concatenate([fold.unknown for fold in folds]), np.concatenate([fold.known for fold in folds])
    cells = np.concatenate([np.char.add(f"{number}|", cell) for number, _ in enumerate(folds)])
    spread = fit_spread(unknown, known, error, cells)
    sigma = np.sqrt(unknown @ np.array(list(spread.values())) + known)
    return spread, conformal_factors(np.abs(error) / sigma, cells)


def say(began: float, text: str) -> None:
    """Progress line."""
    print(f"[{time.monotonic() - began:6.1f} s] {text}", file=sys.stderr, flush=True)


if __name__ == "__main__":
    try:
        sys.exit(main())
    except InputError as error:
        print(f"error: {error}", file=sys.stderr)
        sys.exit(error.exit_code)
