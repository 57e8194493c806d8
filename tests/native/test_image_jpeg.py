"""JPEG of every kind against Pillow, which upsamples and converts at full size before it resizes."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from PIL import Image

FILES = sorted((Path(__file__).parent / "jpegs").glob("*.jpg"))
FILTERS = (
    Image.Resampling.NEAREST,
    Image.Resampling.BOX,
    Image.Resampling.BILINEAR,
    Image.Resampling.BICUBIC,
    Image.Resampling.LANCZOS,
)
SIZES = [(1, 1), (1, 2), (2, 1), (3, 3), (4, 5), (5, 17), (7, 8), (8, 8), (9, 16), (15, 33), (16, 16), (17, 17)]


def decoded(data: bytes, mode: str = "RGB") -> Image.Image:
    """What Pillow makes of it."""
    return Image.open(io.BytesIO(data)).convert(mode)


def check(found: npt.NDArray[np.uint8], expected: Image.Image, *, most: float = 24.0, mean: float = 0.5) -> None:
    """The limits of the output check, of 255; small images have too few values for the tail's limit."""
    error = np.abs(found.astype(int) - np.asarray(expected).reshape(found.shape).astype(int))
    assert error.mean() <= mean
    assert error.max() <= most
    if found.size > 50_000:
        assert np.quantile(error, 0.999) <= 2.5


@pytest.mark.parametrize("filter", range(5))
@pytest.mark.parametrize("subsampling", ["4:4:4", "4:2:2", "4:2:0"])
def test_resized_as_by_pillow(loading: Any, subsampling: str, filter: int) -> None:
    data = loading.encode(loading.picture(375, 621, 1), "JPEG", quality=88, subsampling=subsampling)
    for height, width in ((286, 286), (100, 250), (500, 700)):
        found = loading.pixels(data, (height, width), mode=1, rh=height, rw=width, filter=filter)
        check(found, decoded(data).resize((width, height), FILTERS[filter]))


@pytest.mark.parametrize("quality", [60, 80, 95])
def test_kitti_size(loading: Any, quality: int) -> None:
    data = loading.encode(loading.picture(375, 1242, 2), "JPEG", quality=quality)
    found = loading.pixels(data, (286, 286), mode=1, rh=286, rw=286, filter=3)
    check(found, decoded(data).resize((286, 286), FILTERS[3]))


@pytest.mark.parametrize("options", [{"progressive": True}, {"restart_marker_rows": 1}, {"optimize": True}], ids=str)
def test_coding(loading: Any, options: dict[str, Any]) -> None:
    data = loading.encode(loading.picture(121, 203, 3), "JPEG", **options)
    check(loading.pixels(data, (121, 203)), decoded(data), most=2)
    check(loading.pixels(data, (60, 90), mode=1, rh=60, rw=90, filter=3), decoded(data).resize((90, 60), FILTERS[3]))


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_what_pillow_cannot_write(loading: Any, path: Path) -> None:
    data = path.read_bytes()
    expected = decoded(data)
    check(loading.pixels(path, (29, 37)), expected, most=2)
    check(loading.pixels(data, (11, 17), mode=1, rh=11, rw=17, filter=3), expected.resize((17, 11), FILTERS[3]))
    check(loading.pixels(data, (60, 50), mode=1, rh=60, rw=50, filter=2), expected.resize((50, 60), FILTERS[2]))


@pytest.mark.parametrize("size", SIZES, ids=lambda size: f"{size[0]}x{size[1]}")
@pytest.mark.parametrize("subsampling", ["4:4:4", "4:2:2", "4:2:0"])
def test_tiny(loading: Any, subsampling: str, size: tuple[int, int]) -> None:
    data = loading.encode(loading.picture(*size, 4), "JPEG", quality=95, subsampling=subsampling)
    check(loading.pixels(data, size), decoded(data), most=2)
    found = loading.pixels(data, (9, 6), mode=1, rh=9, rw=6, filter=3)
    check(found, decoded(data).resize((6, 9), FILTERS[3]), mean=1.0)


@pytest.mark.parametrize("size", [(3, 2000), (2000, 3), (1, 5000)], ids=lambda size: f"{size[0]}x{size[1]}")
def test_long_and_thin(loading: Any, size: tuple[int, int]) -> None:
    data = loading.encode(loading.picture(*size, 5), "JPEG", quality=92)
    check(loading.pixels(data, size), decoded(data), most=2)
    check(loading.pixels(data, (7, 5), mode=1, rh=7, rw=5, filter=4), decoded(data).resize((5, 7), FILTERS[4]))


def test_grey(loading: Any) -> None:
    # Newer versions of Pillow resize rows or columns first, whatever is less work, and round in between.
    data = loading.encode(loading.picture(90, 70, 6)[:, :, 1].copy(), "JPEG", quality=85)
    grey = decoded(data, "L").resize((50, 40), FILTERS[2])
    found = loading.pixels(data, (40, 50), mode=1, rh=40, rw=50, channels=1)
    check(found, grey, most=4, mean=0.4)
    check(loading.pixels(data, (40, 50), mode=1, rh=40, rw=50), grey.convert("RGB"), most=4, mean=0.4)


