"""The answer to one question: step, epoch, memory, cost, with interval, phases and evidence."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any

from perfmodel.step.evidence import Evidence
from perfmodel.step.memory import largest_batch
from perfmodel.step.request import Request

if TYPE_CHECKING:
    from perfmodel.step.explain import Explanation

SCHEMA_VERSION = 1


@dataclass(frozen=True, kw_only=True)
class Interval:
    """A predicted quantity.

    Attributes
    ----------
    median, low, high : float
    coverage : float
        Share of cases in which the truth lies between low and high.
    """

    median: float
    low: float
    high: float
    coverage: float

    def scaled(self, factor: float) -> Interval:
        """The interval times a positive factor."""
        return Interval(
            median=self.median * factor, low=self.low * factor, high=self.high * factor, coverage=self.coverage
        )

    def to_dict(self) -> dict[str, float]:
        """JSON form."""
        return {"median": self.median, "low": self.low, "high": self.high, "coverage": self.coverage}


@dataclass(frozen=True, kw_only=True)
class Phase:
    """Seconds of one phase: all of it, and the part that nothing hides."""

    total: float
    exposed: float


@dataclass(frozen=True, kw_only=True)
class Bottleneck:
    """What binds a step."""

    term: str
    explanation: str


@dataclass(frozen=True, kw_only=True)
class Prediction:
    """Answer to one question.

    Attributes
    ----------
    request : Request
        The question with all defaults.
    step_s : Interval
        Seconds of a step, start to start.
    phases : mapping of str to Phase
        The ten phases; exposed parts sum to ``step_s.median``.
    memory_bytes : mapping of str to float
        Peak memory by part.
    fits : bool
    bottleneck : Bottleneck
    evidence : Evidence
    flops : float
        Floating-point operations of matrix products in a step of one card.
    terms_s : mapping of str to float
        Device seconds by operator group.
    model_info : mapping
        Which coefficients answered.
    """

    request: Request
    step_s: Interval
    phases: Mapping[str, Phase]
    memory_bytes: Mapping[str, float]
    fits: bool
    bottleneck: Bottleneck
    evidence: Evidence
    flops: float
    terms_s: Mapping[str, float]
    model_info: Mapping[str, Any]
    notes: tuple[str, ...] = field(default=())

    @cached_property
    def largest_batch(self) -> int:
        """Largest micro-batch that fits on one card (0: none does); worked out when first asked for."""
        return largest_batch(self.request)

    @property
    def step(self) -> Interval:
        """Seconds of a step; the same as `step_s`."""
        return self.step_s

    @property
    def epoch(self) -> Interval | None:
        """Seconds of an epoch; the same as `epoch_s`."""
        return self.epoch_s

    @property
    def memory(self) -> Mapping[str, float]:
        """Peak bytes on one card by part; the same as `memory_bytes`."""
        return self.memory_bytes

    def explain(self) -> Explanation:
        """Why the step takes as long as it does, and what would change it."""
        from perfmodel.step.explain import explain

        return explain(self)

    @property
    def samples_per_s(self) -> float:
        """Samples a second of all cards."""
        ask = self.request
        return ask.batch * ask.gpus * ask.accumulate / self.step_s.median

    @property
    def epoch_s(self) -> Interval | None:
        """Seconds of an epoch; None where the data set's size is not known."""
        ask = self.request
        if ask.dataset_size is None:
            return None
        steps = -(-ask.dataset_size // (ask.batch * ask.gpus * ask.accumulate))
        return self.step_s.scaled(float(steps))

    @property
    def cost(self) -> dict[str, float] | None:
        """Money for an epoch and for 1000 steps at the price an hour of each card; None without a price."""
        ask = self.request
        if ask.price is None:
            return None
        hourly = ask.price * ask.gpus
        found = {"per_hour": hourly, "per_1000_steps": hourly * self.step_s.median * 1000 / 3600}
        if (epoch := self.epoch_s) is not None:
            found |= {
                "per_epoch": hourly * epoch.median / 3600,
                "per_epoch_low": hourly * epoch.low / 3600,
                "per_epoch_high": hourly * epoch.high / 3600,
            }
        return found

    @property
    def achieved_tflops(self) -> float:
        """TFLOP/s of one card over the device part of the step (direct-convolution FLOPs)."""
        busy = sum(self.phases[name].exposed for name in ("forward", "loss", "backward", "optimizer", "launch"))
        return self.flops / busy / 1e12 if busy > 0 else 0.0

    def to_dict(self) -> dict[str, Any]:
        """Return the ``predict --json`` document."""
        ask = self.request
        epoch = self.epoch_s
        return {
            "schema_version": SCHEMA_VERSION,
            "gpu": {"key": ask.gpu.key, "name": ask.gpu.name},
            "gpus": ask.gpus,
            "host": {"key": ask.host.key, "cores": ask.host.cores},
            "stack": ask.stack.label,
            "workload": {
                "model": ask.model,
                "family": ask.graph.family,
                "mode": ask.mode,
                "precision": ask.precision,
                "batch": ask.batch,
                "blocks": ask.blocks,
                "size": ask.size if ask.size is not None else (ask.graph.default_size or None),
                "size_name": ask.graph.size_name,
                "optimizer": ask.optimizer if ask.optimizer != "default" else ask.graph.default_optimizer,
                "accumulate": ask.accumulate,
                "checkpoint_activations": ask.checkpoint,
                "loader": None if ask.loader is None else ask.loader.spec[0].key,
                "workers": ask.workers,
                "dataset_size": ask.dataset_size,
                "params": ask.graph.parameters(ask.blocks),
                "gflops_per_step": self.flops / 1e9,
            },
            "step_ms": self.step_s.scaled(1e3).to_dict() | {"coverage": self.step_s.coverage},
            "samples_per_s": self.samples_per_s,
            "epoch_s": None if epoch is None else epoch.to_dict(),
            "cost": self.cost,
            "phases_ms": {
                name: {"total": 1e3 * phase.total, "exposed": 1e3 * phase.exposed}
                for name, phase in self.phases.items()
            },
            "memory_gb": {
                "peak": self.memory_bytes["peak"] / 1e9,
                "capacity": ask.gpu.memory_gb,
                "parts": {name: value / 1e9 for name, value in self.memory_bytes.items() if name != "peak"},
            },
            "fits": self.fits,
            "largest_batch": self.largest_batch,
            "bottleneck": {"term": self.bottleneck.term, "explanation": self.bottleneck.explanation},
            "achieved_tflops": self.achieved_tflops,
            "evidence": {"grade": self.evidence.grade, "rows": self.evidence.rows, "why": self.evidence.why},
            "unmodelled_operators": ask.graph.unmodelled,
            "notes": list(self.notes),
            "model": dict(self.model_info),
        }
