"""Ready formulas for training time and for data-loading time, cut down to what a table can tell."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from perfmodel.errors import InputError
from perfmodel.regression.design import Design, Finding
from perfmodel.regression.formula import parse
from perfmodel.regression.guards import identifiable
from perfmodel.regression.matrix import factor_levels, known_values, linear_matrix
from perfmodel.regression.vocabulary import describe

Floats = npt.NDArray[np.float64]

#: A column that is missing in more than this share of the rows is left out rather than the rows.
_MOST_MISSING = 0.2
#: Rows that tell their network's multiply-adds must be at least this share for a table of many networks.
_LEAST_KNOWN = 0.5
_MOST_LEVELS = 60
#: Rows that each coefficient needs.
_ROWS_EACH = 3


@dataclass(frozen=True, kw_only=True)
class Preset:
    """A ready formula: its measured columns, best first, and its terms, the most trusted first."""

    name: str
    meaning: str
    measured: tuple[str, ...]
    terms: tuple[str, ...]


CARD = ("log(bandwidth)", "log(flops)", "log(cores)")
PRESETS: Mapping[str, Preset] = {
    preset.name: preset
    for preset in (
        Preset(
            name="training-time",
            meaning="log-log law of the step time on the network, the batch, the card and the set-up",
            measured=("step_ms", "image_ms"),
            terms=("model", "log(gmacs)", "blocks", "log(batch)", "log(image_size)", "log(seq_len)", "log(n_gpu)",
                   "precision", "data_pair", *CARD, "gpu", "log(workers)", "log(host_cores)"),
        ),
        Preset(
            name="data-loading-time",
            meaning="log-log law of the loading time on the data pair, the loader, the host and the card",
            measured=("data_ms",),
            terms=("data_pair", "log(workers)", "log(host_cores)", "log(batch)", "log(image_size)", "blocks",
                   "log(n_gpu)", *CARD, "gpu"),
        ),
    )
}  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class Chosen:
    """What a preset makes of a table: formula, columns left out as (column, why), and findings."""

    formula: str
    dropped: tuple[tuple[str, str], ...]
    findings: tuple[Finding, ...] = ()


def find_preset(name: str) -> Preset:
    """Return a preset by its name.

    Raises
    ------
    InputError
        When there is none.
    """
    found = PRESETS.get(name.strip().lower().replace("_", "-").replace(" ", "-"))
    if found is None:
        raise InputError(
            f"{name!r} is no preset and no formula",
            f"presets: {', '.join(PRESETS)}; a formula has a ~, such as 'log(step_ms) ~ log(cores)'",
        )
    return found


def measured_column(preset: Preset, frame: Any, response: str | None) -> str:
    """Return the measured column that a preset fits: the one asked for, else the first that has values."""
    if response is not None:
        return response
    for name in preset.measured:
        if known_values(frame, name).any():
            return name
    first = preset.measured[0]
    raise InputError(
        f"no row has a usable {describe(first).label} ({first})",
        "the columns are described in docs/runs.md" if first != "data_ms" else "log it, or fit --preset training-time",
    )


def training_rows(preset: Preset, frame: Any) -> tuple[npt.NDArray[np.bool_], tuple[Finding, ...]]:
    """Rows that a preset is about: of a table with both phases, those of training."""
    phase = frame["phase"].to_numpy()
    keep = phase != "infer"
    if preset.name == "training-time" and not keep.any():
        text = f"all {len(frame)} rows are inference: the preset is fitted to them as it is"
        return ~keep, (Finding(guard="phase", severity="note", text=text),)
    if keep.all() or not (phase == "train").any():
        return np.ones(len(frame), dtype=bool), ()
    text = f"{int((~keep).sum())} of {len(frame)} rows are inference and were left out: {preset.name} is about training"
    finding = Finding(guard="phase", severity="note", text=text, remedy='--where "phase=infer" fits those')
    return keep, (finding,)


def choose(preset: Preset, frame: Any, measured: str) -> Chosen:
    """Cut a preset's formula down to the terms that the rows can tell.

    Parameters
    ----------
    preset : Preset
    frame : pandas.DataFrame (n rows)
        Variables of the rows to fit.
    measured : str

    Notes
    -----
    A term is left out, in this order of reasons: a column without values, or with one value; missing in too many rows;
    what `guards.identifiable` cannot tell from the terms before it: a figure of the card beyond what the number of
    different cards allows, more coefficients than a third of the rows, a column that follows from the others.
    """
    usable = frame[known_values(frame, measured) & (frame[measured].to_numpy() > 0)]
    terms, dropped = _with_values(preset, usable)
    terms, findings = _network(terms, dropped, usable)
    rows = usable[_complete(usable, terms)]
    terms = [term for term in terms if not _constant(term, rows, dropped)]
    terms = _told_apart(terms, dropped, rows, measured)
    formula = f"log({measured}) ~ {' + '.join(terms) or '1'}"
    return Chosen(formula=formula, dropped=tuple(dropped.items()), findings=findings)


def variable_of(term: str) -> str:
    """Return the variable of one of the presets' terms."""
    return term[term.index("(") + 1 : -1] if term.endswith(")") else term


