"""Changes of a sample by chance: mirrored, colours jittered, a square cut out of the input."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from perfmodel.workloads.training.options import check_range

Floats = npt.NDArray[np.float32]
LUMA = np.array((0.299, 0.587, 0.114), np.float32)
"""Of ITU-R BT.601."""


@dataclass(frozen=True, kw_only=True)
class Augmentation:
    """How samples are changed.

    Attributes
    ----------
    flip : bool
        Mirror every other sample, input and targets alike.
    jitter : float
        Brightness, contrast and saturation are each multiplied by 1 plus or minus up to this; by the same numbers in
        background and composite, whose difference is what the network reads.
    cutout : float
        Side of the square that is cut out of the input, as a share of the image's; its middle lies anywhere, so that
        part of it may lie outside (DeVries and Taylor 2017, arXiv:1708.04552). Targets stay whole.
    """

    flip: bool = True
    jitter: float = 0.2
    cutout: float = 0.2

    def __post_init__(self) -> None:
        """Refuse what leaves nothing of the input."""
        check_range("jitter", self.jitter, 0.0, 0.9)
        check_range("cutout", self.cutout, 0.0, 0.9)

    def jittered(self, pixels: Floats, chance: np.random.Generator) -> Floats:
        """Jitter the colours of background and composite, float32 (6, H, W) in [0, 1]."""
        bright, strong, vivid = (np.float32(1 + self.jitter * (2 * v - 1)) for v in chance.random(3))
        if not self.jitter:
            return pixels
        found = pixels * bright
        middle = found[:3].mean()
        found = ((found - middle) * strong + middle).reshape(2, 3, *pixels.shape[1:])
        grey = np.einsum("ichw,c->ihw", found, LUMA)[:, None]
        changed: Floats = np.clip((found - grey) * vivid + grey, 0, 1).reshape(pixels.shape).astype(np.float32)
        return changed

    def hole(self, size: int, chance: np.random.Generator) -> tuple[slice, slice]:
        """Rows and columns to cut out of a square image."""
        side = round(self.cutout * size)
        middle = chance.integers(size, size=2)
        first, last = np.clip(middle - side // 2, 0, size), np.clip(middle - side // 2 + side, 0, size)
        return slice(int(first[0]), int(last[0])), slice(int(first[1]), int(last[1]))

    def mirrors(self, chance: np.random.Generator) -> bool:
        """Whether to mirror this sample."""
        return bool(chance.random() < 0.5) and self.flip


def mirrored(pixels: Any) -> Any:
    """An image (..., W) mirrored."""
    return pixels[..., ::-1]
