"""Measuring this machine's processor as a device: a minute of microbenchmarks, fitted to a profile.

With one thread the clock is the processor time of the process: it does not run while another process has the core, so
that a busy machine gives nearly the same profile as an idle one. With more threads it is the wall clock, and the share
of the machine that others used meanwhile is kept in the profile.
"""

from __future__ import annotations

import math
import os
import statistics
import time
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import numpy as np

from perfmodel import __version__
from perfmodel.efficiency.cpu import CpuProfile, profile_path, typical_profile
from perfmodel.errors import FailureError, InputError
from perfmodel.hardware.cpu import local_cpu
from perfmodel.hardware.spec import Gpu
from perfmodel.roofline.cpu import CpuCoefficients

from .cases import Case
from .cpu_cases import designed_cases
from .cpu_clock import Clock, CpuTimer, clock_for, torch_threads
from .cpu_fit import Fit, Measured, describe, fit_coefficients
from .cpu_memory import measure_apart
from .operators import Bench, prepare
from .timing import Effort

EFFORT = Effort(bursts=5, burst_s=4e-3, max_calls=200)
#: Least seconds in which a profile is worth fitting.
LEAST_BUDGET_S = 3.0
#: Kinds whose operators are also measured on data that the caches do not hold.
_STREAMED = frozenset(("elementwise", "reduce", "copy", "norm", "softmax", "gemm"))
_CHAIN, _CHAIN_OPERATORS = 20, (2, 4)
_ADAM_PASSES, _ADAM_TENSORS = 7, 16


#: Fewer measured operators than this make no profile; three seconds of an idle machine give some 40.
LEAST_ROWS = 24


def measure_profile(device: str = "cpu", *, budget_s: float = 60.0, save: bool = True) -> CpuProfile:
    """Measure this machine's processor and fit its profile.

    Parameters
    ----------
    device : str
        ``cpu``, or ``cpu:N`` for N threads.
    budget_s : float
        Seconds it may take, importing torch and fitting aside; what was not reached by then is left out, evenly.
        Microbenchmarks get at least half of it.
    save : bool
        Keep the profile in the user's data directory, where ``--gpu cpu`` finds it.

    Returns
    -------
    CpuProfile

    Raises
    ------
    DependencyError
        If torch is not installed.
    InputError
        For a budget under 3 s or a number of threads that the machine lacks.
    FailureError
        When the machine was too busy to measure more than a few operators.
    """
    if not budget_s >= LEAST_BUDGET_S:
        raise InputError(f"a budget of {budget_s:g} s is too short", f"give {LEAST_BUDGET_S:g} seconds or more")
    gpu = local_cpu(device)
    with torch_threads(gpu.sm) as torch:
        started, before = time.monotonic(), _machine_ticks()
        start = _measured_directly(torch, gpu)
        # Measuring memory starts processes that import torch: it must not leave the microbenchmarks without time.
        deadline = max(started + budget_s, time.monotonic() + 0.5 * budget_s)
        rows = measure_rows(torch, gpu.sm, deadline=deadline)
        others = _used_by_others(before)
    if len(rows) < LEAST_ROWS:
        busy = "" if others is None else f" (others used {100 * others:.0f} % of the machine)"
        raise FailureError(
            f"only {len(rows)} operators could be measured in {budget_s:g} s{busy}: too few for a profile",
            f"let other work end, or give a longer --budget than {budget_s:g}",
        )
    fit = fit_coefficients(rows, start)
    profile = _profile(gpu, fit, torch=torch, seconds=time.monotonic() - started, others=others)
    if save:
        profile.save(profile_path(gpu))
    return profile


def _profile(gpu: Gpu, fit: Fit, *, torch: Any, seconds: float, others: float | None) -> CpuProfile:
    rows = sum(fit.rows.values())
    square = sum(fit.rows[name] * fit.residual_sd[name] ** 2 for name in fit.rows) / max(rows, 1)
    return CpuProfile(
        processor=gpu.chip,
        coefficients=fit.coefficients,
        rows=rows,
        residual_sd=math.sqrt(square),
        provenance={
            "perfmodel": __version__,
            "torch": str(torch.__version__),
            "date": datetime.now(UTC).strftime("%Y-%m-%d"),
            "clock": "processor time" if gpu.sm == 1 else "wall",
            "seconds": round(seconds, 1),
            "used_by_others": others,
            "classes": describe(fit),
        },
    )


def measure_rows(torch: Any, threads: int, *, deadline: float) -> list[Measured]:
    """Measure the designed cases until they are done or the deadline (of `time.monotonic`) has passed."""
    timer = CpuTimer(clock_for(threads))
    largest = _cache_bytes()
    found: list[Measured] = []
    for case in designed_cases():
        for cold in (0, largest) if case.kind in _STREAMED else (0,):
            if time.monotonic() >= deadline:
                return found
            found.append(_measure_case(torch, timer, case, cache_bytes=cold))
    return found


