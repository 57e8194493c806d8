"""Gradient reduction between GPUs: how long an all-reduce takes, and how much of it a step feels.

Data-parallel training reduces the gradients in buckets while the backward pass still runs. The time of one reduction
of S bytes over n cards is

    ring:  2 (n - 1) / n * S / bandwidth + 2 (n - 1) * latency
    tree:  2 S / bandwidth + 2 ceil(log2 n) * latency

whichever is shorter, with the bandwidth of one direction of the link that joins the cards. A bucket can start when
backward has made its gradients, so that all but the last bucket overlap with the rest of backward; what does not fit
is exposed, and so is a share of what overlaps, because reduction kernels take SMs and bandwidth from backward. Each
reduction also waits for the slowest card.

Everything takes scalars or arrays that broadcast together.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from perfmodel.hardware.spec import Gpu

Numbers = npt.NDArray[np.float64]

BUCKET_BYTES = 25 * 2**20
"""Gradient bucket of torch.nn.parallel.DistributedDataParallel."""

FIRST_BUCKET_BYTES = 2**20
"""Its first bucket is smaller, so that reduction starts early."""

PCIE_LANE_GBS = {1: 0.25, 2: 0.5, 3: 0.985, 4: 1.969, 5: 3.938, 6: 7.56}
"""One lane, one direction, after line coding, GB/s (PCI-SIG base specifications)."""

PCIE_EFFICIENCY = 0.40
"""Share of the PCIe rate that a ring reaches between cards that copy to each other directly. Fitted, with
`STRAGGLER`, to the scaling of 615 measured multi-GPU settings of 13 cards (``docs/hardware.md``)."""

STAGED_EFFICIENCY = PCIE_EFFICIENCY / 2
"""Share of the PCIe rate where each byte goes through host memory: it crosses the link twice."""

NVLINK_EFFICIENCY = 0.80
"""Share of one direction of NVLink that a ring reaches (NCCL's bus bandwidth on large messages)."""

OVERLAP_COST = 0.5
"""Share of overlapped reduction time that backward is slowed by (set: the runs fit 1 slightly better, 0.25 worse)."""

STRAGGLER = 0.01
"""Share of a step by which the slowest of n cards is later than the mean, for each doubling of n. Fitted."""

LATENCY_S = {"nvlink": 5e-6, "pcie": 10e-6, "staged": 20e-6}
"""Time of one hop of a ring or tree, s, kernel start included."""


@dataclass(frozen=True, kw_only=True)
class Link:
    """What joins the cards of one machine.

    Attributes
    ----------
    kind : str
        ``nvlink``, ``pcie`` (cards copy to each other) or ``staged`` (through host memory).
    bandwidth_gbs : float
        What a ring gets in one direction, GB/s.
    latency_s : float
        Of one hop, s.
    """

    kind: str
    bandwidth_gbs: float
    latency_s: float


def link_of(gpu: Gpu, *, kind: str | None = None) -> Link:
    """Return the link between cards of one kind in one machine.

    NVLink is taken where the card has it on the board; a bridge is an option that must be asked for
    (``kind="nvlink"``). Consumer cards without peer-to-peer copies go through host memory.

    Raises
    ------
    ValueError
        When `kind` is not a link, or is ``nvlink`` for a card without it.
    """
    chosen = kind or _usual_kind(gpu)
    if chosen not in LATENCY_S:
        raise ValueError(f"link must be one of {', '.join(LATENCY_S)}, not {chosen!r}")
    if chosen == "nvlink":
        if gpu.nvlink_gbs is None:
            raise ValueError(f"{gpu.key} has no NVLink")
        bandwidth = gpu.nvlink_gbs / 2 * NVLINK_EFFICIENCY
    else:
        efficiency = PCIE_EFFICIENCY if chosen == "pcie" else STAGED_EFFICIENCY
        bandwidth = pcie_gbs(gpu) * efficiency
    return Link(kind=chosen, bandwidth_gbs=bandwidth, latency_s=LATENCY_S[chosen])


def _usual_kind(gpu: Gpu) -> str:
    if gpu.nvlink_gbs is not None and not gpu.nvlink_bridge:
        return "nvlink"
    return "pcie" if gpu.peer_to_peer else "staged"


def pcie_gbs(gpu: Gpu) -> float:
    """Return the PCIe rate of a card in one direction after line coding, GB/s (3.0 x16 where not stated)."""
    return PCIE_LANE_GBS[gpu.pcie_gen or 3] * (gpu.pcie_lanes or 16)


def all_reduce_time_s(
    nbytes: npt.ArrayLike, gpus: npt.ArrayLike, gpu: Gpu, *, algorithm: str = "auto", link: Link | None = None
) -> Numbers:
    """Return the time of one all-reduce, s.

    Parameters
    ----------
    nbytes : array_like
        Bytes on each card.
    gpus : array_like
        Cards; 1 takes no time.
    gpu : Gpu
        The card, which decides the link.
    algorithm : str
        ``ring``, ``tree``, or ``auto`` for the shorter.
    link : Link, optional
        Overrides the link.

    Raises
    ------
    ValueError
        When the algorithm is unknown, or a number of cards is below 1, or of bytes below 0.
    """
    size, n = np.broadcast_arrays(np.asarray(nbytes, dtype=np.float64), np.asarray(gpus, dtype=np.float64))
    if (n < 1).any() or (size < 0).any():
        raise ValueError("gpus must be at least 1 and bytes not negative")
    joined = link or link_of(gpu)
    rate = joined.bandwidth_gbs * 1e9
    ring = 2 * (n - 1) / n * size / rate + 2 * (n - 1) * joined.latency_s
    tree = 2 * size / rate + 2 * np.ceil(np.log2(n)) * joined.latency_s
    times = {"ring": ring, "tree": tree, "auto": np.minimum(ring, tree)}
    if algorithm not in times:
        raise ValueError(f"algorithm must be ring, tree or auto, not {algorithm!r}")
    return np.where((n > 1) & (size > 0), times[algorithm], 0.0)


@dataclass(frozen=True, kw_only=True)
class Communication:
    """Communication of one optimizer step; arrays of the broadcast shape.

    Attributes
    ----------
    total_s : array
        Time of the reductions and of waiting for the slowest card, s.
    exposed_s : array
        What the step is longer by, s.
    """

    total_s: Numbers
    exposed_s: Numbers


def communication(
    nbytes: npt.ArrayLike,
    gpus: npt.ArrayLike,
    gpu: Gpu,
    backward_s: npt.ArrayLike,
    *,
    bucket_bytes: float = BUCKET_BYTES,
    step_s: npt.ArrayLike | None = None,
    overlap_cost: float = OVERLAP_COST,
    link: Link | None = None,
) -> Communication:
    """Return total and exposed time of reducing gradients in buckets during a backward pass.

    With gradient accumulation, `backward_s` is the last micro-batch's backward: only that one reduces.

    Parameters
    ----------
    nbytes : array_like
        Bytes of all gradients (4 a parameter in fp32 and under autocast).
    gpus : array_like
        Cards.
    gpu : Gpu
    backward_s : array_like
        Backward pass with which buckets overlap, s.
    bucket_bytes : float
        Bytes of one bucket.
    step_s : array_like, optional
        Whole step on one card, s, for the wait on the slowest card; 1.6 backward passes where not given.
    overlap_cost : float
        Share of overlapped reduction that slows backward.
    link : Link, optional
        Overrides the link.
    """
    whole = 1.6 * np.asarray(backward_s, dtype=np.float64) if step_s is None else step_s
    size, n, backward, step = np.broadcast_arrays(
        *(np.asarray(a, dtype=np.float64) for a in (nbytes, gpus, backward_s, whole))
    )
    if bucket_bytes <= 0:
        raise ValueError("bucket_bytes must be positive")
    buckets = bucket_count(size, bucket_bytes=bucket_bytes)
    one = all_reduce_time_s(size / buckets, n, gpu, link=link)
    reduction = buckets * one
    hideable = backward * (buckets - 1) / buckets  # the last bucket waits for the end of backward
    before = reduction - one
    spill = np.maximum(before - hideable, 0.0)
    wait = np.where(size > 0, STRAGGLER * np.log2(n) * step, 0.0)
    exposed = np.minimum(one + spill + overlap_cost * (before - spill), reduction)
    return Communication(total_s=reduction + wait, exposed_s=exposed + wait)


def bucket_count(nbytes: npt.ArrayLike, *, bucket_bytes: float = BUCKET_BYTES) -> Numbers:
    """Return the number of buckets that gradients of so many bytes fill, the small first one included."""
    size = np.asarray(nbytes, dtype=np.float64)
    rest = np.maximum(size - min(FIRST_BUCKET_BYTES, bucket_bytes), 0.0)
    return np.asarray(1.0 + np.ceil(rest / bucket_bytes))


def exposed_communication_s(
    nbytes: npt.ArrayLike,
    gpus: npt.ArrayLike,
    gpu: Gpu,
    backward_s: npt.ArrayLike,
    *,
    accumulate: npt.ArrayLike = 1,
    bucket_bytes: float = BUCKET_BYTES,
    step_s: npt.ArrayLike | None = None,
    link: Link | None = None,
) -> Numbers:
    """Return what communication adds to one micro-step, s: the exposed part, spread over `accumulate` micro-steps.

    Arguments are those of `communication`.
    """
    micro_steps = np.asarray(accumulate, dtype=np.float64)
    if (micro_steps < 1).any():
        raise ValueError("accumulate must be at least 1")
    whole = communication(nbytes, gpus, gpu, backward_s, bucket_bytes=bucket_bytes, step_s=step_s, link=link)
    return np.asarray(whole.exposed_s / micro_steps)
