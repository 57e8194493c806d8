"""Generated pictures with the spectrum of photographs, encoded in many ways: what calibration and benchmarks load."""

from __future__ import annotations

import io
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from perfmodel.errors import DependencyError

Picture = npt.NDArray[np.uint8]

SIZES = ((240, 320), (375, 500), (450, 600), (512, 1024), (720, 1280))
"""Heights and widths of the calibration's pictures."""

ENCODINGS: tuple[tuple[str, dict[str, Any]], ...] = (
    *(("JPEG", {"quality": quality, "subsampling": 2}) for quality in (55, 70, 80, 90, 96)),
    ("JPEG", {"quality": 75, "subsampling": 1}),
    ("JPEG", {"quality": 85, "subsampling": 0}),
    ("JPEG", {"quality": 94, "subsampling": 0}),
    ("JPEG", {"quality": 80, "subsampling": 2, "progressive": True}),
    ("JPEG", {"quality": 93, "subsampling": 0, "progressive": True}),
    ("PNG", {"compress_level": 6}),
    ("PNG", {"compress_level": 2}),
)
"""Format and options of each copy of a picture; Pillow's subsampling 0, 1, 2 is 4:4:4, 4:2:2, 4:2:0."""

NOISES = (1.0, 5.0)
OUTPUTS = (128, 192, 256, 384)
"""Sides of the outputs that the pictures are brought to, in turn."""


@dataclass(frozen=True, kw_only=True)
class EncodedPicture:
    """One file of the calibration.

    Attributes
    ----------
    path : Path
    out : int
        Side of the output, pixels.
    """

    path: Path
    out: int


def make_picture(height: int, width: int, *, seed: int, noise: float) -> Picture:
    """Return (height, width, 3) with brightness and colours whose spectrum falls as that of photographs, and noise.

    Amplitudes fall with the 1.2th power of the frequency (natural images: about 1 to 1.2, Field 1987), those of colours
    with the 1.6th.
    """
    rng = np.random.default_rng(seed)
    frequency = np.hypot(np.fft.fftfreq(height)[:, None], np.fft.rfftfreq(width)[None, :]) + 1 / max(height, width)

    def field(power: float) -> npt.NDArray[np.float64]:
        spectrum = np.fft.rfft2(rng.normal(size=(height, width))) / frequency**power
        values = np.fft.irfft2(spectrum, s=(height, width))
        return np.asarray((values - values.mean()) / values.std())

    light, blue, red = 118 + 38 * field(1.2), 10 * field(1.6), 10 * field(1.6)
    rgb = np.stack([light + 1.402 * red, light - 0.344 * blue - 0.714 * red, light + 1.772 * blue], axis=-1)
    rgb += noise * rng.normal(size=rgb.shape)
    return np.clip(np.rint(rgb), 0, 255).astype(np.uint8)


def encode(picture: Picture, format: str, **options: Any) -> bytes:
    """Return a picture as the bytes of a file.

    Raises
    ------
    DependencyError
        When Pillow is not installed.
    """
    try:
        from PIL import Image
    except ImportError as error:
        raise DependencyError("encoding images needs Pillow", "pip install pillow") from error
    file = io.BytesIO()
    Image.fromarray(picture).save(file, format, **options)
    return file.getvalue()


def write_pictures(folder: Path, *, count: int = 120, seed: int = 0) -> Iterator[EncodedPicture]:
    """Write the calibration's files, each as it is asked for; the order mixes sizes, formats and outputs."""
    kinds = [(size, noise) for noise in NOISES for size in SIZES]
    pictures: dict[int, Picture] = {}
    for number in range(count):
        which = number % len(kinds)
        (height, width), noise = kinds[which]
        if which not in pictures:
            pictures[which] = make_picture(height, width, seed=seed + which, noise=noise)
        format, options = ENCODINGS[(number // len(kinds) + which) % len(ENCODINGS)]
        path = folder / f"{number:04d}.{'jpg' if format == 'JPEG' else 'png'}"
        path.write_bytes(encode(pictures[which], format, **options))
        yield EncodedPicture(path=path, out=OUTPUTS[(number // 3) % len(OUTPUTS)])
