"""Writing one shard: images as they are, or reduced and encoded again."""

from __future__ import annotations

import io
import json
import os
import zlib
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import numpy as np

from perfmodel.errors import DependencyError, ImageError, InputError
from perfmodel.loading.files import Files
from perfmodel.loading.pools import Item, chosen_backend, make_pool
from perfmodel.loading.shards import ALIGNMENT, END, HEADER, INDEX_DTYPE, MAGIC, TRAILER, VERSION

_WINDOW = 64
"""Images held in memory at a time."""


@dataclass(frozen=True, kw_only=True)
class Part:
    """What goes into one shard.

    Attributes
    ----------
    path : Path
        Of the shard.
    numbers : tuple of int
        Of the source files.
    names, sizes, labels : tuple
        Of each: name, bytes, class (-1 for none).
    classes : tuple of str
    """

    path: Path
    numbers: tuple[int, ...]
    names: tuple[str, ...]
    sizes: tuple[int, ...]
    labels: tuple[int, ...]
    classes: tuple[str, ...]

    @property
    def sources(self) -> list[list[Any]]:
        """Name and bytes of each source file: by these a later run knows the shard again."""
        return [[name, size] for name, size in zip(self.names, self.sizes, strict=True)]


def write_shard(
    part: Part,
    files: Files,
    *,
    settings: dict[str, Any],
    resize_shorter: int | None,
    quality: int,
    skip_bad: bool,
    threads: int,
) -> None:
    """Write a shard beside its place and move it there when it is whole and on disk.

    Raises
    ------
    ImageError
        When a file is no readable image and none shall be left out; names it.
    """
    partial = part.path.with_name(part.path.name + ".part")
    records: list[tuple[int, ...]] = []
    names: list[str] = []
    skipped: list[str] = []
    with open(partial, "wb") as file:
        file.write(HEADER.pack(MAGIC, VERSION, ALIGNMENT))
        for name, label, (encoded, height, width) in _images(part, files, resize_shorter, quality, threads):
            if not height:
                if not skip_bad:
                    raise ImageError(
                        f"{files.where}/{name}: not a readable JPEG or PNG image", "remove it, or give --skip-bad"
                    )
                skipped.append(name)
                continue
            file.write(b"\0" * (-file.tell() % ALIGNMENT))
            records.append((file.tell(), len(encoded), zlib.crc32(encoded), label, height, width))
            names.append(name)
            file.write(encoded)
        footer = {"count": len(names), "names": names, "classes": part.classes, "skipped": skipped}
        _write_end(file, records, footer | {"sources": part.sources, "settings": settings})
    partial.replace(part.path)


def _write_end(file: IO[bytes], records: list[tuple[int, ...]], footer: dict[str, Any]) -> None:
    """Write index, footer and trailer, and bring all to the disk."""
    file.write(b"\0" * (-file.tell() % ALIGNMENT))
    index, text = np.array(records, dtype=INDEX_DTYPE).tobytes(), json.dumps(footer).encode()
    start = file.tell()
    file.write(index + text)
    file.write(TRAILER.pack(start, len(index), start + len(index), len(text), zlib.crc32(index + text), END))
    file.flush()
    os.fsync(file.fileno())


Encoded = tuple[bytes, int, int]


def _images(
    part: Part, files: Files, resize_shorter: int | None, quality: int, threads: int
) -> Iterator[tuple[str, int, Encoded]]:
    """Yield name, class, and (bytes, height, width) of each image; zero sizes where it is none."""
    if resize_shorter is not None:
        _need_pillow()

    def reduced(encoded: Encoded) -> Encoded:
        return encoded if resize_shorter is None else _reduced(encoded, resize_shorter, quality)

    pool = make_pool(chosen_backend(), threads)
    try:
        with ThreadPoolExecutor(threads) as executor:
            for start in range(0, len(part.numbers), _WINDOW):
                window = slice(start, start + _WINDOW)
                found = [_bytes(files, number) for number in part.numbers[window]]
                sizes = pool.sizes([(data, 0, len(data)) for data in found])
                whole = [(data, int(h), int(w)) for data, (h, w, _) in zip(found, sizes, strict=True)]
                yield from zip(part.names[window], part.labels[window], executor.map(reduced, whole), strict=True)
    finally:
        pool.close()


def _bytes(files: Files, number: int) -> bytes:
    """Return an encoded file; nothing where it cannot be read."""
    try:
        item: Item = files.item(number)
        if isinstance(item, str):
            return Path(item).read_bytes()
    except (OSError, InputError):
        return b""
    buffer, offset, length = item
    return bytes(memoryview(buffer)[offset : offset + length])


def _need_pillow() -> None:
    try:
        import PIL.Image  # noqa: F401
    except ImportError as error:
        raise DependencyError("encoding images again needs Pillow", "pip install pillow") from error


def _reduced(encoded: Encoded, shorter: int, quality: int) -> Encoded:
    """Encode an image again with its shorter side reduced, in its own format; as it is where that is short enough."""
    from PIL import Image

    data, height, width = encoded
    if min(height, width) <= shorter:
        return encoded
    scale = shorter / min(height, width)
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    out = io.BytesIO()
    try:
        with Image.open(io.BytesIO(data), formats=("JPEG", "PNG")) as image:
            kind, options = ("PNG", {}) if image.format == "PNG" else ("JPEG", {"quality": quality})
            resized = image.resize(size, _filter(image.mode))
            resized.save(out, kind, exif=image.info.get("exif", b""), **options)
    except Exception:  # Pillow raises errors of many kinds for damaged images
        return b"", 0, 0
    return out.getvalue(), size[1], size[0]


def _filter(mode: str) -> Any:
    """Lanczos, but palettes and masks of one bit keep their values."""
    from PIL.Image import Resampling

    return Resampling.NEAREST if mode in ("P", "1") else Resampling.LANCZOS
