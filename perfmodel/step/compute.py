"""Device and host time of steps: graph -> physical time -> learned efficiency, for many points at once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from perfmodel.efficiency.combine import combine
from perfmodel.efficiency.features import StepFeatures, step_features
from perfmodel.efficiency.levels import Setting
from perfmodel.efficiency.prior import Corrections, Prior
from perfmodel.graph.graph import Graph
from perfmodel.graph.operators import PHASES, Operators
from perfmodel.hardware.gpu import Gpu
from perfmodel.hardware.spec import CPU_ARCH
from perfmodel.roofline.device import Device
from perfmodel.roofline.physical import VARIANT_OF
from perfmodel.runs.stack import Stack
from perfmodel.runs.timing import TimingScope

Floats = npt.NDArray[np.float64]
Index = npt.NDArray[np.intp]

#: What `predict` times: everything a user waits for on the device.
FULL_TRAINING = TimingScope(forward=True, loss=True, backward=True, optimizer=True)
FULL_INFERENCE = TimingScope(forward=True)
#: Sustained host-to-device bandwidth of pageable memory, B/s: a staging copy by one core (about half of pinned memory).
PAGEABLE_BYTES_S = 5e9
#: Launches that each step costs besides its operators (loop, zero_grad, synchronisation).
STEP_LAUNCHES = 8.0


@dataclass(frozen=True, kw_only=True)
class Plan:
    """What is computed, apart from card, batch, size and blocks.

    Attributes
    ----------
    graph : Graph
    mode : str
        ``train`` or ``infer``.
    precision : str
        Canonical precision (resolved: ``amp_fp16``, not ``amp``).
    scope : TimingScope
        Parts of the step that are timed.
    stack : Stack
    model, family, resolved : str
        Name of the network, its family, and ``graph`` or ``totals``.
    campaign : str
        Measuring campaign whose effects apply; empty for a prediction.
    optimizer : str
        ``default`` takes the network's own.
    accumulate : int
        Micro-batches a step.
    checkpoint : bool
        Activation checkpointing.
    stated : bool
        The precision is known, not guessed.
    """

    graph: Graph
    mode: str
    precision: str
    scope: TimingScope
    stack: Stack
    model: str
    family: str
    resolved: str = "graph"
    campaign: str = ""
    optimizer: str = "default"
    accumulate: int = 1
    checkpoint: bool = False
    stated: bool = True

    @property
    def half_storage(self) -> bool:
        """Mixed precision keeps weights and activations in 16 bit (Apex "O2") instead of casting at operators.

        NVIDIA's BERT scripts do, with Apex's fused Adam; their other networks use autocast. Source:
        DeepLearningExamples, PyTorch/LanguageModeling/BERT/run_squad.py (``opt_level="O2"``, ``FusedAdam``).
        """
        scripts = self.stack.scripts == "ngc" and self.stack.framework == "pytorch"
        return scripts and self.family == "bert" and self.precision == "amp_fp16"

    @property
    def variant(self) -> str:
        """Graph variant: storage and casts that go with the precision."""
        return "half" if self.half_storage else VARIANT_OF[self.precision]

    @property
    def setting(self) -> Setting:
        """What learned effects depend on."""
        version = ".".join(map(str, self.stack.version[:2]))
        return Setting(
            precision=self.precision,
            mode=self.mode,
            era=self.stack.era,
            version=f"{self.stack.framework} {version}{' ' + self.stack.scripts if self.stack.scripts else ''}",
            layout=self.stack.layout,
            compiled=self.stack.compiled,
            campaign=self.campaign,
            model=self.model,
            family=self.family,
            resolved=self.resolved,
            operators=self.scope.sum_of_operators,
            stated=self.stated,
        )

    def operators(self, batch: Floats | float, size: Floats | float | None, blocks: int | None) -> Operators:
        """Evaluate the graph's operators at some points."""
        fused = self.half_storage and self.mode == "train" and self.optimizer == "default"
        return self.graph.operators(
            batch=batch,
            size=size,
            blocks=blocks,
            mode=self.mode,
            variant=self.variant,
            optimizer="adamw_fused" if fused else self.optimizer,
            attention="fused" if self.stack.fused_attention else "unfused",
            accumulate=self.accumulate,
            checkpoint=self.checkpoint,
        )


@dataclass(frozen=True)
class ComputeTimes:
    """Times of p points, seconds.

    Attributes
    ----------
    device : array (p, 4)
        Device seconds of each graph phase inside the scope, efficiency included.
    launch : array (p,)
        What host launching adds to them.
    variance : array (p,)
        Variance of the log error.
    """

    device: Floats
    launch: Floats
    variance: Floats

    @property
    def total(self) -> Floats:
        """Seconds of the device part of the step."""
        result: Floats = self.device.sum(axis=-1) + self.launch
        return result


