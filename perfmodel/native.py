"""The compiled modules, imported at first use; where one is missing, one error says why and what to do."""

from __future__ import annotations

import importlib
from types import ModuleType

from perfmodel.errors import CudaUnavailableError, NativeUnavailableError

_REBUILD = "reinstall with a C++ compiler and CMake (PERFMODEL_NATIVE=ON pip install -e .)"
_REBUILD_CUDA = "reinstall with nvcc (PERFMODEL_CUDA=ON pip install -e .)"


def cpu() -> ModuleType:
    """Import ``perfmodel._cpu``.

    Returns
    -------
    module
        The compiled CPU kernels; its interface is in ``_cpu.pyi``.

    Raises
    ------
    NativeUnavailableError
        If the module was not built or cannot be loaded.
    """
    try:
        return importlib.import_module("perfmodel._cpu")
    except ImportError as error:
        raise NativeUnavailableError(f"perfmodel._cpu is not available ({error})", _REBUILD) from error


def cuda() -> ModuleType:
    """Import ``perfmodel._cuda``; a GPU is needed only by its calls.

    Returns
    -------
    module
        The compiled CUDA kernels; its interface is in ``_cuda.pyi``.

    Raises
    ------
    CudaUnavailableError
        If the module was not built or cannot be loaded.
    """
    try:
        return importlib.import_module("perfmodel._cuda")
    except ImportError as error:
        raise CudaUnavailableError(f"perfmodel._cuda is not available ({error})", _REBUILD_CUDA) from error
