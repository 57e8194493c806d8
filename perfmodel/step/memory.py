"""Peak memory of a step on a card, whether it fits, and the largest batch that does."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from perfmodel.roofline.physical import VARIANT_OF
from perfmodel.step.request import Request

Floats = npt.NDArray[np.float64]

#: Bytes that the CUDA context and the framework's own kernels take before any tensor.
CONTEXT_BYTES = 0.5e9
#: Allocator rounding and fragmentation, as a share of activations.
FRAGMENTATION = 0.05
_MOST = 1 << 20
_PROBES = 33


def memory_parts(ask: Request, batch: Floats | float, blocks: Floats | None = None) -> dict[str, Floats]:
    """Bytes by part for one or many micro-batches of a request, and for block counts other than its own."""
    memory = ask.graph.memory(
        batch=batch,
        size=ask.size,
        blocks=ask.blocks if blocks is None else blocks,
        mode=ask.mode,
        variant=VARIANT_OF[ask.precision],
        optimizer=ask.optimizer,
        attention="fused" if ask.stack.fused_attention else "unfused",
        accumulate=ask.accumulate,
        checkpoint=ask.checkpoint,
    )
    names = ("parameters", "buffers", "gradients", "optimizer", "inputs", "activations", "workspace")
    parts = {name: np.asarray(getattr(memory, name), dtype=np.float64) for name in names}
    parts["fragmentation"] = FRAGMENTATION * parts["activations"]
    parts["context"] = np.full_like(parts["activations"], CONTEXT_BYTES)
    return parts


def peak_memory(ask: Request) -> dict[str, float]:
    """Bytes by part and their ``peak``, for one card."""
    parts = {name: float(value) for name, value in memory_parts(ask, float(ask.batch)).items()}
    return {**parts, "peak": sum(parts.values())}


def largest_batch(ask: Request) -> int:
    """Largest micro-batch whose peak fits on one card; 0 when not even one sample does."""
    capacity = ask.gpu.memory_gb * 1e9
    if ask.graph.fixed_batch is not None:
        return ask.graph.fixed_batch if peak_memory(ask)["peak"] <= capacity else 0
    low, high = 0, _MOST
    while high - low > 1:
        inside = np.floor(np.linspace(low, high, min(_PROBES, high - low + 1)) + 0.5)[1:]
        fits = sum(memory_parts(ask, inside).values()) <= capacity
        fitting, failing = inside[fits], inside[~fits]
        low = int(fitting.max()) if fitting.size else low
        if not failing.size:
            return low
        high = int(failing.min())
    return low
