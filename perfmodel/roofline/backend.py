"""Which implementation computes the time of matrix products: the compiled one, or NumPy, which is its reference.

``PERFMODEL_BACKEND`` forces ``numpy`` or ``native``; otherwise the compiled one is used where it was built. Both answer
alike to 1e-12.
"""

from __future__ import annotations

import os
from functools import cache
from types import ModuleType

from perfmodel import native
from perfmodel.errors import InputError, NativeUnavailableError

BACKENDS = ("numpy", "native")


def native_products() -> ModuleType | None:
    """Return the compiled module when it is to compute products, else None.

    Raises
    ------
    InputError
        When ``PERFMODEL_BACKEND`` is neither `BACKENDS` nor empty.
    NativeUnavailableError
        When it asks for the compiled module and there is none.
    """
    return _chosen(os.environ.get("PERFMODEL_BACKEND", ""))


@cache
def _chosen(name: str) -> ModuleType | None:
    if name not in ("", *BACKENDS):
        raise InputError(f"PERFMODEL_BACKEND is {name!r}", f"give {' or '.join(BACKENDS)}, or leave it out")
    if name == "numpy":
        return None
    try:
        module = native.cpu()
        if not hasattr(module, "product_time"):
            raise NativeUnavailableError("perfmodel._cpu is of an older version", "build it again: pip install -e .")
    except NativeUnavailableError:
        if name == "native":
            raise
        return None
    return module


def thread_count() -> int:
    """Cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
