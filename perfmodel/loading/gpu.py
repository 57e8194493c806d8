"""Batches made on a GPU from decoded or encoded images; see ``docs/loader_cuda.md``."""

from __future__ import annotations

import os
import sysconfig
from pathlib import Path
from typing import TYPE_CHECKING

from perfmodel import native

if TYPE_CHECKING:
    from perfmodel._cuda import ImagePreprocessor

VARIABLE = "PERFMODEL_NVJPEG"
"""Environment variable with the path of nvJPEG's library, before all other places."""

_NAMES = ("libnvjpeg.so.13", "libnvjpeg.so.12")
_FOLDERS = ("nvidia/cu13/lib", "nvidia/nvjpeg/lib")


def nvjpeg_libraries() -> list[str]:
    """Return where nvJPEG may be, in the order in which it is tried.

    Returns
    -------
    list of str
        The path in ``PERFMODEL_NVJPEG``, files of the package nvidia-nvjpeg, then names for the system's linker.
    """
    named = os.environ.get(VARIABLE, "")
    site = Path(sysconfig.get_path("purelib"))
    files = [site / folder / name for folder in _FOLDERS for name in _NAMES]
    return [*([named] if named else []), *(str(path) for path in files if path.exists()), *_NAMES]


def open_preprocessor(
    device: int = 0, *, threads: int | None = None, slots: int = 3, decoder: str = "auto"
) -> ImagePreprocessor:
    """Return what makes batches on a GPU.

    Parameters
    ----------
    device : int
        The GPU.
    threads : int, optional
        Threads that read and decode; all cores of this process where not given.
    slots : int
        Batches that may be under way at a time; each holds page-locked memory for its pixels.
    decoder : str
        ``cpu``, ``nvjpeg``, or ``auto``: nvJPEG where it is there. What it does not decode the CPU does.

    Raises
    ------
    CudaUnavailableError
        Without a GPU, or where ``perfmodel._cuda`` was not built.
    ValueError
        When an argument is out of its range, or nvJPEG is asked for and not there.
    """
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    preprocessor: ImagePreprocessor = native.cuda().ImagePreprocessor(
        device, threads=threads or cores, slots=slots, decoder=decoder, nvjpeg=nvjpeg_libraries()
    )
    return preprocessor
