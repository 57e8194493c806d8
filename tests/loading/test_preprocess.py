"""Preprocessing as the GPU does it: the kernel's steps on the host everywhere, the kernel itself where there is a GPU.

Both have to give Pillow's pixels, and the bits of the native CPU loader.
"""

from __future__ import annotations

import gc
import itertools
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from perfmodel.errors import CudaUnavailableError

pytest.importorskip("PIL")

from .preprocess_cases import EXACT, KEEP, REGION, SHORTER, Pixels, cpu, plan, pool_result, resized, scene

Run = Callable[..., Any]


def gpu_session() -> Any:
    """A preprocessor on the first GPU; skips with the reason without one."""
    try:
        from perfmodel.loading.gpu import open_preprocessor

        return open_preprocessor(threads=2)
    except CudaUnavailableError as error:
        pytest.skip(error.reason)


def to_numpy(batch: Any) -> npt.NDArray[Any]:
    """Copy a batch of either kind; bfloat16 as its bits."""
    array = np.zeros(batch.shape, dtype={"bfloat16": "uint16"}.get(batch.dtype, batch.dtype))
    batch.copy_to(array)
    return array


@pytest.fixture(scope="module", params=["host", pytest.param("gpu", marks=pytest.mark.cuda)])
def run(request: pytest.FixtureRequest) -> Iterator[Run]:
    """Images, plan, size and options to an array."""
    if request.param == "host":
        yield lambda images, records, size, **options: to_numpy(
            cpu.preprocess_on_host(images, records, size, **options)
        )
        return
    session = gpu_session()
    yield lambda images, records, size, **options: to_numpy(session.run(images, records, size, **options))
    session.close()


def one(run: Run, image: Pixels, size: tuple[int, int], **fields: Any) -> npt.NDArray[Any]:
    """One image as uint8 (H, W, C)."""
    records = plan(**fields)
    return run([image], records, size, channels=fields.get("channels", 3), dtype="uint8", layout="nhwc")[0]


def close(found: npt.NDArray[Any], wanted: npt.NDArray[Any]) -> None:
    """Within the limits that the loader has for lossless images."""
    wanted = wanted[:, :, None] if wanted.ndim == 2 else wanted
    assert found.shape == wanted.shape
    error = np.abs(found.astype(int) - wanted)
    assert error.mean() <= 0.4
    assert error.max() <= 4


SIZES = [(24, 31), (93, 131), (150, 170), (1, 1), (32, 64), (33, 65)]


@pytest.mark.parametrize("filter_code", range(5))
@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("shape", [(93, 131), (1, 1), (2, 3), (64, 64), (5, 400), (211, 300)])
def test_filters_up_and_down(run: Run, filter_code: int, size: tuple[int, int], shape: tuple[int, int]) -> None:
    image = scene(filter_code, *shape)
    found = one(run, image, size, mode=EXACT, rh=size[0], rw=size[1], filter=filter_code)
    close(found, resized(image, size, filter_code))


@pytest.mark.parametrize(("shape", "size"), [((30, 9000), (10, 20)), ((5000, 30), (10, 20)), ((40, 14000), (3, 5))])
@pytest.mark.parametrize("filter_code", [1, 4])
def test_very_strong_reduction(run: Run, shape: tuple[int, int], size: tuple[int, int], filter_code: int) -> None:
    image = scene(1, *shape)
    found = one(run, image, size, mode=EXACT, rh=size[0], rw=size[1], filter=filter_code)
    close(found, resized(image, size, filter_code))


