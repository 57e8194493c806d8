"""What ordinary training code does with an image: Pillow, torchvision's transforms, a batch in shared memory.

The steps are torchvision's on a PIL image (resize, crop, flip, ToTensor, Normalize) and torch's default_collate in a
worker, with torch where it is given, in NumPy otherwise.
"""

from __future__ import annotations

import mmap
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

LOAD_OVER_CROP = 286 / 256
"""Side to which CycleGAN's pipeline resizes over the side that it crops."""


@dataclass(frozen=True, kw_only=True)
class OrdinaryTransform:
    """Resize to a square, random crop, random flip, to float32 in [-1, 1].

    Attributes
    ----------
    crop : int
        Side of the output, pixels.
    torch : module, optional
        Tensors are made with it.
    """

    crop: int = 256
    torch: Any = None

    @property
    def load(self) -> int:
        """Side of the resized image, pixels."""
        return round(self.crop * LOAD_OVER_CROP)

    def __call__(self, path: Any, rng: np.random.Generator) -> Any:
        """Load one file: (3, crop, crop), array or tensor."""
        from PIL import Image

        with Image.open(path) as file:
            image = file.convert("RGB")
        image = image.resize((self.load, self.load), Image.Resampling.BICUBIC)
        left, top = rng.integers(0, self.load - self.crop + 1, 2).tolist()
        image = image.crop((left, top, left + self.crop, top + self.crop))
        if rng.random() < 0.5:
            image = image.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
        return _in_numpy(image) if self.torch is None else _in_torch(self.torch, image)


def _in_numpy(image: Any) -> npt.NDArray[np.float32]:
    values = np.ascontiguousarray(np.array(image).transpose(2, 0, 1)).astype(np.float32)
    values /= 255
    values = (values - np.float32(0.5)) / np.float32(0.5)
    return np.asarray(values)


def _in_torch(torch: Any, image: Any) -> Any:
    values = torch.from_numpy(np.array(image)).permute(2, 0, 1).contiguous().to(torch.float32).div(255)
    mean, std = (torch.as_tensor((0.5, 0.5, 0.5), dtype=torch.float32).view(-1, 1, 1) for _ in range(2))
    return values.clone().sub_(mean).div_(std)


def stack_shared(images: Sequence[Any]) -> Any:
    """Stack arrays in new shared memory, as default_collate does in a worker of torch's DataLoader."""
    arrays = [np.asarray(image) for image in images]
    block = mmap.mmap(-1, arrays[0].nbytes * len(arrays))
    out = np.frombuffer(block, dtype=np.float32).reshape(len(arrays), *arrays[0].shape)
    np.stack(arrays, out=out)
    return out
