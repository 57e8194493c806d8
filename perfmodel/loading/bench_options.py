"""The loaders that a benchmark compares: each takes the images of a folder through CycleGAN's pipeline in its own way.

All decode to RGB, resize to 286 x 286, crop 256 x 256, flip half and give batches of float32 in [-1, 1], channels
first. For the check of the output the crop is the middle one and nothing is flipped. Each runs in a process of its own
(`perfmodel.loading.bench_process`).
"""

from __future__ import annotations

import io
import os
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

LOAD, CROP = 286, 256
_MIDDLE = (LOAD - CROP) // 2

Epoch = Callable[[], Iterable[Any]]
"""Goes through all images once: yields batches (n, 3, 256, 256)."""

Image8 = npt.NDArray[np.uint8]


@dataclass(frozen=True, kw_only=True)
class Work:
    """What an option is to load.

    Attributes
    ----------
    folder : str
    paths : tuple of str
        Its images, sorted by name.
    batch, workers : int
    random : bool
        Crops and flips are drawn; else the middle is cut and nothing flipped.
    """

    folder: str
    paths: tuple[str, ...]
    batch: int
    workers: int
    random: bool = True


def native(work: Work) -> Epoch:
    """Load with `perfmodel.Loader`."""
    from dataclasses import replace

    from perfmodel.loading.loader import Loader
    from perfmodel.loading.sources import ImageFolder
    from perfmodel.loading.transforms import find_transform

    transform = find_transform("cyclegan")
    if not work.random:
        transform = replace(transform, crop="centre", flip=0.0)
    source = ImageFolder(work.folder, max_dataset_size=len(work.paths))
    loader = Loader(source, transform, batch=work.batch, workers=work.workers, backend="native")
    return lambda: (batch["image"] for batch in loader)


def pil(work: Work) -> Epoch:
    """Load with Pillow and torchvision's steps in torch's DataLoader."""
    import torch

    def load(path: str, rng: np.random.Generator) -> Any:
        from PIL import Image

        with Image.open(path) as file:
            image = file.convert("RGB").resize((LOAD, LOAD), Image.Resampling.BICUBIC)
        left, top, flip = draw(rng, work.random)
        image = image.crop((left, top, left + CROP, top + CROP))
        if flip:
            image = image.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
        values = torch.from_numpy(np.array(image)).permute(2, 0, 1).contiguous().to(torch.float32).div(255)
        return values.sub_(0.5).div_(0.5)

    return in_data_loader(work, load)


def opencv(work: Work) -> Epoch:
    """Load with OpenCV, area interpolation, in torch's DataLoader."""
    import cv2

    cv2.setNumThreads(0)
    return in_data_loader(work, lambda path, rng: _finish(_cv_resized(cv2, _cv_read(cv2, path)), rng, work.random))


def simplejpeg(work: Work) -> Epoch:
    """Load with simplejpeg and OpenCV's area interpolation (Pillow's bicubic where OpenCV is missing)."""
    import simplejpeg as library

    if not work.paths[0].lower().endswith((".jpg", ".jpeg")):
        raise NotImplementedError("reads JPEG only")

    def load(path: str, rng: np.random.Generator) -> Any:
        with open(path, "rb") as file:
            picture = library.decode_jpeg(file.read(), "RGB", min_height=LOAD, min_width=LOAD)
        return _finish(_resized(picture), rng, work.random)

    return in_data_loader(work, load)


def albumentations(work: Work) -> Epoch:
    """Load with OpenCV and Albumentations, area interpolation, in torch's DataLoader."""
    os.environ["NO_ALBUMENTATIONS_UPDATE"] = "1"
    import albumentations as a
    import cv2
    from albumentations.pytorch import ToTensorV2

    cv2.setNumThreads(0)
    crop, flip = (
        (a.RandomCrop(CROP, CROP), a.HorizontalFlip(p=0.5)) if work.random else (a.CenterCrop(CROP, CROP), None)
    )
    half = (0.5, 0.5, 0.5)
    steps = [
        a.Resize(LOAD, LOAD, interpolation=cv2.INTER_AREA),
        crop,
        flip,
        a.Normalize(mean=half, std=half),
        ToTensorV2(),
    ]
    compose = a.Compose([step for step in steps if step is not None])
    return in_data_loader(work, lambda path, rng: compose(image=_cv_read(cv2, path))["image"])


