"""The parts of a page: which documents there are, and which module turns each kind into a section.

A part is one module and one row of `PARTS`. The module has ``NEEDED``, a mapping of dotted names to the types that a
document of this kind must have there (see `documents.recognise`), and ``section(documents, limits)``, which
returns a `perfmodel.report.content.Section`. Modules are imported when a document needs them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from importlib import import_module
from typing import TYPE_CHECKING, cast

from perfmodel.errors import InputError

if TYPE_CHECKING:
    from perfmodel.report.content import Limits, Section
    from perfmodel.report.documents import Document

Types = type | tuple[type, ...]


@dataclass(frozen=True, kw_only=True)
class Part:
    """One kind of document.

    Attributes
    ----------
    kind : str
        What its ``kind`` says, where it has one.
    verb : str
        What writes it.
    marks : mapping of str to type
        Names and types at its top by which a document without ``kind`` is recognised; the part with most of them wins.
    module : str
    schema_version : int
        The newest that is understood.
    """

    kind: str
    verb: str
    marks: Mapping[str, Types]
    module: str
    schema_version: int = 1

    @property
    def needed(self) -> Mapping[str, Types]:
        """What a document must have."""
        return cast(Mapping[str, Types], import_module(self.module).NEEDED)

    def section(self, documents: Sequence[Document], limits: Limits) -> Section:
        """Turn documents of this kind into a section.

        Raises
        ------
        InputError
            When a document is not what its verb writes in a way that `needed` does not tell.
        """
        make = cast("Callable[[Sequence[Document], Limits], Section]", import_module(self.module).section)
        try:
            return make(documents, limits)
        except (KeyError, TypeError, ValueError, IndexError, AttributeError, ArithmeticError) as error:
            names = ", ".join(dict.fromkeys(one.name for one in documents))
            raise InputError(
                f"{names} ({self.verb}) cannot be shown: {type(error).__name__}: {error}",
                "write it again with --json of this version",
            ) from error


_HERE = "perfmodel.report.sections"
#: In the order of the page.
PARTS: list[Part] = [
    Part(
        kind="compare",
        verb="compare",
        marks={"rows": list, "workload": dict, "coverage": float, "gpus": int},
        module=f"{_HERE}.comparisons",
    ),
    Part(
        kind="predict",
        verb="predict",
        marks={"step_ms": dict, "workload": dict, "gpu": dict},
        module=f"{_HERE}.predictions",
    ),
    Part(kind="runs", verb="report", marks={"kind": str, "boxes": list}, module=f"{_HERE}.runs"),
    Part(
        kind="fit",
        verb="fit",
        marks={"formula": str, "coefficients": list, "response": str},
        module=f"{_HERE}.fits",
    ),
    Part(
        kind="validate",
        verb="validate",
        marks={"resolved": int, "unresolved": dict, "groups": list, "overall": dict},
        module=f"{_HERE}.validations",
    ),
    Part(
        kind="run-phases",
        verb="run --compare",
        marks={"phases_ms": dict, "measured_step_ms": float, "predicted_step_ms": dict},
        module=f"{_HERE}.phases",
    ),
    Part(
        kind="gpus-check",
        verb="gpus check",
        marks={"gpus": int, "contradictions": int, "findings": list},
        module=f"{_HERE}.card_checks",
    ),
    Part(kind="gpus", verb="gpus list", marks={"gpus": list}, module=f"{_HERE}.cards"),
    Part(kind="gpu", verb="gpus show", marks={"gpu": dict}, module=f"{_HERE}.cards"),
    Part(
        kind="measure",
        verb="measure",
        marks={"folder": str, "rows": dict, "complete": dict},
        module=f"{_HERE}.measurements",
    ),
    Part(
        kind="cpu",
        verb="measure --profile",
        marks={"processor": str, "coefficients": dict},
        module=f"{_HERE}.processors",
    ),
    Part(kind="datasets", verb="datasets list", marks={"kind": str, "datasets": list}, module=f"{_HERE}.datasets"),
    Part(
        kind="doctor",
        verb="doctor",
        marks={"findings": list, "problems": int, "version": str},
        module=f"{_HERE}.machines",
    ),
]


def register(part: Part, *, before: str | None = None) -> None:
    """Add a part, at the end or before another one; a part of the same kind is replaced."""
    kept = [one for one in PARTS if one.kind != part.kind]
    at = next((at for at, one in enumerate(kept) if one.kind == before), len(kept))
    PARTS[:] = [*kept[:at], part, *kept[at:]]
