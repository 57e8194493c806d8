"""Driving frames with labels: cropped, resized, changed by chance, as tensors."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import Dataset

from perfmodel.workloads.pilotnet.augmentation import Augmentation, Bytes
from perfmodel.workloads.pilotnet.labels import Labelled, read_frames, scale
from perfmodel.workloads.pilotnet.networks import input_size
from perfmodel.workloads.pilotnet.options import Options
from perfmodel.workloads.training.images import read_image
from perfmodel.workloads.training.order import held_out, keyed

CROP = (240, 480)
"""Rows of the frame that are kept, where it has so many: what lies below the horizon of a 640 x 480 camera."""


def prepared(row: Labelled, height: int, width: int) -> Bytes:
    """Read a frame, keep rows 240 to 480 where it has 480, and resize it (bilinear).

    Returns
    -------
    uint8 array (height, width, 3)

    Raises
    ------
    InputError
        When the file cannot be read.
    """
    from PIL import Image

    image = read_image(row.path)
    if image.height >= CROP[1]:
        image = image.crop((0, CROP[0], image.width, CROP[1]))  # a box given to resize would let in rows beyond it
    resized = image.resize((width, height), Image.Resampling.BILINEAR)
    return np.asarray(resized, dtype=np.uint8)


class Frames(Dataset[dict[str, Tensor]]):
    """Frames as ``image`` float32 [3, H, W] in [0, 1], with ``target`` float32 [2]: speed and turn rate in [0, 1].

    What chance does to a sample depends on seed, epoch and index only.

    Parameters
    ----------
    rows : sequence of Labelled
    height, width : int
        Of the network's input.
    augmentation : Augmentation or None
        None changes nothing, as for evaluation.
    seed : int
    """

    def __init__(
        self, rows: Sequence[Labelled], *, height: int, width: int, augmentation: Augmentation | None = None,
        seed: int = 0,
    ) -> None:  # fmt: skip
        self.rows = tuple(rows)
        self._size, self._augmentation, self._seed = (height, width), augmentation, seed
        self.epoch = 0

    def __len__(self) -> int:
        """Return the number of frames."""
        return len(self.rows)

    def __getitem__(self, index: int) -> dict[str, Tensor]:
        """Return one sample."""
        row = self.rows[index]
        frame, v, w = prepared(row, *self._size), row.v, row.w
        if self._augmentation is None:
            pixels = frame.astype(np.float32) / np.float32(255)
        else:
            pixels, v, w = self._augmentation.apply(frame, v, w, keyed(self._seed, self.epoch, 2, index))
        image = torch.from_numpy(np.ascontiguousarray(pixels.transpose(2, 0, 1)))
        target = torch.tensor([min(max(scale("v", v), 0.0), 1.0), min(max(scale("w", w), 0.0), 1.0)])
        return {"image": image, "target": target}


def parts(options: Options) -> tuple[Frames, Frames]:
    """Read the folders of a run and split them by its seed: to train on, and held out.

    Raises
    ------
    InputError
        Naming folder, file and row.
    """
    rows = read_frames(options.data)[: options.limit]
    height, width = input_size(options.network)
    kept, left = held_out(len(rows), options.validation, seed=options.seed)
    training = Frames(
        [rows[i] for i in kept], height=height, width=width, augmentation=options.augmentation(), seed=options.seed
    )
    return training, Frames([rows[i] for i in left], height=height, width=width)
