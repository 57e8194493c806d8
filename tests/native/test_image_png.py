"""PNG of every colour type and depth against Pillow, with all row filters, plain and interlaced."""

from __future__ import annotations

import io
import struct
import zlib
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from PIL import Image

KINDS = [(0, 1), (0, 2), (0, 4), (0, 8), (0, 16), (2, 8), (2, 16), (3, 1), (3, 2), (3, 4), (3, 8), (4, 8), (4, 16),
         (6, 8), (6, 16)]  # fmt: skip
SIZES = [(1, 1), (1, 2), (2, 3), (5, 4), (8, 9), (17, 7), (33, 35), (40, 65)]
SAMPLES = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}


def samples_of(loading: Any, height: int, width: int, colour: int, depth: int, seed: int) -> npt.NDArray[np.int64]:
    """Samples with the structure of a picture, in the depth's whole range."""
    planes = np.dstack([loading.picture(height, width, seed), loading.picture(height, width, seed + 100)])
    wide = planes[:, :, : SAMPLES[colour]].astype(np.int64) * 257 + np.arange(width)[None, :, None] % 200
    return np.minimum(wide, 65535) >> (16 - depth)


def pillow(data: bytes, mode: str) -> Image.Image:
    """As PillowPool converts: 16-bit grey keeps its upper byte, alpha is dropped."""
    image = Image.open(io.BytesIO(data))
    image.load()
    if image.mode.startswith("I"):
        image = Image.fromarray((np.asarray(image) >> 8).astype(np.uint8))
    image.info.pop("transparency", None)
    return image.convert(mode)


@pytest.mark.parametrize("interlaced", [False, True], ids=["plain", "interlaced"])
@pytest.mark.parametrize(("colour", "depth"), KINDS)
def test_pixels_are_pillows(loading: Any, colour: int, depth: int, interlaced: bool) -> None:
    for seed, (height, width) in enumerate(SIZES):
        samples = samples_of(loading, height, width, colour, depth, seed)
        palette = loading.picture(1, 1 << depth, seed)[0] if colour == 3 else None
        data = loading.write_png(
            samples, depth=depth, colour=colour, interlaced=interlaced, palette=palette, seed=seed, pieces=1 + seed % 3
        )
        np.testing.assert_array_equal(loading.pixels(data, (height, width)), np.asarray(pillow(data, "RGB")))
        grey = loading.pixels(data, (height, width), channels=1)[:, :, 0]
        np.testing.assert_array_equal(grey, np.asarray(pillow(data, "L")))


@pytest.mark.parametrize("filter", range(5))
@pytest.mark.parametrize(("colour", "depth"), [(2, 8), (6, 8), (0, 8), (3, 8)])
def test_resized_as_by_pillow(loading: Any, colour: int, depth: int, filter: int) -> None:
    samples = samples_of(loading, 150, 203, colour, depth, 3)
    palette = loading.picture(1, 256, 4)[0] if colour == 3 else None
    data = loading.write_png(samples, depth=depth, colour=colour, palette=palette)
    resampling = tuple(Image.Resampling(code) for code in (0, 4, 2, 3, 1))[filter]
    for height, width in ((64, 64), (286, 70), (201, 405), (1, 1), (150, 203)):
        found = loading.pixels(data, (height, width), mode=1, rh=height, rw=width, filter=filter)
        error = np.abs(found.astype(int) - np.asarray(pillow(data, "RGB").resize((width, height), resampling)))
        # Newer versions of Pillow resize rows or columns first, whatever is less work, and round in between.
        assert error.mean() <= 0.4
        assert error.max() <= (0 if filter == 0 else 4 if filter < 4 else 6)


@pytest.mark.parametrize("filter", range(5))
@pytest.mark.parametrize("width", [1, 2, 3, 7, 8, 9, 12, 16, 17, 40])
def test_rows_of_one_filter(loading: Any, width: int, filter: int) -> None:
    rng = np.random.default_rng(width)
    for bytes_of_pixel, colour in ((1, 0), (2, 4), (3, 2), (4, 6)):
        raw = rng.integers(0, 256, (21, width * bytes_of_pixel), dtype=np.uint8)
        header = struct.pack(">IIBBBBB", width, 21, 8, colour, 0, 0, 0)
        rows = b"".join(bytes([filter]) + row.tobytes() for row in raw)
        data = b"\x89PNG\r\n\x1a\n" + loading.chunk(b"IHDR", header) + loading.chunk(b"IDAT", zlib.compress(rows))
        data += loading.chunk(b"IEND", b"")
        np.testing.assert_array_equal(loading.pixels(data, (21, width)), np.asarray(pillow(data, "RGB")))