@pytest.mark.parametrize("flip", [0, 1])
@pytest.mark.parametrize(("u", "v"), [(0.0, 0.0), (0.5, 0.3), (0.9999999, 0.9999999), (-1, -1)])
def test_crop_and_flip(run: Run, flip: int, u: float, v: float) -> None:
    image = scene(2, 93, 131)
    found = one(run, image, (22, 33), mode=EXACT, rh=70, rw=80, cu=u, cv=v, flip=flip, filter=3)
    left, top = (round((a - b) / 2) if c < 0 else min(a - b, int(float(np.float32(c)) * (a - b + 1)))
                 for c, a, b in ((u, 80, 33), (v, 70, 22)))  # fmt: skip
    wanted = resized(image, (70, 80), 3)[top : top + 22, left : left + 33]
    close(found, wanted[:, ::-1] if flip else wanted)


def test_shorter_side(run: Run) -> None:
    image = scene(3, 80, 120)
    wanted = resized(image, (50, 75), 2)[3:47, 15:60]
    close(one(run, image, (44, 45), mode=SHORTER, rh=50), wanted)


@pytest.mark.parametrize("box", [(10, 5, 60, 40), (0, 0, 131, 93), (130, 92, 1, 1), (3, 80, 128, 13)])
def test_regions(run: Run, box: tuple[int, int, int, int]) -> None:
    left, top, width, height = box
    image = scene(4, 93, 131)
    fields = {
        "area": width * height / (131 * 93), "ratio": width / height,
        "cu": (left + 0.5) / (131 - width + 1), "cv": (top + 0.5) / (93 - height + 1),
    }  # fmt: skip
    wanted = resized(image, (32, 48), 2, (left, top, left + width, top + height))
    close(one(run, image, (32, 48), mode=REGION, **fields), wanted)


def test_as_it_is(run: Run) -> None:
    image = scene(5, 93, 131)
    assert (one(run, image, (93, 131), mode=KEEP) == image).all()
    assert (one(run, image, (93, 131), mode=KEEP, flip=1) == image[:, ::-1]).all()


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("planes", [1, 3])
def test_grey_and_colour(run: Run, channels: int, planes: int) -> None:
    from PIL import Image

    image = scene(6, 70, 90, planes)
    converted = np.asarray(Image.fromarray(image).convert("RGB" if channels == 3 else "L"))
    found = one(run, image, (40, 44), mode=EXACT, rh=40, rw=44, filter=3, channels=channels)
    close(found, resized(converted, (40, 44), 3))


@pytest.mark.parametrize(
    ("fields", "enhance"),
    [({"brightness": 1.4}, "Brightness"), ({"contrast": 1.7}, "Contrast"), ({"contrast": 0.0}, "Contrast"),
     ({"saturation": 0.2}, "Color"), ({"saturation": 1.8}, "Color")],
)  # fmt: skip
def test_single_colour_changes(run: Run, fields: dict[str, float], enhance: str) -> None:
    from PIL import Image, ImageEnhance

    image = scene(7, 93, 131)
    factor = float(np.float32(next(iter(fields.values()))))
    wanted = getattr(ImageEnhance, enhance)(Image.fromarray(image)).enhance(factor)
    assert (one(run, image, (93, 131), **fields) == np.asarray(wanted)).all()


@pytest.mark.parametrize("shift", [0.1, -0.1, 0.5, -0.5])
def test_hue(run: Run, shift: float) -> None:
    from PIL import Image

    image = scene(8, 93, 131)
    h, s, v = Image.fromarray(image).convert("HSV").split()
    turned = np.asarray(h) + np.int32(float(np.float32(shift)) * 255).astype(np.uint8)
    wanted = Image.merge("HSV", (Image.fromarray(turned), s, v)).convert("RGB")
    assert (one(run, image, (93, 131), hue=shift) == np.asarray(wanted)).all()


@pytest.mark.parametrize("order", list(itertools.permutations(range(4))))
def test_every_order_of_colour_changes(run: Run, order: tuple[int, ...]) -> None:
    images = [scene(i, 50 + i, 60) for i in range(3)]
    fields = {"order": order, "brightness": 1.3, "contrast": 0.6, "saturation": 1.6, "hue": -0.2}
    records = plan(3, **fields)
    records["contrast"][1] = 1.0  # one that needs a single part, between two that need two
    options = {"dtype": "uint8", "layout": "nhwc"}
    expected = pool_result(images, records, (3, 40, 45, 3), **options)
    assert (run(images, records, (40, 45), **options) == expected).all()


