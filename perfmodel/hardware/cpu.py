"""The processor of this machine as a device: ``cpu``, or ``cpu:2`` for two threads.

What is read is the number of cores that the process may use, the vector unit, clock, caches and memory. Peaks and
bandwidth here are estimates from those; a profile that was measured on this machine replaces them (see docs/cpu.md).
"""

from __future__ import annotations

import glob
import platform
import re
from functools import cache

from perfmodel.errors import InputError, NativeUnavailableError
from perfmodel.hardware.host import local_host, usable_cores
from perfmodel.hardware.spec import CPU_ARCH, Gpu

#: Multiply-add units that each core issues to in one cycle, on nearly all cores since 2013.
_FMA_UNITS = 2
_LANES = {"avx512": 16, "avx2": 8, "neon": 4, "scalar": 1}
#: Sustained bandwidth that one core draws from memory, and a two-channel machine gives to all, GB/s (assumed).
_CORE_GBS, _MACHINE_GBS = 12.0, 40.0
_DEFAULT_MHZ = 2500.0
#: Power of a busy core, W (assumed; only reported).
_CORE_W = 10.0


def is_cpu_name(name: str) -> bool:
    """Whether a device name means this machine's processor: ``cpu`` or ``cpu:THREADS``."""
    return name.strip().lower().split(":")[0] == "cpu"


def local_cpu(name: str = "cpu") -> Gpu:
    """Describe this machine's processor in the form of a card.

    Parameters
    ----------
    name : str
        ``cpu`` for all cores that this process may use, ``cpu:N`` for N threads.

    Returns
    -------
    Gpu
        With ``arch`` "CPU", ``sm`` the threads, ``boost_mhz`` the clock that the system reports, ``memory_gb`` the
        machine's memory, and peaks that follow from vector width and clock.

    Raises
    ------
    InputError
        When N is no whole number from 1 to the number of cores.
    """
    cores = usable_cores()
    threads = _threads_of(name, cores)
    flags, chip = _cpuinfo()
    isa = instruction_set()
    mhz, width = _clock_mhz(), _LANES.get(isa, 4)
    fp32 = threads * mhz * 1e6 * width * 2 * _FMA_UNITS / 1e12
    peaks = {"fp64": fp32 / 2, "fp32": fp32}
    if flags & {"avx512_bf16", "amx_bf16", "bf16"}:
        peaks["bf16"] = fp32 * (8.0 if "amx_bf16" in flags else 2.0)
    return Gpu(
        key="cpu" if threads == cores else f"cpu:{threads}",
        name=f"{chip} ({threads} thread{'s' if threads > 1 else ''})",
        chip=chip,
        arch=CPU_ARCH,
        compute_capability=0.0,
        sm=threads,
        cuda_cores=threads * width * _FMA_UNITS,
        tensor_cores=0,
        base_mhz=mhz,
        boost_mhz=mhz,
        memory_gb=local_host().memory_gb,
        memory_type="RAM",
        memory_bus_bits=128,
        bandwidth_gbs=min(threads * _CORE_GBS, max(_MACHINE_GBS, cores * 4.0)),
        l2_mb=last_cache_bytes() / 1e6,
        l1_kb_per_sm=32.0,
        smem_kb_per_sm=0.0,
        regs_per_sm=0,
        max_threads_per_sm=1,
        tdp_w=_CORE_W * threads,
        bus="none",
        peaks_tflops=peaks,
        source=f"read from this machine ({isa}); peaks and bandwidth estimated",
        origin="local",
    )


def _threads_of(name: str, cores: int) -> int:
    text = name.strip().lower().partition(":")[2]
    if not text:
        return cores
    if not text.isdecimal() or not 1 <= int(text) <= cores:
        raise InputError(f"{name!r} names no part of this processor", f"write cpu, or cpu:1 to cpu:{cores} for threads")
    return int(text)


def lanes() -> int:
    """Values of fp32 in a vector register of the best instruction set."""
    return _LANES.get(instruction_set(), 4)


@cache
def instruction_set() -> str:
    """Best instruction set: as the native module detects it, else from the processor's flags."""
    flags, _ = _cpuinfo()
    try:
        from perfmodel import native

        best: str = next(name for name, _, supported in native.cpu().isas() if supported)
        return best
    except (NativeUnavailableError, StopIteration):
        pass
    if "avx512f" in flags:
        return "avx512"
    if "avx2" in flags:
        return "avx2"
    return "neon" if flags & {"neon", "asimd"} or platform.machine() in ("arm64", "aarch64") else "scalar"


@cache
def _cpuinfo(path: str = "/proc/cpuinfo") -> tuple[frozenset[str], str]:
    """Flags and model name; empty flags and the machine's type where the system has no such file."""
    try:
        with open(path, encoding="utf-8", errors="replace") as file:
            text = file.read()
    except OSError:
        text = ""
    flags = re.search(r"^(?:flags|Features)\s*:\s*(.+)$", text, re.MULTILINE)
    model = re.search(r"^model name\s*:\s*(.+)$", text, re.MULTILINE)
    name = model[1].strip() if model else platform.processor() or platform.machine() or "processor"
    return frozenset(flags[1].split() if flags else ()), name


def _clock_mhz() -> float:
    try:
        with open("/sys/devices/system/cpu/cpu0/cpufreq/cpuinfo_max_freq", encoding="ascii") as file:
            return float(file.read()) / 1e3
    except (OSError, ValueError):
        pass
    try:
        with open("/proc/cpuinfo", encoding="utf-8", errors="replace") as file:
            found = re.search(r"^cpu MHz\s*:\s*([\d.]+)", file.read(), re.MULTILINE)
    except OSError:
        found = None
    return float(found[1]) if found else _DEFAULT_MHZ


def last_cache_bytes(default: float = 32e6) -> float:
    """Size of the largest cache, bytes; the default where the system does not say."""
    sizes = []
    for path in glob.glob("/sys/devices/system/cpu/cpu0/cache/index*/size"):
        try:
            with open(path, encoding="ascii") as file:
                text = file.read().strip()
        except OSError:
            continue
        unit = {"K": 1 << 10, "M": 1 << 20}.get(text[-1:], 1)
        if text.rstrip("KM").isdecimal():
            sizes.append(float(int(text.rstrip("KM")) * unit))
    return max(sizes, default=default)


def slug(gpu: Gpu) -> str:
    """File name of this processor with this number of threads: ``amd-epyc-2-threads``."""
    return re.sub(r"[^a-z0-9]+", "-", f"{gpu.chip} {gpu.sm} threads".lower()).strip("-")


def processor_name() -> str:
    """Model name of the processor, as the system has it."""
    return _cpuinfo()[1]
