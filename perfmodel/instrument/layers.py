"""Time of every layer of a model, forward and backward, beside what its operations and bytes ask for."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from perfmodel.errors import InputError
from perfmodel.hardware.gpu import find_gpu
from perfmodel.instrument.devices import Device, find_device
from perfmodel.instrument.hooks import tensors_of


@dataclass(frozen=True, kw_only=True)
class Layer:
    """One layer (a module without children) in the order of the forward pass.

    Attributes
    ----------
    name, kind : str
        As in ``named_modules``, and the class.
    calls : int
        Calls in one forward pass.
    forward_s, backward_s : float
        Medians over passes, s; the backward pass of a layer lasts until the gradient reaches the layer before.
    gflops : float
        Floating-point operations of forward and backward, 10^9, as `torch.utils.flop_counter` counts them: products
        only.
    mbytes : float
        Bytes of inputs, outputs and parameters, 10^6: each once forward and twice backward.
    share_of_roofline : float or None
        Shortest time that operations and bytes allow on the card, over the time; None without a card.
    """

    name: str
    kind: str
    calls: int
    forward_s: float
    backward_s: float
    gflops: float
    mbytes: float
    share_of_roofline: float | None


@dataclass
class _Record:
    kind: str
    calls: int = 0
    forward: list[tuple[Any, Any]] = field(default_factory=list)
    bytes: int = 0


class _Pass:
    """Points of one forward and backward pass."""

    def __init__(self, device: Device) -> None:
        self.device = device
        self.records: dict[str, _Record] = {}
        self.marks: list[Any] = []
        self.arrivals: list[tuple[str, Any]] = []

    def mark(self) -> Any:
        mark = self.device.mark()
        self.marks.append(mark)
        return mark

    def before(self, name: str) -> Callable[..., None]:
        """Hook that opens a layer."""

        def hook(module: Any, args: Any) -> None:
            record = self.records.setdefault(name, _Record(type(module).__name__))
            record.calls += 1
            record.bytes += sum(map(_bytes, (*tensors_of(args), *module.parameters(recurse=False))))
            record.forward.append((self.mark(), None))

        return hook

    def after(self, name: str) -> Callable[..., None]:
        """Hook that closes a layer and waits for its gradient."""

        def hook(module: Any, args: Any, output: Any) -> None:
            record = self.records[name]
            record.forward[-1] = (record.forward[-1][0], self.mark())
            outputs = tensors_of(output)
            record.bytes += sum(map(_bytes, outputs))
            for tensor in outputs[:1]:
                if tensor.requires_grad:
                    tensor.register_hook(lambda _: self.arrivals.append((name, self.mark())))

        return hook


def _bytes(tensor: Any) -> int:
    return int(tensor.numel() * tensor.element_size())


def layers(
    model: Any,
    *inputs: Any,
    backward: bool = True,
    loss: Callable[[Any], Any] | None = None,
    repeats: int = 5,
    gpu: str | None = None,
    precision: str = "fp32",
    device: str | Device = "auto",
) -> tuple[Layer, ...]:
    """Time every layer of a torch module.

    Parameters
    ----------
    model : torch.nn.Module
        In the mode it is to be timed in; gradients are left as they were.
    *inputs : tensors
        Arguments of its forward pass, on its device.
    backward : bool
        Also time the backward pass, of ``loss(output)`` (by default the sum of all floating outputs).
    repeats : int
        Passes timed, after one that is not.
    gpu : str, optional
        Card for the share of the roofline; any name that `perfmodel.find_gpu` reads.
    precision : str
        Which of the card's peaks applies.

    Returns
    -------
    tuple of Layer

    Raises
    ------
    InputError
        When `repeats` is below 1 or the model has no layer.
    """
    if repeats < 1:
        raise InputError(f"repeats is {repeats}", "give 1 or more")
    clock = find_device(device)
    saved = [(p, p.grad) for p in model.parameters()]
    try:
        operations = _operations(model, inputs, backward, loss)
        passes = [_one_pass(model, inputs, clock, backward, loss) for _ in range(repeats + 1)][1:]
    finally:
        for parameter, gradient in saved:
            parameter.grad = gradient
    if not passes[0][0]:
        raise InputError(f"{type(model).__name__} has no layers", "give a torch.nn.Module with submodules")
    return tuple(_layers(passes, operations, _roof(gpu, precision), backward))


@contextmanager
def _hooked(model: Any, timed: _Pass) -> Iterator[None]:
    handles = []
    for name, module in model.named_modules():
        if next(module.children(), None) is None:
            label = name or type(module).__name__
            handles += [
                module.register_forward_pre_hook(timed.before(label)),
                module.register_forward_hook(timed.after(label)),
            ]
    try:
        yield
    finally:
        for handle in handles:
            handle.remove()


def _one_pass(
    model: Any, inputs: Any, device: Device, backward: bool, loss: Callable[[Any], Any] | None
) -> tuple[dict[str, _Record], dict[str, float], dict[str, float]]:
    """Records, forward seconds and backward seconds of each layer."""
    timed = _Pass(device)
    with _hooked(model, timed):
        output = model(*inputs)
        timed.mark()
        if backward:
            (loss or total)(output).backward()
            timed.arrivals.append(("", timed.mark()))
    device.synchronize()
    when = {id(mark): device.time_ns(mark) for mark in timed.marks}
    forward = {
        name: sum(when[id(b)] - when[id(a)] for a, b in record.forward) / 1e9 for name, record in timed.records.items()
    }
    back: dict[str, float] = {}
    for (name, began), (_, ended) in zip(timed.arrivals, timed.arrivals[1:], strict=False):
        back[name] = back.get(name, 0.0) + (when[id(ended)] - when[id(began)]) / 1e9
    return timed.records, forward, back


def total(output: Any) -> Any:
    """Sum of all floating tensors of an output."""
    return sum(tensor.float().sum() for tensor in tensors_of(output) if tensor.is_floating_point())


def _operations(model: Any, inputs: Any, backward: bool, loss: Callable[[Any], Any] | None) -> dict[str, float]:
    """Floating-point operations of each layer, by torch's own counter."""
    from torch.utils.flop_counter import FlopCounterMode

    with FlopCounterMode(display=False) as counter:
        output = model(*inputs)
        if backward:
            (loss or total)(output).backward()
    counts = counter.get_flop_counts()
    prefix = type(model).__name__
    return {name.removeprefix(prefix).removeprefix("."): float(sum(c.values())) for name, c in counts.items()}


