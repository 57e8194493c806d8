"""Capture the operators of a module: forward, loss, backward, on the meta device (torch is imported late)."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from typing import Any

from perfmodel.errors import DependencyError, FailureError
from perfmodel.graph.assemble import assemble
from perfmodel.graph.autocast import device_rules
from perfmodel.graph.calls import tensors
from perfmodel.graph.graph import Graph
from perfmodel.graph.recorder import Recorder
from perfmodel.graph.records import elements, split
from perfmodel.graph.symbolic import Captured, fit_sizes, without_blocks

PRIMES = (1009, 1013, 2003, 4001, 8009)
"""Batches of symbolic captures: the first that divides no dimension of the network."""

_VARIANTS = {"fp32": "fp32", "tf32": "fp32", "amp": "amp", "amp_fp16": "amp", "amp_bf16": "amp"}
_VARIANTS.update({"fp16": "half", "bf16": "half", "half": "half"})


@dataclass(frozen=True)
class Session:
    """What a step uses to say which part of it runs.

    Attributes
    ----------
    recorder : Recorder
    amp, fused_attention : bool
        See `autocast.device_rules`.
    """

    recorder: Recorder
    amp: bool
    fused_attention: bool

    @contextmanager
    def forward(self) -> Iterator[None]:
        """Run a forward pass as a GPU would."""
        with self.recorder.during("forward"), self._rules():
            yield

    @contextmanager
    def loss(self) -> Iterator[None]:
        """Run the loss as a GPU would."""
        with self.recorder.during("loss"), self._rules():
            yield

    def _rules(self) -> AbstractContextManager[None]:
        return device_rules(amp=self.amp, fused_attention=self.fused_attention)


Step = Callable[[Session], None]


def trace(
    step: Step,
    *,
    modules: Iterable[Any],
    inputs: Sequence[Any],
    batch: int,
    amp: bool = True,
    attention: str = "fused",
    trace_peak: bool = True,
) -> Captured:
    """Run a step once and record it.

    Parameters
    ----------
    step : callable
        Gets a `Session`; runs forward passes inside ``session.forward()``, losses inside ``session.loss()`` and
        backward passes outside of both.
    modules : iterable of torch.nn.Module
        On the meta device; their parameters and buffers are what the step works on.
    inputs : sequence of torch.Tensor
        On the meta device.
    batch : int
        The prime batch of the inputs, or 0 for a numeric capture.
    amp : bool
        Capture under autocast; float32 follows from it, as the casts are marked.
    attention : {"fused", "unfused"}
    trace_peak : bool
        Follow lifetimes for the memory model.
    """
    recorder = Recorder(batch=batch, trace_peak=trace_peak)
    modules = list(modules)
    parameters = {id(p): p for module in modules for p in module.parameters()}
    buffers = {id(b): b for module in modules for b in module.buffers()}
    for tensor in parameters.values():
        recorder.lifetimes.register_external(tensor, parameter=True)
    for tensor in (*buffers.values(), *tensors(list(inputs))):
        recorder.lifetimes.register_external(tensor, parameter=False)
    session = Session(recorder, amp, attention == "fused")
    with quiet_numerics(), checkpoints_follow(session), recorder.recording():
        step(session)
    trainable = [p for p in parameters.values() if p.requires_grad]
    size = [split(elements(t) * t.element_size(), batch) for t in tensors(list(inputs))]
    return Captured(
        records=recorder.finished(),
        batch=batch,
        peaks=recorder.lifetimes.peaks or {"amp": [(0, 0)], "single": [(0, 0)]},
        parameters=sum(int(p.numel()) for p in trainable),
        tensors=len(trainable),
        buffer_bytes=sum(int(b.numel()) * b.element_size() for b in buffers.values()),
        input_bytes=(sum(pair[0] for pair in size), sum(pair[1] for pair in size)),
        unmodelled=recorder.unmodelled,
    )


@contextmanager
def quiet_numerics() -> Iterator[None]:
    """Let boolean indexing pass on the meta device (every element is taken)."""
    from torch.fx.experimental import _config

    before = _config.meta_nonzero_assume_all_nonzero
    _config.meta_nonzero_assume_all_nonzero = True
    try:
        yield
    finally:
        _config.meta_nonzero_assume_all_nonzero = before


@contextmanager
def checkpoints_follow(session: Session) -> Iterator[None]:
    """Recompute what ``torch.utils.checkpoint`` left out under the same rules as the forward pass."""
    from torch.utils import checkpoint

    original: Any = getattr(checkpoint, "_CheckpointFrame", None)
    if original is None:
        yield
        return

    class Frame(original):  # type: ignore[misc]
        def __init__(self, recompute_fn: Callable[..., Any], *args: Any, **kwargs: Any) -> None:
            def recompute(*inner: Any, **named: Any) -> Any:
                with session.forward():
                    return recompute_fn(*inner, **named)

            super().__init__(recompute, *args, **kwargs)

    checkpoint._CheckpointFrame = Frame  # type: ignore[misc]
    try:
        yield
    finally:
        checkpoint._CheckpointFrame = original  # type: ignore[misc]


def default_loss(output: Any) -> Any:
    """Cross entropy for a batch of class scores, else the mean of all floating outputs, summed."""
    import torch

    if isinstance(output, torch.Tensor) and output.dim() == 2 and output.shape[1] > 1:
        target = torch.empty(output.shape[0], dtype=torch.long, device=output.device)
        return torch.nn.functional.cross_entropy(output, target)
    values = output.values() if isinstance(output, dict) else [output]
    found = [t.float().mean() for t in tensors(list(values)) if t.is_floating_point() and t.requires_grad]
    if not found:
        raise FailureError("the module returned nothing to differentiate", "give loss=, or capture with mode='infer'")
    total = found[0]
    for value in found[1:]:
        total = total + value
    return total


def module_step(module: Any, inputs: Sequence[Any], *, mode: str, loss: Callable[[Any], Any] | None = None) -> Step:
    """Return the step of one module: a forward pass, and in training a loss and its backward pass."""

    def step(session: Session) -> None:
        import torch

        with torch.set_grad_enabled(mode == "train"):
            with session.forward():
                output = module(*inputs)
            if mode != "train":
                return
            with session.loss():
                value = (loss or default_loss)(output)
            del output
            value.backward()

    return step


def capture(
    module: Any,
    *inputs: Any,
    mode: str = "train",
    optimizer: str | None = "adam",
    precision: str = "fp32",
    loss: Callable[[Any], Any] | None = None,
    attention: str = "fused",
    channels_last: bool = False,
    symbolic_batch: bool = True,
    name: str | None = None,
) -> Graph:
    """Capture a module's operators without running it: everything happens on the meta device.

    Parameters
    ----------
    module : torch.nn.Module
        Left as it is; a copy on the meta device is used.
    *inputs : torch.Tensor or nested tensors
        An example batch; the first dimension of every tensor that has the same length as the first one's is the batch.
    mode : {"train", "infer"}
        "train" captures both, "infer" the forward pass in evaluation mode only.
    optimizer : str or None
        Default optimizer of the graph (see `optimizers.parse`).
    precision : str
        Default precision of the graph: fp32, tf32, amp, amp_fp16, amp_bf16, fp16, bf16. Every graph serves all.
    loss : callable, optional
        From the module's output to a scalar; `default_loss` when not given.
    attention : {"fused", "unfused"}
        Whether ``scaled_dot_product_attention`` is one kernel.
    channels_last : bool
        Put 4-D inputs and weights in channels-last order and follow layouts (slower).
    symbolic_batch : bool
        Make the graph good for every batch; where the module insists on the given batch, it is kept fixed.
    name : str, optional

    Returns
    -------
    Graph
        ``fixed_batch`` is set where the batch could not be made symbolic; ``unmodelled`` names what has no rule.

    Raises
    ------
    DependencyError
        When torch is missing.
    ValueError
        For an unknown mode or precision.
    """
    _require_torch()
    if mode not in ("train", "infer"):
        raise ValueError(f"unknown mode {mode!r}; known: train, infer")
    if precision not in _VARIANTS:
        raise ValueError(f"unknown precision {precision!r}; known: {', '.join(_VARIANTS)}")
    first = next(iter(tensors(list(inputs))), None)
    actual = int(first.shape[0]) if first is not None and first.dim() else 0
    fixed: int | None = None
    modes = ("train", "infer") if mode == "train" else ("infer",)
    shared: dict[str, Any] = {"loss": loss, "attention": attention, "channels_last": channels_last}
    prime = symbolic_prime(module) if symbolic_batch and actual else 0
    try:
        found = {m: _capture_mode(module, inputs, m, actual=actual, batch=prime, **shared) for m in modes}
    except (RuntimeError, ValueError, IndexError, AssertionError, TypeError):
        if not prime:
            raise
        fixed = actual
        found = {m: _capture_mode(module, inputs, m, actual=actual, batch=0, **shared) for m in modes}
    if not prime:
        fixed = actual or None
    fitted = {(m, attention): without_blocks(fit_sizes([got], [0], 0)) for m, got in found.items()}
    return assemble(
        fitted,
        name=name or type(module).__name__,
        family="captured",
        unit="sample",
        size_name=None,
        default_size=0,
        size_step=0,
        default_blocks=None,
        default_optimizer=optimizer or "sgd",
        default_variant=_VARIANTS[precision],
        default_attention=attention,
        fixed_batch=fixed,
    )


def _require_torch() -> None:
    try:
        import torch  # noqa: F401
    except ImportError as error:
        raise DependencyError("capturing a module needs torch", "pip install perfmodel[torch]") from error


def _capture_mode(
    module: Any,
    inputs: Sequence[Any],
    mode: str,
    *,
    actual: int,
    batch: int,
    loss: Callable[[Any], Any] | None,
    attention: str,
    channels_last: bool,
) -> Captured:
    with _device(channels_last) as device:
        twin = to_device(module, device, channels_last=channels_last)
        twin.train(mode == "train")
        examples = _examples(inputs, actual, batch, device, channels_last)
        step = module_step(twin, examples, mode=mode, loss=loss)
        return trace(step, modules=[twin], inputs=examples, batch=batch, attention=attention)


@contextmanager
def _device(channels_last: bool) -> Iterator[str]:
    """Meta device; fake CPU tensors for channels-last, whose layout meta kernels lose."""
    if not channels_last:
        yield "meta"
        return
    from torch._subclasses.fake_tensor import FakeTensorMode

    with FakeTensorMode(allow_non_fake_inputs=True):
        yield "cpu"


def to_device(module: Any, device: str, *, channels_last: bool = False) -> Any:
    """Copy a module with empty parameters and buffers on another device; shared ones stay shared."""
    import torch

    def empty(tensor: Any) -> Any:
        order = torch.channels_last if channels_last and tensor.dim() == 4 else torch.preserve_format
        return torch.empty_like(tensor, device=device, memory_format=order)

    memo: dict[int, Any] = {}
    for parameter in module.parameters():
        memo[id(parameter)] = torch.nn.Parameter(empty(parameter), requires_grad=parameter.requires_grad)
    for buffer in module.buffers():
        memo[id(buffer)] = empty(buffer)
    return copy.deepcopy(module, memo)


def _examples(inputs: Sequence[Any], actual: int, batch: int, device: str, channels_last: bool) -> list[Any]:
    """Empty inputs on the device, with the capture's batch in place of the actual one."""
    import torch

    def change(value: Any) -> Any:
        if isinstance(value, torch.Tensor):
            shape = list(value.shape)
            if batch and shape and shape[0] == actual:
                shape[0] = batch
            order = torch.channels_last if channels_last and len(shape) == 4 else torch.contiguous_format
            return torch.empty(shape, dtype=value.dtype, device=device, memory_format=order)
        if isinstance(value, (list, tuple)):
            return type(value)(change(item) for item in value)
        return {key: change(item) for key, item in value.items()} if isinstance(value, dict) else value

    return [change(value) for value in inputs]


def symbolic_prime(*modules: Any) -> int:
    """Return a prime that divides no dimension of the modules' parameters and buffers."""
    sizes = {int(d) for module in modules for t in (*module.parameters(), *module.buffers()) for d in t.shape}
    sizes |= {int(t.numel()) for module in modules for t in (*module.parameters(), *module.buffers())}
    for prime in PRIMES:
        if not any(size and size % prime == 0 for size in sizes):
            return prime
    raise FailureError("no batch found that divides no dimension of the network", "capture with symbolic_batch=False")
