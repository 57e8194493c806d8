"""Predict one step: compute, loading, copies and communication put together."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from perfmodel.efficiency.features import GROUPS
from perfmodel.efficiency.prior import Prior, shipped_prior
from perfmodel.graph.graph import Graph
from perfmodel.graph.operators import PHASES as GRAPH_PHASES
from perfmodel.hardware.gpu import Gpu
from perfmodel.hardware.spec import CPU_ARCH
from perfmodel.instrument.phases import PHASES
from perfmodel.loading.model import UNMEASURED_SD, rate_sd, recommend_workers, step_with_loading
from perfmodel.step.communication import communication, pcie_gbs
from perfmodel.step.compute import (
    ComputeTimes,
    apply_corrections,
    features,
    host_seconds,
    phase_weights,
    weighted,
)
from perfmodel.step.evidence import judge
from perfmodel.step.memory import peak_memory
from perfmodel.step.prediction import Bottleneck, Interval, Phase, Prediction
from perfmodel.step.request import Request, make_request

Floats = npt.NDArray[np.float64]

#: Share of the PCIe rate that one copy from pinned memory reaches.
PINNED_EFFICIENCY = 0.8


def predict(
    model: str | Graph | Any = "cyclegan", *inputs: Any, prior: Prior | None = None, **options: Any
) -> Prediction:
    """Predict a step of training or inference.

    Parameters
    ----------
    model : str, Graph or torch.nn.Module
        Shipped workload or zoo name, a captured graph, or a module with its example inputs.
    *inputs : tensor
        Example inputs of a module.
    prior : Prior, optional
        Coefficients other than the shipped ones.
    **options
        gpu : str or Gpu (default ``p100``); gpus, batch (per card and micro-batch), accumulate : int; size : image size
        or sequence length; blocks : int; precision, mode, stack, optimizer, timing, loader, host : str;
        checkpoint : bool; workers, dataset_size : int; price : float (per card and hour); coverage : float;
        profile : Profile; campaign : str.

    Raises
    ------
    InputError
        When an option makes no sense, or names something unknown; the message says what to give.
    """
    if not isinstance(model, str | Graph):
        from perfmodel.graph.capturing import capture

        model = capture(model, *inputs, mode=options.get("mode", "train"))
    return answer(make_request(model, **options), prior or shipped_prior())


def answer(ask: Request, prior: Prior) -> Prediction:
    """Answer a checked question."""
    plan, none = ask.plan, np.zeros(1, dtype=np.intp)
    size = None if ask.size is None else np.array([float(ask.size)])
    found = features(plan, prior, [ask.gpu], none, np.array([float(ask.batch)]), size, ask.blocks)
    found = weighted(found, phase_weights(plan))
    corrections = prior.corrections(plan.setting, ask.gpu)
    if ask.profile is not None:
        corrections = ask.profile.apply(corrections, plan.setting)
    times = apply_corrections(found, host_seconds(found, prior, plan.scope), [corrections], none)
    evidence = judge(prior, plan.setting, ask.gpu, ask.profile)
    variance = float(times.variance[0]) + evidence.variance
    half = float(prior.half_width(variance, ask.coverage))
    spread = loader_spread(half, variance, loader_sd(ask))
    phases, (step, low, high) = assemble(
        ask, times, np.exp(np.array([0.0, -half, half])), np.array([1.0, 1.0 / spread, spread])
    )
    memory = peak_memory(ask)
    fits = memory["peak"] <= ask.gpu.memory_gb * 1e9
    groups = found.seconds[0].sum(axis=0) * np.exp(corrections.theta[:-1] + corrections.total)
    return Prediction(
        request=ask,
        step_s=Interval(median=step, low=low, high=high, coverage=ask.coverage),
        phases=phases,
        memory_bytes=memory,
        fits=fits,
        bottleneck=_bottleneck(ask, phases, step, dict(zip(GROUPS, groups.tolist(), strict=True))),
        evidence=evidence,
        flops=float(found.flops.sum()),
        terms_s=dict(zip(GROUPS, groups.tolist(), strict=True)),
        model_info=dict(prior.provenance),
        notes=_notes(ask, fits=fits, grade=evidence.grade),
    )


def assemble(
    ask: Request, times: ComputeTimes, compute_factors: Floats, load_factors: Floats
) -> tuple[dict[str, Phase], list[float]]:
    """Put the phases of one point together; the factors scale compute and loading for the ends of an interval.

    Returns the ten phases with the first factors, and the step with each.
    """
    batch = np.array([float(ask.batch)])
    total, exposed, step = put_together(
        ask,
        times.device * compute_factors[:, None],
        times.launch * compute_factors,
        batch=batch,
        copy_s=np.repeat(input_copy_s(ask, batch), len(compute_factors)),
        gradient_bytes=np.array([4.0 * ask.graph.parameters(ask.blocks)]),
        load_factor=load_factors,
    )
    phases = {
        name: Phase(total=float(total[name][0]), exposed=float(exposed[name][0])) if name in total else _EMPTY
        for name in PHASES
    }
    return phases, step.tolist()


def loader_spread(half_width: float, variance: float, sd: float) -> float:
    """Factor by which a loader's time may differ either way, at the coverage that gave compute its half-width."""
    return float(np.exp(sd * half_width / max(np.sqrt(variance), 1e-9)))