def _measure_case(torch: Any, timer: CpuTimer, case: Case, *, cache_bytes: int) -> Measured:
    call, copies = prepare(Bench(torch=torch, device="cpu", cache_bytes=cache_bytes), case)
    took = timer.time(call, copies=copies, effort=EFFORT)
    return Measured(case=case, time_s=took.time_s, working_set=copies * (case.read_bytes + case.write_bytes))


def _cache_bytes() -> int:
    from perfmodel.hardware.cpu import last_cache_bytes

    return int(last_cache_bytes())


def _measured_directly(torch: Any, gpu: Gpu) -> CpuCoefficients:
    """What needs no fit: new memory, the framework's cost of a call, the speed of 16-bit products."""
    clock = clock_for(gpu.sm)
    memory = measure_apart(gpu.sm)
    torch.empty(7 << 20)  # 28 MiB, freed at once: that raises glibc's thresholds, so that later blocks are kept
    forward, backward = _call_costs(torch, clock)
    optimizer = _optimizer_call_s(torch, clock)
    memory = measure_apart(gpu.sm)
    return replace(
        typical_profile(gpu).coefficients,
        fresh_s_per_byte=memory["fresh_s_per_byte"],
        churn_s_per_byte=memory["churn_s_per_byte"],
        update_s_per_byte=memory["update_s_per_byte"],
        call_s=(forward, forward, backward, optimizer),
        half_speed=_half_speed(torch, clock) if "bf16" in gpu.peaks_tflops else 1.0,
    )


def _median_s(clock: Clock, call: Callable[[], object], *, repeats: int, calls: int = 1) -> float:
    call()
    seconds = []
    for _ in range(repeats):
        start = clock()
        for _ in range(calls):
            call()
        seconds.append((clock() - start) / calls)
    return max(statistics.median(seconds), 1e-9)


def _call_costs(torch: Any, clock: Clock) -> tuple[float, float]:
    """What the framework adds to an operator of a forward and of a backward pass: a chain of the smallest layers."""
    nn = torch.nn
    layers: list[Any] = []
    for _ in range(_CHAIN):
        layers += [nn.Linear(4, 4), nn.ReLU()]
    chain, x = nn.Sequential(*layers), torch.randn(2, 4)
    weight, bias = torch.randn(4, 4), torch.randn(4)
    plain = _median_s(clock, lambda: nn.functional.linear(x, weight, bias), repeats=21, calls=100)
    plain += _median_s(clock, lambda: torch.relu(x), repeats=21, calls=100)
    forward = _median_s(clock, lambda: chain(x), repeats=31)

    def step() -> None:
        chain.zero_grad(set_to_none=True)
        chain(x).sum().backward()

    backward = _median_s(clock, step, repeats=31) - forward
    extra = (forward / _CHAIN - plain) / _CHAIN_OPERATORS[0]
    operator = plain / _CHAIN_OPERATORS[0]
    return max(extra, 0.0), max(backward / _CHAIN / _CHAIN_OPERATORS[1] - operator, 0.0)


def _optimizer_call_s(torch: Any, clock: Clock) -> float:
    """What one pass of an optimizer over one tensor costs beyond the operator itself."""
    parameters = [torch.nn.Parameter(torch.randn(16)) for _ in range(_ADAM_TENSORS)]
    for parameter in parameters:
        parameter.grad = torch.randn(16)
    adam = torch.optim.Adam(parameters, lr=1e-6)
    x = torch.randn(16)
    plain = _median_s(clock, lambda: x.add_(1e-6), repeats=21, calls=100)
    step = _median_s(clock, adam.step, repeats=21)
    return max(step / (_ADAM_TENSORS * _ADAM_PASSES) - plain, 0.0)


def _half_speed(torch: Any, clock: Clock) -> float:
    """Speed of a bf16 product relative to the same in fp32."""
    x = torch.randn(512, 512)
    half = x.bfloat16()
    single = _median_s(clock, lambda: torch.mm(x, x), repeats=7)
    return single / _median_s(clock, lambda: torch.mm(half, half), repeats=7)


def _machine_ticks() -> tuple[float, float, float] | None:
    """Seconds that all cores were busy, seconds that they existed, and seconds of this process; None without /proc."""
    try:
        with open("/proc/stat", encoding="ascii") as file:
            ticks = [float(word) for word in file.readline().split()[1:9]]
    except (OSError, ValueError):
        return None
    rate = float(os.sysconf("SC_CLK_TCK"))
    idle = ticks[3] + ticks[4]
    return (sum(ticks) - idle) / rate, sum(ticks) / rate, time.process_time()


def _used_by_others(before: tuple[float, float, float] | None) -> float | None:
    """Share of the machine that other processes used since; None where the system does not say."""
    after = _machine_ticks()
    if before is None or after is None:
        return None
    busy, total, own = (b - a for a, b in zip(before, after, strict=True))
    return round(float(np.clip((busy - own) / max(total, 1e-9), 0.0, 1.0)), 3)
