"""Finding quadruples (background, composite, mask, depth) in a folder or a ZIP, and reading their files."""

from __future__ import annotations

import os
import zipfile
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

from perfmodel.errors import InputError
from perfmodel.workloads.datasets.generate import PARTS
from perfmodel.workloads.datasets.layouts import SUFFIXES

_HOW = "perfmodel datasets how-to quadruples says how they must lie"


@dataclass(frozen=True)
class Quadruple:
    """Where the four files of a sample lie in their store, in the order of `PARTS`."""

    name: str
    files: tuple[str, str, str, str]


class FolderStore:
    """Files below a folder."""

    archived = False

    def __init__(self, path: Path) -> None:
        self.path = path

    def names(self) -> Iterator[str]:
        """Images in the four folders, here or one folder down."""
        for pattern in ("*/*", "*/*/*"):
            for found in self.path.glob(pattern):
                if found.parent.name in PARTS:
                    yield found.relative_to(self.path).as_posix()

    def read(self, name: str) -> bytes:
        """Read a file.

        Raises
        ------
        InputError
            When it cannot be read.
        """
        try:
            return (self.path / name).read_bytes()
        except OSError as error:
            raise InputError(f"cannot read {self.where(name)} ({error.strerror})", "put it back") from None

    def where(self, name: str) -> str:
        """What errors call a file."""
        return str(self.path / name)


class ZipStore:
    """Files in a ZIP; every process opens it for itself.

    Raises
    ------
    InputError
        When it is no ZIP.
    """

    archived = True

    def __init__(self, path: Path) -> None:
        self.path = path
        self._opened: tuple[int, zipfile.ZipFile] | None = None
        self._archive()

    def __getstate__(self) -> dict[str, Any]:
        return {"path": self.path, "_opened": None}

    def _archive(self) -> zipfile.ZipFile:
        if self._opened is None or self._opened[0] != os.getpid():
            try:
                self._opened = os.getpid(), zipfile.ZipFile(self.path)
            except (OSError, zipfile.BadZipFile) as error:
                raise InputError(f"{self.path} is no readable ZIP ({error})", "pack or copy it anew") from None
        return self._opened[1]

    def names(self) -> Iterator[str]:
        """All files."""
        return iter(self._archive().namelist())

    def read(self, name: str) -> bytes:
        """Read a file.

        Raises
        ------
        InputError
            When it is damaged or encrypted.
        """
        try:
            return self._archive().read(name)
        except Exception as error:  # a damaged member raises what its compression raises
            raise InputError(f"cannot read {self.where(name)} ({type(error).__name__})", "pack it anew") from None

    def where(self, name: str) -> str:
        """What errors call a file."""
        return f"{self.path}/{name}"


Store = FolderStore | ZipStore


def open_store(path: str | Path) -> Store:
    """Open a folder or a ZIP of quadruples.

    Raises
    ------
    InputError
        When there is none, or it is no ZIP.
    """
    where = Path(path)
    if where.is_dir():
        return FolderStore(where)
    if not where.exists():
        raise InputError(f"no folder or ZIP {where}", f"give --data; {_HOW}")
    return ZipStore(where)


def find_quadruples(store: Store) -> tuple[Quadruple, ...]:
    """Match the four files of every sample by their name without suffix; sorted.

    Raises
    ------
    InputError
        When there is none, or a sample lacks a file or has one twice.
    """
    groups = _grouped(store.names(), store)
    if not groups:
        raise InputError(f"{store.path} holds no quadruples", _HOW)
    found = []
    for group, parts in sorted(groups.items()):
        missing = [part for part in PARTS if part not in parts]
        if missing:
            raise InputError(f"{store.where(group)} lacks the folder {missing[0]}".replace("/.", ""), _HOW)
        for stem in sorted(set().union(*parts.values())):
            lacking = [part for part in PARTS if stem not in parts[part]]
            if lacking:
                there = next(part for part in PARTS if stem in parts[part])
                where = store.where(f"{group}/{lacking[0]}").replace("/./", "/")
                raise InputError(f"{where} has no file {stem}, which {there} has", "add it, or remove the others")
            background, composite, mask, depth = (parts[part][stem] for part in PARTS)
            found.append(Quadruple(f"{group}/{stem}".removeprefix("./"), (background, composite, mask, depth)))
    return tuple(found)


def _grouped(names: Iterable[str], store: Store) -> dict[str, dict[str, dict[str, str]]]:
    """Folder above the four, part, stem: file."""
    groups: dict[str, dict[str, dict[str, str]]] = {}
    for name in names:
        path = PurePosixPath(name)
        part, hidden = path.parent.name, any(word.startswith((".", "__MACOSX")) for word in path.parts)
        if part not in PARTS or hidden or path.suffix.lower() not in SUFFIXES:
            continue
        stems = groups.setdefault(path.parent.parent.as_posix(), {}).setdefault(part, {})
        if path.stem in stems:
            raise InputError(f"{store.where(name)} and {store.where(stems[path.stem])} share a name", "remove one")
        stems[path.stem] = name
    return groups