def features(
    plan: Plan,
    prior: Prior,
    gpus: Sequence[Gpu],
    gpu: Index,
    batch: Floats,
    size: Floats | None = None,
    blocks: int | None = None,
) -> StepFeatures:
    """Physical features of p points, all phases counted once (`phase_weights` says how often each runs).

    Parameters
    ----------
    gpus : sequence of Gpu
    gpu : int array (p,)
        Card of each point.
    batch, size, blocks : array (p,)
        Samples of one micro-batch on one card; image size or sequence length; residual blocks.
    """
    ops = plan.operators(batch, size, blocks)
    found = step_features(ops, Device.of(gpus).rows(gpu), plan.precision, prior.kernel)
    for at, card in enumerate(gpus):
        if card.arch == CPU_ARCH:
            found = _with_processor(found, plan, card, gpu == at, batch, size, blocks)
    return found


def _with_processor(
    found: StepFeatures, plan: Plan, card: Gpu, chosen: npt.NDArray[np.bool_], batch: Floats, size: Floats | None,
    blocks: int | None,
) -> StepFeatures:  # fmt: skip
    """Put a processor's features in at the chosen points."""
    from perfmodel.efficiency.cpu import processor_features

    own = processor_features(processor_operators(plan, batch, size, blocks), card, plan.precision)

    def merged(name: str, axes: int) -> Floats:
        mask = chosen.reshape(*chosen.shape, *([1] * axes))
        column: Floats = np.where(mask, getattr(own, name), getattr(found, name))
        return column

    return StepFeatures(merged("seconds", 2), merged("launches", 1), merged("flops", 1), merged("bytes", 1))


def processor_operators(
    plan: Plan, batch: Floats | float, size: Floats | float | None, blocks: int | None
) -> Operators:
    """Operators of a step on a processor, where torch walks an optimizer's tensors one by one."""
    name = plan.graph.default_optimizer if plan.optimizer == "default" else plan.optimizer
    optimizer = name if name.endswith(("_loop", "_fused")) else f"{name.removesuffix('_foreach')}_loop"
    return plan.graph.operators(
        batch=batch, size=size, blocks=blocks, mode=plan.mode, variant=plan.variant, optimizer=optimizer,
        attention="fused" if plan.stack.fused_attention else "unfused", accumulate=plan.accumulate,
        checkpoint=plan.checkpoint,
    )  # fmt: skip


def weighted(found: StepFeatures, weights: Floats) -> StepFeatures:
    """Restrict features to a timed region; ``weights`` is (4,) or (p, 4)."""
    return StepFeatures(
        seconds=found.seconds * weights[..., None],
        launches=found.launches * weights,
        flops=found.flops * weights,
        bytes=found.bytes * weights,
    )


def phase_weights(plan: Plan) -> Floats:
    """Which graph phases the timed region covers, shape (4,)."""
    return scope_weights(plan.scope)


def scope_weights(scope: TimingScope) -> Floats:
    """1 for each graph phase that a scope covers, else 0, shape (4,)."""
    return np.array([float(getattr(scope, name)) for name in PHASES])


def host_seconds(found: StepFeatures, prior: Prior, scope: TimingScope) -> Floats:
    """Host launch seconds of a timed region at the base rate, shape (p,); a sum of operators has none."""
    return launches_seconds(found.launches, prior, scope)


def launches_seconds(launches: Floats, prior: Prior, scope: TimingScope) -> Floats:
    """Host seconds of a timed region's launches (p, 4), shape (p,)."""
    if scope.sum_of_operators:
        return np.zeros(launches.shape[:-1])
    result: Floats = launches @ prior.launch_s + STEP_LAUNCHES * prior.launch_s[0]
    return result


def apply_corrections(
    found: StepFeatures, host: Floats, corrections: Sequence[Corrections], gpu: Index
) -> ComputeTimes:
    """Turn physical features into times with the corrections of each point's card."""
    factor = np.exp(np.array([one.theta for one in corrections]))[gpu]
    total = np.exp(np.array([one.total for one in corrections]))[gpu]
    device = phase_seconds(found.seconds, factor[..., :-1])
    launch = added_launch(device, host * factor[..., -1])
    variance = np.array([one.variance for one in corrections])[gpu]
    return ComputeTimes(device * total[..., None], launch * total, variance)


def phase_seconds(seconds: Floats, factor: Floats) -> Floats:
    """Device seconds by phase (..., 4) from seconds by phase and group, and the factor on each group (..., G)."""
    result: Floats = (seconds @ factor[..., None])[..., 0]
    return result


def added_launch(device: Floats, host: Floats) -> Floats:
    """Seconds that launching adds to device seconds by phase (..., 4)."""
    busy = device.sum(axis=-1)
    result: Floats = combine(busy, host) - busy
    return result