def grain(work: Work) -> Epoch:
    """Load with Grain's threads, decoding by OpenCV with area interpolation."""
    import cv2
    import grain as library

    cv2.setNumThreads(0)

    class Load(library.transforms.RandomMap):  # type: ignore[misc]
        def random_map(self, element: str, rng: np.random.Generator) -> Any:
            return _finish(_cv_resized(cv2, _cv_read(cv2, element)), rng, work.random)

    data = library.MapDataset.source(list(work.paths)).seed(0).random_map(Load()).batch(work.batch)
    options = library.ReadOptions(num_threads=work.workers, prefetch_buffer_size=2 * work.workers)
    return lambda: iter(data.to_iter_dataset(options))


def spdl(work: Work) -> Epoch:
    """Load with SPDL: FFmpeg's decoder and bicubic scaler, threads."""
    import spdl.io
    from spdl.pipeline import PipelineBuilder

    size = f"scale=w={LOAD}:h={LOAD}:flags=bicubic,format=pix_fmts=rgb24"

    def load(paths: Sequence[str]) -> Any:
        rng = np.random.default_rng()
        pictures = []
        for path in paths:
            frames = spdl.io.decode_packets(spdl.io.demux_image(path), filter_desc=size)
            pictures.append(_finish(spdl.io.to_numpy(spdl.io.convert_frames(frames)), rng, work.random))
        return np.stack(pictures)

    load(work.paths[:1])  # errors in the pipeline are only logged: FFmpeg's libraries may be missing
    batches = [work.paths[at : at + work.batch] for at in range(0, len(work.paths), work.batch)]

    def epoch() -> Iterable[Any]:
        line = PipelineBuilder().add_source(batches).pipe(load, concurrency=work.workers, output_order="input")
        pipeline = line.add_sink(2).build(num_threads=work.workers)
        with pipeline.auto_stop():
            yield from pipeline.get_iterator(timeout=60)

    return epoch


