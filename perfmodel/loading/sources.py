"""Samples: which files make one, for a folder, two folders, several files a sample, a ZIP archive, packed shards."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path, PurePosixPath

import numpy as np
import numpy.typing as npt

from perfmodel.errors import InputError
from perfmodel.loading.files import Files, FolderFiles, ZipFiles, open_files
from perfmodel.loading.philox import uniforms
from perfmodel.loading.shards import ShardFiles

Index = npt.NDArray[np.int64]
Place = str | os.PathLike[str] | Files

PARTNER_STREAM = 2
"""Stream of random numbers that chooses the other image of an unpaired sample."""


class Source:
    """Samples of one or more files.

    Parameters
    ----------
    parts : mapping of str to Files
        Files of each role of a sample.
    rows : mapping of str to array, optional
        Which file of a role belongs to each sample; the n-th to sample n where not given.
    length : int
        Samples.
    paired : bool
        The files of a sample share their geometry.
    labels : array (length,), optional
        Class of each sample.
    classes : tuple of str
        Names of the classes.

    Raises
    ------
    InputError
        When there are no samples.
    """

    def __init__(
        self, parts: Mapping[str, Files], *, length: int, rows: Mapping[str, Index] | None = None, paired: bool = True,
        labels: Index | None = None, classes: tuple[str, ...] = (),
    ) -> None:  # fmt: skip
        for files in parts.values():
            if not files.names:
                raise InputError(
                    f"{files.where} holds no images", "give a folder, archive or pack of JPEG or PNG files"
                )
        self.parts, self.paired, self.labels, self.classes = dict(parts), paired, labels, classes
        self._rows, self._length = dict(rows or {}), length

    def __len__(self) -> int:
        return self._length

    @property
    def roles(self) -> tuple[str, ...]:
        """Names of the files of a sample."""
        return tuple(self.parts)

    def locate(self, role: str, index: Index, *, seed: int = 0, epoch: int = 0) -> Index:
        """Return the numbers of a role's files for samples of an epoch."""
        rows = self._rows.get(role)
        return index if rows is None else rows[index]

    def name(self, role: str, number: int) -> str:
        """Return where a file lies, for messages."""
        files = self.parts[role]
        return str(PurePosixPath(files.where) / files.names[number])


def class_labels(names: Sequence[str]) -> tuple[Index | None, tuple[str, ...]]:
    """Return the class of each name by its first folder; None where some lie in no folder."""
    folders = [name.partition("/")[0] if "/" in name else None for name in names]
    if None in folders or not folders:
        return None, ()
    classes = tuple(sorted({folder for folder in folders if folder is not None}))
    number = {name: code for code, name in enumerate(classes)}
    return np.array([number[folder] for folder in folders if folder is not None], dtype=np.int64), classes


def _images(files: Files, limit: int | None) -> tuple[dict[str, Files], int, Index | None, tuple[str, ...]]:
    labels, classes = class_labels(files.names)
    length = _limited(len(files.names), limit)
    return {"image": files}, length, labels[:length] if labels is not None else None, classes


def _limited(length: int, limit: int | None) -> int:
    if limit is not None and limit < 1:
        raise InputError(f"max_dataset_size must be at least 1, not {limit}", "leave it out for all images")
    return length if limit is None else min(length, limit)


class ImageFolder(Source):
    """One image a sample, sorted by name; folders directly below the root are classes unless images lie beside them.

    Parameters
    ----------
    root : path
        A folder.
    max_dataset_size : int, optional
        Only the first so many.
    """

    def __init__(self, root: str | os.PathLike[str], *, max_dataset_size: int | None = None) -> None:
        parts, length, labels, classes = _images(FolderFiles(root), max_dataset_size)
        super().__init__(parts, length=length, labels=labels, classes=classes)


class ZipSource(Source):
    """As `ImageFolder`, from a ZIP archive.

    Parameters
    ----------
    path : path
    memory : bool
        Hold the archive in memory rather than mapping it.
    max_dataset_size : int, optional
    """

    def __init__(
        self, path: str | os.PathLike[str], *, memory: bool = False, max_dataset_size: int | None = None
    ) -> None:
        parts, length, labels, classes = _images(ZipFiles(path, memory=memory), max_dataset_size)
        super().__init__(parts, length=length, labels=labels, classes=classes)


class ShardSource(Source):
    """As `ImageFolder`, from packed shards.

    Parameters
    ----------
    path : path
        A packed folder, or one shard.
    verify : bool
        Compare every image with its checksum when it is read.
    max_dataset_size : int, optional
    """

    def __init__(
        self, path: str | os.PathLike[str], *, verify: bool = False, max_dataset_size: int | None = None
    ) -> None:
        parts, length, labels, classes = _images(ShardFiles(path, verify=verify), max_dataset_size)
        super().__init__(parts, length=length, labels=labels, classes=classes)


