"""Some files of a data set: how each is coded, its bytes and pixels; read from headers, nothing is decoded."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from perfmodel.errors import InputError
from perfmodel.loading.files import Files
from perfmodel.loading.pipelines import USUAL_CODED, ImageSet, Pipeline
from perfmodel.loading.pools import NOTHING, Item, chosen_backend, make_pool
from perfmodel.loading.sources import Place, Source, open_source
from perfmodel.loading.transforms import Transform, find_transform

Floats = npt.NDArray[np.float64]

SAMPLE = 200
"""Files of which the headers are read."""

_HEADER_BYTES = 1 << 17
_SOF = frozenset({0xC0, 0xC1, 0xC2, 0xC3, 0xC5, 0xC6, 0xC7, 0xC9, 0xCA, 0xCB, 0xCD, 0xCE, 0xCF})
_PROGRESSIVE_SOF = frozenset({0xC2, 0xC6, 0xCA, 0xCE})


@dataclass(frozen=True, kw_only=True)
class FileSample:
    """Files drawn from a data set; the arrays have one entry a file.

    Attributes
    ----------
    kinds : tuple of str
        Of `perfmodel.loading.pipelines.KINDS`.
    kb, mpx, coded_mpx : array (n,)
        Bytes (KB of 1000), decoded pixels and coded samples (millions).
    height, width : array (n,)
        Pixels.
    unreadable : int
        Files that were drawn and are no JPEG or PNG; they are in none of the arrays.
    """

    kinds: tuple[str, ...]
    kb: Floats
    mpx: Floats
    coded_mpx: Floats
    height: Floats
    width: Floats
    unreadable: int = 0

    def __len__(self) -> int:
        return len(self.kinds)

    @property
    def mix(self) -> dict[str, float]:
        """Share of each kind, the most frequent first."""
        return {kind: count / len(self) for kind, count in Counter(self.kinds).most_common()}

    def costs_ms(self, pipeline: Pipeline, *, out_mpx: float) -> Floats:
        """Return the CPU time of each file in a pipeline, ms (n,)."""
        result = np.empty(len(self))
        kinds = np.array(self.kinds)
        for kind in set(self.kinds):
            one = kinds == kind
            result[one] = pipeline.cost_ms(
                kb=self.kb[one], mpx=self.mpx[one], coded_mpx=self.coded_mpx[one], out_mpx=out_mpx, kind=kind
            )
        return result


def coding(head: bytes) -> tuple[str, float]:
    """Return how a file is coded and its coded samples a pixel, from its first bytes.

    JPEG: the frame header says whether it is progressive, and how each component is sampled (ITU-T T.81, B.2.2).
    PNG: 1 to 4 samples by colour type (PNG specification, 11.2.1).
    """
    if head.startswith(b"\x89PNG"):
        kinds = {0: 1.0, 2: 3.0, 3: 1.0, 4: 2.0, 6: 4.0}
        return "png", kinds.get(head[25], 3.0) if len(head) > 25 else 3.0
    at = 2
    while at + 9 < len(head) and head[at] == 0xFF:
        marker = head[at + 1]
        if marker == 0xFF or 0xD0 <= marker <= 0xD8 or marker == 0x01:
            at += 1 if marker == 0xFF else 2
            continue
        if marker in _SOF:
            return ("progressive" if marker in _PROGRESSIVE_SOF else "jpeg"), _coded(head, at)
        at += 2 + int.from_bytes(head[at + 2 : at + 4], "big")
    return "jpeg", USUAL_CODED["jpeg"]


def _coded(head: bytes, at: int) -> float:
    """Samples a pixel of the frame whose header starts at a byte."""
    factors = [head[at + 11 + 3 * n] for n in range(head[at + 9]) if at + 11 + 3 * n < len(head)]
    shares = [(one >> 4) * (one & 15) for one in factors]
    return sum(shares) / max(shares) if shares and max(shares) > 0 else USUAL_CODED["jpeg"]


def read_sample(source: Source, *, count: int = SAMPLE, seed: int = 0) -> FileSample:
    """Read the headers of up to `count` files of a source, drawn at random but alike for a seed.

    Raises
    ------
    InputError
        When none of them is a readable image.
    """
    chosen = _draw(source, count, seed)
    items = [_item(files, number) for files, number in chosen]
    try:
        return sample_of(items, [files.size(number) for files, number in chosen])
    except InputError:
        where = ", ".join(files.where for files in source.parts.values())
        raise InputError(
            f"{where}: none of {len(items)} files is a readable image", "give a folder of JPEG or PNG files"
        ) from None


def _item(files: Files, number: int) -> Item:
    try:
        return files.item(number)
    except InputError:  # a damaged member of an archive counts as one unreadable file
        return NOTHING


def sample_of(items: Sequence[Item], sizes: Sequence[int] | None = None) -> FileSample:
    """Read the headers of some files, with their bytes where known.

    Raises
    ------
    InputError
        When none of them is a readable image.
    """
    pool = make_pool(chosen_backend(), 1)
    try:
        shapes = pool.sizes(items)[:, :2].astype(np.float64)
    finally:
        pool.close()
    good = [int(n) for n in np.flatnonzero(shapes.prod(axis=1) > 0)]
    if not good:
        raise InputError(f"none of {len(items)} files is a readable image", "give JPEG or PNG files")
    codings = [coding(_head(items[n])) for n in good]
    stored = [os.path.getsize(one) if isinstance(one, str) else one[2] for one in items] if sizes is None else sizes
    mpx = shapes[good].prod(axis=1) / 1e6
    return FileSample(
        kinds=tuple(kind for kind, _ in codings),
        kb=np.array([stored[n] for n in good]) / 1e3,
        mpx=mpx,
        coded_mpx=mpx * np.array([samples for _, samples in codings]),
        height=shapes[good, 0],
        width=shapes[good, 1],
        unreadable=len(items) - len(good),
    )


def _draw(source: Source, count: int, seed: int) -> list[tuple[Files, int]]:
    size = min(max(1, count // len(source.roles)), len(source))
    index = np.sort(np.random.default_rng(seed).choice(len(source), size=size, replace=False)).astype(np.int64)
    return [(source.parts[role], int(n)) for role in source.roles for n in source.locate(role, index)]


def _head(item: Item) -> bytes:
    if isinstance(item, str | os.PathLike):
        with open(item, "rb") as file:
            return file.read(_HEADER_BYTES)
    buffer, offset, length = item
    return bytes(memoryview(buffer)[offset : offset + min(length, _HEADER_BYTES)])


def describe_source(source: Source, transform: Transform, *, count: int = SAMPLE, seed: int = 0) -> ImageSet:
    """Return the image set of a source under a transform, with its sample of files."""
    sample = read_sample(source, count=count, seed=seed)
    pixels, height, width = 1e6 * sample.mpx.mean(), sample.height.mean(), sample.width.mean()
    scale = np.sqrt(pixels / max(height * width, 1.0))  # the mean of the areas counts, not the area of the means
    channels = [transform.channel(role).channels for role in source.roles]
    return ImageSet(
        key="own",
        name=f"{len(source)} samples of {', '.join(part.where for part in source.parts.values())}",
        kind=next(iter(sample.mix)),
        kb=float(sample.kb.mean()),
        width=round(width * scale),
        height=round(height * scale),
        out_width=transform.size[1],
        out_height=transform.size[0],
        channels=round(float(np.mean(channels))),
        files=len(source.roles),
        samples=len(source),
        sample=sample,
    )


def describe_folder(
    place: Place | Sequence[Place], transform: str | Transform = "cyclegan", *, count: int = SAMPLE, seed: int = 0
) -> ImageSet:
    """Return the image set of a folder, ZIP archive or pack, or two of them, under a transform.

    A folder with ``trainA`` and ``trainB`` is unpaired under ``cyclegan``; any other holds single images.
    """
    unpaired = transform == "cyclegan" and isinstance(place, str | os.PathLike) and _has_sides(place)
    source = open_source(place, unpaired=unpaired)
    chosen = transform if isinstance(transform, Transform) else find_transform(transform)
    return describe_source(source, chosen, count=count, seed=seed)


def _has_sides(place: str | os.PathLike[str]) -> bool:
    return all(os.path.isdir(os.path.join(place, side)) for side in ("trainA", "trainB"))
