"""What follows from a GPU's compute capability: lanes per SM, memory per SM, rates of the precisions.

Source of every number: CUDA C programming guide, tables "Throughput of native arithmetic instructions" and
"Technical specifications per compute capability"; white papers of the architectures for tensor-core counts.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Architecture:
    """Facts shared by all chips of one compute capability.

    Attributes
    ----------
    arch : str
        Marketing name of the generation.
    cores_per_sm, tensor_cores_per_sm : int
        fp32 lanes and tensor cores of one SM.
    tensor_fma : int
        Dense 16-bit multiply-adds of one SM in a clock on its tensor cores (full rate, 16-bit accumulation).
    half_rate : float
        16-bit rate of the CUDA cores as a multiple of fp32; 0 where there is none.
    double_rate : float
        fp64 rate as a multiple of fp32 (the smaller one where chips of a capability differ).
    l1_kb_per_sm, smem_kb_per_sm : float
        L1 (with shared memory where they are one) and the most shared memory an SM gives out, KB.
    regs_per_sm, max_threads_per_sm : int
        32-bit registers and resident threads.
    """

    arch: str
    cores_per_sm: int
    tensor_cores_per_sm: int
    tensor_fma: int
    half_rate: float
    double_rate: float
    l1_kb_per_sm: float
    smem_kb_per_sm: float
    regs_per_sm: int
    max_threads_per_sm: int


def _row(arch: str, lanes: int, tensor: tuple[int, int], half: float, double: float, *sizes: int) -> Architecture:
    l1_kb, smem_kb, threads = sizes
    return Architecture(
        arch=arch,
        cores_per_sm=lanes,
        tensor_cores_per_sm=tensor[0],
        tensor_fma=tensor[1],
        half_rate=half,
        double_rate=double,
        l1_kb_per_sm=l1_kb,
        smem_kb_per_sm=smem_kb,
        regs_per_sm=131072 if smem_kb == 112 else 65536,
        max_threads_per_sm=threads,
    )


ARCHITECTURES: dict[float, Architecture] = {
    3.0: _row("Kepler", 192, (0, 0), 0.0, 1 / 24, 16, 48, 2048),
    3.5: _row("Kepler", 192, (0, 0), 0.0, 1 / 24, 16, 48, 2048),
    3.7: _row("Kepler", 192, (0, 0), 0.0, 1 / 3, 16, 112, 2048),
    5.0: _row("Maxwell", 128, (0, 0), 0.0, 1 / 32, 24, 64, 2048),
    5.2: _row("Maxwell", 128, (0, 0), 0.0, 1 / 32, 48, 96, 2048),
    5.3: _row("Maxwell", 128, (0, 0), 2.0, 1 / 32, 48, 64, 2048),
    6.0: _row("Pascal", 64, (0, 0), 2.0, 1 / 2, 24, 64, 2048),
    6.1: _row("Pascal", 128, (0, 0), 1 / 64, 1 / 32, 48, 96, 2048),
    6.2: _row("Pascal", 128, (0, 0), 2.0, 1 / 32, 48, 64, 2048),
    7.0: _row("Volta", 64, (8, 512), 2.0, 1 / 2, 128, 96, 2048),
    7.2: _row("Volta", 64, (8, 512), 2.0, 1 / 32, 128, 96, 2048),
    7.5: _row("Turing", 64, (8, 512), 2.0, 1 / 32, 64, 64, 1024),
    8.0: _row("Ampere", 64, (4, 1024), 4.0, 1 / 2, 192, 164, 2048),
    8.6: _row("Ampere", 128, (4, 512), 1.0, 1 / 64, 128, 100, 1536),
    8.7: _row("Ampere", 128, (4, 1024), 2.0, 1 / 64, 192, 164, 1536),
    8.9: _row("Ada", 128, (4, 512), 1.0, 1 / 64, 128, 100, 1536),
    9.0: _row("Hopper", 128, (4, 2048), 2.0, 1 / 2, 256, 228, 2048),
    10.0: _row("Blackwell", 128, (4, 4096), 2.0, 1 / 2, 256, 228, 2048),
    10.3: _row("Blackwell", 128, (4, 4096), 2.0, 1 / 64, 256, 228, 2048),
    12.0: _row("Blackwell", 128, (4, 512), 1.0, 1 / 64, 128, 100, 1536),
}

NEWEST = 12.0
"""Compute capability whose facts stand in for a card newer than this table."""

GENERATIONS = tuple(dict.fromkeys(a.arch for a in ARCHITECTURES.values()))


def architecture(compute_capability: float) -> Architecture | None:
    """Return the facts of a compute capability such as 8.6, None where it is not known.

    An unlisted minor version takes the facts of the nearest listed one below it in the same major version.
    """
    if compute_capability in ARCHITECTURES:
        return ARCHITECTURES[compute_capability]
    older = [c for c in ARCHITECTURES if int(c) == int(compute_capability) and c < compute_capability]
    return ARCHITECTURES[max(older)] if older else None


# Data transfers per memory clock, as the clocks of the GPU table are quoted (JEDEC data rate / quoted clock).
TRANSFERS_PER_CLOCK = {
    "GDDR5": 4,
    "GDDR5X": 8,
    "GDDR6": 8,
    "GDDR6X": 16,
    "GDDR7": 16,
    "HBM2": 2,
    "HBM2e": 2,
    "HBM3": 2,
    "HBM3e": 2,
    "LPDDR4": 2,
    "LPDDR5": 2,
}