def _roof(gpu: str | None, precision: str) -> tuple[float, float] | None:
    """Operations and bytes a second that the card allows."""
    if gpu is None:
        return None
    card = find_gpu(gpu)
    return card.peak_tflops(precision) * 1e12, card.bandwidth_gbs * 1e9


def _layers(
    passes: list[tuple[dict[str, _Record], dict[str, float], dict[str, float]]],
    operations: dict[str, float],
    roof: tuple[float, float] | None,
    backward: bool,
) -> Iterator[Layer]:
    for name, record in passes[0][0].items():
        forward = statistics.median(one[1][name] for one in passes)
        back = statistics.median(one[2].get(name, 0.0) for one in passes)
        flops = operations.get(name, operations.get("", 0.0) if name == record.kind else 0.0)
        moved = record.bytes * (3 if backward else 1)
        share = None
        if roof is not None and forward + back > 0:
            share = max(flops / roof[0], moved / roof[1]) / (forward + back)
        yield Layer(
            name=name, kind=record.kind, calls=record.calls, forward_s=forward, backward_s=back,
            gflops=flops / 1e9, mbytes=moved / 1e6, share_of_roofline=share,
        )  # fmt: skip


def layer_table(found: tuple[Layer, ...]) -> str:
    """Plain text of the layers, the longest first, with a line of totals."""
    rows = sorted(found, key=lambda one: -(one.forward_s + one.backward_s))
    whole = sum(one.forward_s + one.backward_s for one in rows) or 1.0
    width = max(len(one.name) for one in rows)
    lines = [f"{'layer':<{width}}  {'kind':<18} forward ms  backward ms  share   GFLOP  of roofline"]
    for one in rows:
        both = one.forward_s + one.backward_s
        roofline = "" if one.share_of_roofline is None else f"{100 * one.share_of_roofline:.0f} %"
        lines.append(
            f"{one.name:<{width}}  {one.kind:<18} {one.forward_s * 1e3:>10.3f}  {one.backward_s * 1e3:>11.3f}"
            f"  {100 * both / whole:>4.0f} %  {one.gflops:>6.2f}  {roofline:>11}"
        )
    return "\n".join(lines)
