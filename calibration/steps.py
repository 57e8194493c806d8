"""Timing whole training steps, phase by phase."""

from __future__ import annotations

import contextlib
import statistics
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from typing import Any, Literal

from .measure import import_torch

PHASES = ("h2d", "forward", "loss", "backward", "optimizer")
PRECISIONS = ("fp32", "tf32", "amp", "amp_fp16", "amp_bf16")


class Probe:
    """What a program tells of its phases while it runs; this one does not listen."""

    def phase(self, name: str) -> AbstractContextManager[None]:
        """Context of one phase; phases may nest, and the inner one's time is not the outer one's."""
        return contextlib.nullcontext()


class TimingProbe(Probe):
    """Adds up the seconds of every phase, with the device awaited at each boundary.

    Parameters
    ----------
    wait : callable
        Waits for the device.
    """

    def __init__(self, wait: Callable[[], None]) -> None:
        self.seconds: dict[str, float] = {}
        self._wait = wait
        self._open: list[str] = []
        self._since = 0.0

    @contextlib.contextmanager
    def phase(self, name: str) -> Iterator[None]:
        """Time one phase; see `Probe`."""
        self._charge()
        self._open.append(name)
        try:
            yield
        finally:
            self._charge()
            self._open.pop()

    def _charge(self) -> None:
        """Give the time since the last boundary to the innermost open phase."""
        self._wait()
        now = time.perf_counter()
        if self._open:
            name = self._open[-1]
            self.seconds[name] = self.seconds.get(name, 0.0) + now - self._since
        self._since = now


@dataclass(frozen=True, kw_only=True)
class Program:
    """One training or inference step.

    Parameters
    ----------
    step : callable
        Runs one step, inside the phases of the probe that it is given; their names are those of `PHASES`.
    parameters : int
        Parameters that the step trains or uses.
    """

    step: Callable[[Probe], None]
    parameters: int


@dataclass(frozen=True, kw_only=True)
class StepTiming:
    """Time of one step.

    Parameters
    ----------
    step_s : float
        Median seconds from the start of a step to the start of the next, steps back to back.
    step_min_s : float
        Shortest such time.
    spread : float
        Interquartile range over the median.
    repeats : int
        Steps timed.
    phases_s : dict of str to float
        Median seconds of each phase, from steps in which the device was awaited after every phase.
    host_s : float
        Seconds the host took to issue a step; on the CPU the step itself.
    parameters : int
        As in `Program`.
    peak_memory_bytes : int
        Most device memory allocated during a step; 0 on the CPU.
    """

    step_s: float
    step_min_s: float
    spread: float
    repeats: int
    phases_s: dict[str, float] = field(default_factory=dict)
    host_s: float
    parameters: int
    peak_memory_bytes: int

    def row(self) -> dict[str, Any]:
        """The timing under the column names of the steps table."""
        names = ("step_s", "step_min_s", "spread", "repeats", "host_s", "parameters", "peak_memory_bytes")
        return {name: getattr(self, name) for name in names} | {f"{name}_s": s for name, s in self.phases_s.items()}


def measure_step(
    module: Any,
    inputs: Any | Sequence[Any],
    *,
    loss: Callable[[Any], Any] | None = None,
    optimizer: Literal["adam", "sgd"] | None = "adam",
    mode: Literal["train", "infer"] = "train",
    precision: str = "fp32",
    repeats: int = 10,
    warm_up: int = 3,
    budget_s: float = 30.0,
) -> StepTiming:
    """Time training (or inference) steps of a module on the device that its inputs are on.

    Parameters
    ----------
    module : torch.nn.Module
        The network; it is moved to the inputs' device, put in the mode, and trained if the mode says so.
    inputs : tensor or sequence of tensors
        Its arguments.
    loss : callable, optional
        Takes the output and returns a scalar; by default the mean square of all floating outputs.
    optimizer : {"adam", "sgd"} or None
        SGD has momentum 0.9; None leaves the optimizer's phase out.
    mode : {"train", "infer"}
        Inference runs the forward pass only, without recording.
    precision : str
        One of `PRECISIONS`; ``amp`` is fp16 with a scaled loss on a GPU and bf16 on the CPU.
    repeats, warm_up : int
        Steps timed, and steps before that are not.
    budget_s : float
        Fewer steps are timed (3 at least) where they would take longer than this.

    Returns
    -------
    StepTiming
        Medians, in seconds.
    """
    tensors = [inputs] if hasattr(inputs, "device") else list(inputs)
    program = module_program(module, tensors, loss=loss, optimizer=optimizer, mode=mode, precision=precision)
    device = str(tensors[0].device.type)
    return measure_program(program, device=device, repeats=repeats, warm_up=warm_up, budget_s=budget_s)


