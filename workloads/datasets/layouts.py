"""Where the real driving data sets come from, how they lie on disk, and finding their images.

A domain is a flat folder of images (as the CycleGAN workload reads it) or the tree in which its makers publish it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from perfmodel.errors import InputError

SUFFIXES = frozenset({".png", ".jpg", ".jpeg", ".bmp", ".webp", ".ppm"})


@dataclass(frozen=True, kw_only=True)
class DataSet:
    """A published data set.

    Attributes
    ----------
    name, title : str
    site : str
        Where its makers give it out.
    terms : str
        What they ask for.
    parts : tuple of str
        What to take.
    patterns : tuple of str
        Where the images lie in the original tree, as globs below the data set's folder; the first that matches counts.
    """

    name: str
    title: str
    site: str
    terms: str
    parts: tuple[str, ...]
    patterns: tuple[str, ...]


DATASETS: Mapping[str, DataSet] = {
    one.name: one
    for one in (
        DataSet(
            name="VKITTI",
            title="Virtual KITTI (1.3.1 and 2)",
            site="europe.naverlabs.com, research, proxy virtual worlds",
            terms="free for research that makes no money; no registration",
            parts=("vkitti_1.3.1_rgb.tar, or vkitti_2.0.3_rgb.tar",),
            patterns=("Scene*/clone/frames/rgb/Camera_0/*.jpg", "*/clone/*.png", "vkitti_*_rgb/*/clone/*.png"),
        ),
        DataSet(
            name="KITTI",
            title="KITTI vision benchmark, object detection images",
            site="www.cvlibs.net/datasets/kitti",
            terms="registration; free for research that makes no money",
            parts=("data_object_image_2.zip (left colour images)",),
            patterns=("training/image_2/*.png", "*/*_drive_*_sync/image_02/data/*.png"),
        ),
        DataSet(
            name="Cityscapes",
            title="Cityscapes, fine annotations' images",
            site="www.cityscapes-dataset.com",
            terms="registration; free for research that makes no money",
            parts=("leftImg8bit_trainvaltest.zip",),
            patterns=("leftImg8bit/train/*/*_leftImg8bit.png",),
        ),
        DataSet(
            name="Synthia",
            title="SYNTHIA-RAND-CITYSCAPES",
            site="synthia-dataset.net",
            terms="free for research that makes no money",
            parts=("SYNTHIA_RAND_CITYSCAPES.rar",),
            patterns=("RGB/*.png", "RAND_CITYSCAPES/RGB/*.png"),
        ),
    )
}
"""Driving data sets by name."""

OTHER: Mapping[str, str] = {
    "frames": "driving frames with labels: a folder with the images and labels.csv of the columns image, v, w "
    "(file name, speed in m/s from 6.5 to 24, turn rate from -7.1 to 7.1)",
    "quadruples": "depth and mask samples: a folder or a ZIP with the folders background, composite, mask and depth, "
    "whose files of one sample share their name",
}
"""Layouts that belong to no published set."""


def find_dataset(name: str) -> DataSet:
    """Return a data set by its name in any case.

    Raises
    ------
    InputError
        For another name.
    """
    for one in DATASETS.values():
        if one.name.lower() == name.strip().lower():
            return one
    raise InputError(f"no data set {name!r}", f"there are {', '.join((*DATASETS, *OTHER))}")


def how_to(name: str) -> str:
    """Return where a user gets a data set and how it must lie, as text."""
    if name in OTHER:
        return f"{name}: {OTHER[name]}\n\nmake some: perfmodel datasets generate OUT --kind {name}"
    one = find_dataset(name)
    return "\n".join(
        [
            f"{one.name}: {one.title}",
            f"  from     {one.site} ({one.terms})",
            *(f"  take     {part}" for part in one.parts),
            "",
            f"Let it lie as DATAROOT/{one.name}/, either a flat folder of images, or as published:",
            *(f"  DATAROOT/{one.name}/{pattern}" for pattern in one.patterns),
            "",
            f"Then: perfmodel run cyclegan --dataroot DATAROOT --name {one.name}-OTHER",
            f"Without it: perfmodel datasets generate DATAROOT --domains {one.name} (generated, not real)",
        ]
    )


def find_images(folder: str | Path, *, limit: int | None = None) -> tuple[Path, ...]:
    """Return the images of a domain's folder, sorted: those in it, else those of a published tree in it.

    Parameters
    ----------
    folder : str or Path
        Named after its data set where it holds a published tree.
    limit : int, optional
        At most so many, the first ones.

    Raises
    ------
    InputError
        When the folder is missing, is a file, or holds no image.
    """
    where = Path(folder)
    if where.is_file():
        raise InputError(f"{where} is a file, not a folder of images", "give the folder it lies in")
    if not where.is_dir():
        raise InputError(
            f"no folder {where}", "perfmodel datasets how-to NAME says where to get it and how it must lie"
        )
    found = sorted(path for path in where.iterdir() if path.suffix.lower() in SUFFIXES and path.is_file())
    if not found:
        found = _published(where)
    if not found:
        raise InputError(
            f"{where} holds no images", f"it needs {', '.join(sorted(SUFFIXES))} files, or a published tree"
        )
    return tuple(found[:limit])


def _published(where: Path) -> list[Path]:
    """Images of the first published layout that matches; the folder's own name tells which are tried first."""
    own = [one for one in DATASETS.values() if one.name.lower() == where.name.lower()]
    for one in (*own, *DATASETS.values()):
        for pattern in one.patterns:
            found = sorted(path for path in where.glob(pattern) if path.is_file())
            if found:
                return found
    return []


def pair_of(name: str) -> tuple[str, str]:
    """Split ``VKITTI-KITTI`` into source and target.

    Raises
    ------
    InputError
        When it is no pair.
    """
    source, dash, target = name.partition("-")
    if not (source and dash and target) or "-" in target:
        raise InputError(f"{name!r} names no pair of data sets", "write SOURCE-TARGET, such as VKITTI-KITTI")
    return source, target
