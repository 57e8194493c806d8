"""Timing the phases of a training loop without slowing it: three lines in anyone's loop.

    with pm.instrument.step_phases(log="run.parquet", model=net, optimizer=adam) as phases:
        for batch in phases(loader):
            ...                                   # the loop as it was

The model's forward pass, the backward pass and the optimizer's step are found by hooks; other parts are named where
they are: ``with phases.h2d(): ...``. A step goes from the moment the loop asks for a batch to the moment it asks for
the next. No call waits for the device: points in its queue are read when it has passed them.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any, TypeVar

from perfmodel.errors import InputError
from perfmodel.instrument.devices import Device, DeviceMemory, find_device
from perfmodel.instrument.nvtx import Range, prebuilt
from perfmodel.instrument.phases import PHASES
from perfmodel.instrument.timeline import Span, StepTimes, attribute

Item = TypeVar("Item")
Listener = Callable[["Step"], None]

_NVTX = {phase: prebuilt(phase) for phase in (*PHASES, "step")}


@dataclass(frozen=True, kw_only=True)
class Step:
    """One finished step.

    Attributes
    ----------
    number, epoch, batch : int
    cold : bool
        Whether it holds loader start-up or warm-up; no average counts it.
    times : StepTimes
        ns.
    host : tuple of Span
        What the host's own clock saw, ns: what a timer without events would have told.
    memory : DeviceMemory or None
    values : mapping of str to float
        What the loop noted, such as losses.
    """

    number: int
    epoch: int
    batch: int
    cold: bool
    times: StepTimes
    host: tuple[Span, ...]
    memory: DeviceMemory | None
    values: Mapping[str, float]


@dataclass
class _Open:
    """A step while it runs: points set, spans finished."""

    number: int
    epoch: int
    cold: bool
    host_start: int
    start: Any
    batch: int = 0
    host: list[Span] = field(default_factory=list)
    device: list[tuple[str, Any, Any]] = field(default_factory=list)
    marks: list[Any] = field(default_factory=list)
    values: dict[str, Any] = field(default_factory=dict)
    memory: DeviceMemory | None = None
    end: Any = None


class Phase:
    """Context of one phase; made once for each and used again."""

    __slots__ = ("_entered", "_name", "_owner", "_range")

    def __init__(self, owner: StepPhases, name: str) -> None:
        self._owner, self._name, self._range = owner, name, _NVTX[name]
        self._entered: list[tuple[int, Any]] = []

    def __call__(self) -> Phase:
        """Return itself, so that ``phases.forward`` and ``phases.forward()`` both work."""
        return self

    def __enter__(self) -> None:
        self._owner.pause()
        self._range.push()
        self._entered.append(self._owner.point())

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        began, mark = self._entered.pop()
        self._owner.add(self._name, began, mark)
        self._range.pop()


class StepPhases:
    """Timer of a training loop; see `step_phases`."""

    def __init__(
        self, device: Device, *, warm_up: int, batch: int | None, first: int = 0, listeners: Iterable[Listener] = ()
    ) -> None:
        self.device = device
        self.listeners = list(listeners)
        self.steps: list[Step] = []
        self._warm_up, self._batch = first + warm_up, batch
        self._current: _Open | None = None
        self._waiting: deque[_Open] = deque()
        self._number = first
        self._epoch = -1
        self._phases = {name: Phase(self, name) for name in PHASES}
        self._unhook: list[Callable[[], None]] = []
        self._watcher: Any = None
        self._step_range: Range = _NVTX["step"]

    # -- phases ------------------------------------------------------------------------------------------------------
    def __getattr__(self, name: str) -> Phase:
        """A phase by its name: ``phases.h2d``."""
        phases: dict[str, Phase] = self.__dict__.get("_phases", {})
        if name in phases:
            return phases[name]
        raise AttributeError(f"no phase {name!r} (phases: {', '.join(PHASES)})")

    def phase(self, name: str) -> Phase:
        """Return the context of a phase by name."""
        if name not in self._phases:
            raise InputError(f"{name!r} is no phase", f"the phases are {', '.join(PHASES)}")
        return self._phases[name]

    def point(self) -> tuple[int, Any]:
        """Set a point now: the host's clock, and one in the device's queue."""
        now = self.device.now_ns()
        if not self.device.asynchronous or self._current is None:
            return now, None
        mark = self.device.mark()
        self._current.marks.append(mark)
        return now, mark

    def add(self, phase: str, began: int, mark: Any) -> None:
        """Finish a span that began at a point."""
        step = self._current
        if step is None:
            return
        now, end = self.point()
        step.host.append(Span(phase, began, now))
        if mark is not None and end is not None and phase not in ("load", "input_wait", "other"):
            step.device.append((phase, mark, end))

    def note(self, **values: Any) -> None:
        """Note values of this step, such as losses; tensors are read when the device is past them.

        A tensor is copied without gradient and turned into a number later, so that noting one never waits.
        """
        if self._current is not None:
            self._current.values.update({name: _detached(value) for name, value in values.items()})

    # -- steps -------------------------------------------------------------------------------------------------------
    def __call__(self, batches: Iterable[Item], *, batch: int | None = None) -> Iterator[Item]:
        """Go through a loader, one step a batch; the first of every pass is cold.

        Parameters
        ----------
        batches : iterable
            The loader; waiting for it is the phase ``input_wait``, or ``load`` where it loads in this process.
        batch : int, optional
            Samples of a step; taken from the first dimension of the batch where not given.
        """
        self._epoch += 1
        waiting = self._phases["load" if _loads_here(batches) else "input_wait"]
        self._begin(cold=True)
        source = iter(batches)
        try:
            while True:
                with waiting:
                    try:
                        item = next(source)
                    except StopIteration:
                        break
                if self._current is not None:
                    self._current.batch = batch or self._batch or samples(item)
                yield item
                self._begin(cold=self._number < self._warm_up)
        except GeneratorExit:  # left by break or by an error: `close` or the next step tells which
            if self._current is not None:
                self.pause()
                self._current.end = self.device.mark()
            raise
        self._drop_or_end()

    def step(self, batch: int = 0, *, epoch: int = 0) -> None:
        """Begin the next step by hand, in a loop that has no loader; ends the one before."""
        self._epoch = epoch
        self._begin(cold=self._number < self._warm_up)
        if self._current is not None:
            self._current.batch = batch or self._batch or 0

    def _begin(self, *, cold: bool) -> None:
        self.pause()
        now = self.device.now_ns()
        mark = self.device.mark()
        if self._current is not None:
            self._finish(mark)
        self._step_range.push()
        self._current = _Open(number=self._number, epoch=self._epoch, cold=cold, host_start=now, start=mark)
        self._number += 1
        self._resolve(wait=False)

    def _finish(self, end: Any) -> None:
        step, self._current = self._current, None
        if step is None:
            return
        self._step_range.pop()
        step.end = end if step.end is None else step.end
        step.memory = self.device.memory()
        self._waiting.append(step)

    def _drop_or_end(self) -> None:
        """End the last step; one that waited for a batch that never came was no step."""
        self.pause()
        step = self._current
        if step is None:
            return
        if step.batch == 0 and all(span.phase in ("load", "input_wait") for span in step.host):
            self._step_range.pop()
            self._current, self._number = None, self._number - 1
        else:
            self._finish(self.device.mark())

    def _resolve(self, *, wait: bool) -> None:
        """Turn steps that the device has passed into rows."""
        if wait and self._waiting:
            self.device.synchronize()
        while self._waiting and (wait or self.device.passed(self._waiting[0].end)):
            step = self._resolved(self._waiting.popleft())
            self.steps.append(step)
            for listener in self.listeners:
                listener(step)

    def _resolved(self, step: _Open) -> Step:
        time_ns = self.device.time_ns
        when = {id(mark): time_ns(mark) for mark in (step.start, *step.marks, step.end)}
        device = None
        if self.device.asynchronous:
            device = [Span(phase, when[id(a)], when[id(b)]) for phase, a, b in step.device]
        times = attribute(when[id(step.start)], when[id(step.end)], step.host, device)
        return Step(
            number=step.number,
            epoch=step.epoch,
            batch=step.batch,
            cold=step.cold,
            times=times,
            host=tuple(step.host),
            memory=step.memory,
            values={name: float(value) for name, value in step.values.items()},
        )

    # -- the end -----------------------------------------------------------------------------------------------------
    def watch(self, model: Any = None, optimizer: Any = None) -> None:
        """Find forward, backward and optimizer of a torch module by hooks; `close` takes them off again."""
        from perfmodel.instrument.hooks import Watcher

        if self._watcher is None:
            self._watcher = Watcher(self)
        for one in _several(model):
            self._unhook += self._watcher.watch_model(one)
        for one in _several(optimizer):
            self._unhook += self._watcher.watch_optimizer(one)

    def pause(self) -> None:
        """Close the phase that hooks opened, as another begins."""
        if self._watcher is not None:
            self._watcher.stop()

    def flush(self) -> None:
        """Wait for the device and hand on every finished step, as before a checkpoint."""
        self._resolve(wait=True)

    def close(self, *, whole: bool = True) -> None:
        """End the last step, or drop it where it is not `whole`; wait for the device, take hooks off."""
        if whole:
            self._drop_or_end()
        elif self._current is not None:
            self.pause()
            self._step_range.pop()
            self._current = None
        self._resolve(wait=True)
        while self._unhook:
            self._unhook.pop()()


def _several(value: Any) -> tuple[Any, ...]:
    if value is None:
        return ()
    return tuple(value) if isinstance(value, list | tuple) else (value,)


def _loads_here(batches: Any) -> bool:
    """Whether a torch DataLoader loads in this process, or the batches are a plain list or generator."""
    return getattr(batches, "num_workers", None) == 0


def _detached(value: Any) -> Any:
    return value.detach().clone() if hasattr(value, "detach") else float(value)


def samples(item: Any) -> int:
    """Samples of a batch: the length of its first array or tensor; 1 where it has none."""
    if isinstance(item, Mapping):
        return next((samples(value) for value in item.values() if hasattr(value, "shape")), 1)
    if hasattr(item, "shape"):
        return int(item.shape[0]) if len(item.shape) else 1
    if isinstance(item, list | tuple) and item:
        return next((samples(value) for value in item if hasattr(value, "shape")), len(item))
    return 1


class step_phases:
    """Time a training loop and log every step.

    Parameters
    ----------
    log : str or Path, optional
        Run log to write, ``.parquet``, ``.csv`` or ``.csv.gz``; kept up to date while the loop runs and complete after
        Ctrl-C or an error.
    device : str
        ``auto`` (CUDA where torch has it, else cpu), ``cpu``, ``cuda``, ``cuda:N``.
    model, optimizer : torch objects or lists of them, optional
        Watched by hooks, so that their phases need no lines of their own.
    warm_up : int
        First steps that no average counts.
    batch : int, optional
        Samples of a step, where batches do not show it.
    first : int
        Number of the first step: a resumed run goes on counting, and its log keeps the steps before.
    progress : bool or str
        Progress bar on stderr with step time and input wait.
    tensorboard : str or Path, optional
        Folder to write scalars to.
    **header
        Fields of the log's header: ``workload``, ``precision``, ``gpu``, ``dataset``, ...; what can be found out is.

    Raises
    ------
    InputError
        For an unknown device or a log that cannot be written.
    """

    def __init__(
        self,
        log: str | Path | None = None,
        *,
        device: str | Device = "auto",
        model: Any = None,
        optimizer: Any = None,
        warm_up: int = 3,
        batch: int | None = None,
        first: int = 0,
        progress: bool | str = False,
        tensorboard: str | Path | None = None,
        **header: Any,
    ) -> None:
        self._phases = StepPhases(find_device(device), warm_up=warm_up, batch=batch, first=first)
        self._phases.watch(model, optimizer)
        self._closers: list[Callable[[], None]] = []
        self._attach(log, first, progress, tensorboard, header)

    def _attach(
        self,
        log: str | Path | None,
        first: int,
        progress: bool | str,
        tensorboard: str | Path | None,
        header: dict[str, Any],
    ) -> None:
        from perfmodel.instrument import outputs

        for sink in outputs.sinks(
            self._phases.device, log=log, first=first, progress=progress, board=tensorboard, header=header
        ):
            self._phases.listeners.append(sink.take)
            self._closers.append(sink.close)

    def __enter__(self) -> StepPhases:
        return self._phases

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            self._phases.close(whole=kind is None)
        finally:
            for close in self._closers:
                close()
