"""Record every operator of a step, below autograd, while a module runs on the meta device."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from perfmodel.graph.aten_names import FREE
from perfmodel.graph.calls import Call, tensors
from perfmodel.graph.lifetimes import Held, Lifetimes
from perfmodel.graph.records import Record, split, storage_class
from perfmodel.graph.rules import records_of, rnn_reserve


def _written(operator: Any, args: tuple[Any, ...]) -> tuple[Any, ...]:
    """Return the arguments that an operator without a result changes in place."""
    changed = (
        value
        for argument, value in zip(operator._schema.arguments, args, strict=False)
        if argument.alias_info is not None and argument.alias_info.is_write
    )
    return tuple(tensors(list(changed)))


def _cudnn_rnn_backward(args: tuple[Any, ...]) -> Any:
    """Return the shapes of cuDNN's recurrent backward pass, for which PyTorch has no meta kernel."""
    import torch

    x, weights, hidden, cell = args[0], args[1], args[4], args[5]
    empty = torch.empty_like
    return empty(x), empty(hidden), empty(cell) if cell is not None else None, [empty(weight) for weight in weights]


SUBSTITUTES: dict[str, Callable[[tuple[Any, ...]], Any]] = {"_cudnn_rnn_backward": _cudnn_rnn_backward}


class Recorder:
    """Collect records; one instance per captured step.

    Parameters
    ----------
    batch : int
        The prime batch of a symbolic capture, 0 for a numeric one.
    trace_peak : bool
        Follow the lifetime of every tensor to find the peak of memory.

    Attributes
    ----------
    records : list of Record
        In the order of execution.
    unmodelled : dict
        Operators without a cost rule, with the number of calls; their bytes are counted.
    """

    def __init__(self, *, batch: int, trace_peak: bool = True) -> None:
        """Store the options."""
        self.batch = batch
        self.records: list[Record] = []
        self.unmodelled: dict[str, int] = {}
        self.lifetimes = Lifetimes(batch=batch, trace_peak=trace_peak)
        self.phase = "forward"
        self._names: dict[Any, str | None] = {}

    @contextmanager
    def during(self, phase: str) -> Iterator[None]:
        """Name the phase of what runs inside (the backward pass is recognised by itself)."""
        before, self.phase = self.phase, phase
        try:
            yield
        finally:
            self.phase = before

    @contextmanager
    def recording(self) -> Iterator[None]:
        """Record everything that runs inside."""
        import torch

        def pack(tensor: Any) -> Any:
            self.lifetimes.keep(tensor)
            return tensor

        with dispatch_mode(self._dispatch), torch.autograd.graph.saved_tensors_hooks(pack, lambda tensor: tensor):
            yield

    def _name(self, operator: Any) -> str | None:
        """Packet name, qualified outside aten; None for what runs no kernel."""
        if operator not in self._names:
            namespace, _, name = operator._schema.name.partition("::")
            free = name in FREE or (namespace == "aten" and operator.is_view) or namespace in ("prim", "profiler")
            self._names[operator] = None if free else (name if namespace == "aten" else f"{namespace}::{name}")
        return self._names[operator]

    def _dispatch(self, operator: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        import torch

        name = self._name(operator)
        substitute = SUBSTITUTES.get(name or "")
        result = operator(*args, **kwargs) if substitute is None else substitute(args)
        if name is None:
            for tensor in tensors(result):
                self.lifetimes.born(tensor, max(len(self.records) - 1, 0), None)
            return result
        outputs = tuple(tensors(result)) or _written(operator, args)
        call = Call(name, args, kwargs, outputs, self.batch)
        found, known = records_of(operator, call)
        if not known:
            self.unmodelled[name] = self.unmodelled.get(name, 0) + 1
        backward = torch._C._current_graph_task_id() != -1
        source = self._cast_source(call)
        for record in found:
            self._finish(record, call, backward, source is not None)
        self._follow(call, source)
        return result

    def _finish(self, record: Record, call: Call, backward: bool, cast: bool) -> None:
        record.phase = "backward" if backward else self.phase
        record.cast = cast
        if record.kind == "gemm":
            if backward:
                record.pass_ = self._gemm_pass(call)
        elif record.kind not in ("conv", "attention", "rnn"):
            record.half = any(record.linear.get(f"{way}_half", [0, 0]) != [0, 0] for way in ("read", "write"))
            if backward and record.pass_ == "fwd":
                record.pass_ = "dgrad"
        self.records.append(record)

    def _gemm_pass(self, call: Call) -> str:
        """A product with a parameter gives the gradient of data; a product of data that of a parameter."""
        if call.name in ("bmm", "baddbmm"):
            return "dgrad"
        for tensor in tensors(call.args):
            held = self.lifetimes.lookup(tensor)
            if held is not None and held.parameter:
                return "dgrad"
        return "wgrad"

    def _cast_source(self, call: Call) -> Held | None:
        """Return what a float cast between 16 and 32 bit reads; such a cast does not exist in float32."""
        if call.name != "_to_copy" or not call.outputs:
            return None
        tensor = call.args[0]
        kinds = {storage_class(tensor), storage_class(call.outputs[0])}
        if kinds != {"half", "single"}:
            return None
        held = self.lifetimes.lookup(tensor)
        if held is None:
            self.lifetimes.born(tensor, max(len(self.records) - 1, 0), None)
            held = self.lifetimes.lookup(tensor)
        return held

    def _follow(self, call: Call, source: Held | None) -> None:
        producer = len(self.records) - 1
        for tensor in call.outputs:
            self.lifetimes.born(tensor, producer, source)
        if call.name == "_cudnn_rnn":
            self._keep_reserve(call)
        self.lifetimes.after()

    def _keep_reserve(self, call: Call) -> None:
        """Count what cuDNN keeps for the backward pass of a recurrent layer."""
        import torch

        if not torch.is_grad_enabled():
            return
        constant, per_sample = split(rnn_reserve(call), self.batch)
        half = storage_class(call.args[0]) == "half"
        producer, size = len(self.records) - 1, 2 if half else 4
        self.lifetimes.saved.append((producer, "saved_amp", (constant * size, per_sample * size)))
        self.lifetimes.saved.append((producer, "saved_single", (constant * 4, per_sample * 4)))

    def finished(self) -> list[Record]:
        """Return the records with the saved bytes attributed to their producers."""
        for producer, column, (constant, per_sample) in self.lifetimes.saved:
            self.records[producer].add(column, constant, per_sample)
        self.lifetimes.saved = []
        return self.records


def dispatch_mode(handler: Callable[[Any, tuple[Any, ...], dict[str, Any]], Any]) -> Any:
    """Return a context manager that sends every dispatched operator to ``handler``."""
    from torch.utils import _python_dispatch

    base: Any = _python_dispatch.TorchDispatchMode

    class Mode(base):  # type: ignore[misc]
        def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
            return handler(func, args, kwargs or {})

    mode: Any = Mode
    return mode()