def loader_sd(ask: Request) -> float:
    """Standard deviation of the log of a loader's rate: from the host's calibration where there is one."""
    return UNMEASURED_SD if ask.loader is None else rate_sd(ask.loader)


_EMPTY = Phase(total=0.0, exposed=0.0)


def put_together(
    ask: Request,
    device: Floats,
    launch: Floats,
    *,
    batch: Floats,
    copy_s: Floats,
    gradient_bytes: Floats,
    load_factor: Floats | float = 1.0,
) -> tuple[dict[str, Floats], dict[str, Floats], Floats]:
    """Total and exposed seconds of phases, and the step, for points that share card, host and loader.

    Parameters
    ----------
    ask : Request
        Card, cards, host, loader, workers, accumulation.
    device : array (..., 4)
        Device seconds by graph phase.
    launch, batch, copy_s, gradient_bytes : array (...)
    load_factor : float or array (...)
        Scales the loader's time.
    """
    total = {name: device[..., code] for code, name in enumerate(GRAPH_PHASES)}
    total["launch"], total["h2d"] = launch, copy_s
    exposed = dict(total)
    step = device.sum(axis=-1) + launch + copy_s
    if ask.gpus > 1 and ask.plan.scope.backward:
        shared = communication(gradient_bytes, ask.gpus, ask.gpu, total["backward"] / ask.accumulate, step_s=step)
        total["communication"], exposed["communication"] = shared.total_s, shared.exposed_s
        step = step + shared.exposed_s
    if ask.loader is not None:
        samples = batch * (ask.gpus * ask.accumulate * load_factor)
        loaded = step_with_loading(
            step, batch=samples, workers=ask.workers * ask.gpus, loader=ask.loader,
            overlapped=ask.gpu.arch != CPU_ARCH,
        )  # fmt: skip
        total["load"], exposed["load"] = loaded.load_s, np.zeros_like(step)
        total["input_wait"] = exposed["input_wait"] = loaded.step_s - step
        step = loaded.step_s
    return total, exposed, step


def input_copy_s(ask: Request, batch: Floats) -> Floats:
    """Seconds that copying the input adds: pinned for a whole step, what the words say for a timed region."""
    return copied_bytes(ask, batch) / copy_rate(ask, ask.gpu)


def copied_bytes(ask: Request, batch: Floats) -> Floats:
    """Input bytes that the timed region copies."""
    if ask.gpu.arch == CPU_ARCH or (ask.scope is not None and not ask.scope.h2d_copy):
        return np.zeros_like(batch)
    size = None if ask.size is None else np.full_like(batch, float(ask.size))
    return ask.graph.input_bytes(batch=batch, size=size) * ask.accumulate


