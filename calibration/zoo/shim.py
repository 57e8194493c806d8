"""Import torchvision and timm beside a CPU build of torch, whose operators torchvision's own library would register."""

from __future__ import annotations

import importlib
from functools import cache
from typing import Any

_SCHEMAS = (
    "nms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor",
    "qnms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor",
)


@cache
def _shim() -> Any:
    import torch

    make: Any = torch.library.Library
    library = make("torchvision", "DEF")
    for schema in _SCHEMAS:
        library.define(schema)
    return library


def import_torchvision() -> Any:
    """Return torchvision; its compiled operators are declared, not implemented."""
    _shim()
    return importlib.import_module("torchvision")


def import_timm() -> Any:
    """Return timm, which imports torchvision."""
    import_torchvision()
    return importlib.import_module("timm")
