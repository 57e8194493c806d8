"""What the time model needs to know of a loader, measured on a sample of its own files."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from perfmodel.hardware.host import Host
from perfmodel.loading.model import LoaderModel
from perfmodel.loading.pipelines import ImageSet
from perfmodel.loading.pools import Item

if TYPE_CHECKING:
    from perfmodel.loading.loader import Loader

_SAMPLE = 64
"""Files of each role that are looked at: their headers only."""

_PIPELINES = {"native": "native", "pillow": "pil"}
_BYTES = {"float32": 4, "float16": 2, "bfloat16": 2, "uint8": 1}


def describe(loader: Loader, host: str | Host = "default") -> LoaderModel:
    """Return the time model of a loader: file size, decoded size and kind from up to 64 files of each role.

    Parameters
    ----------
    loader : Loader
    host : str or Host
        Where it shall run.
    """
    source = loader.source
    index = np.unique(np.linspace(0, len(source) - 1, min(_SAMPLE, len(source))).astype(np.int64))
    chosen = [(source.parts[role], int(n)) for role in source.roles for n in source.locate(role, index)]
    items = [files.item(number) for files, number in chosen]
    sizes = loader._assembler.pool.sizes(items)[:, :2].astype(np.float64)
    pixels, (height, width) = sizes.prod(axis=1).mean(), sizes.mean(axis=0)
    scale = np.sqrt(pixels / max(height * width, 1.0))  # the mean of the areas counts, not the area of the means
    out_height, out_width = loader.pipeline.size
    channels = [loader.pipeline.channel(role).channels for role in source.roles]
    images = ImageSet(
        key="own",
        name=f"{len(source)} samples of {', '.join(part.where for part in source.parts.values())}",
        kind=_kind(items),
        kb=float(np.mean([files.size(number) for files, number in chosen])) / 1e3,
        width=round(width * scale),
        height=round(height * scale),
        out_width=out_width,
        out_height=out_height,
        channels=round(float(np.mean(channels))),
        files=len(source.roles),
    )
    return LoaderModel(
        pipeline=_PIPELINES[loader.backend], images=images, host=host, prefetch=loader.prefetch,
        out_bytes_per_value=_BYTES[loader.pipeline.dtype],
    )  # fmt: skip


def _kind(items: Sequence[Item]) -> str:
    """Return the format of most of the files, by their first bytes."""
    return Counter("png" if _begins(item) == b"\x89PNG" else "jpeg" for item in items).most_common(1)[0][0]


def _begins(item: Item) -> bytes:
    if isinstance(item, str):
        with open(item, "rb") as file:
            return file.read(4)
    buffer, offset, _ = item
    return bytes(memoryview(buffer)[offset : offset + 4])
