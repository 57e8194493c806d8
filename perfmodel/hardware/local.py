"""The GPU in this machine, read from NVIDIA's driver through NVML (package ``nvidia-ml-py``)."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from perfmodel.errors import DependencyError, FailureError, InputError, UnknownGpuError
from perfmodel.hardware.architecture import architecture
from perfmodel.hardware.spec import Gpu

_REMEDY = "name the card instead, for example --gpu rtx3060 (`perfmodel gpus list`)"
_MEMORY_TOLERANCE = 0.15  # NVML counts GiB and reserves some; two sizes of one model differ by more


def local_gpu(name: str = "local") -> Gpu:
    """Return the card of this machine, ``local`` or ``local:INDEX``.

    The table's row is used when the driver's name, memory size and SM count agree with one, with the power limit that
    the driver enforces; otherwise the card is built from what the driver reports and what follows from that.

    Raises
    ------
    DependencyError
        When ``nvidia-ml-py`` is not installed.
    FailureError
        When there is no driver or no GPU.
    InputError
        When the index is not a number, or no GPU has it.
    """
    index = _index_of(name)
    nvml = _import_nvml()
    try:
        nvml.nvmlInit()
    except nvml.NVMLError as error:
        raise FailureError(f"no NVIDIA driver answers here ({error})", _REMEDY) from None
    try:
        return _read(nvml, index)
    except nvml.NVMLError as error:
        raise FailureError(f"the NVIDIA driver failed to describe GPU {index} ({error})", _REMEDY) from None
    finally:
        nvml.nvmlShutdown()


def _index_of(name: str) -> int:
    match = re.fullmatch(r"local(?::(\d+))?", name.strip().lower())
    if match is None:
        raise InputError(f"{name!r} names no GPU of this machine", "write local, or local:1 for the second GPU")
    return int(match[1] or 0)


def _import_nvml() -> Any:
    from importlib import import_module

    try:
        return import_module("pynvml")
    except ImportError:
        raise DependencyError(
            "reading this machine's GPU needs the package nvidia-ml-py", "pip install nvidia-ml-py, or " + _REMEDY
        ) from None


def _read(nvml: Any, index: int) -> Gpu:
    count = nvml.nvmlDeviceGetCount()
    if count == 0:
        raise FailureError("the NVIDIA driver reports no GPU", _REMEDY)
    if index >= count:
        raise InputError(f"this machine has no GPU {index}", f"it has {count}, counted from 0")
    facts = read_facts(nvml, nvml.nvmlDeviceGetHandleByIndex(index))
    return _from_table(facts) or _from_facts(facts)


def read_facts(nvml: Any, handle: Any) -> dict[str, Any]:
    """Return what the driver says about one GPU; what it does not tell is None."""

    def ask(call: Callable[..., Any], *arguments: Any) -> Any:
        try:
            return call(handle, *arguments)
        except (nvml.NVMLError, AttributeError):
            return None

    name = nvml.nvmlDeviceGetName(handle)
    major, minor = nvml.nvmlDeviceGetCudaComputeCapability(handle)
    limit = ask(nvml.nvmlDeviceGetEnforcedPowerLimit)
    return {
        "name": name.decode() if isinstance(name, bytes) else name,
        "compute_capability": float(f"{major}.{minor}"),
        "memory_gb": nvml.nvmlDeviceGetMemoryInfo(handle).total / 2**30,
        "cuda_cores": ask(nvml.nvmlDeviceGetNumGpuCores),
        "boost_mhz": ask(nvml.nvmlDeviceGetMaxClockInfo, nvml.NVML_CLOCK_SM),
        "memory_mhz": ask(nvml.nvmlDeviceGetMaxClockInfo, nvml.NVML_CLOCK_MEM),
        "memory_bus_bits": ask(nvml.nvmlDeviceGetMemoryBusWidth),
        "tdp_w": limit / 1000 if limit else None,
        "pcie_gen": ask(nvml.nvmlDeviceGetMaxPcieLinkGeneration),
        "pcie_lanes": ask(nvml.nvmlDeviceGetMaxPcieLinkWidth),
    }


def _from_table(facts: dict[str, Any]) -> Gpu | None:
    from perfmodel.hardware.gpu import find_gpu

    try:
        card = find_gpu(facts["name"])
    except UnknownGpuError:
        return None
    if abs(facts["memory_gb"] / card.memory_gb - 1) > _MEMORY_TOLERANCE:
        return None
    if facts["cuda_cores"] and facts["cuda_cores"] != card.cuda_cores:
        return None
    note = "; ".join(part for part in (card.note, "power limit as the driver enforces it") if part)
    return replace(card, tdp_w=facts["tdp_w"] or card.tdp_w, origin="driver", note=note)


def _from_facts(facts: dict[str, Any]) -> Gpu:
    from perfmodel.hardware.user_cards import card_from_row

    lanes = architecture(facts["compute_capability"])
    missing = [k for k in ("cuda_cores", "boost_mhz", "memory_mhz", "memory_bus_bits", "tdp_w") if not facts[k]]
    if lanes is None or missing:
        what = ", ".join(missing) or f"compute capability {facts['compute_capability']}"
        raise FailureError(
            f"{facts['name']} is in no table and its {what} is not known",
            "describe it in TOML: perfmodel gpus add spec.toml",
        )
    known = {k: v for k, v in facts.items() if v is not None and k != "cuda_cores"}
    sm = facts["cuda_cores"] // lanes.cores_per_sm
    row = known | {
        "key": re.sub(r"[^a-z0-9]+", "-", f"local {facts['name']}".lower()).strip("-"),
        "sm": sm,
        "base_mhz": 0.75 * facts["boost_mhz"],
        "bandwidth_gbs": facts["memory_bus_bits"] / 8 * facts["memory_mhz"] * 2 / 1000,
        "l2_mb": typical_l2_mb(sm, facts["compute_capability"]),
        "source": "NVIDIA driver (NVML); base clock and L2 typical of the generation",
    }
    return replace(card_from_row(row, where=facts["name"]), origin="driver")


def typical_l2_mb(sm: int, compute_capability: float) -> float:
    """Return the L2 size (MB) of the shipped card of the same generation whose SM count is nearest."""
    from perfmodel.hardware.gpu import shipped_gpus

    cards = shipped_gpus().values()
    same = [c for c in cards if int(c.compute_capability) == int(compute_capability)] or list(cards)
    return min(same, key=lambda c: (c.compute_capability != compute_capability, abs(c.sm - sm))).l2_mb
