"""Changes of a driving frame that leave its label true, or change it in a known way."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from perfmodel.workloads.training.options import check_range

FOCAL = 0.9
"""Focal length over image width that a sideways shift assumes (a camera of 58 degrees)."""
PREVIEW_M = 25.0
"""Distance ahead at which the driver aims."""
Bytes = npt.NDArray[np.uint8]


@dataclass(frozen=True, kw_only=True)
class Augmentation:
    """How frames are changed by chance.

    Attributes
    ----------
    flip : bool
        Mirror every other frame; the turn rate changes its sign.
    brightness : float
        Pixels are multiplied by 1 plus or minus up to this.
    contrast : float
        Distances from the frame's mean are multiplied by 1 plus or minus up to this.
    rise : float
        Shift up or down by up to this share of the height, as a pitching camera does; the label stays.
    shift : float
        Shift to the side by up to this share of the width, as if the car were turned by that angle. The label gains
        the turn rate that aims at the old point 25 m ahead: ``2 v s / (f 25 m)`` for a shift of ``s`` widths and a
        focal length of ``f`` widths (pure pursuit, Coulter 1992).
    """

    flip: bool = True
    brightness: float = 0.3
    contrast: float = 0.2
    rise: float = 0.03
    shift: float = 0.0

    def __post_init__(self) -> None:
        """Refuse what leaves nothing of the frame."""
        for name, high in (("brightness", 0.9), ("contrast", 0.9), ("rise", 0.5), ("shift", 0.5)):
            check_range(name, getattr(self, name), 0.0, high)

    def apply(
        self, pixels: Bytes, v: float, w: float, chance: np.random.Generator
    ) -> tuple[npt.NDArray[np.float32], float, float]:
        """Change a frame.

        Parameters
        ----------
        pixels : uint8 array (H, W, 3)
        v, w : float
            Speed, m/s; turn rate, deg/s.
        chance : Generator
            Five numbers are drawn from it, whatever is switched on.

        Returns
        -------
        float32 array (H, W, 3) in [0, 1], speed, turn rate
        """
        mirror, bright, strong, up, side = (float(value) for value in chance.random(5))
        height, width = pixels.shape[:2]
        down, right = round((2 * up - 1) * self.rise * height), round((2 * side - 1) * self.shift * width)
        found = moved(pixels, down=down, right=right).astype(np.float32) / np.float32(255)
        w += turn_of_shift(right / width, v)
        if self.flip and mirror < 0.5:
            found, w = found[:, ::-1], -w
        found = found * np.float32(1 + (2 * bright - 1) * self.brightness)
        mean = found.mean()
        found = (found - mean) * np.float32(1 + (2 * strong - 1) * self.contrast) + mean
        return np.clip(found, 0, 1), v, w


def moved(pixels: Any, *, down: int, right: int) -> Any:
    """Move an image by pixels; what comes in repeats the edge."""
    height, width = pixels.shape[:2]
    rows, columns = np.clip(np.arange(height) - down, 0, height - 1), np.clip(np.arange(width) - right, 0, width - 1)
    return pixels[rows][:, columns]


def turn_of_shift(share: float, v: float) -> float:
    """Turn rate (deg/s) that a shift to the right by a share of the width adds at speed v (m/s)."""
    return math.degrees(2.0 * v * share / (FOCAL * PREVIEW_M))
