"""Which tensors are alive when: saved activations and the peak of a captured step."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from perfmodel.graph.records import split, storage_class

PEAK_BATCHES = (1, 8, 64, 1024)
"""Batches at which the moment of the peak is sought; between them the peak is the upper envelope."""


@dataclass
class Held:
    """One storage seen during a capture.

    Attributes
    ----------
    reference : torch.multiprocessing.reductions.StorageWeakRef
    amp, single : tuple of int
        Bytes ``(constant, per sample)`` under autocast and in float32.
    root : int
        Key of the storage this is a cast of (itself otherwise): in float32 the two are one.
    producer : int
        Index of the record that made it; -1 for parameters, buffers and inputs.
    parameter : bool
        A parameter, or a cast of one.
    """

    reference: Any
    amp: tuple[int, int]
    single: tuple[int, int]
    root: int
    producer: int
    parameter: bool = False


@dataclass
class Lifetimes:
    """Follow the storages of a capture.

    Parameters
    ----------
    batch : int
        The capture's batch (see `records.split`).
    trace_peak : bool
        Look for the peak after every operator (costs time).
    """

    batch: int
    trace_peak: bool = True
    held: dict[int, Held] = field(default_factory=dict)
    live: dict[int, Held] = field(default_factory=dict)
    saved_amp: set[int] = field(default_factory=set)
    saved_single: set[int] = field(default_factory=set)
    saved: list[tuple[int, str, tuple[int, int]]] = field(default_factory=list)
    peaks: dict[str, list[tuple[int, int]]] = field(default_factory=dict)
    _now: dict[str, list[int]] = field(default_factory=lambda: {"amp": [0, 0], "single": [0, 0]})
    _roots: dict[int, tuple[int, tuple[int, int]]] = field(default_factory=dict)

    def register_external(self, tensor: Any, *, parameter: bool) -> None:
        """Note a tensor that exists before the step: it is neither saved nor counted in the peak."""
        key, held = self._held(tensor, -1, None)
        held.parameter = parameter
        self.held[key] = held

    def _held(self, tensor: Any, producer: int, source: Held | None) -> tuple[int, Held]:
        from torch.multiprocessing.reductions import StorageWeakRef

        weak: Any = StorageWeakRef
        storage = tensor.untyped_storage()
        amount = int(storage.nbytes())
        amp = split(amount, self.batch)
        double = storage_class(tensor) == "half"
        single = (amp[0] * 2, amp[1] * 2) if double else amp
        key = int(storage._cdata)
        root = key if source is None else source.root
        parameter = source is not None and source.parameter
        return key, Held(weak(storage), amp, single, root, producer, parameter)

    def lookup(self, tensor: Any) -> Held | None:
        """Return what is known about a tensor's storage."""
        return self.held.get(int(tensor.untyped_storage()._cdata))

    def born(self, tensor: Any, producer: int, source: Held | None) -> None:
        """Note a tensor that an operator returned; ``source`` is what it is a cast of."""
        key = int(tensor.untyped_storage()._cdata)
        known = self.held.get(key)
        if known is not None and not known.reference.expired():
            return
        key, held = self._held(tensor, producer, source)
        if known is not None:
            self._forget(key)
        self.held[key] = held
        if not self.trace_peak:
            return
        self.live[key] = held
        self._count("amp", held.amp, 1)
        members, amount = self._roots.get(held.root, (0, held.single))
        if not members and not held.parameter:
            amount = held.single
            self._count("single", amount, 1)
        self._roots[held.root] = (members + 1, amount)

    def _count(self, which: str, amount: tuple[int, int], sign: int) -> None:
        now = self._now[which]
        now[0] += sign * amount[0]
        now[1] += sign * amount[1]

    def _forget(self, key: int) -> None:
        self.saved_amp.discard(key)
        self.saved_single.discard(key)
        held = self.live.pop(key, None)
        if held is None:
            return
        self._count("amp", held.amp, -1)
        members, amount = self._roots.pop(held.root)
        if members > 1:
            self._roots[held.root] = (members - 1, amount)
        elif not held.parameter:
            self._count("single", amount, -1)

    def keep(self, tensor: Any) -> None:
        """Note that autograd saves a tensor for the backward pass."""
        storage = tensor.untyped_storage()
        key = int(storage._cdata)
        held = self.held.get(key)
        if held is None or held.producer < 0:
            return
        if key not in self.saved_amp:
            self.saved_amp.add(key)
            self.saved.append((held.producer, "saved_amp", held.amp))
        root = self.held.get(held.root, held)
        if held.root not in self.saved_single and root.producer >= 0:
            self.saved_single.add(held.root)
            self.saved.append((root.producer, "saved_single", root.single))

    def after(self) -> None:
        """Drop what died, then compare what lives with the peaks so far."""
        if not self.trace_peak:
            return
        for key in [key for key, held in self.live.items() if held.reference.expired()]:
            self._forget(key)
        for which, now in self._now.items():
            found = self.peaks.setdefault(which, [(0, 0)] * len(PEAK_BATCHES))
            for at, batch in enumerate(PEAK_BATCHES):
                if now[0] + batch * now[1] > found[at][0] + batch * found[at][1]:
                    found[at] = (now[0], now[1])