def test_colour_to_grey(loading: Any) -> None:
    data = loading.encode(loading.picture(90, 70, 7), "JPEG", quality=85)
    check(loading.pixels(data, (90, 70), channels=1), decoded(data, "L"), most=2)
    found = loading.pixels(data, (40, 50), mode=1, rh=40, rw=50, filter=3, channels=1)
    check(found, decoded(data, "L").resize((50, 40), FILTERS[3]))


@pytest.mark.parametrize("kind", ["adobe", "plain", "ycck"])
def test_cmyk(loading: Any, kind: str) -> None:
    ink = np.dstack([loading.picture(61, 83, 8), loading.picture(61, 83, 9)[:, :, 0]])
    data = loading.encode(Image.frombytes("CMYK", (83, 61), ink.tobytes()),
                          "JPEG", quality=95)  # fmt: skip
    adobe = data.index(b"Adobe")
    if kind == "plain":  # without Adobe's segment
        data = data[: adobe - 4] + data[adobe + 12 :]
    elif kind == "ycck":  # the same numbers, said to be YCCK
        data = data[: adobe + 11] + b"\x02" + data[adobe + 12 :]
    check(loading.pixels(data, (61, 83)), decoded(data), most=2)
    check(loading.pixels(data, (30, 20), mode=1, rh=30, rw=20, filter=3), decoded(data).resize((20, 30), FILTERS[3]))
    check(loading.pixels(data, (61, 83), channels=1), decoded(data, "L"), most=2)


def test_crop_needs_only_its_part(loading: Any) -> None:
    data = loading.encode(loading.picture(200, 300, 10), "JPEG", quality=90)
    whole = loading.pixels(data, (150, 180), mode=1, rh=150, rw=180, filter=3)
    for u, v in ((0.0, 0.0), (0.5, 0.25), (0.999, 0.999)):
        left, top = int(np.float32(u) * (180 - 64 + 1)), int(np.float32(v) * (150 - 32 + 1))
        part = loading.pixels(data, (32, 64), mode=1, rh=150, rw=180, filter=3, cu=u, cv=v)
        np.testing.assert_array_equal(part, whole[top : top + 32, left : left + 64])


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("format", ["JPEG", "PNG"])
def test_exif_orientation(loading: Any, format: str, orientation: int) -> None:
    from PIL import ImageOps

    exif = Image.Exif()
    exif[0x0112] = orientation
    options = {"quality": 92} if format == "JPEG" else {}
    data = loading.encode(loading.picture(66, 41, 11), format, exif=exif.tobytes(), **options)
    turned = ImageOps.exif_transpose(Image.open(io.BytesIO(data))).convert("RGB")
    size = (turned.height, turned.width)
    check(loading.pixels(data, size, orient=1), turned, most=2)
    check(loading.pixels(data, (66, 41)), decoded(data), most=2)
    smaller = (
        turned.resize((30, 24), FILTERS[3]).crop((2, 3, 2 + 20, 3 + 16)).transpose(Image.Transpose.FLIP_LEFT_RIGHT)
    )
    found = loading.pixels(data, (16, 20), mode=1, rh=24, rw=30, filter=3, orient=1, flip=1, cu=0.2, cv=0.4)
    check(found, smaller)


@pytest.mark.parametrize(
    "exif",
    [
        b"",
        b"Exif\0\0",
        b"Exif\0\0MM\0*\0\0\0\x08\xff\xff",
        b"Exif\0\0II*\0\xff\xff\xff\xff",
        b"Exif\0\0XX*\0\x08\0\0\0",
    ],
    ids=["none", "empty", "entries without end", "directory outside", "no byte order"],
)
def test_damaged_exif_is_no_damaged_image(loading: Any, exif: bytes) -> None:
    data = loading.encode(loading.picture(16, 20, 12), "JPEG")
    data = data[:2] + b"\xff\xe1" + (len(exif) + 2).to_bytes(2, "big") + exif + data[2:]
    np.testing.assert_array_equal(loading.pixels(data, (16, 20), orient=1), loading.pixels(data, (16, 20)))


def test_orientation_by_xmp(loading: Any) -> None:
    data = loading.encode(loading.picture(16, 20, 13), "JPEG")
    xmp = b'http://ns.adobe.com/xap/1.0/\0<x tiff:Orientation="6"/>'
    turned = data[:2] + b"\xff\xe1" + (len(xmp) + 2).to_bytes(2, "big") + xmp + data[2:]
    expected = np.rot90(loading.pixels(data, (16, 20)), -1)
    np.testing.assert_array_equal(loading.pixels(turned, (20, 16), orient=1), expected)
