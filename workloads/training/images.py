"""Reading images, with one clear line about those that cannot be read."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from perfmodel.errors import InputError


def decode(raw: bytes | Path, where: str | Path, *, mode: str = "RGB") -> Any:
    """Decode an image file.

    Parameters
    ----------
    raw : bytes or Path
        Its content, or where it lies.
    where : str or Path
        What errors call it.
    mode : str
        ``RGB`` or ``L``. Grey images of 16 bits keep their upper 8.

    Returns
    -------
    PIL.Image.Image

    Raises
    ------
    InputError
        Naming the file when it cannot be read.
    """
    from PIL import Image

    try:
        with Image.open(io.BytesIO(raw) if isinstance(raw, bytes) else raw) as image:
            if mode == "L" and image.mode.startswith("I"):
                return Image.fromarray((np.asarray(image) >> 8).astype(np.uint8))
            return image.convert(mode)
    except FileNotFoundError:
        raise InputError(f"no file {where}", "put it back, or take it out of the list") from None
    except Exception as error:  # decoders raise what they like
        raise InputError(f"cannot read {where} ({type(error).__name__})", "replace or remove it") from None


def read_image(path: Path) -> Any:
    """Read an image as RGB.

    Raises
    ------
    InputError
        Naming the file when it cannot be read.
    """
    return decode(path, path)


def write_png(path: Path, pixels: npt.NDArray[np.uint8]) -> None:
    """Write uint8 pixels [H, W] or [H, W, 3]; makes the folder."""
    from PIL import Image

    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels).save(path)
