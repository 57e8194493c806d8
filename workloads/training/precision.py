"""Precisions of a training run: autocast, loss scaling, TF32."""

from __future__ import annotations

import warnings
from contextlib import AbstractContextManager, nullcontext
from typing import Any

import torch

from perfmodel.errors import InputError

PRECISIONS = ("fp32", "tf32", "amp", "amp_fp16", "amp_bf16")


class Casting:
    """Autocast and loss scaling of one precision on one device.

    Parameters
    ----------
    precision : str
        ``fp32``, ``tf32``, ``amp`` (fp16 on a GPU, bf16 on the CPU), ``amp_fp16``, ``amp_bf16``.
    device : torch.device

    Raises
    ------
    InputError
        For another precision, or one that the device has not.
    """

    def __init__(self, precision: str, device: torch.device) -> None:
        if precision not in PRECISIONS:
            raise InputError(f"no precision {precision!r} to train in", f"there are {', '.join(PRECISIONS)}")
        if device.type == "cpu" and precision in ("tf32", "amp_fp16"):
            raise InputError(f"the CPU does not train in {precision}", "give fp32 or amp_bf16")
        self.name = "amp_bf16" if precision == "amp" and device.type == "cpu" else precision
        self._device = device.type
        self._half = self.name in ("amp", "amp_fp16")
        self._enabled = self.name.startswith("amp")
        self.scaler: Any = torch.amp.GradScaler(device.type, enabled=self._half)
        if device.type == "cuda":
            set_tf32(precision == "tf32")

    def context(self) -> AbstractContextManager[Any]:
        """Context of forward pass and loss."""
        if not self._enabled:
            return nullcontext()
        return torch.autocast(self._device, dtype=torch.float16 if self._half else torch.bfloat16)

    def backward(self, loss: torch.Tensor) -> None:
        """Backward pass of the loss, scaled where fp16 needs it."""
        torch.autograd.backward(self.scaler.scale(loss))

    def step(self, optimizer: torch.optim.Optimizer) -> None:
        """Step of the optimizer."""
        self.scaler.step(optimizer)

    def update(self) -> None:
        """Adapt the scale; once a step, after all optimizers."""
        self.scaler.update()


def set_tf32(allowed: bool) -> None:
    """Let products and convolutions of fp32 use TF32 or not.

    By torch's older switch: it sets the newer ones (``fp32_precision``) along, while whoever sets those alone leaves
    torch unable to answer what the older one is, which exporting a network asks.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # some versions advise the newer switch
        torch.backends.cuda.matmul.allow_tf32 = allowed
        torch.backends.cudnn.allow_tf32 = allowed
