"""Which threads decode: the native pool, or Pillow's where the image libraries were missing when perfmodel was built.

``PERFMODEL_LOADER_BACKEND`` forces ``native`` or ``pillow``; so does the argument, which comes first.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from perfmodel import native
from perfmodel.errors import InputError, NativeUnavailableError

BACKENDS = ("auto", "native", "pillow")
VARIABLE = "PERFMODEL_LOADER_BACKEND"

Item = str | tuple[Any, int, int]
"""An encoded image: a path, or (buffer, offset, length)."""

NOTHING: Item = (b"", 0, 0)
"""In place of an image that its source cannot give; it fails as one image."""

_said = False


class Pool(Protocol):
    """What `PillowPool` and the native ``ImagePool`` do alike."""

    threads: int

    def load(
        self,
        sources: Sequence[Item],
        plan: npt.NDArray[np.void],
        out: Any,
        *,
        mean: Sequence[float],
        std: Sequence[float],
        filter: int,
        layout: str,
        cut_fill: float,
        max_pixels: int,
    ) -> tuple[npt.NDArray[np.int32], list[str]]:
        """Load and transform images into a batch."""

    def sizes(self, sources: Sequence[Item]) -> npt.NDArray[np.int32]:
        """Return height, width and channels of each image."""

    def stages(self) -> dict[str, int]:
        """Nanoseconds spent in each stage, images and bytes."""

    def close(self) -> None:
        """End the threads."""


def chosen_backend(name: str = "auto") -> str:
    """Return ``native`` or ``pillow``.

    Parameters
    ----------
    name : str
        One of `BACKENDS`; ``auto`` asks the environment, then takes the native pool where it was built with both image
        libraries.

    Raises
    ------
    InputError
        When the name, or that in the environment, is unknown.
    NativeUnavailableError
        When the native pool is asked for and there is none.
    """
    where = "backend"
    if name == "auto":
        where, name = VARIABLE, os.environ.get(VARIABLE, "auto") or "auto"
    if name not in BACKENDS:
        raise InputError(f"{where} is {name!r}", f"give {', '.join(BACKENDS)}")
    if name == "pillow":
        return name
    missing = native_pool_missing()
    if not missing:
        return "native"
    if name == "native":
        raise NativeUnavailableError(f"the native loader is not available ({missing})", _REMEDY)
    _say_once(missing)
    return "pillow"


_REMEDY = "install libjpeg-turbo, libpng and libdeflate, then build perfmodel again"


def native_pool_missing() -> str:
    """Return why there is no native pool; empty where there is one."""
    try:
        module = native.cpu()
    except NativeUnavailableError as error:
        return error.reason
    if not hasattr(module, "ImagePool"):
        return "perfmodel._cpu was built without it"
    lacking = [name for name, there in module.image_formats().items() if not there]
    return f"built without {' and '.join(lacking)}" if lacking else ""


def _say_once(reason: str) -> None:
    global _said
    if not _said:
        _said = True
        print(
            f"perfmodel: images are loaded by Pillow, which is several times slower: {reason}; {_REMEDY}",
            file=sys.stderr,
        )


def make_pool(backend: str, threads: int) -> Pool:
    """Return a pool of ``native`` or ``pillow``."""
    if backend == "native":
        pool: Pool = native.cpu().ImagePool(threads)
        return pool
    from perfmodel.loading.pillow import PillowPool

    return PillowPool(threads)


def plan_dtype(backend: str) -> np.dtype[np.void]:
    """Return the record of a plan as a backend lays it out."""
    from perfmodel.loading.plan import PLAN_DTYPE

    return np.dtype(native.cpu().plan_dtype()) if backend != "pillow" else PLAN_DTYPE
