"""Writing generated driving scenes to folders that the workloads read, so that everything runs offline.

Three kinds: ``images`` (a flat folder a domain), ``frames`` (the same with steering labels) and ``quadruples``
(background, composite, mask and depth of each scene). Every folder says that its images are generated. What is there
already is kept, so that an interrupted run goes on where it stopped.
"""

from __future__ import annotations

import csv
import json
import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from perfmodel.errors import InputError
from perfmodel.workloads.datasets.domains import Domain, find_domain
from perfmodel.workloads.datasets.render import FAR_M, Frame, render
from perfmodel.workloads.datasets.scene import SPEED_RANGE, TURN_RANGE, scene_of

KINDS = ("images", "frames", "quadruples")
PARTS = ("background", "composite", "mask", "depth")
NOTICE = "GENERATED.json"
_CHUNK = 16


@dataclass(frozen=True, kw_only=True)
class Order:
    """What to generate.

    Attributes
    ----------
    domains : tuple of Domain
    images : int
        Scenes of each domain.
    height, width : int
        Pixels.
    kind : str
        One of `KINDS`.
    suffix : str
        ``png`` or ``jpg``.
    quality : int
        Of JPEG.
    seed : int
    """

    domains: tuple[Domain, ...]
    images: int
    height: int = 256
    width: int = 256
    kind: str = "images"
    suffix: str = "png"
    quality: int = 92
    seed: int = 0

    def __post_init__(self) -> None:
        """Refuse what cannot be generated."""
        if not self.domains:
            raise InputError("no domain to generate", "give --domains, such as VKITTI,KITTI")
        for value, least, name in ((self.images, 1, "images"), (self.height, 16, "height"), (self.width, 16, "width")):
            if value < least:
                raise InputError(f"{name} is {value}", f"give {least} or more")
        if self.kind not in KINDS:
            raise InputError(f"no kind {self.kind!r} of generated data", f"there are {', '.join(KINDS)}")
        if self.suffix not in ("png", "jpg"):
            raise InputError(f"images cannot be written as {self.suffix!r}", "give png or jpg")
        if not 1 <= self.quality <= 100:
            raise InputError(f"JPEG quality is {self.quality}", "give 1 to 100")


def generate(
    out: str | Path, order: Order, *, jobs: int | None = None, progress: Callable[[int], None] | None = None
) -> int:
    """Write generated scenes below a folder, one folder a domain.

    Parameters
    ----------
    out : str or Path
    order : Order
    jobs : int, optional
        Processes; one a core by default.
    progress : callable, optional
        Told the number of scenes after each piece.

    Returns
    -------
    int
        Scenes written now; those that were there already are kept.

    Raises
    ------
    InputError
        When the folder holds images made otherwise, or cannot be written.
    """
    root = Path(out)
    written = 0
    for domain in order.domains:
        folder = root / domain.name.replace("/", "_")
        _prepare(folder, order, domain)
        missing = [index for index in range(order.images) if not _last_file(folder, order, index).exists()]
        pieces = [missing[at : at + _CHUNK] for at in range(0, len(missing), _CHUNK)]
        work = partial(_write_piece, folder, order, domain)
        for count in _run(work, pieces, jobs or os.cpu_count() or 1):
            written += count
            if progress is not None:
                progress(count)
        if order.kind == "frames":
            _write_labels(folder, order, domain)
    return written


def named_order(domains: Sequence[str], **settings: Any) -> Order:
    """Return an order with domains by name (`find_domain`)."""
    return Order(domains=tuple(map(find_domain, domains)), **settings)


def _run(work: Callable[[list[int]], int], pieces: list[list[int]], jobs: int) -> Iterable[int]:
    if jobs <= 1 or len(pieces) <= 1:
        yield from map(work, pieces)
        return
    pool = ProcessPoolExecutor(max_workers=min(jobs, len(pieces)))
    try:
        yield from pool.map(work, pieces)
    finally:
        pool.shutdown(cancel_futures=True)