@pytest.mark.parametrize(("layout", "dtype"), list(itertools.product(
    ("nchw", "nhwc"), ("float32", "float16", "bfloat16", "uint8"))))  # fmt: skip
@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("width", [44, 43])
@pytest.mark.parametrize("columns", [32, 64])
def test_same_bits_as_the_cpu_loader(
    run: Run, layout: str, dtype: str, channels: int, width: int, columns: int
) -> None:
    images = [scene(i, 93 - 20 * i, 131 + 30 * i, 3 if channels == 3 and i != 1 else 1) for i in range(4)]
    records = plan(4, mode=EXACT, rh=50, rw=60, filter=3, channels=channels, cut_y=0.2, cut_x=0.3, cut_h=0.4, cut_w=0.5)
    records["contrast"] = [1.0, 0.7, 1.0, 1.5]
    records["hue"] = [0.0, 0.1, -0.1, 0.0]
    records["flip"] = [0, 1, 1, 0]
    records["cu"] = records["cv"] = [0.0, 0.3, 0.99, 0.5]
    mean, std = (0.485, 0.456, 0.406)[:channels], (0.229, 0.224, 0.225)[:channels]
    options = {"dtype": dtype, "layout": layout, "mean": mean, "std": std, "cut_fill": 1.5}
    size = (41, width)
    shape = (4, channels, *size) if layout == "nchw" else (4, *size, channels)
    expected = pool_result(images, records, shape, **options)
    assert (run(images, records, size, channels=channels, columns=columns, **options) == expected).all()


def test_many_images_of_many_sizes(run: Run) -> None:
    rng = np.random.default_rng(9)
    images = [scene(i, *(int(n) for n in rng.integers(20, 260, 2))) for i in range(40)]
    records = plan(40, mode=EXACT, rh=72, rw=80, filter=2)
    records["contrast"] = np.where(rng.random(40) < 0.5, 1.0, 0.8)
    records["flip"] = rng.integers(0, 2, 40)
    expected = pool_result(images, records, (40, 3, 64, 64))
    assert (run(images, records, (64, 64)) == expected).all()


def test_nothing_to_do(run: Run) -> None:
    assert run([], plan(0), (8, 8)).shape == (0, 3, 8, 8)


@pytest.mark.parametrize(
    ("image", "fields", "options", "error", "text"),
    [
        (np.zeros((8, 8, 4), np.uint8), {}, {}, ValueError, "image 0 has 4 channels"),
        (np.zeros((8, 8, 3), np.float32), {}, {}, TypeError, "uint8"),
        (np.zeros((8, 8, 3), np.uint8)[:, ::2], {}, {}, ValueError, "contiguous"),
        (np.zeros((0, 8, 3), np.uint8), {}, {}, ValueError, "no pixels"),
        (np.zeros((4, 4, 3), np.uint8), {}, {}, ValueError, "image 0: the crop of 8 x 8 is larger"),
        (np.zeros((8, 8, 3), np.uint8), {"mode": 4}, {}, ValueError, "unknown mode"),
        (np.zeros((8, 8, 3), np.uint8), {"order": [0, 0, 1, 2]}, {}, ValueError, "order"),
        (np.zeros((8, 8, 3), np.uint8), {}, {"dtype": "float64"}, ValueError, "dtype must be"),
        (np.zeros((8, 8, 3), np.uint8), {}, {"layout": "chwn"}, ValueError, "layout must be"),
        (np.zeros((8, 8, 3), np.uint8), {}, {"std": (1.0, 0.0, 1.0)}, ValueError, "std must be above 0"),
        (np.zeros((8, 8, 3), np.uint8), {}, {"columns": 48}, ValueError, "64 or 32 columns"),
    ],
)  # fmt: skip
def test_wrong_arguments(
    run: Run, image: Pixels, fields: dict[str, Any], options: dict[str, Any], error: type[Exception], text: str
) -> None:
    with pytest.raises(error, match=text):
        run([image], plan(**fields), (8, 8), **options)