def measure_program(
    program: Program, *, device: str, repeats: int = 10, warm_up: int = 3, budget_s: float = 30.0
) -> StepTiming:
    """Time a program; the arguments are those of `measure_step`."""
    torch = import_torch()
    wait: Callable[[], None] = torch.cuda.synchronize if device == "cuda" else (lambda: None)
    if device == "cuda":
        torch.cuda.reset_peak_memory_stats()
    started = time.perf_counter()
    for _ in range(max(1, warm_up)):
        program.step(Probe())
    wait()
    step_s = (time.perf_counter() - started) / max(1, warm_up)
    count = max(3, min(repeats, int(budget_s / max(step_s, 1e-9) / 2)))
    steps, host_s = _back_to_back(program, wait, count)
    ordered = sorted(steps)
    median = statistics.median(ordered)
    return StepTiming(
        step_s=median,
        step_min_s=ordered[0],
        spread=(ordered[3 * count // 4] - ordered[count // 4]) / median,
        repeats=count,
        phases_s=_by_phase(program, wait, max(3, count // 2)),
        host_s=host_s,
        parameters=program.parameters,
        peak_memory_bytes=torch.cuda.max_memory_allocated() if device == "cuda" else 0,
    )


def _back_to_back(program: Program, wait: Callable[[], None], count: int) -> tuple[list[float], float]:
    """Seconds of each step, and the host's median seconds to issue one."""
    steps, issued = [], []
    for _ in range(count):
        wait()
        start = time.perf_counter()
        program.step(Probe())
        issued.append(time.perf_counter() - start)
        wait()
        steps.append(time.perf_counter() - start)
    return steps, statistics.median(issued)


def _by_phase(program: Program, wait: Callable[[], None], count: int) -> dict[str, float]:
    """Median seconds of each phase over steps that are awaited after every phase."""
    steps = []
    for _ in range(count):
        probe = TimingProbe(wait)
        program.step(probe)
        steps.append(probe.seconds)
    return {name: statistics.median(step[name] for step in steps) for name in steps[0]}


def module_program(
    module: Any,
    inputs: Sequence[Any],
    *,
    loss: Callable[[Any], Any] | None = None,
    optimizer: str | None = "adam",
    mode: str = "train",
    precision: str = "fp32",
) -> Program:
    """The step of a single module; the arguments are those of `measure_step`."""
    torch = import_torch()
    device = inputs[0].device.type
    module = module.to(inputs[0].device).train(mode == "train")
    parameters = [parameter for parameter in module.parameters() if parameter.requires_grad]
    casting = Casting(torch, device=device, precision=precision)
    count = sum(parameter.numel() for parameter in parameters)

    def infer(probe: Probe) -> None:
        with probe.phase("forward"), torch.no_grad(), casting.context():
            module(*inputs)

    if mode == "infer":
        return Program(step=infer, parameters=count)
    criterion = loss or (lambda output: mean_square(torch, output))
    chosen = make_optimizer(torch, optimizer, parameters) if optimizer else None

    def train(probe: Probe) -> None:
        module.zero_grad(set_to_none=True)
        with probe.phase("forward"), casting.context():
            output = module(*inputs)
        with probe.phase("loss"), casting.context():
            value = criterion(output)
        with probe.phase("backward"):
            casting.scale(value).backward()
        if chosen is not None:
            with probe.phase("optimizer"):
                casting.step(chosen)

    return Program(step=train, parameters=count)


class Casting:
    """Autocast and loss scaling of one precision.

    Parameters
    ----------
    torch : module
        The imported torch.
    device : str
        ``cpu`` or ``cuda``.
    precision : str
        One of `PRECISIONS`.
    """

    def __init__(self, torch: Any, *, device: str, precision: str) -> None:
        if precision not in PRECISIONS:
            raise ValueError(f"no precision '{precision}' for a step; known: {', '.join(PRECISIONS)}")
        from perfmodel.workloads.training.precision import set_tf32

        set_tf32(precision == "tf32")
        half = precision in ("amp", "amp_fp16") and device == "cuda"
        self._dtype = torch.float16 if half or precision == "amp_fp16" else torch.bfloat16
        self._enabled = precision.startswith("amp")
        self._torch, self._device = torch, device
        self._scaler = torch.amp.GradScaler(device) if half else None

    def context(self) -> AbstractContextManager[Any]:
        """Context of the forward pass and the loss."""
        if not self._enabled:
            return contextlib.nullcontext()
        context: AbstractContextManager[Any] = self._torch.autocast(self._device, dtype=self._dtype)
        return context

    def scale(self, loss: Any) -> Any:
        """The loss, scaled where fp16 gradients need it."""
        return self._scaler.scale(loss) if self._scaler else loss

    def step(self, optimizer: Any) -> None:
        """Take the optimizer's step."""
        if self._scaler is None:
            optimizer.step()
            return
        self._scaler.step(optimizer)
        self._scaler.update()


def make_optimizer(torch: Any, name: str, parameters: Sequence[Any]) -> Any:
    """Adam, or SGD with momentum 0.9, as torch runs it by default."""
    if name == "adam":
        return torch.optim.Adam(parameters, lr=1e-4)
    if name == "sgd":
        return torch.optim.SGD(parameters, lr=1e-4, momentum=0.9)
    raise ValueError(f"no optimizer '{name}'; known: adam, sgd")


def mean_square(torch: Any, output: Any) -> Any:
    """Mean square of every floating tensor of an output, added up."""
    return sum(tensor.float().square().mean() for tensor in _tensors(torch, output))


def _tensors(torch: Any, value: Any) -> Iterator[Any]:
    if torch.is_tensor(value):
        if value.is_floating_point():
            yield value
    elif isinstance(value, dict):
        for item in value.values():
            yield from _tensors(torch, item)
    elif isinstance(value, tuple | list):
        for item in value:
            yield from _tensors(torch, item)
