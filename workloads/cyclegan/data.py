"""Unpaired images of two domains: resize to 286 bicubic, random crop 256, random flip, scaled to [-1, 1]."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import Dataset

from perfmodel.errors import InputError
from perfmodel.workloads.datasets.layouts import find_images, pair_of
from perfmodel.workloads.training.images import read_image
from perfmodel.workloads.training.order import keyed


class UnpairedImages(Dataset[dict[str, Tensor]]):
    """Images of domain A in order, each with one of domain B by chance.

    What chance does to a sample depends on seed, epoch and index only, not on the process that loads it.

    Parameters
    ----------
    root : str or Path
        Folder with one folder a domain.
    name : str
        ``SOURCE-TARGET``.
    load_size, crop_size : int
        Pixels.
    limit : int or None
        At most so many images a domain.
    seed : int
    """

    def __init__(
        self, root: str | Path, name: str, *, load_size: int = 286, crop_size: int = 256, limit: int | None = None,
        seed: int = 0,
    ) -> None:  # fmt: skip
        if crop_size > load_size:
            raise InputError(f"--crop-size {crop_size} is above --load-size {load_size}", "crop at most what is loaded")
        if crop_size % 4:
            raise InputError(f"--crop-size {crop_size} is no multiple of 4", "the generator halves it twice")
        if not Path(root).is_dir():
            raise InputError(f"no folder {root}", "give --dataroot with one folder a domain in it")
        source, target = pair_of(name)
        self.paths_a = find_images(Path(root) / source, limit=limit)
        self.paths_b = find_images(Path(root) / target, limit=limit)
        self._load, self._crop, self._seed = load_size, crop_size, seed
        self.epoch = 0

    def __len__(self) -> int:
        """Return the size of the larger domain."""
        return max(len(self.paths_a), len(self.paths_b))

    def __getitem__(self, index: int) -> dict[str, Tensor]:
        """Return ``A`` and ``B``, each float32 [3, crop, crop] in [-1, 1]."""
        chance = keyed(self._seed, self.epoch, 2, index)
        a = self.paths_a[index % len(self.paths_a)]
        b = self.paths_b[int(chance.integers(len(self.paths_b)))]
        return {"A": self._transformed(read_image(a), chance), "B": self._transformed(read_image(b), chance)}

    def _transformed(self, image: Any, chance: np.random.Generator) -> Tensor:
        from PIL import Image

        resized = image.resize((self._load, self._load), Image.Resampling.BICUBIC)
        left, top = (int(chance.integers(self._load - self._crop + 1)) for _ in range(2))
        pixels = np.asarray(resized)[top : top + self._crop, left : left + self._crop]
        if chance.random() < 0.5:
            pixels = pixels[:, ::-1]
        chosen = torch.from_numpy(np.ascontiguousarray(pixels)).permute(2, 0, 1)
        return chosen.to(torch.float32) / 127.5 - 1.0
