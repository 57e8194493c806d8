"""Pictures, files and plans for the tests of the native loader."""

from __future__ import annotations

import io
import struct
import zlib
from itertools import pairwise
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

Picture = npt.NDArray[np.uint8]

ADAM7 = ((0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4), (0, 2, 2, 4), (1, 0, 2, 2), (0, 1, 1, 2))
SAMPLES = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}


def make_picture(height: int, width: int, seed: int = 0, *, spread: float = 34.0) -> Picture:
    """Noise with the spectrum of photographs, (height, width, 3); few values clip."""
    rng = np.random.default_rng(seed)
    frequency = np.hypot(np.fft.fftfreq(height)[:, None], np.fft.fftfreq(width)[None, :]) + 1 / max(height, width)

    def field(power: float) -> npt.NDArray[np.float64]:
        values = np.fft.ifft2(np.fft.fft2(rng.normal(size=(height, width))) / frequency**power).real
        return np.asarray((values - values.mean()) / (values.std() + 1e-9))

    light, blue, red = 120 + spread * field(1.1), 10 * field(1.5), 10 * field(1.5)
    rgb = np.stack([light + 1.402 * red, light - 0.344 * blue - 0.714 * red, light + 1.772 * blue], axis=-1)
    return np.clip(np.rint(rgb + 3 * rng.normal(size=rgb.shape)), 0, 255).astype(np.uint8)


def encode(picture: Any, format: str, **options: Any) -> bytes:
    """Encode an array or a Pillow image by Pillow."""
    from PIL import Image

    file = io.BytesIO()
    image = Image.fromarray(picture) if isinstance(picture, np.ndarray) else picture
    image.save(file, format, **options)
    return file.getvalue()


def chunk(name: bytes, data: bytes) -> bytes:
    """A chunk of a PNG file."""
    return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))


def paeth(left: npt.NDArray[Any], above: npt.NDArray[Any], corner: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """PNG's predictor."""
    a, b, c = (value.astype(int) for value in (left, above, corner))
    guess = a + b - c
    da, db, dc = abs(guess - a), abs(guess - b), abs(guess - c)
    return np.where((da <= db) & (da <= dc), a, np.where(db <= dc, b, c))


def filter_rows(rows: npt.NDArray[np.uint8], step: int, filters: npt.NDArray[np.integer]) -> bytes:
    """Filter rows of bytes, (h, n), each by the PNG filter given for it."""
    height, length = rows.shape
    padded = np.zeros((height + 1, length + step), np.uint8)
    padded[1:, step:] = rows
    result = b""
    for y in range(height):
        left, above, corner = padded[y + 1, :length], padded[y, step:], padded[y, :length]
        predicted = (
            np.zeros(length, int), left, above, (left.astype(int) + above) // 2, paeth(left, above, corner)
        )[int(filters[y])]  # fmt: skip
        result += bytes([int(filters[y])]) + (rows[y] - predicted).astype(np.uint8).tobytes()
    return result


def pack_samples(samples: npt.NDArray[np.integer], depth: int) -> npt.NDArray[np.uint8]:
    """Rows of samples, (h, w, c), as PNG stores them, (h, bytes)."""
    flat = samples.reshape(samples.shape[0], -1)
    if depth == 16:
        return flat.astype(">u2").view(np.uint8).reshape(flat.shape[0], -1)
    if depth == 8:
        return flat.astype(np.uint8)
    bits = (flat[:, :, None] >> np.arange(depth - 1, -1, -1)) & 1
    return np.packbits(bits.reshape(flat.shape[0], -1).astype(np.uint8), axis=1)


def write_png(
    samples: npt.NDArray[np.integer],
    *,
    depth: int,
    colour: int,
    interlaced: bool = False,
    palette: npt.NDArray[np.uint8] | None = None,
    seed: int = 0,
    pieces: int = 1,
    before: bytes = b"",
) -> bytes:
    """Encode samples, (h, w, c), with random row filters; `pieces` IDAT chunks, `before` chunks before them."""
    rng = np.random.default_rng(seed)
    height, width = samples.shape[:2]
    step = max(1, SAMPLES[colour] * depth // 8)
    raw = b""
    for x, y, dx, dy in ADAM7 if interlaced else ((0, 0, 1, 1),):
        part = samples[y::dy, x::dx]
        if part.size:
            raw += filter_rows(pack_samples(part, depth), step, rng.integers(0, 5, part.shape[0]))
    data = zlib.compress(raw, 6)
    edges = np.linspace(0, len(data), pieces + 1).astype(int)
    header = struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, int(interlaced))
    parts = [b"\x89PNG\r\n\x1a\n", chunk(b"IHDR", header)]
    if palette is not None:
        parts.append(chunk(b"PLTE", palette.tobytes()))
    parts.append(before)
    parts += [chunk(b"IDAT", data[a:b]) for a, b in pairwise(edges)]
    return b"".join([*parts, chunk(b"IEND", b"")])


class Loading:
    """The native module with shorter ways to call it."""

    encode = staticmethod(encode)
    picture = staticmethod(make_picture)
    write_png = staticmethod(write_png)
    chunk = staticmethod(chunk)

    def __init__(self, module: Any) -> None:
        self.module = module
        self.pool = module.ImagePool(2)

    def plan(self, count: int = 1, **fields: Any) -> npt.NDArray[np.void]:
        """Records that change nothing but what is given: the middle of the image as it is."""
        records = np.zeros(count, dtype=self.module.plan_dtype())
        defaults = {
            "channels": 3, "filter": 255, "order": [0, 1, 2, 3], "brightness": 1, "contrast": 1, "saturation": 1,
            "cu": -1, "cv": -1,
        }  # fmt: skip
        for name, value in (defaults | fields).items():
            records[name] = value
        return records

    def load(
        self,
        source: Any,
        size: tuple[int, int],
        *,
        dtype: Any = np.uint8,
        layout: str = "nhwc",
        pool: Any = None,
        options: dict[str, Any] | None = None,
        **fields: Any,
    ) -> tuple[int, str, npt.NDArray[Any]]:
        """Load one image: status, message ("" for none) and the result, (H, W, C) or (C, H, W)."""
        channels = int(fields.get("channels", 3))
        shape = (1, *size, channels) if layout == "nhwc" else (1, channels, *size)
        out = np.full(shape, 77, dtype=dtype)
        item = (source, 0, len(source)) if isinstance(source, bytes) else str(source)
        status, messages = (pool or self.pool).load([item], self.plan(**fields), out, layout=layout, **(options or {}))
        return int(status[0]), messages[0] if messages else "", out[0]

    def pixels(self, source: Any, size: tuple[int, int], **fields: Any) -> npt.NDArray[np.uint8]:
        """Load one image that has to be fine as uint8 (H, W, C)."""
        status, message, out = self.load(source, size, **fields)
        assert status == 0, message
        return out


@pytest.fixture(scope="session")
def loading() -> Loading:
    """The native loader; skips where this build has none."""
    pytest.importorskip("PIL", reason="the reference is Pillow")
    module = pytest.importorskip("perfmodel._cpu", reason="the native CPU module is not built")
    if not all(getattr(module, "image_formats", dict)().values()) or not hasattr(module, "image_formats"):
        pytest.skip("the native module was built without libjpeg-turbo or libdeflate")
    return Loading(module)
