"""Peaks and SM facts of a card that follow from its compute capability, SM count and clock."""

from __future__ import annotations

from perfmodel.hardware.architecture import Architecture


def halves_fp32_accumulate(name: str, compute_capability: float) -> bool:
    """Whether tensor cores run at half rate when they accumulate in fp32: GeForce cards from Turing on.

    Source: NVIDIA Turing, Ampere GA102, Ada and Blackwell GeForce white papers, peak rates of the tensor cores.
    """
    return compute_capability >= 7.5 and "geforce" in name.lower()


def derive_peaks(
    *, facts: Architecture, compute_capability: float, name: str, sm: int, boost_mhz: float
) -> dict[str, float]:
    """Return dense peaks (TFLOP/s, keys as `Gpu.peaks_tflops`) from SMs x rate an SM x boost clock.

    Parameters
    ----------
    facts : Architecture
        Facts of the compute capability.
    compute_capability, name, sm, boost_mhz
        As in `Gpu`; the name decides whether it is a GeForce card.
    """
    fp32 = sm * facts.cores_per_sm * 2 * boost_mhz / 1e6
    peaks = {"fp64": fp32 * facts.double_rate, "fp32": fp32}
    if facts.half_rate:
        peaks["fp16_cuda"] = fp32 * facts.half_rate
    tensor = sm * facts.tensor_fma * 2 * boost_mhz / 1e6
    usable = tensor / 2 if halves_fp32_accumulate(name, compute_capability) else tensor
    peaks["fp16"] = usable or max(fp32, fp32 * facts.half_rate)
    if compute_capability >= 8.0:
        peaks |= {"bf16": usable, "tf32": usable / 2}
    if compute_capability >= 8.9:
        peaks["fp8"] = 2 * usable
    if compute_capability >= 6.1:
        peaks["int8"] = int8_peak(compute_capability, fp32=fp32, tensor=tensor)
    return {key: round(value, 4) for key, value in peaks.items()}


def int8_peak(compute_capability: float, *, fp32: float, tensor: float) -> float:
    """Return int8 TOP/s: twice the full 16-bit tensor rate from Turing on, else four times fp32 by ``dp4a``."""
    return 2 * tensor if tensor and compute_capability >= 7.2 else 4 * fp32
