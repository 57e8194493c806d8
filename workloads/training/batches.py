"""Batches from a torch DataLoader: what is wrong with a sample is told as it is, and Ctrl-C is the loop's to handle."""

from __future__ import annotations

import signal
from collections.abc import Iterator, Sequence
from typing import Any

from torch.utils.data import DataLoader, Dataset, default_collate

from perfmodel.errors import PerfmodelError
from perfmodel.workloads.training.order import EpochOrder


class _Guarded(Dataset[Any]):
    """Hands an error of the family on as a sample: a worker process would wrap it in a traceback of its own."""

    def __init__(self, data: Any) -> None:
        self._data = data

    def __len__(self) -> int:
        return len(self._data)

    def __getitem__(self, index: int) -> Any:
        try:
            return self._data[index]
        except PerfmodelError as error:
            return error


def _collate(samples: list[Any]) -> Any:
    wrong = next((sample for sample in samples if isinstance(sample, PerfmodelError)), None)
    return default_collate(samples) if wrong is None else wrong


def _ignore_interrupts(worker: int) -> None:
    """Ctrl-C reaches every process of a terminal; workers live on until the loop has ended."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)


class Batches:
    """A DataLoader that raises the errors of its samples.

    Attributes
    ----------
    num_workers : int
    """

    def __init__(self, data: Any, order: Any, *, batch: int, workers: int, pin: bool, whole: bool) -> None:
        self.num_workers = workers
        self._loader = DataLoader(
            _Guarded(data), batch_size=batch, sampler=order, num_workers=workers, pin_memory=pin, drop_last=whole,
            persistent_workers=False, collate_fn=_collate, worker_init_fn=_ignore_interrupts,
        )  # fmt: skip

    def __len__(self) -> int:
        """Return the number of batches."""
        return len(self._loader)

    def __iter__(self) -> Iterator[Any]:
        """Yield batches.

        Raises
        ------
        PerfmodelError
            What a sample of the batch raised.
        """
        for batch in self._loader:
            if isinstance(batch, PerfmodelError):
                raise batch
            yield batch


def torch_loader(data: Any, order: EpochOrder, *, batch: int, workers: int, pin: bool) -> Batches:
    """Whole batches in the order of an epoch."""
    return Batches(data, order, batch=batch, workers=workers, pin=pin, whole=True)


def every_sample(data: Any, indices: Sequence[int], *, batch: int, workers: int, pin: bool = False) -> Batches:
    """Batches of the given samples in their order; the last one may be smaller."""
    return Batches(data, indices, batch=batch, workers=workers, pin=pin, whole=False)
