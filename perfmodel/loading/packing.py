"""Packing images into shards: resumable, since a shard that is complete and sound is kept."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from perfmodel.errors import FailureError, InputError
from perfmodel.loading.files import Files, open_files
from perfmodel.loading.shard_writing import Part, write_shard
from perfmodel.loading.shards import MANIFEST, SUFFIX, Shard, ShardFiles, open_shard
from perfmodel.loading.sources import class_labels


@dataclass(frozen=True, kw_only=True)
class PackOptions:
    """How to pack.

    Attributes
    ----------
    shard_bytes : int
        Bytes of source files after which a shard ends.
    resize_shorter : int, optional
        Images whose shorter side is longer are reduced to it and encoded again; all others are copied as they are.
    quality : int
        Of the JPEGs that are encoded again.
    skip_bad : bool
        Leave out what is no readable image, rather than stop.
    threads : int
        That re-encode.
    """

    shard_bytes: int = 256_000_000
    resize_shorter: int | None = None
    quality: int = 90
    skip_bad: bool = False
    threads: int = field(default_factory=lambda: len(os.sched_getaffinity(0)))

    def __post_init__(self) -> None:
        """Refuse numbers that make no sense."""
        if self.shard_bytes < 1:
            raise InputError(f"a shard cannot hold {self.shard_bytes} bytes", "give --shard-size 256MB")
        if self.resize_shorter is not None and self.resize_shorter < 1:
            raise InputError(f"images cannot be resized to {self.resize_shorter}", "give --resize-shorter 1 or more")
        if not 1 <= self.quality <= 100:
            raise InputError(f"there is no JPEG quality {self.quality}", "give --quality 1 to 100")

    @property
    def settings(self) -> dict[str, Any]:
        """What the content of a shard depends on, besides its sources."""
        return {
            "resize_shorter": self.resize_shorter,
            "quality": self.quality if self.resize_shorter else None,
            "skip_bad": self.skip_bad,
        }


@dataclass(frozen=True, kw_only=True)
class PackResult:
    """What packing did.

    Attributes
    ----------
    shards, kept : int
        All, and those that were there already.
    images, bytes : int
        Of all shards.
    skipped : tuple of str
        Files left out.
    """

    shards: int
    kept: int
    images: int
    bytes: int
    skipped: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class _Done:
    """One shard that is complete."""

    path: Path
    images: int
    kept: bool
    skipped: tuple[str, ...]


def pack(
    source: str | os.PathLike[str],
    out: str | os.PathLike[str],
    options: PackOptions | None = None,
    *,
    verify: bool = False,
    progress: Callable[[str], None] = lambda text: None,
) -> PackResult:
    """Pack the images of a folder, ZIP archive or another pack into shards.

    Shards that an earlier run completed from the same files with the same options are kept when their checksums hold;
    a shard is written beside its place and moved there when it is whole.

    Parameters
    ----------
    source, out : path
        Images; the folder of shards, made where it is missing.
    options : PackOptions, optional
    verify : bool
        Read all shards back and compare checksums at the end.
    progress : callable
        Gets a line of text for each shard.

    Returns
    -------
    PackResult

    Raises
    ------
    InputError, ImageError
        When there are no images, or one cannot be read and none shall be left out.
    FailureError
        When `out` cannot be written to.
    """
    options, files, folder = options or PackOptions(), open_files(source), Path(out)
    if not files.names:
        raise InputError(f"{files.where} holds no images", "give a folder, archive or pack of JPEG or PNG files")
    if folder.exists() and folder.samefile(source):
        raise InputError(f"{folder} cannot be packed into itself", "give another folder for the shards")
    parts = list(_parts(files, folder, options))
    try:
        folder.mkdir(parents=True, exist_ok=True)
        (folder / MANIFEST).unlink(missing_ok=True)
        done = []
        for part in parts:
            done.append(_one(part, files, options))
            verb = "kept" if done[-1].kept else "packed"
            progress(f"{verb} {part.path.name} ({len(done)} of {len(parts)}): {done[-1].images} images")
        return _finish(folder, done, verify=verify)
    except OSError as error:
        where = error.filename or folder
        raise FailureError(f"{where}: {error.strerror or error}", "free space there, or give another folder") from error


def _parts(files: Files, folder: Path, options: PackOptions) -> Iterator[Part]:
    """Cut the sorted files into shards by the sizes of their sources: the same cut in every run."""
    labels, classes = class_labels(files.names)
    sizes = [files.size(number) for number in range(len(files.names))]
    start = total = count = 0
    for number in range(len(sizes) + 1):
        if number == len(sizes) or (number > start and total + sizes[number] > options.shard_bytes):
            yield Part(
                path=folder / f"shard-{count:05d}{SUFFIX}",
                numbers=tuple(range(start, number)),
                names=tuple(files.names[start:number]),
                sizes=tuple(sizes[start:number]),
                labels=tuple([-1] * (number - start) if labels is None else labels[start:number].tolist()),
                classes=classes,
            )
            start, total, count = number, 0, count + 1
        total += sizes[number] if number < len(sizes) else 0


def _one(part: Part, files: Files, options: PackOptions) -> _Done:
    """Keep a shard that is there and right, else write it."""
    found = _sound(part, options)
    kept = found is not None
    if found is None:
        write_shard(
            part, files, settings=options.settings, resize_shorter=options.resize_shorter, quality=options.quality,
            skip_bad=options.skip_bad, threads=options.threads,
        )  # fmt: skip
        found = open_shard(part.path)
    return _Done(path=part.path, images=len(found.names), kept=kept, skipped=tuple(found.footer["skipped"]))


def _sound(part: Part, options: PackOptions) -> Shard | None:
    """Return the shard at a part's place when it holds just that part, undamaged."""
    try:
        shard = open_shard(part.path)
        same = shard.footer["sources"] == part.sources and shard.footer["settings"] == options.settings
        if not same or shard.footer["classes"] != list(part.classes):
            return None
        for number in range(len(shard.names)):
            shard.verify(number)
    except InputError:
        return None
    return shard


def _finish(folder: Path, done: list[_Done], *, verify: bool) -> PackResult:
    """Remove shards of an earlier, longer cut; write the manifest; compare checksums where asked for."""
    wanted = {one.path.name for one in done}
    for path in folder.glob(f"shard-*{SUFFIX}*"):
        if path.name not in wanted:
            path.unlink()
    listed = [{"file": one.path.name, "images": one.images, "bytes": one.path.stat().st_size} for one in done]
    partial = folder / f"{MANIFEST}.part"
    partial.write_text(json.dumps({"version": 1, "shards": listed}, indent=1), encoding="utf-8")
    partial.replace(folder / MANIFEST)
    if verify:
        ShardFiles(folder).verify_all()
    return PackResult(
        shards=len(done),
        kept=sum(one.kept for one in done),
        images=sum(one.images for one in done),
        bytes=sum(one["bytes"] for one in listed if isinstance(one["bytes"], int)),
        skipped=tuple(name for one in done for name in one.skipped),
    )
