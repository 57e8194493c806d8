"""Names of the precisions, read from any spelling, and which of them a card has."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from perfmodel.errors import PrecisionError

if TYPE_CHECKING:
    from perfmodel.hardware.spec import Gpu

PRECISIONS = ("fp32", "tf32", "fp16", "bf16", "amp", "amp_fp16", "amp_bf16", "int8", "fp8", "fp64")
"""``amp`` is automatic mixed precision with 16-bit products and fp32 weights; without more it means ``amp_fp16``."""

DEFAULT_PRECISION = "fp32"
CPU_ARCH = "CPU"
"""`Gpu.arch` of a processor: its mixed precision is bf16, and it has no fp16 arithmetic."""

_TF32_OFF = re.compile(r"tf32\W{0,3}(?:is\W+)?(?:off|disabled|false|0\b)|(?:no|without|not)\W+tf32")
_WORDS: tuple[tuple[str, re.Pattern[str]], ...] = (
    ("amp", re.compile(r"(?<![a-z])(?:amp|o[12]|autocast)(?![a-z])|mixed")),
    ("fp8", re.compile(r"(?:fp|float|f)[\s_-]?8(?!\d)|e4m3|e5m2")),
    ("int8", re.compile(r"u?int[\s_-]?8(?!\d)|(?<![a-z0-9])[iuw]8(?!\d)|(?<!\d)8[\s_-]?bit|quanti[sz]ed")),
    ("bf16", re.compile(r"bf[\s_-]?16|bfloat")),
    ("tf32", re.compile(r"tf[\s_-]?32|tensor[\s_-]?float")),
    ("fp16", re.compile(r"(?<![a-z])(?:fp|float|f)[\s_-]?16(?!\d)|half|(?<![a-z0-9])16(?:$|[\s_-])")),
    ("fp64", re.compile(r"(?:fp|float|f)[\s_-]?64(?!\d)|double|(?<!\d)64[\s_-]?bit")),
    ("fp32", re.compile(r"(?<![a-z])(?:fp|float|f)[\s_-]?32(?!\d)|float|single|full|(?<![a-z0-9])32(?:$|[\s_-])")),
)
_NOTHING_SAID = frozenset(("", "unknown", "unspecified", "none", "nan", "n/a", "na", "default", "?", "-"))


def precision_words(text: str) -> frozenset[str]:
    """Return which of amp, fp8, int8, bf16, tf32, fp16, fp64, fp32 a text speaks of (``tf32 off`` does not count)."""
    lowered = text.lower()
    found = {word for word, pattern in _WORDS if pattern.search(lowered)}
    if _TF32_OFF.search(lowered):
        found.discard("tf32")
        found.add("fp32")
    return frozenset(found)


def read_precision(text: object) -> str | None:
    """Read a precision from any spelling by keyword, None where the text says nothing about it.

    ``fp32_or_tf32?`` reads as ``tf32``; `resolve_precision` turns that into what the card has.
    """
    words = precision_words(str(text))
    if "amp" in words:
        if "bf16" in words:
            return "amp_bf16"
        return "amp_fp16" if "fp16" in words else "amp"
    return next((word for word, _ in _WORDS if word in words), None)


def says_nothing(text: object) -> bool:
    """Whether the text is one of the spellings of "not stated" (empty, ``unknown``, NaN ...)."""
    return str(text).strip().lower() in _NOTHING_SAID


def canonical_precision(text: object) -> str:
    """Return the name in `PRECISIONS` for any spelling; what says nothing is the default, fp32.

    Raises
    ------
    PrecisionError
        When the text says something that names no precision.
    """
    if isinstance(text, str) and text in PRECISIONS:
        return text
    found = read_precision(text)
    if found is None and says_nothing(text):
        return DEFAULT_PRECISION
    if found is None:
        raise PrecisionError(f"unknown precision {str(text)!r}", f"use one of {', '.join(PRECISIONS)}")
    return found


def resolve_precision(text: object, gpu: Gpu) -> str:
    """Return the canonical precision that a card would really use.

    ``amp`` becomes ``amp_fp16`` (``amp_bf16`` on a processor), and a spelling that leaves fp32 or tf32 open becomes
    tf32 on cards that have it.

    Raises
    ------
    PrecisionError
        When the precision is unknown, or the card lacks it.
    """
    name = canonical_precision(text)
    if name == "amp":
        name = "amp_bf16" if gpu.arch == CPU_ARCH else "amp_fp16"
    if peak_key(name, gpu) in gpu.peaks_tflops:
        return name
    if name == "tf32" and {"fp32", "tf32"} <= precision_words(str(text)):
        return "fp32"
    raise PrecisionError(f"{gpu.name} ({gpu.key}) has no {name}", f"it has {', '.join(supported(gpu))}")


def supported(gpu: Gpu) -> tuple[str, ...]:
    """Return the canonical precisions that a card has, in the order of `PRECISIONS`."""
    return tuple(name for name in PRECISIONS if peak_key(name, gpu) in gpu.peaks_tflops)


def peak_key(name: str, gpu: Gpu) -> str:
    """Return the key of `Gpu.peaks_tflops` that bounds matrix products in a canonical precision.

    Mixed precision accumulates in fp32: without tensor cores such products run at the fp32 rate, whatever the 16-bit
    rate of the CUDA cores (cuBLAS ``CUBLAS_COMPUTE_32F``).
    """
    if name in ("amp", "amp_fp16"):
        return "fp16" if gpu.tensor_cores or gpu.arch == CPU_ARCH else "fp32"
    return "bf16" if name == "amp_bf16" else name