class UnpairedFolders(Source):
    """Pairs of images without correspondence, as CycleGAN's unaligned data set.

    Sample n holds image n of A (modulo their number) and a random one of B, another in each epoch; there are as many
    samples as the larger side has images.

    Parameters
    ----------
    a, b : path or Files
        Folders, archives, packs, or folders inside of them.
    max_dataset_size : int, optional
        Use only the first so many images of each.
    serial : bool
        Take image n of B (modulo) rather than a random one.
    """

    def __init__(self, a: Place, b: Place, *, max_dataset_size: int | None = None, serial: bool = False) -> None:
        parts = {"A": _files(a), "B": _files(b)}
        self._counts = {role: _limited(len(files.names), max_dataset_size) for role, files in parts.items()}
        self._serial = serial
        super().__init__(parts, length=max(self._counts.values()), paired=False)

    def locate(self, role: str, index: Index, *, seed: int = 0, epoch: int = 0) -> Index:
        """Return the numbers of a role's files for samples of an epoch."""
        count = self._counts[role]
        if role == "A" or self._serial:
            return index % count
        drawn = uniforms(index, 1, seed=seed, epoch=epoch, stream=PARTNER_STREAM)[:, 0]
        return np.floor(drawn * count).astype(np.int64)


def _files(place: Place) -> Files:
    return open_files(place) if isinstance(place, str | os.PathLike) else place


def stem(name: str) -> str:
    """Return a file's name without its extension, folders included."""
    return name.rpartition(".")[0] or name


class MultiFile(Source):
    """Samples of several files that carry the same name in different places, whatever their extensions.

    Parameters
    ----------
    places : mapping of str to path or Files
        A folder, archive, pack, or folder inside of one, for each role.
    key : callable
        What of a file's name the files of a sample share; by default all but the extension.
    max_dataset_size : int, optional

    Raises
    ------
    InputError
        When a role lacks a file that another has, or has two of one name; names the first.
    """

    def __init__(
        self, places: Mapping[str, Place], *, key: Callable[[str], str] = stem, max_dataset_size: int | None = None
    ) -> None:
        parts = {role: _files(place) for role, place in places.items()}
        if not parts:
            raise InputError("a sample needs at least one file", "give a folder for each role")
        tables = {role: _by_key(files, key) for role, files in parts.items()}
        names = sorted(set().union(*tables.values()))
        for name in names:
            _check_complete(name, tables, parts)
        names = names[: _limited(len(names), max_dataset_size)]
        rows = {role: np.array([table[name] for name in names], np.int64) for role, table in tables.items()}
        super().__init__(parts, length=len(names), rows=rows)


class PairedFolders(MultiFile):
    """Pairs of images that belong together by name and share their geometry.

    Parameters
    ----------
    a, b : path or Files
    max_dataset_size : int, optional
    """

    def __init__(self, a: Place, b: Place, *, max_dataset_size: int | None = None) -> None:
        super().__init__({"A": a, "B": b}, max_dataset_size=max_dataset_size)


def _by_key(files: Files, key: Callable[[str], str]) -> dict[str, int]:
    table: dict[str, int] = {}
    for number, name in enumerate(files.names):
        if table.setdefault(key(name), number) != number:
            other = files.names[table[key(name)]]
            raise InputError(f"{files.where}: {other} and {name} have the same name", "keep one of them")
    return table


def _check_complete(name: str, tables: Mapping[str, Mapping[str, int]], parts: Mapping[str, Files]) -> None:
    for role, table in tables.items():
        if name not in table:
            other = next(one for one, there in tables.items() if name in there)
            whole = parts[other].names[tables[other][name]]
            where = parts[role].where
            raise InputError(
                f"{where} lacks {name!r}: {other} has {whole}, {role} has no such file", "complete the set"
            )


def open_source(place: object, *, unpaired: bool = False) -> Source:
    """Return a source for what a user gave.

    Parameters
    ----------
    place : Source, path, pair of paths or mapping of str to path
        A path is a set of single images (folder, archive, pack); a pair is unpaired folders; a mapping a `MultiFile`.
    unpaired : bool
        A folder with ``trainA`` and ``trainB``, or with just two folders, is a pair.
    """
    if isinstance(place, Source):
        return place
    if isinstance(place, Mapping):
        return MultiFile(place)
    if isinstance(place, tuple | list) and len(place) == 2:
        return UnpairedFolders(place[0], place[1])
    if not isinstance(place, str | os.PathLike):
        raise InputError(f"{place!r} is no source of images", "give a folder, two folders, a mapping, or a Source")
    if unpaired:
        return UnpairedFolders(*_two_sides(Path(place)))
    parts, length, labels, classes = _images(open_files(place), None)
    return Source(parts, length=length, labels=labels, classes=classes)


def _two_sides(root: Path) -> tuple[Path, Path]:
    a, b = root / "trainA", root / "trainB"
    if a.is_dir() and b.is_dir():
        return a, b
    found = sorted(one for one in root.iterdir() if one.is_dir()) if root.is_dir() else []
    if len(found) != 2:
        raise InputError(f"{root} does not hold two folders of images", "give both: source=(A, B)")
    return found[0], found[1]
