"""The error family: every message names the thing that is wrong and what to do about it."""

from __future__ import annotations


class PerfmodelError(Exception):
    """An error a user can act on.

    Parameters
    ----------
    reason : str
        What is wrong, naming the thing.
    remedy : str
        What to do about it; may be empty.
    """

    exit_code = 1

    def __init__(self, reason: str, remedy: str = "") -> None:
        self.reason = reason
        self.remedy = remedy
        super().__init__(f"{reason}; {remedy}" if remedy else reason)


class InputError(PerfmodelError):
    """Bad input: the command line exits with 2."""

    exit_code = 2


class FailureError(PerfmodelError):
    """Something that should have worked did not: the command line exits with 1."""


class NativeUnavailableError(FailureError):
    """A compiled module is not part of this installation."""


class CudaUnavailableError(FailureError):
    """There is no usable NVIDIA GPU or driver, or the CUDA module was not built."""


class UnknownGpuError(InputError):
    """No GPU has that name."""


class UnknownModelError(InputError):
    """No network has that name."""


class PrecisionError(InputError):
    """The precision is unknown, or the card lacks it."""


class TableError(InputError):
    """A file is missing, is not a table, or lacks what is needed."""


class ImageError(InputError):
    """An image cannot be read, decoded or transformed."""


class DependencyError(InputError):
    """An optional package that this needs is not installed."""
