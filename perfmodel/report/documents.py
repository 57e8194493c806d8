"""Read what a page is made of: documents of the verbs, recognised by what is in them, or tables of measured rows."""

from __future__ import annotations

import hashlib
import json
import re
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NoReturn

from perfmodel.errors import InputError, TableError
from perfmodel.report.sections import PARTS, Part, Types

_TYPE_NAMES = {
    dict: "an object",
    list: "a list",
    str: "text",
    int: "a whole number",
    float: "a number",
    bool: "true or false",
}
NUMBER: Types = (int, float)
#: Two or more steps of a path from the root of a file system or a home, with the last one kept.
_PATH = re.compile(r"(?<![\w.:/])(?:~[\w.-]*|[A-Za-z]:)?[/\\](?:[^/\\\s\"']+[/\\])+(?=[^/\\\s\"']+)")
_HOME = re.compile(r"[/\\](?:home|Users)[/\\][^/\\\s\"']+(?=[\s\"']|$)")
#: Keys whose text is a path and nothing else.
_FILES = frozenset({"file", "files", "folder", "path"})


@dataclass(frozen=True)
class Source:
    """A file: its base name, and the SHA-256 of its bytes."""

    name: str
    sha256: str


@dataclass(frozen=True, kw_only=True)
class Document:
    """One document.

    Attributes
    ----------
    sources : tuple of Source
        Where it was read; several for tables that were read as one.
    part : Part
    content : mapping
        The document, with paths cut to their last step.
    beside : mapping
        What figures need and the document does not hold: rows of a table that was read for this page.
    """

    sources: tuple[Source, ...]
    part: Part
    content: Mapping[str, Any]
    beside: Mapping[str, Any] = field(default_factory=dict)

    @property
    def name(self) -> str:
        """Base name of its file, or of the first and how many more there are."""
        return named([one.name for one in self.sources])

    @property
    def made_by(self) -> str:
        """What wrote it."""
        return "table of runs" if self.beside else f"perfmodel {self.part.verb}"

    def share(self, value: float, where: str) -> float:
        """A coverage of the document, which must lie between 0 and 1."""
        if not 0 < value < 1:
            raise InputError(f"{self.name} ({self.part.verb}): {where} is {value:g}, not between 0 and 1", _AGAIN)
        return value

    def ordered(self, interval: Mapping[str, Any], where: str) -> None:
        """Check that an interval of times is one."""
        if not 0 < interval["low"] <= interval["median"] <= interval["high"]:
            raise InputError(
                f"{self.name} ({self.part.verb}): low, median and high of {where} are not in order", _AGAIN
            )

    def check(self, value: Any, needed: Mapping[str, Types], where: str) -> None:
        """Check a piece of the document as `recognise` checks all of it."""
        for path, types in needed.items():
            _check(value, path, types, f"{self.name} ({self.part.verb}): {where}")


def named(names: Sequence[str]) -> str:
    """``a.csv``, or ``a.csv and 3 more``."""
    return names[0] if len(names) == 1 else f"{names[0]} and {len(names) - 1} more"


def read_documents(
    inputs: Sequence[str | Path], *, known: Mapping[str, object] | None = None, salvage: bool = False
) -> tuple[Document, ...]:
    """Read files in the order given; ``-`` is standard input. All tables of runs are read as one.

    Parameters
    ----------
    inputs : sequence of paths
        A table may carry settings, ``FILE@gpu=v100``.
    known, salvage
        For the tables; see `perfmodel.runs.gather.gather_runs`.

    Raises
    ------
    InputError
        When a file is none of the verbs' documents, is broken, or is of a newer schema than this version reads.
    TableError
        When a file cannot be read, or is no table either.
    """
    if not inputs:
        raise InputError("a report needs an input", "give a --json document or a table of runs")
    read = [(one, read_bytes(one)) for one in inputs]
    documents = [found for one, raw in read if is_json(raw) for found in _documents(one, raw)]
    tables = [(one, raw) for one, raw in read if not is_json(raw)]
    if tables:
        from perfmodel.report.tables import table_documents

        documents += table_documents(tables, known=known, salvage=salvage)
    return tuple(documents)


def _documents(path: str | Path, raw: bytes) -> list[Document]:
    source = Source(base_name(path), hashlib.sha256(raw).hexdigest())
    return [recognise(content, source) for content in _parsed(raw, source.name)]


def path_of(source: str | Path) -> Path:
    """The file of an input, without the settings that it may carry."""
    from perfmodel.runs.settings import split_input

    return split_input(source)[0]


def base_name(source: str | Path) -> str:
    """What a page calls an input."""
    return "standard input" if str(source) == "-" else path_of(source).name


def read_bytes(source: str | Path) -> bytes:
    """Bytes of a file or of standard input."""
    if str(source) == "-":
        return sys.stdin.buffer.read()
    try:
        return path_of(source).read_bytes()
    except OSError as error:
        raise TableError(f"cannot read {source}: {error.strerror}", "give a file that exists") from None


def is_json(raw: bytes) -> bool:
    """Whether bytes are meant as JSON: the first sign is a brace or a bracket."""
    return raw.lstrip(b"\xef\xbb\xbf \t\r\n")[:1] in (b"{", b"[")


