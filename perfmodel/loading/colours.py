"""The colour jitter of one Pillow image, and how its pixels become numbers of a batch."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:
    from collections.abc import Sequence

    from PIL.Image import Image

BRIGHTNESS, CONTRAST, SATURATION, HUE = range(4)


def jitter(image: Image, record: Any) -> Image:
    """Apply brightness, contrast, saturation and hue of a plan's record, in its order, as torchvision does to PIL."""
    from PIL import ImageEnhance

    grey = image.mode == "L"
    for step in record["order"]:
        if step == BRIGHTNESS and record["brightness"] != 1.0:
            image = ImageEnhance.Brightness(image).enhance(float(record["brightness"]))
        elif step == CONTRAST and record["contrast"] != 1.0:
            image = ImageEnhance.Contrast(image).enhance(float(record["contrast"]))
        elif step == SATURATION and record["saturation"] != 1.0 and not grey:
            image = ImageEnhance.Color(image).enhance(float(record["saturation"]))
        elif step == HUE and record["hue"] != 0.0 and not grey:
            image = _turn_hue(image, float(record["hue"]))
    return image


def _turn_hue(image: Image, share: float) -> Image:
    from PIL import Image as images

    hue, saturation, value = image.convert("HSV").split()
    turned = np.asarray(hue) + np.int32(share * 255).astype(np.uint8)
    return images.merge("HSV", (images.fromarray(turned), saturation, value)).convert("RGB")


def cut_box(record: Any, height: int, width: int) -> tuple[slice, slice]:
    """Rows and columns of the output that the cut-out blanks; empty where it is off."""
    if record["cut_h"] <= 0:
        return slice(0, 0), slice(0, 0)
    rows, columns = (
        slice(*(int(np.clip(np.floor(edge * size + 0.5), 0, size)) for edge in (start, start + length)))
        for start, length, size in (
            (float(record["cut_y"]), float(record["cut_h"]), height),
            (float(record["cut_x"]), float(record["cut_w"]), width),
        )
    )
    return rows, columns


def write(image: Image, out: npt.NDArray[Any], *, mean: Sequence[float], std: Sequence[float], nchw: bool) -> None:
    """Write an image into its place of a batch.

    Parameters
    ----------
    image : Image
        Mode RGB or L.
    out : array (C, H, W) or (H, W, C)
        uint8 takes the bytes; float32 and float16 take (v / 255 - mean) / std; uint16 takes its bfloat16 bits.
    mean, std : sequence of C floats
    nchw : bool
        Layout of `out`.
    """
    pixels = np.asarray(image)
    pixels = pixels[:, :, None] if pixels.ndim == 2 else pixels
    if out.dtype == np.uint8:
        out[...] = pixels.transpose(2, 0, 1) if nchw else pixels
        return
    table = ((np.arange(256) / 255)[:, None] - np.asarray(mean, np.float64)) / np.asarray(std, np.float64)
    values = as_output(table, out.dtype)
    for c in range(pixels.shape[2]):
        plane = out[c] if nchw else out[:, :, c]
        plane[...] = values[:, c][pixels[:, :, c]]


def as_output(values: npt.ArrayLike, dtype: npt.DTypeLike) -> npt.NDArray[Any]:
    """Convert numbers to an output's type; uint16 means the bits of bfloat16, rounded to the nearest even."""
    wanted = np.dtype(dtype)
    if wanted != np.uint16:
        return np.asarray(values, dtype=np.float32).astype(wanted)
    bits = np.ascontiguousarray(values, dtype=np.float32).view(np.uint32)
    return ((bits + np.uint32(0x7FFF) + (bits >> np.uint32(16) & np.uint32(1))) >> np.uint32(16)).astype(np.uint16)