def _with_values(preset: Preset, frame: Any) -> tuple[list[str], dict[str, str]]:
    """Terms whose column varies and is known, and why the others were dropped."""
    dropped: dict[str, str] = {}
    kept = []
    for term in preset.terms:
        name = variable_of(term)
        known = known_values(frame, name)
        values = frame[name][known]
        missing = len(frame) - int(known.sum())
        if not known.any():
            dropped[name] = "no row states it"
        elif values.nunique() == 1:
            dropped[name] = f"one value in all rows that state it ({_shown(values.iloc[0])})"
        elif missing > _MOST_MISSING * len(frame) and name not in ("gmacs", "model"):
            dropped[name] = f"missing in {missing} of {len(frame)} rows"
        elif term.startswith("log(") and float(values.min()) <= 0:
            kept.append(name)
        else:
            kept.append(term)
    return kept, dropped


def _shown(value: Any) -> str:
    return f"{value:g}" if isinstance(value, float) else str(value)


def _network(terms: list[str], dropped: dict[str, str], frame: Any) -> tuple[list[str], tuple[Finding, ...]]:
    """Choose what tells networks apart: blocks of one network, multiply-adds, or a factor."""
    if "log(gmacs)" in terms and "blocks" in terms and "model" not in terms:
        terms.remove("log(gmacs)")
        dropped["gmacs"] = "follows from blocks: all rows are of one network"
    known = known_values(frame, "gmacs")
    share = float(known.mean()) if len(frame) else 0.0
    few = "model" in terms and frame["model"].nunique() <= min(_MOST_LEVELS, len(frame) // 5)
    if "log(gmacs)" in terms and (share >= 1 - _MOST_MISSING or (share >= _LEAST_KNOWN and not few)):
        return _by_work(terms, dropped, frame, known)
    if "log(gmacs)" in terms:
        terms.remove("log(gmacs)")
        dropped["gmacs"] = f"known in {int(known.sum())} of {len(frame)} rows"
    if "model" in terms and not few:
        terms.remove("model")
        dropped["model"] = f"{frame['model'].nunique()} networks are too many for a factor, and gmacs tells too few"
    return terms, ()


def _by_work(
    terms: list[str], dropped: dict[str, str], frame: Any, known: npt.NDArray[np.bool_]
) -> tuple[list[str], tuple[Finding, ...]]:
    if "model" in terms:
        terms.remove("model")
        dropped["model"] = f"its {frame['model'].nunique()} networks are told by gmacs"
    if "log(image_size)" in terms:
        terms.remove("log(image_size)")
        dropped["image_size"] = "gmacs already count the pixels"
    if known.all():
        return terms, ()
    lost = frame["model"][~known].value_counts()
    names = ", ".join(f"{name or 'no name'} ({count})" for name, count in lost.head(4).items())
    text = f"{int((~known).sum())} rows are of networks whose multiply-adds are not known: {names}"
    remedy = "give a gmacs column for them"
    return terms, (Finding(guard="network", severity="warning", text=text, remedy=remedy, columns=("gmacs",)),)


def _complete(frame: Any, terms: list[str]) -> npt.NDArray[np.bool_]:
    keep = np.ones(len(frame), dtype=bool)
    for term in terms:
        keep &= known_values(frame, variable_of(term))
    return keep


def _constant(term: str, rows: Any, dropped: dict[str, str]) -> bool:
    """Whether a column has one value in the rows that have all others."""
    name = variable_of(term)
    if rows[name].nunique() > 1:
        return False
    dropped[name] = "one value in the rows that state all other columns"
    return True


def _told_apart(terms: list[str], dropped: dict[str, str], rows: Any, measured: str) -> list[str]:
    """Keep the terms that the rows tell apart from those before them, as many as the rows carry."""
    if not terms or not len(rows):
        return []
    words = [name for name in rows.columns if rows[name].dtype.kind not in "fiub"]
    formula = parse(f"{measured} ~ {' + '.join(terms)}", [*rows.columns], words=words)
    matrix = linear_matrix(formula, rows, factor_levels(formula, rows))
    design = Design(
        formula=formula.text, response=measured, y=rows[measured].to_numpy(dtype=np.float64), x=matrix.x,
        names=matrix.names, terms=matrix.terms, frame=rows, rows=rows.index.to_numpy(dtype=np.intp),
        weights=np.ones(len(rows)),
    )  # fmt: skip
    gone, findings = identifiable(design, terms, most=max(len(rows) // _ROWS_EACH, 1))
    kept = [term for term in terms if term not in gone]
    for term, finding in zip(gone, findings, strict=True):
        dropped[variable_of(term)] = finding.text.partition(": ")[2]
    if "gpu" in gone and set(CARD) & set(kept):
        dropped["gpu"] = "its figures tell the cards apart, so that other cards can be predicted"
    return kept