def _parsed(raw: bytes, name: str) -> Iterator[Any]:
    """All values of a file: one document, or several one after another."""

    def refuse(word: str) -> NoReturn:
        raise ValueError(f"{word} is no JSON")

    decoder = json.JSONDecoder(parse_constant=refuse)
    try:
        text, at = raw.decode("utf-8-sig").strip(), 0
        while at < len(text):
            value, at = decoder.raw_decode(text, at)
            yield value
            at += len(text[at:]) - len(text[at:].lstrip())
    except (ValueError, RecursionError) as error:
        reason = "it is nested too deeply" if isinstance(error, RecursionError) else str(error)
        raise InputError(f"{name} is not readable as JSON: {reason}", "write it again with --json") from None


def recognise(content: Any, *sources: Source, beside: Mapping[str, Any] | None = None) -> Document:
    """Find out what a document is, and check that all that a section needs is there.

    Raises
    ------
    InputError
        When it is none of the verbs' documents, lacks something, or has a newer schema.
    """
    name = named([one.name for one in sources])
    if not isinstance(content, dict):
        raise InputError(f"{name} holds {_kind_of(content)}, not a document of a verb", _REMEDY)
    part = _part_of(content, name)
    version = content.get("schema_version")
    if not isinstance(version, int) or isinstance(version, bool):
        raise InputError(
            f"{name} ({part.verb}) lacks schema_version", f"write it again with perfmodel {part.verb} --json"
        )
    if not 1 <= version <= part.schema_version:
        raise InputError(
            f"{name} ({part.verb}) has schema_version {version}, and this perfmodel reads up to {part.schema_version}",
            "update perfmodel, or write the document with this version",
        )
    for path, types in part.needed.items():
        _check(content, path, types, f"{name} ({part.verb})")
    return Document(sources=sources, part=part, content=without_paths(content), beside=beside or {})


_REMEDY = "give what --json of a verb prints, or a table of runs"


def _part_of(content: Mapping[str, Any], name: str) -> Part:
    for part in PARTS:
        if content.get("kind") == part.kind:
            return part
    near = max(PARTS, key=lambda part: (_met(content, part), _met(content, part) == len(part.marks)))
    lacking = [key for key, types in near.marks.items() if not _is(content.get(key), types)]
    if not lacking:
        return near
    if len(lacking) == len(near.marks):
        raise InputError(f"{name} is no document that this perfmodel knows", _REMEDY)
    wanted = ", ".join(f"{key} ({_type_names(near.marks[key])})" for key in lacking)
    raise InputError(f"{name} looks like a document of {near.verb} but lacks {wanted}", _REMEDY)


def _met(content: Mapping[str, Any], part: Part) -> int:
    """How many of a part's marks a document has."""
    return sum(_is(content.get(key), types) for key, types in part.marks.items())


def _check(value: Any, path: str, types: Types, where: str) -> None:
    """Follow a dotted path: ``name?`` may be null and ``name??`` may be absent too, ``name[]`` is each item of a list
    and ``*`` each value of an object."""
    head, _, rest = path.partition(".")
    for place, found in _steps(value, head, where):
        if rest:
            _check(found, rest, types, place)
        elif not _is(found, types):
            plain = head.rstrip("?").removesuffix("[]")
            name = plain if plain != "*" else place.rpartition(": ")[2]
            raise InputError(f"{place}: {name} is {_kind_of(found)}, not {_type_names(types)}", _AGAIN)


_AGAIN = "write it again with --json"


def _steps(value: Any, head: str, where: str) -> Iterator[tuple[str, Any]]:
    """What one step of a path leads to, with words for its place."""
    plain = head.rstrip("?").removesuffix("[]")
    if not isinstance(value, dict):
        raise InputError(f"{where} is {_kind_of(value)}, not an object", _AGAIN)
    if plain == "*":
        yield from ((f"{where}: {name}", found) for name, found in value.items())
        return
    if plain not in value and not head.endswith("??"):
        raise InputError(f"{where} lacks {plain}", f"it is cut short or not from perfmodel: {_AGAIN}")
    found = value.get(plain)
    if found is None and head.endswith("?"):
        return
    if "[]" not in head:
        yield where, found
    elif not isinstance(found, list):
        raise InputError(f"{where}: {plain} is {_kind_of(found)}, not a list", _AGAIN)
    else:
        yield from ((f"{where}: {plain}[{at}]", item) for at, item in enumerate(found))


def _is(value: Any, types: Types) -> bool:
    allowed = types if isinstance(types, tuple) else (types,)
    if isinstance(value, bool):
        return bool in allowed
    if isinstance(value, float) and abs(value) == float("inf"):
        return False
    return isinstance(value, (*allowed, int) if float in allowed else allowed)


def _type_names(types: Types) -> str:
    return " or ".join(_TYPE_NAMES[one] for one in (types if isinstance(types, tuple) else (types,)))


def _kind_of(value: Any) -> str:
    return "null" if value is None else _TYPE_NAMES.get(type(value), type(value).__name__)


def without_paths(value: Any, key: str = "") -> Any:
    """The same value with every path in a text cut to its last step, so that no folder or user name is published."""
    if isinstance(value, str):
        if key in _FILES:
            return re.split(r"[/\\]", value.rstrip("/\\"))[-1]
        return _PATH.sub("", _HOME.sub("~", value))
    if isinstance(value, dict):
        return {without_paths(name): without_paths(item, name) for name, item in value.items()}
    return [without_paths(item, key) for item in value] if isinstance(value, list) else value