def test_transparency_is_dropped(loading: Any) -> None:
    samples = samples_of(loading, 20, 30, 2, 8, 5)
    before = loading.chunk(b"tRNS", struct.pack(">HHH", *samples[3, 4]))
    data = loading.write_png(samples, depth=8, colour=2, before=before)
    np.testing.assert_array_equal(loading.pixels(data, (20, 30)), samples.astype(np.uint8))


def test_colours_that_the_palette_lacks(loading: Any) -> None:
    samples = np.arange(16, dtype=np.int64).reshape(4, 4, 1)
    data = loading.write_png(samples, depth=8, colour=3, palette=loading.picture(1, 5, 6)[0])
    np.testing.assert_array_equal(loading.pixels(data, (4, 4)), np.asarray(pillow(data, "RGB")))


def test_orientation_of_an_exif_chunk(loading: Any) -> None:
    exif = Image.Exif()
    exif[0x0112] = 8
    samples = samples_of(loading, 12, 19, 2, 8, 7)
    data = loading.write_png(samples, depth=8, colour=2, before=loading.chunk(b"eXIf", exif.tobytes()[6:]))
    np.testing.assert_array_equal(loading.pixels(data, (19, 12), orient=1), np.rot90(samples).astype(np.uint8))


def damaged(loading: Any, kind: str) -> bytes:
    """A file with one thing wrong."""
    samples = samples_of(loading, 20, 30, 2, 8, 8)
    data = bytearray(loading.write_png(samples, depth=8, colour=2))
    start = data.index(b"IDAT")
    if kind == "header checksum":
        data[30] ^= 1
    elif kind == "width 0":
        data[16:20] = bytes(4)
        data[29:33] = struct.pack(">I", zlib.crc32(data[12:29]))
    elif kind == "unknown depth":
        data[24] = 3
        data[29:33] = struct.pack(">I", zlib.crc32(data[12:29]))
    elif kind == "no data":
        del data[start - 4 : -12]
    elif kind == "no end":
        del data[-12:]
    elif kind == "data damaged":
        data[len(data) // 2] ^= 0x55
    elif kind == "adler":
        data[-12 - 4 - 1] ^= 1
    elif kind == "long chunk":
        data[start - 4 : start] = b"\x7f\xff\xff\xff"
    return bytes(data)


@pytest.mark.parametrize(
    "kind",
    ["header checksum", "width 0", "unknown depth", "no data", "no end", "data damaged", "adler", "long chunk"],
)
def test_damage(loading: Any, kind: str) -> None:
    status, message, out = loading.load(damaged(loading, kind), (20, 30))
    assert status == 3, message
    assert message.startswith("<buffer>: ")
    assert not out.any()


def sized(loading: Any, height: int, raw: bytes, *, colour: int = 0) -> bytes:
    """A grey picture eight pixels wide whose data is `raw`."""
    header = struct.pack(">IIBBBBB", 8, height, 8, colour, 0, 0, 0)
    parts = loading.chunk(b"IHDR", header) + loading.chunk(b"IDAT", zlib.compress(raw)) + loading.chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + bytes(parts)


@pytest.mark.parametrize(
    ("raw", "reason"),
    [
        (bytes(9 * 8), "longer than the image"),
        (bytes(9 * 6), "too early"),
        (bytes(9 * 3) + b"\x05" + bytes(8 + 9 * 3), "unknown filter"),
    ],
    ids=["more", "less", "filter"],
)
def test_data_that_does_not_fit(loading: Any, raw: bytes, reason: str) -> None:
    status, message, _ = loading.load(sized(loading, 7, raw), (7, 8))
    assert status == 3
    assert reason in message


def test_palette_is_missing(loading: Any) -> None:
    status, message, _ = loading.load(sized(loading, 7, bytes(9 * 7), colour=3), (7, 8))
    assert status == 3
    assert "palette" in message
