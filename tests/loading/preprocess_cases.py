"""Decoded images and plans for the tests of the GPU's preprocessing, with what Pillow makes of them."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

Pixels = npt.NDArray[np.uint8]

cpu = pytest.importorskip("perfmodel._cpu", reason="the native CPU module is not built")

KEEP, EXACT, SHORTER, REGION = range(4)


def scene(seed: int, height: int, width: int, channels: int = 3) -> Pixels:
    """Shading, edges, texture and noise, (height, width, 3) or (height, width)."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[0:height, 0:width]
    saw = np.abs((x * 3 + y * 5) % 400 - 200) + 20
    waves = [127 + 90 * np.sin(x / 7 + y / 11 + seed), 127 + 90 * np.cos(y / 5 - seed), saw]
    picture = np.stack(waves, axis=-1) + rng.normal(0, 8, (height, width, 3))
    picture[height // 3 : height // 2, width // 4 :] = rng.uniform(30, 225, 3)
    pixels = np.clip(picture, 0, 255).astype(np.uint8)
    return pixels if channels == 3 else np.ascontiguousarray(pixels[..., 0])


def plan(count: int = 1, **fields: Any) -> npt.NDArray[np.void]:
    """Records with nothing switched on but what is given."""
    records = np.zeros(count, dtype=cpu.plan_dtype())
    defaults = {
        "channels": 3, "filter": 2, "order": [0, 1, 2, 3], "brightness": 1, "contrast": 1, "saturation": 1,
        "cu": -1, "cv": -1,
    }  # fmt: skip
    for name, value in (defaults | fields).items():
        records[name] = value
    return records


def resized(image: Pixels, size: tuple[int, int], filter_code: int, box: Any = None) -> Pixels:
    """Resize by Pillow to (height, width); `box` is left, top, right, bottom of the part that is used.

    Across first, then down: where a picture grows in one direction and shrinks in the other, newer versions of Pillow
    take the other order, and what is clipped between the passes differs.
    """
    from PIL import Image
    from PIL.Image import Resampling

    codes = (Resampling.NEAREST, Resampling.BOX, Resampling.BILINEAR, Resampling.BICUBIC, Resampling.LANCZOS)
    picture = Image.fromarray(image)
    part = picture.crop(box) if box else picture
    across = part.resize((size[1], part.height), codes[filter_code])
    return np.asarray(across.resize(size[::-1], codes[filter_code]))


def pool_result(images: list[Pixels], records: npt.NDArray[np.void], shape: tuple[int, ...], **options: Any) -> Any:
    """What the native CPU loader makes of the images as PNG files; bfloat16 as its bits."""
    import io

    from PIL import Image

    if not cpu.image_formats()["png"]:
        pytest.skip("the native loader was built without PNG")
    sources = []
    for image in images:
        file = io.BytesIO()
        Image.fromarray(image).save(file, "PNG", compress_level=1)
        sources.append((file.getvalue(), 0, len(file.getvalue())))
    dtype = options.pop("dtype", "float32")
    out = np.zeros(shape, dtype={"bfloat16": "uint16"}.get(dtype, dtype))
    pool = cpu.ImagePool(1)
    status, messages = pool.load(sources, records, out, **options)
    pool.close()
    assert not status.any(), messages
    return out