def _prepare(folder: Path, order: Order, domain: Domain) -> None:
    """Make the folder and its notice, or check that what is there was made by the same order."""
    notice = folder / NOTICE
    facts = {
        "generated": "these images are drawn by a program; they are not the data set of that name",
        "domain": domain.to_dict(), "kind": order.kind, "size": [order.height, order.width], "seed": order.seed,
        "format": order.suffix, "quality": order.quality if order.suffix == "jpg" else None,
    }  # fmt: skip
    text = json.dumps(facts, indent=1)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        if notice.exists():
            if notice.read_text(encoding="utf-8") != text:
                raise InputError(
                    f"{folder} holds images that were generated with other settings", "choose another folder"
                )
            return
        if any(folder.iterdir()):
            raise InputError(f"{folder} holds other files", "choose an empty folder")
        notice.write_text(text, encoding="utf-8")
        if order.kind == "quadruples":
            for part in PARTS:
                (folder / part).mkdir()
    except OSError as error:
        raise InputError(f"cannot write to {folder}: {error.strerror}", "choose another folder") from None


def _last_file(folder: Path, order: Order, index: int) -> Path:
    """The file of a scene that is written last."""
    if order.kind == "quadruples":
        return folder / PARTS[-1] / f"{index:06d}.png"
    return folder / f"{index:06d}.{order.suffix}"


def _write_piece(folder: Path, order: Order, domain: Domain, piece: list[int]) -> int:
    for index in piece:
        frame = frame_of(domain, order, index)
        for path, pixels in _files(folder, order, index, frame):
            _write_image(path, pixels, order.quality)
    return len(piece)


def frame_of(domain: Domain, order: Order, index: int) -> Frame:
    """Render one scene of an order. Each domain has scenes of its own, as unpaired translation needs."""
    return render(
        scene_of(domain, seed=scene_seed(order, domain), index=index), domain,
        height=order.height, width=order.width, index=index, background=order.kind == "quadruples",
    )  # fmt: skip


def scene_seed(order: Order, domain: Domain) -> int:
    """Seed of a domain's scenes: the order's, and the domain's name without its weather."""
    name = domain.name.partition("/")[0].encode()
    return order.seed * 1_000_003 + int.from_bytes(name[:6], "little")


def _files(folder: Path, order: Order, index: int, frame: Frame) -> Iterator[tuple[Path, Any]]:
    last = _last_file(folder, order, index)
    if order.kind != "quadruples":
        yield last, frame.image
        return
    depth = (255.0 * (1.0 - frame.depth_m / FAR_M)).astype(np.uint8)
    for part, pixels in zip(PARTS, (frame.background, frame.image, frame.mask, depth), strict=True):
        suffix = "png" if part in ("mask", "depth") else order.suffix
        yield folder / part / f"{index:06d}.{suffix}", pixels


def _write_image(path: Path, pixels: Any, quality: int) -> None:
    from PIL import Image

    partial_path = path.with_name(f".{path.name}.partial")
    options: dict[str, Any] = {"quality": quality} if path.suffix == ".jpg" else {"compress_level": 1}
    with partial_path.open("wb") as file:
        Image.fromarray(pixels).save(file, format="JPEG" if path.suffix == ".jpg" else "PNG", **options)
    os.replace(partial_path, path)


def _write_labels(folder: Path, order: Order, domain: Domain) -> None:
    with (folder / "labels.csv").open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(["image", "v", "w"])
        for index in range(order.images):
            speed, turn = scene_of(domain, seed=scene_seed(order, domain), index=index).label
            writer.writerow([f"{index:06d}.{order.suffix}", f"{speed:.4f}", f"{turn:.4f}"])


def scaled_label(v: float, w: float) -> tuple[float, float]:
    """Map speed and turn rate to [0, 1], as the driving networks learn them."""
    return (
        (v - SPEED_RANGE[0]) / (SPEED_RANGE[1] - SPEED_RANGE[0]),
        (w - TURN_RANGE[0]) / (TURN_RANGE[1] - TURN_RANGE[0]),
    )
