"""Encoded images in a folder or a ZIP archive, by name; nothing is decoded here."""

from __future__ import annotations

import mmap
import os
import struct
import zipfile
import zlib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Protocol

from perfmodel.errors import InputError
from perfmodel.loading.pools import Item

_EXTENSIONS = frozenset({".jpg", ".jpeg", ".jpe", ".jfif", ".png"})
_SIGNATURES = (b"\xff\xd8\xff", b"\x89PNG\r\n\x1a\n")


class Files(Protocol):
    """A fixed list of encoded files."""

    @property
    def names(self) -> Sequence[str]:
        """Names relative to the root, with ``/``, sorted."""

    @property
    def where(self) -> str:
        """What holds them, for messages."""

    def item(self, index: int) -> Item:
        """Return one file as a decoder takes it."""

    def size(self, index: int) -> int:
        """Return its encoded bytes."""


class FolderFiles:
    """The images below a folder.

    Files with the extension of an image count; those with any other, or none, when their first bytes are those of a
    JPEG or PNG. What a file holds is decided by its content alone when it is decoded. Hidden files are left out.

    Parameters
    ----------
    root : path

    Raises
    ------
    InputError
        When the folder is missing or cannot be read.
    """

    def __init__(self, root: str | os.PathLike[str]) -> None:
        self.root = Path(root)
        if not self.root.is_dir():
            what = "is not a folder" if self.root.exists() else "does not exist"
            raise InputError(f"{self.root} {what}", "give the folder that holds the images")
        self.names: tuple[str, ...] = tuple(sorted(_images_below(self.root, "")))

    @property
    def where(self) -> str:
        """The folder."""
        return str(self.root)

    def item(self, index: int) -> str:
        """Return the path of one file."""
        return os.path.join(self.root, self.names[index])

    def size(self, index: int) -> int:
        """Return the bytes of one file."""
        return os.path.getsize(self.item(index))


def _images_below(folder: str | Path, prefix: str) -> Iterator[str]:
    try:
        with os.scandir(folder) as entries:
            found = [entry for entry in entries if not entry.name.startswith(".")]
    except OSError as error:
        raise InputError(f"{folder} cannot be read ({error.strerror})", "check its permissions") from None
    for entry in found:
        if entry.is_dir():
            yield from _images_below(entry.path, f"{prefix}{entry.name}/")
        elif _is_image(entry):
            yield prefix + entry.name


def _is_image(entry: os.DirEntry[str]) -> bool:
    if os.path.splitext(entry.name)[1].lower() in _EXTENSIONS:
        return True
    try:
        with open(entry.path, "rb") as file:
            return file.read(8).startswith(_SIGNATURES)
    except OSError:
        return False


_LARGEST_MEMBER = 2**30
_LOCAL_HEADER = struct.Struct("<4s22xHH")  # signature, ..., lengths of name and extra field (PKWARE APPNOTE 4.3.7)


