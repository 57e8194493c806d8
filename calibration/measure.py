"""Measuring the operators of one device: kernels, transfers, and what a call costs.

Every part stops at its deadline and hands each row on as soon as it is there.
"""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from typing import Any

from perfmodel import native
from perfmodel.errors import CudaUnavailableError, DependencyError, FailureError, NativeUnavailableError

from . import cases, design, machine, timing
from .cases import Case
from .operators import Bench, prepare
from .rows import Row, operator_row
from .timing import Effort, EventTimer, Timer, Timing, WallTimer

Emit = Callable[[Row], None]
Known = Callable[[str], bool]


@dataclass(frozen=True, kw_only=True)
class Session:
    """A device being measured.

    Parameters
    ----------
    bench : Bench
        Where operators run.
    timer : Timer
        How they are timed.
    effort : Effort
        How long each is timed.
    scale : design.Scale
        Which cases there are.
    threads : int
        CPU threads that compute; 0 on a GPU.
    emit : callable
        Takes each finished row.
    known : callable
        Says whether a row of that key is there already; such cases are skipped.
    """

    bench: Bench
    timer: Timer
    effort: Effort
    scale: design.Scale
    threads: int
    emit: Emit
    known: Known

    @property
    def torch(self) -> Any:
        """The imported torch."""
        return self.bench.torch

    @property
    def cuda(self) -> bool:
        """Whether the device is a GPU."""
        return self.bench.device == "cuda"


def import_torch() -> Any:
    """Import torch, or say how to get it."""
    try:
        import torch
    except ImportError as error:
        raise DependencyError("measuring needs torch", "pip install 'perfmodel[torch]'") from error
    return torch


def open_session(device: str, *, dry: bool = False, emit: Emit, known: Known | None = None) -> Session:
    """Prepare to measure ``cpu`` or ``cuda``; `dry` measures a few tiny cases only.

    Raises
    ------
    DependencyError
        If torch is not installed.
    CudaUnavailableError
        If a GPU is asked for and torch sees none.
    """
    torch = import_torch()
    known = known or (lambda _: False)
    if device == "cuda":
        if not torch.cuda.is_available():
            raise CudaUnavailableError(
                "torch sees no GPU", "run this on a machine with an NVIDIA GPU, or with --device cpu"
            )
        properties = torch.cuda.get_device_properties(0)
        bench = Bench(torch=torch, device=device, cache_bytes=properties.L2_cache_size)
        clock_hz = float(getattr(properties, "clock_rate", 1_800_000)) * 1e3
        timer: Timer = EventTimer(torch, clock_hz=clock_hz)
        scale, effort, threads = design.GPU, Effort(), 0
        _raise_clocks(torch, seconds=0.0 if dry else 1.0)
    else:
        bench = Bench(torch=torch, device=device, cache_bytes=machine.last_cache_bytes())
        timer, scale, effort, threads = WallTimer(), design.CPU, timing.CPU, torch.get_num_threads()
    if dry:
        scale, effort, bench = design.DRY, timing.DRY, Bench(torch=torch, device=device, cache_bytes=0)
    return Session(bench=bench, timer=timer, effort=effort, scale=scale, threads=threads, emit=emit, known=known)


def _raise_clocks(torch: Any, *, seconds: float) -> None:
    """Keep an idle GPU busy until its clocks are those of work."""
    x = torch.randn(4096, 4096, device="cuda")
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        torch.mm(x, x)
        torch.cuda.synchronize()


def measure_kernels(session: Session, *, deadline: float) -> bool:
    """Measure the designed cases until they are done or the deadline (of `time.monotonic`) has passed.

    Returns
    -------
    bool
        Whether all were done.
    """
    return _measure(session, "kernels", design.cases_for(session.scale), deadline=deadline)


def _measure(session: Session, part: str, wanted: Iterable[Case], *, deadline: float) -> bool:
    for case in wanted:
        if session.known(f"{part}|{case.key}"):
            continue
        if time.monotonic() >= deadline:
            return False
        session.emit(_time_case(session, part, case))
    from perfmodel.workloads.training.precision import set_tf32

    set_tf32(False)
    return True


def _time_case(session: Session, part: str, case: Case) -> Row:
    """Time one case; a case that cannot run here becomes a row that says why."""
    try:
        call, copies = prepare(session.bench, case)
        result = session.timer.time(call, copies=copies, effort=session.effort)
    except Exception as error:  # whatever it is, the other cases go on
        _check_device(session, error)
        text = str(error).splitlines()[0] if str(error) else type(error).__name__
        return operator_row(part, case, None, threads=session.threads, error=text[:200])
    return operator_row(part, case, result, threads=session.threads)