# What only the host's version lets one choose: how the GPU happens to be.


@pytest.mark.parametrize("alignment", [{"alignment": 1, "pad_rows": False, "skew": s} for s in range(17)])
@pytest.mark.parametrize("planes", [1, 3])
def test_wherever_rows_begin(alignment: dict[str, Any], planes: int) -> None:
    images = [scene(i, 31 + i, 45 + i, planes) for i in range(3)]
    records = plan(3, mode=EXACT, rh=20, rw=22, contrast=0.9)
    batches = [np.from_dlpack(cpu.preprocess_on_host(images, records, (20, 22), **how)) for how in (alignment, {})]
    assert (batches[0] == batches[1]).all()


@pytest.mark.parametrize("how", [{"resident": 1}, {"resident": 100000}, {"shared_bytes": 24000}])
def test_whatever_the_gpu_has(how: dict[str, int]) -> None:
    images = [scene(i, 300, 900 + i) for i in range(5)]
    records = plan(5, mode=EXACT, rh=60, rw=66, contrast=0.9, filter=4)
    batches = [np.from_dlpack(cpu.preprocess_on_host(images, records, (60, 66), **opts)) for opts in (how, {})]
    assert (batches[0] == batches[1]).all()


def test_too_little_shared_memory() -> None:
    with pytest.raises(ValueError, match="more shared memory"):
        cpu.preprocess_on_host([scene(0, 8, 8)], plan(), (8, 8), shared_bytes=4096)


# Lending by DLPack, which the GPU's batches share.


def test_lent_memory_outlives_its_batch() -> None:
    image = scene(1, 30, 40)
    array = np.from_dlpack(cpu.preprocess_on_host([image], plan(), (30, 40), dtype="uint8", layout="nhwc"))
    for _ in range(20):
        cpu.preprocess_on_host([scene(2, 30, 40)], plan(), (30, 40), dtype="uint8", layout="nhwc")
    gc.collect()
    assert (array[0] == image).all()


def test_torch_takes_every_type() -> None:
    torch = pytest.importorskip("torch")
    for name in ("float32", "float16", "bfloat16", "uint8"):
        batch = cpu.preprocess_on_host([scene(1, 9, 9)], plan(), (9, 9), dtype=name)
        tensor = torch.from_dlpack(batch)
        assert tensor.dtype == getattr(torch, name)
        assert tuple(tensor.shape) == batch.shape == (1, 3, 9, 9)


def test_capsules() -> None:
    batch = cpu.preprocess_on_host([scene(1, 9, 9)], plan(), (9, 9))
    plain, versioned = batch.__dlpack__(), batch.__dlpack__(max_version=(1, 0))
    assert '"dltensor"' in repr(plain)
    assert '"dltensor_versioned"' in repr(versioned)
    del batch
    borrowed = [cpu.borrow(capsule) for capsule in (plain, versioned)]
    assert all(lent.shape == (1, 3, 9, 9) for lent in borrowed)
    with pytest.raises(BufferError, match="consumed already"):
        cpu.borrow(plain)


def test_what_is_not_lent() -> None:
    batch = cpu.preprocess_on_host([scene(1, 9, 9)], plan(), (9, 9))
    with pytest.raises(BufferError, match="not copied"):
        batch.__dlpack__(copy=True)
    with pytest.raises(BufferError, match="on the device that it is on"):
        batch.__dlpack__(dl_device=(2, 0))
    assert batch.__dlpack_device__() == (1, 0)
