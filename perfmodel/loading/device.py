"""Batches copied to a GPU on a stream of their own, so that copying and computing overlap."""

from __future__ import annotations

from collections import deque
from typing import Any

from perfmodel.errors import CudaUnavailableError
from perfmodel.loading.buffers import torch_module


class DeviceCopies:
    """Copies tensors to a device; the work queued on the consumer's stream waits for them, the process does not.

    Parameters
    ----------
    device : str
        As torch names it.
    prefetch : int
        Batches whose host memory stays as it is: before more are taken, their copies are waited for.

    Raises
    ------
    CudaUnavailableError
        When it is a GPU and torch sees none.
    """

    def __init__(self, device: str, prefetch: int) -> None:
        torch = torch_module()
        self._torch, self._device, self._prefetch = torch, torch.device(device), prefetch
        self._cuda = self._device.type == "cuda"
        if self._cuda and not torch.cuda.is_available():
            raise CudaUnavailableError(
                f"torch sees no GPU for device {device!r}", "leave the device out, or mend torch"
            )
        self._stream = torch.cuda.Stream(self._device) if self._cuda else None
        self._copied: deque[Any] = deque()

    def send(self, values: dict[str, Any]) -> dict[str, Any]:
        """Return the tensors on the device."""
        if not self._cuda:
            return {name: value.to(self._device) for name, value in values.items()}
        torch = self._torch
        current = torch.cuda.current_stream(self._device)
        with torch.cuda.stream(self._stream):
            sent = {name: value.to(self._device, non_blocking=True) for name, value in values.items()}
            copied = torch.cuda.Event()
            copied.record(self._stream)
        current.wait_event(copied)
        for value in sent.values():
            value.record_stream(current)
        self._copied.append(copied)
        return sent

    def settle(self) -> None:
        """Wait for the copies whose host memory may be written to once the next batch is taken."""
        while len(self._copied) >= self._prefetch:
            self._copied.popleft().synchronize()