def _check_device(session: Session, error: Exception) -> None:
    """After a failure: free what it left, and stop where the GPU does not work any more."""
    if not session.cuda:
        return
    try:
        session.torch.cuda.synchronize()
        session.torch.cuda.empty_cache()
    except RuntimeError as broken:
        raise FailureError(
            f"the GPU stopped working after: {error}", "run the same command again; it goes on"
        ) from broken


# Transfers: bytes moved between and within memories.

TRANSFER_BYTES = (1 << 12, 1 << 16, 1 << 20, 1 << 24, 1 << 28)
DRY_TRANSFER_BYTES = (1 << 16,)


def measure_transfers(session: Session, *, deadline: float) -> bool:
    """Measure copies between host and GPU, pinned and pageable, and memory bandwidth by the native kernels."""
    measure = _gpu_transfers if session.cuda else _host_streams
    for case, timed in measure(session):
        key = f"transfers|{case.key}"
        if session.known(key):
            continue
        if time.monotonic() >= deadline:
            return False
        session.emit(operator_row("transfers", case, timed(), threads=session.threads))
    return True


def _transfer(op: str, size: int, *, read: float = 1.0, write: float = 1.0) -> Case:
    return cases.elementwise(op, "copy", "fwd", "fp32", numel=size // 4, inputs=read, outputs=write)


def _sizes(session: Session) -> tuple[int, ...]:
    return DRY_TRANSFER_BYTES if session.scale.name == "dry" else TRANSFER_BYTES


def _gpu_transfers(session: Session) -> Iterable[tuple[Case, Callable[[], Timing]]]:
    for size in _sizes(session):
        for op in ("h2d_pinned", "h2d_pageable", "d2h_pinned", "d2h_pageable", "d2d"):
            yield _transfer(op, size), partial(_time_copy, session, op, size)
    try:
        native.cuda().device_count()
    except CudaUnavailableError:
        return
    for pattern, read, write in (("read", 1.0, 0.0), ("copy", 1.0, 1.0), ("triad", 2.0, 1.0)):
        for size in _sizes(session):
            case = _transfer(f"stream_{pattern}", size, read=read, write=write)
            yield case, partial(_native_bandwidth, pattern, size)


def _time_copy(session: Session, op: str, size: int) -> Timing:
    torch = session.torch
    where, _, memory = op.partition("_")
    on_gpu = torch.randn(size // 4, device="cuda")
    if where == "d2d":
        other = torch.empty_like(on_gpu)
        return session.timer.time(lambda _: other.copy_(on_gpu), copies=1, effort=session.effort)
    host = torch.randn(size // 4, pin_memory=memory == "pinned")
    target, source = (on_gpu, host) if where == "h2d" else (host, on_gpu)
    if memory == "pinned":
        return session.timer.time(lambda _: target.copy_(source, non_blocking=True), copies=1, effort=session.effort)

    def blocking(_: int) -> None:
        target.copy_(source)
        torch.cuda.synchronize()

    return WallTimer().time(blocking, copies=1, effort=session.effort)


def _native_bandwidth(pattern: str, size: int) -> Timing:
    _, seconds = native.cuda().bandwidth(pattern, size, repeats=21)
    return timing.summary(seconds, calls=1, method="events")


def _host_streams(session: Session) -> Iterable[tuple[Case, Callable[[], Timing]]]:
    """Memory bandwidth and arithmetic of the processor by the native kernels, on one thread and on all."""
    try:
        native.cpu()
    except NativeUnavailableError:
        return
    seconds = 0.01 if session.scale.name == "dry" else 0.2
    yield _fma_case(), partial(_fma_timing, seconds)
    for op, read in (("stream_copy", 1.0), ("stream_triad", 2.0)):
        for size in _sizes(session)[2:] or _sizes(session):
            for threads in sorted({1, session.threads}):
                case = _transfer(f"{op}_{threads}_threads", min(size, 1 << 26), read=read)
                yield case, partial(_stream, session, op, case, threads)


def _fma_case() -> Case:
    """A million multiply-adds on one core."""
    return Case(
        op="fma_1_core", kind="other", pass_="fwd", precision="fp32", shape=(("numel", 1 << 20),), flops=2.0**21
    )


def _fma_timing(seconds: float) -> Timing:
    rates = [flops / elapsed for flops, elapsed in (native.cpu().fma_rate(seconds) for _ in range(5))]
    return timing.summary([2.0**21 / rate for rate in rates], calls=1, method="wall")


def _stream(session: Session, op: str, case: Case, threads: int) -> Timing:
    """Time a STREAM kernel with each thread on its own part of the arrays."""
    import numpy as np

    numel = case.dim("numel")
    out, a, b = (np.random.default_rng(seed).random(numel, np.float32) for seed in range(3))
    bounds = [numel * index // threads for index in range(threads + 1)]
    parts = [slice(low, high) for low, high in itertools.pairwise(bounds)]
    module = native.cpu()

    def one(part: slice) -> None:
        if op == "stream_copy":
            module.copy(out[part], a[part])
        else:
            module.triad(out[part], a[part], b[part], 3.0)

    if threads == 1:
        return session.timer.time(lambda _: one(parts[0]), copies=1, effort=session.effort)
    with ThreadPoolExecutor(threads) as pool:
        return session.timer.time(lambda _: list(pool.map(one, parts)), copies=1, effort=session.effort)


# Launch: what a call costs the host, whatever the size of its data.


def measure_launch(session: Session, *, deadline: float) -> bool:
    """Measure the host's time for each call of an operator on next to no data, and an empty kernel's launch."""
    for op, prepare_call in _tiny_calls(session.torch, session.bench.device).items():
        case = cases.overhead(op)
        if session.known(f"launch|{case.key}"):
            continue
        if time.monotonic() >= deadline:
            return False
        session.emit(operator_row("launch", case, _host_time(session, prepare_call()), threads=session.threads))
    case = cases.overhead("empty_kernel")
    if session.cuda and not session.known(f"launch|{case.key}"):
        try:
            seconds = native.cuda().launch_time(repeats=21)
        except CudaUnavailableError:
            return True
        session.emit(operator_row("launch", case, timing.summary(seconds, calls=1000, method="events")))
    return True


def _host_time(session: Session, call: Callable[[], object]) -> Timing:
    """Wall time of issuing calls; on a GPU the queue is emptied between bursts, outside the timed part."""
    bursts, calls = (3, 10) if session.scale.name == "dry" else (21, 100)
    wait = session.torch.cuda.synchronize if session.cuda else (lambda: None)
    for _ in range(calls):
        call()
    seconds = []
    for _ in range(bursts):
        wait()
        start = time.perf_counter()
        for _ in range(calls):
            call()
        seconds.append((time.perf_counter() - start) / calls)
    wait()
    return timing.summary(seconds, calls=calls, method="wall")


def _tiny_calls(torch: Any, device: str) -> dict[str, Callable[[], Callable[[], object]]]:
    """Operators on the smallest data they take: without and with the recording of a backward pass, and that pass."""
    functional = torch.nn.functional

    def plain(call: Callable[[Any], object], *shape: int) -> Callable[[], Callable[[], object]]:
        def make() -> Callable[[], object]:
            x = torch.randn(*shape, device=device)
            return lambda: call(x)

        return make

    def module(layer: Callable[[], Any], *shape: int, backward: bool) -> Callable[[], Callable[[], object]]:
        def make() -> Callable[[], object]:
            x, network = torch.randn(*shape, device=device), layer().to(device)
            return (lambda: network(x).sum().backward()) if backward else (lambda: network(x))

        return make

    nn = torch.nn
    calls = {
        "call_add": plain(lambda x: x + x, 1),
        "call_relu": plain(functional.relu, 1),
        "call_clone": plain(lambda x: x.clone(), 1),
        "call_mm": plain(lambda x: torch.mm(x, x), 2, 2),
        "call_item": plain(lambda x: x.item(), 1),
    }
    layers: dict[str, tuple[Callable[[], Any], tuple[int, ...]]] = {
        "linear": (lambda: nn.Linear(4, 4), (2, 4)),
        "conv2d": (lambda: nn.Conv2d(1, 1, 3), (1, 1, 4, 4)),
        "batch_norm": (lambda: nn.BatchNorm2d(1), (2, 1, 2, 2)),
        "instance_norm": (lambda: nn.InstanceNorm2d(1, affine=True), (2, 1, 2, 2)),
        "layer_norm": (lambda: nn.LayerNorm(4), (2, 4)),
    }
    for name, (layer, shape) in layers.items():
        calls[f"layer_{name}"] = module(layer, *shape, backward=False)
        calls[f"step_{name}"] = module(layer, *shape, backward=True)
    return calls


def measure_cpu(budget_s: float = 60.0, *, dry: bool = False) -> list[Row]:
    """Measure this machine's processor as a device.

    Parameters
    ----------
    budget_s : float
        Seconds it may take, importing torch aside; what was not reached by then is left out, evenly.
    dry : bool
        Measure a few tiny cases only, to try the code.

    Returns
    -------
    list of dict
        Rows with the columns of `perfmodel.calibration.rows.OPERATOR_COLUMNS` (see docs/measuring.md): parts
        ``transfers`` (STREAM and the multiply-add rate), ``launch`` (cost of a call) and ``kernels``.

    Raises
    ------
    DependencyError
        If torch is not installed.
    """
    found: list[Row] = []
    session = open_session("cpu", dry=dry, emit=found.append)
    start = time.monotonic()
    measure_transfers(session, deadline=start + 0.15 * budget_s)
    measure_launch(session, deadline=start + 0.25 * budget_s)
    measure_kernels(session, deadline=start + 0.97 * budget_s)
    return found
