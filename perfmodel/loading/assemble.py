"""Whole batches: from the numbers of batches to filled buffers, by one call of the pool for all that is alike."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from perfmodel.errors import ImageError, InputError
from perfmodel.loading.buffers import STORAGE, Group, allocate, groups, image_shape
from perfmodel.loading.device_pool import DeviceImages, DevicePool
from perfmodel.loading.plan import make_plan
from perfmodel.loading.pools import NOTHING, Item, Pool
from perfmodel.loading.sources import Index, Source
from perfmodel.loading.transforms import FILTERS, Transform

Images = npt.NDArray[Any] | DeviceImages
"""Images of a batch, in host memory or on a GPU."""


@dataclass(frozen=True, kw_only=True)
class Batch:
    """One batch in its buffers.

    Attributes
    ----------
    number : int
        In its epoch.
    index : array (n,)
        Samples.
    images : dict of str to array or DeviceImages
        For each role, (n, C, H, W) or (n, H, W, C).
    faults : dict of str to str
        Files that failed, and why; their samples are not in the batch.
    """

    number: int
    index: Index
    images: dict[str, Images]
    faults: dict[str, str] = field(default_factory=dict)


class Assembler:
    """Fills buffers with batches; several threads may use it at once.

    Parameters
    ----------
    source : Source
    transform : Transform
    pool : Pool
    plan_dtype : dtype
        Of the pool's plans.
    seed : int
    max_pixels : int
        Larger images fail.
    """

    def __init__(
        self, source: Source, transform: Transform, pool: Pool, *, plan_dtype: np.dtype[np.void], seed: int,
        max_pixels: int,
    ) -> None:  # fmt: skip
        self.source, self.transform, self.pool = source, transform, pool
        self.groups = groups(transform, source.roles, paired=source.paired)
        self._plan_dtype, self._seed, self._max_pixels = plan_dtype, seed, max_pixels

    def memory(self, samples: int, *, pinned: bool) -> list[Images]:
        """Return buffers for so many samples: one a group, on the GPU where the pool has one."""
        dtype = self.transform.dtype
        shapes = [
            (samples * len(group.roles), *image_shape(self.transform, group.common.channels)) for group in self.groups
        ]
        if isinstance(self.pool, DevicePool):
            return [DeviceImages(shape, dtype) for shape in shapes]
        return [allocate(shape, dtype, pinned=pinned) for shape in shapes]

    def fill(self, buffers: Sequence[Images], batches: Sequence[tuple[int, Index]], *, epoch: int) -> list[Batch]:
        """Load some batches.

        Parameters
        ----------
        buffers : sequence of array or DeviceImages
            One a group, with places for all samples.
        batches : sequence of (number, samples)
        epoch : int

        Returns
        -------
        list of Batch
            On the memory of the buffers; samples with a file that failed are left out.
        """
        index = np.concatenate([samples for _, samples in batches])
        failed: dict[int, dict[str, str]] = {}
        images: dict[str, Images] = {}
        for group, buffer in zip(self.groups, buffers, strict=True):
            out = buffer[: len(group.roles) * index.size]
            self._load(group, out, index, epoch, failed)
            for at, role in enumerate(group.roles):
                images[role] = out[at * index.size : (at + 1) * index.size]
        return self._split(batches, images, failed)

    def _load(self, group: Group, out: Images, index: Index, epoch: int, failed: dict[int, dict[str, str]]) -> None:
        """Load all files of a group; notes those that failed by place and name."""
        located = [self.source.locate(role, index, seed=self._seed, epoch=epoch) for role in group.roles]
        items: list[Item] = []
        broken: dict[int, str] = {}
        for role, numbers in zip(group.roles, located, strict=True):
            for number in numbers.tolist():
                items.append(self._item(role, number, len(items), broken))
        plans = []
        for at, role in enumerate(group.roles):
            part = items[at * index.size : (at + 1) * index.size]
            plans.append(
                make_plan(
                    self.transform, index, seed=self._seed, epoch=epoch, channel=group.channels[at],
                    stream=group.streams[at], sizes=self._sizes(role, located[at], part), dtype=self._plan_dtype,
                )
            )  # fmt: skip
        status, messages = self.call(items, np.concatenate(plans), out, group)
        texts = iter(messages)
        for place in np.flatnonzero(status).tolist():
            text = next(texts)
            role_at, at = divmod(place, index.size)
            name = self.source.name(group.roles[role_at], int(located[role_at][at]))
            source = items[place]
            reason = text.removeprefix(f"{source if isinstance(source, str) else '<buffer>'}: ")
            failed.setdefault(at, {})[name] = broken.get(place, reason)

    def _item(self, role: str, number: int, place: int, broken: dict[int, str]) -> Item:
        try:
            return self.source.parts[role].item(number)
        except InputError as error:  # one damaged member of an archive is one failed file
            broken[place] = error.reason
            return NOTHING

    def _sizes(self, role: str, numbers: Index, items: Sequence[Item]) -> npt.NDArray[np.int32] | None:
        if not self.transform.needs_sizes:
            return None
        shape = getattr(self.source.parts[role], "shape", None)
        known = [shape(number) for number in numbers.tolist()] if shape else [None]
        return self.pool.sizes(items) if None in known else np.array(known, dtype=np.int32)

    def call(
        self, items: Sequence[Item], plan: npt.NDArray[np.void], out: Images, group: Group
    ) -> tuple[npt.NDArray[np.int32], list[str]]:
        """Call the pool for images of a group."""
        common = group.common
        return self.pool.load(
            items, plan, out, mean=common.mean or (), std=common.std or (), filter=FILTERS[self.transform.filter],
            layout=self.transform.layout, cut_fill=self.transform.cutout_fill, max_pixels=self._max_pixels,
        )  # fmt: skip

    def _split(
        self, batches: Sequence[tuple[int, Index]], images: dict[str, Images],
        failed: dict[int, dict[str, str]],
    ) -> list[Batch]:  # fmt: skip
        """Cut what was loaded into batches, closing the gaps that failed samples left."""
        result, start = [], 0
        for number, samples in batches:
            end = start + samples.size
            views = {role: array[start:end] for role, array in images.items()}
            bad = [place - start for place in failed if start <= place < end]
            faults = {name: text for place in sorted(bad) for name, text in failed[place + start].items()}
            if bad:
                keep = np.delete(np.arange(samples.size), bad)
                views = {role: _kept(view, keep) for role, view in views.items()}
                samples = samples[keep]
            result.append(Batch(number=number, index=samples, images=views, faults=faults))
            start = end
        return result


def _kept(images: Images, places: npt.NDArray[np.intp]) -> Images:
    """Close the gaps between some images, in place in host memory."""
    if isinstance(images, DeviceImages):
        return images.take(places)
    images[: places.size] = images[places]
    return images[: places.size]


def image_error(faults: dict[str, str]) -> ImageError:
    """Return the error for a batch with faults: the first file, and how many more."""
    name, reason = next(iter(faults.items()))
    more = f" (and {len(faults) - 1} more in this batch)" if len(faults) > 1 else ""
    return ImageError(f"{name}: {reason}{more}", "repair or remove the file, or load with on_error='skip'")


def one_image(assembler: Assembler, item: Item, index: int, epoch: int, seed: int, role: str) -> npt.NDArray[Any]:
    """Load and transform one image by itself; the same result as in a batch where it is sample `index`.

    Raises
    ------
    ImageError
        When it cannot be loaded.
    """
    transform = assembler.transform
    group = next((group for group in assembler.groups if role in group.roles), assembler.groups[0])
    at = group.roles.index(role) if role in group.roles else 0
    sizes = assembler.pool.sizes([item]) if transform.needs_sizes else None
    plan = make_plan(
        transform, np.array([index]), seed=seed, epoch=epoch, channel=group.channels[at], stream=group.streams[at],
        sizes=sizes, dtype=assembler._plan_dtype,
    )  # fmt: skip
    out = np.empty((1, *image_shape(transform, group.common.channels)), dtype=STORAGE[transform.dtype])
    status, messages = assembler.call([item], plan, out, group)
    if status[0]:
        name = item if isinstance(item, str) else "<buffer>"
        raise image_error({name: messages[0].removeprefix(f"{name}: ")})
    result: npt.NDArray[Any] = out[0]
    return result
