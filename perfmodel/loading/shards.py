"""Packed shards: a few large files that hold many encoded images, read by mapping them.

A shard, all integers little-endian:

====================  ==============================================================================================
bytes                 content
====================  ==============================================================================================
0-7                   ``PMSHARD1``
8-11, 12-15           format version (1), alignment in bytes (64)
from 64               the encoded images, each from a multiple of the alignment
then                  the index: one `INDEX_DTYPE` record an image (offset, length, CRC-32, label, height, width)
then                  the footer: JSON with ``count``, ``names``, ``classes``, ``sources``, ``settings``
last 40               offsets and lengths of index and footer (4 x u64), CRC-32 of both together (u32), ``PMSE``
====================  ==============================================================================================

A folder of shards also holds ``pack.json``, written last: without it packing was not finished.
"""

from __future__ import annotations

import json
import mmap
import os
import struct
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from perfmodel.errors import InputError

MAGIC, END = b"PMSHARD1", b"PMSE"
VERSION, ALIGNMENT = 1, 64
SUFFIX, MANIFEST = ".pmshard", "pack.json"

HEADER = struct.Struct("<8sII48x")
TRAILER = struct.Struct("<QQQQI4s")
INDEX_DTYPE = np.dtype(
    [("offset", "<u8"), ("length", "<u8"), ("crc32", "<u4"), ("label", "<i4"), ("height", "<u4"), ("width", "<u4")]
)

_AGAIN = "pack it again: only damaged shards are redone"


@dataclass(frozen=True, kw_only=True)
class Shard:
    """One shard, mapped.

    Attributes
    ----------
    path : Path
    buffer : mmap
    index : array (count,) of `INDEX_DTYPE`
    names : tuple of str
    footer : dict
        All that the JSON holds.
    """

    path: Path
    buffer: mmap.mmap
    index: npt.NDArray[np.void]
    names: tuple[str, ...]
    footer: dict[str, Any]

    def item(self, number: int) -> tuple[mmap.mmap, int, int]:
        """Return (buffer, offset, length) of one encoded image."""
        record = self.index[number]
        return self.buffer, int(record["offset"]), int(record["length"])

    def verify(self, number: int) -> None:
        """Compare one image with its checksum.

        Raises
        ------
        InputError
            When it differs: names the shard and the sample.
        """
        buffer, offset, length = self.item(number)
        if zlib.crc32(memoryview(buffer)[offset : offset + length]) != self.index[number]["crc32"]:
            raise InputError(f"{self.path}: {self.names[number]} is damaged (checksum)", _AGAIN)


def open_shard(path: str | os.PathLike[str]) -> Shard:
    """Map a shard and read its index.

    Raises
    ------
    InputError
        When it cannot be opened, is no shard, is of a later version, or its index is damaged.
    """
    path = Path(path)
    try:
        with open(path, "rb") as file:
            buffer = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
    except (OSError, ValueError) as error:
        raise InputError(f"{path} cannot be read ({error})", "give a shard of perfmodel loader pack") from None
    if len(buffer) < HEADER.size + TRAILER.size or buffer[: len(MAGIC)] != MAGIC:
        raise InputError(f"{path} is not a packed shard", "give a shard of perfmodel loader pack")
    _, version, _ = HEADER.unpack_from(buffer)
    if version != VERSION:
        raise InputError(
            f"{path} is of format {version}, this reads {VERSION}", "use a newer perfmodel, or pack it again"
        )
    index, footer = _index_and_footer(path, buffer)
    return Shard(path=path, buffer=buffer, index=index, names=tuple(footer["names"]), footer=footer)


def _index_and_footer(path: Path, buffer: mmap.mmap) -> tuple[npt.NDArray[np.void], dict[str, Any]]:
    start, length, footer_start, footer_length, crc, end = TRAILER.unpack_from(buffer, len(buffer) - TRAILER.size)
    whole = start + length == footer_start and footer_start + footer_length == len(buffer) - TRAILER.size
    if end != END or not whole or zlib.crc32(buffer[start : footer_start + footer_length]) != crc:
        raise InputError(f"{path} is damaged (its index)", _AGAIN)
    index = np.frombuffer(buffer[start : start + length], dtype=INDEX_DTYPE)
    ends = index["offset"] + index["length"]
    if index.size and int(ends.max()) > start:
        raise InputError(f"{path} is damaged (its index points beyond its images)", _AGAIN)
    return index, json.loads(buffer[footer_start : footer_start + footer_length])


def holds_shards(path: str | os.PathLike[str]) -> bool:
    """Whether a path is a shard, or a folder that was packed or is being packed."""
    path = Path(path)
    if path.is_dir():
        return (path / MANIFEST).is_file() or any(path.glob(f"*{SUFFIX}"))
    return path.suffix == SUFFIX and path.is_file()


def shard_paths(path: str | os.PathLike[str]) -> list[Path]:
    """Return the shards of a packed folder in order, or the one shard.

    Raises
    ------
    InputError
        When packing was not finished, or a shard is missing.
    """
    path = Path(path)
    if path.is_file():
        return [path]
    try:
        listed = json.loads((path / MANIFEST).read_text(encoding="utf-8"))["shards"]
    except FileNotFoundError:
        raise InputError(f"{path} was not packed to its end", "run perfmodel loader pack again: it goes on") from None
    except (OSError, ValueError, KeyError) as error:
        raise InputError(f"{path / MANIFEST} cannot be read ({error})", _AGAIN) from None
    found = [path / one["file"] for one in listed]
    for one in found:
        if not one.is_file():
            raise InputError(f"{one} is missing", _AGAIN)
    return found


class ShardFiles:
    """The images of packed shards.

    Parameters
    ----------
    path : path
        A packed folder, or one shard.
    verify : bool
        Compare every image with its checksum when it is read.

    Raises
    ------
    InputError
        As of `shard_paths` and `open_shard`.
    """

    def __init__(self, path: str | os.PathLike[str], *, verify: bool = False) -> None:
        self.path, self.verify = Path(path), verify
        self._open()

    @property
    def where(self) -> str:
        """The folder, or the shard."""
        return str(self.path)

    def item(self, index: int) -> tuple[Any, int, int]:
        """Return (buffer, offset, length) of one encoded image."""
        shard, number = self._place(index)
        if self.verify:
            shard.verify(number)
        return shard.item(number)

    def size(self, index: int) -> int:
        """Return the encoded bytes of one image."""
        shard, number = self._place(index)
        return int(shard.index[number]["length"])

    def shape(self, index: int) -> tuple[int, int] | None:
        """Return height and width of one image, known since it was packed."""
        shard, number = self._place(index)
        return int(shard.index[number]["height"]), int(shard.index[number]["width"])

    def verify_all(self) -> int:
        """Compare every image with its checksum and return how many there are."""
        for shard in self.shards:
            for number in range(len(shard.names)):
                shard.verify(number)
        return len(self.names)

    def _place(self, index: int) -> tuple[Shard, int]:
        which = int(np.searchsorted(self._ends, index, side="right"))
        return self.shards[which], index - (int(self._ends[which - 1]) if which else 0)

    def _open(self) -> None:
        self.shards = [open_shard(path) for path in shard_paths(self.path)]
        self._ends = np.cumsum([len(shard.names) for shard in self.shards])
        self.names: tuple[str, ...] = tuple(name for shard in self.shards for name in shard.names)

    def __getstate__(self) -> dict[str, Any]:
        return {"path": self.path, "verify": self.verify}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        self._open()
