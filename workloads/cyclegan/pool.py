"""The image pool: discriminators see a history of generated images (Shrivastava et al. 2017)."""

from __future__ import annotations

import json
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
        return {"images": list(self._images), "chance": json.dumps(self._chance.bit_generator.state)}

    def restore(self, state: dict[str, Any]) -> None:
        """Take the state of a checkpoint."""
        self._images = list(state["images"])
        self._chance.bit_generator.state = json.loads(state["chance"])