class ZipFiles:
    """The images in a ZIP archive, mapped or held in memory.

    Stored members are handed on where they lie; deflated ones are inflated when they are read.

    Parameters
    ----------
    path : path
    memory : bool
        Read the whole archive now, rather than mapping it.

    Raises
    ------
    InputError
        When it cannot be opened or is no ZIP archive, or a member is encrypted or compressed otherwise.
    """

    def __init__(self, path: str | os.PathLike[str], *, memory: bool = False) -> None:
        self.path, self.memory = Path(path), memory
        self._open()

    @property
    def where(self) -> str:
        """The archive."""
        return str(self.path)

    def item(self, index: int) -> tuple[Any, int, int]:
        """Return (buffer, offset, length) of one encoded image."""
        start, length, method, size = self._places[index]
        if start + length > len(self._buffer):
            raise InputError(f"{self.path}: {self.names[index]} lies beyond its end", "copy the archive again")
        if method == zipfile.ZIP_STORED:
            return self._buffer, start, length
        return _inflated(self._buffer[start : start + length], size, f"{self.path}: {self.names[index]}"), 0, size

    def size(self, index: int) -> int:
        """Return the bytes of one image, inflated."""
        return self._places[index][3]

    def __getstate__(self) -> dict[str, Any]:
        return {"path": self.path, "memory": self.memory}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        self._open()

    def _open(self) -> None:
        try:
            with open(self.path, "rb") as file:
                self._buffer: bytes | mmap.mmap = (
                    file.read() if self.memory else mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
                )
                with zipfile.ZipFile(file) as archive:
                    members = [m for m in archive.infolist() if _is_wanted(m)]
        except (OSError, ValueError) as error:
            why = getattr(error, "strerror", None) or str(error)
            raise InputError(f"{self.path} cannot be read ({why})", "give a ZIP archive of images") from None
        except zipfile.BadZipFile as error:
            raise InputError(f"{self.path} is not a ZIP archive ({error})", "give a ZIP archive of images") from None
        members.sort(key=lambda member: member.filename)
        self.names: tuple[str, ...] = tuple(member.filename for member in members)
        self._places = [self._place(member) for member in members]

    def _place(self, member: zipfile.ZipInfo) -> tuple[int, int, int, int]:
        """Return start and length in the archive, method, and length when inflated."""
        if member.flag_bits & 1 or member.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
            how = "encrypted" if member.flag_bits & 1 else f"compressed by method {member.compress_type}"
            raise InputError(f"{self.path}: {member.filename} is {how}", "store or deflate it")
        header = self._buffer[member.header_offset : member.header_offset + _LOCAL_HEADER.size]
        if len(header) < _LOCAL_HEADER.size or header[:4] != b"PK\x03\x04":
            raise InputError(f"{self.path}: no header of {member.filename}", "copy the archive again")
        _, name, extra = _LOCAL_HEADER.unpack(header)
        start = member.header_offset + _LOCAL_HEADER.size + name + extra
        return start, member.compress_size, member.compress_type, member.file_size


def _is_wanted(member: zipfile.ZipInfo) -> bool:
    name = member.filename
    hidden = any(part.startswith((".", "__MACOSX")) for part in name.split("/"))
    return not member.is_dir() and not hidden and os.path.splitext(name)[1].lower() in _EXTENSIONS


def _inflated(data: bytes, size: int, name: str) -> bytes:
    """Inflate a member to its stated size, and never beyond."""
    if size > _LARGEST_MEMBER:
        raise InputError(f"{name} claims {size} bytes", "an encoded image is smaller: check the archive")
    inflater = zlib.decompressobj(-zlib.MAX_WBITS)
    try:
        result = inflater.decompress(data, max(size, 1))
    except zlib.error as error:
        raise InputError(f"{name} is damaged ({error})", "copy the archive again") from None
    if len(result) != size or inflater.unconsumed_tail:
        raise InputError(f"{name} is damaged (not of the stated size)", "copy the archive again")
    return result


class FilesBelow:
    """The part of a list of files whose names begin with a prefix, such as a folder inside an archive.

    Parameters
    ----------
    files : Files
    prefix : str
        Ends with ``/`` where it is a folder.
    """

    def __init__(self, files: Files, prefix: str) -> None:
        self.files, self.prefix = files, prefix
        self._numbers = [i for i, name in enumerate(files.names) if name.startswith(prefix)]
        self.names: tuple[str, ...] = tuple(files.names[i][len(prefix) :] for i in self._numbers)

    @property
    def where(self) -> str:
        """The whole, and the part of it."""
        return f"{self.files.where}/{self.prefix.rstrip('/')}"

    def item(self, index: int) -> Item:
        """Return one file as a decoder takes it."""
        return self.files.item(self._numbers[index])

    def size(self, index: int) -> int:
        """Return its encoded bytes."""
        return self.files.size(self._numbers[index])

    def shape(self, index: int) -> tuple[int, int] | None:
        """Return height and width where they are known without reading the file."""
        shape = getattr(self.files, "shape", None)
        return shape(self._numbers[index]) if shape else None


def open_files(path: str | os.PathLike[str]) -> Files:
    """Return the images of a folder, a ZIP archive or packed shards, or of a folder inside one (``set.zip/masks``)."""
    from perfmodel.loading.shards import ShardFiles, holds_shards

    whole = Path(path)
    for root in (whole, *whole.parents):
        if not root.exists():
            continue
        inside = whole.relative_to(root).as_posix() + "/" if root != whole else ""
        if holds_shards(root):
            found: Files = ShardFiles(root)
        elif root.is_file() and zipfile.is_zipfile(root):
            found = ZipFiles(root)
        else:
            break
        return FilesBelow(found, inside) if inside else found
    return FolderFiles(whole)
