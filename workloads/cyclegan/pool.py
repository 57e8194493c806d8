"""The image pool: discriminators see a history of generated images (Shrivastava et al. 2017)."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor


class ImagePool:
    """Up to `size` generated images; hands back each new one, or with probability 1/2 an old one in its place.

    Parameters
    ----------
    size : int
        0 hands back what it is given.
    seed : int
    """

    def __init__(self, size: int, *, seed: int = 0) -> None:
        self._size, self._images = size, list[Tensor]()
        self._chance = np.random.Generator(np.random.PCG64(seed))

    def query(self, images: Tensor) -> Tensor:
        """Exchange a batch [N, C, H, W]; the result carries no gradient."""
        given = images.detach()
        if self._size == 0:
            return given
        return torch.stack([self._exchange(image) for image in given])

    def _exchange(self, image: Tensor) -> Tensor:
        if len(self._images) < self._size:
            self._images.append(image.clone())
            return image
        if self._chance.random() < 0.5:
            return image
        at = int(self._chance.integers(self._size))
        old, self._images[at] = self._images[at], image.clone()
        return old

    def state(self) -> dict[str, Any]:
        """Images and state of chance, for a checkpoint."""
        inner = self._chance.bit_generator.state["state"]
        return {"images": list(self._images), "state": str(inner["state"]), "inc": str(inner["inc"])}

    def restore(self, state: dict[str, Any]) -> None:
        """Take the state of a checkpoint."""
        self._images = list(state["images"])
        whole: Any = self._chance.bit_generator.state
        whole["state"] = {"state": int(state["state"]), "inc": int(state["inc"])}
        self._chance.bit_generator.state = whole