def dali(work: Work) -> Epoch:
    """Load with DALI on the CPU, bicubic."""
    from nvidia.dali import fn, pipeline_def, types

    @pipeline_def(batch_size=work.batch, num_threads=work.workers, device_id=None, prefetch_queue_depth=2)  # type: ignore[untyped-decorator, unused-ignore]
    def line() -> Any:
        encoded, _ = fn.readers.file(files=list(work.paths), name="files")
        images = fn.decoders.image(encoded, device="cpu", output_type=types.RGB)
        images = fn.resize(images, size=(LOAD, LOAD), interp_type=types.INTERP_CUBIC, antialias=True)
        place = {"crop_pos_x": fn.random.uniform(range=(0.0, 1.0)), "crop_pos_y": fn.random.uniform(range=(0.0, 1.0)),
                 "mirror": fn.random.coin_flip()} if work.random else {}  # fmt: skip
        return fn.crop_mirror_normalize(
            images,
            dtype=types.FLOAT,
            output_layout="CHW",
            crop=(CROP, CROP),
            mean=[127.5] * 3,
            std=[127.5] * 3,
            **place,
        )

    pipeline = line()
    pipeline.build()
    batches = -(-len(work.paths) // work.batch)
    return lambda: (pipeline.run()[0].as_array() for _ in range(batches))


def draw(rng: np.random.Generator, random: bool) -> tuple[int, int, bool]:
    """Return left, top and whether to flip."""
    if not random:
        return _MIDDLE, _MIDDLE, False
    left, top = rng.integers(0, LOAD - CROP + 1, 2).tolist()
    return left, top, bool(rng.random() < 0.5)


def in_data_loader(work: Work, load: Callable[[str, np.random.Generator], Any]) -> Epoch:
    """Run a function of a path in torch's DataLoader with workers that stay."""
    from torch.utils.data import DataLoader

    class Images:
        def __len__(self) -> int:
            return len(work.paths)

        def __getitem__(self, number: int) -> Any:
            return load(work.paths[number], np.random.default_rng(number))

    return DataLoader(
        Images(),  # type: ignore[arg-type]
        batch_size=work.batch, num_workers=work.workers, persistent_workers=work.workers > 0,
        prefetch_factor=2 if work.workers else None,
    ).__iter__  # fmt: skip


def _cv_read(cv2: Any, path: str) -> Image8:
    return np.asarray(cv2.cvtColor(cv2.imread(path, cv2.IMREAD_COLOR), cv2.COLOR_BGR2RGB))


def _cv_resized(cv2: Any, picture: Image8) -> Image8:
    return np.asarray(cv2.resize(picture, (LOAD, LOAD), interpolation=cv2.INTER_AREA))


def _resized(picture: Image8) -> Image8:
    try:
        import cv2
    except ImportError:
        from PIL import Image

        return np.asarray(Image.fromarray(picture).resize((LOAD, LOAD), Image.Resampling.BICUBIC))
    return _cv_resized(cv2, picture)


def _finish(picture: Any, rng: np.random.Generator, random: bool) -> npt.NDArray[np.float32]:
    """Crop, flip and normalise (286, 286, 3) to (3, 256, 256)."""
    left, top, flip = draw(rng, random)
    picture = picture[top : top + CROP, left : left + CROP]
    if flip:
        picture = picture[:, ::-1]
    values = np.ascontiguousarray(picture.transpose(2, 0, 1)).astype(np.float32)
    values *= np.float32(1 / 127.5)
    values -= np.float32(1)
    return values


def limit_native(work: Work) -> Epoch:
    """Decode by the native core and do nothing else: JPEG to RGB, or PNG's inflate and filters."""
    from perfmodel import native as natives

    cpu = natives.cpu()
    return _bare(work, cpu.decode_seconds)


def limit_simplejpeg(work: Work) -> Epoch:
    """Decode JPEG to RGB by simplejpeg and do nothing else."""
    import simplejpeg as library

    if not work.paths[0].lower().endswith((".jpg", ".jpeg")):
        raise NotImplementedError("reads JPEG only")
    return _bare(work, lambda content: library.decode_jpeg(content, "RGB"))


def limit_pil(work: Work) -> Epoch:
    """Decode by Pillow and do nothing else."""
    from PIL import Image

    return _bare(work, lambda content: Image.open(io.BytesIO(content)).convert("RGB"))


def _bare(work: Work, decode: Callable[[bytes], Any]) -> Epoch:
    """Decode all images in as many threads as there are workers; the files are read before."""
    from concurrent.futures import ThreadPoolExecutor

    contents = []
    for path in work.paths:
        with open(path, "rb") as file:
            contents.append(file.read())
    pool = ThreadPoolExecutor(max(work.workers, 1))

    def share(first: int) -> int:
        for content in contents[first :: max(work.workers, 1)]:
            decode(content)
        return first

    return lambda: pool.map(share, range(max(work.workers, 1)))


OPTIONS: dict[str, Callable[[Work], Epoch]] = {
    "native": native,
    "PIL DataLoader": pil,
    "simplejpeg": simplejpeg,
    "OpenCV": opencv,
    "Albumentations": albumentations,
    "Grain": grain,
    "SPDL": spdl,
    "DALI": dali,
    "limit: native decode": limit_native,
    "limit: simplejpeg": limit_simplejpeg,
    "limit: Pillow decode": limit_pil,
}
"""What is compared, by the name in the results; those that begin with ``limit:`` only decode."""