def copy_rate(ask: Request, gpu: Gpu) -> float:
    """Bytes a second of copies from the request's host to a card."""
    pageable = ask.scope is not None and ask.scope.pageable
    gbs = ask.host.pageable_gbs if pageable else min(ask.host.pcie_gbs, PINNED_EFFICIENCY * pcie_gbs(gpu))
    return gbs * 1e9


def _bottleneck(ask: Request, phases: dict[str, Phase], step: float, groups: dict[str, float]) -> Bottleneck:
    device = {name: phases[name].exposed for name in GRAPH_PHASES}
    memory = sum(groups[name] for name in ("depthwise", "norm", "elementwise", "optimizer"))
    busy = sum(groups.values()) or 1.0
    terms = {
        "loading": phases["input_wait"].exposed,
        "copy": phases["h2d"].exposed,
        "communication": phases["communication"].exposed,
        "launch": phases["launch"].exposed,
        "memory bandwidth": sum(device.values()) * memory / busy,
        "arithmetic": sum(device.values()) * (1.0 - memory / busy),
    }
    term = max(terms, key=lambda name: terms[name])
    share = 100.0 * terms[term] / step if step > 0 else 0.0
    return Bottleneck(
        term=term, explanation=f"{share:.0f} % of the step is {_TERM_TEXT[term]}{_advice(ask, term, step, phases)}"
    )


_TERM_TEXT = {
    "loading": "waiting for the data loader",
    "copy": "copying input to the card",
    "communication": "exchanging gradients between cards",
    "launch": "waiting for the host to launch kernels",
    "memory bandwidth": "operators limited by memory bandwidth (normalisation, elementwise, optimizer)",
    "arithmetic": "matrix products and convolutions",
}


def _advice(ask: Request, term: str, step: float, phases: dict[str, Phase]) -> str:
    if term == "loading" and ask.loader is not None:
        compute = step - phases["input_wait"].exposed
        advice = recommend_workers(compute, batch=ask.batch * ask.gpus * ask.accumulate, loader=ask.loader)
        return f"; {advice.text}"
    if term == "launch":
        return "; a larger batch costs little more time, torch.compile or CUDA graphs launch less"
    if term == "arithmetic" and ask.precision == "fp32":
        faster = [name for name in ("amp_fp16", "tf32") if ask.gpu.supports(name)]
        if ask.gpu.tensor_cores and faster:
            return f"; --precision {faster[0].split('_')[0]} uses the card's tensor cores"
    return ""


def _notes(ask: Request, *, fits: bool, grade: str) -> tuple[str, ...]:
    notes = []
    if grade == "D":
        notes.append(f"extrapolated: nothing measured supports {ask.precision} on {ask.gpu.arch} cards")
    if ask.graph.unmodelled:
        names = ", ".join(sorted(ask.graph.unmodelled))
        notes.append(f"operators without a cost rule, counted as memory traffic: {names}")
    if ask.timing and ask.scope is not None and not ask.scope.stated:
        notes.append(f"the timed region {ask.timing!r} names no part of a step: taken as a whole step of {ask.mode}")
    if not fits:
        notes.append("the step does not fit in the card's memory: the time is what it would take if it did")
    if ask.loader is not None and ask.loader.spec[0].calibrated:
        notes.append(f"loading: cost of images {ask.loader.spec[0].source}")
    if ask.gpu.arch == CPU_ARCH:
        notes += _processor_notes(ask)
    return tuple(notes)


def _processor_notes(ask: Request) -> list[str]:
    from perfmodel.efficiency.cpu import MEASURE, profile_of

    notes = [] if profile_of(ask.gpu).rows else [f"this processor has no profile yet: run {MEASURE}"]
    if ask.loader is not None:
        notes.append("loading uses the same cores as computing, so its time is added; --loader none leaves it out")
    return notes
