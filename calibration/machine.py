"""What the measurements were made on: processor, GPU, clocks, versions."""

from __future__ import annotations

import os
import platform
import re
import shutil
import subprocess
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

NVIDIA_FIELDS = (
    "name,driver_version,compute_cap,power.limit,clocks.max.sm,clocks.max.mem,clocks.sm,clocks.mem,temperature.gpu,power.draw,"
    "pcie.link.gen.max,pcie.link.width.max,memory.total"
)


def processor_name() -> str:
    """Model name of the processor."""
    info = Path("/proc/cpuinfo")
    if info.exists():
        match = re.search(r"^model name\s*:\s*(.+)$", info.read_text(encoding="utf-8", errors="replace"), re.MULTILINE)
        if match:
            return match.group(1).strip()
    return platform.processor() or platform.machine()


def cores() -> int:
    """Cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def last_cache_bytes() -> int:
    """Size of the processor's largest cache; 32 MiB where the system does not say."""
    sizes = []
    for path in Path("/sys/devices/system/cpu/cpu0/cache").glob("index*/size"):
        text = path.read_text(encoding="ascii").strip()
        unit = {"K": 1 << 10, "M": 1 << 20}.get(text[-1:], 1)
        sizes.append(int(text.rstrip("KM")) * unit)
    return max(sizes, default=32 << 20)


def gpu_state() -> dict[str, str]:
    """What nvidia-smi says of the first GPU now; empty without it."""
    if shutil.which("nvidia-smi") is None:
        return {}
    command = ["nvidia-smi", "--id=0", f"--query-gpu={NVIDIA_FIELDS}", "--format=csv,noheader,nounits"]
    result = subprocess.run(command, capture_output=True, text=True, timeout=30)
    if result.returncode != 0:
        return {}
    values = [value.strip() for value in result.stdout.splitlines()[0].split(",")]
    return dict(zip(NVIDIA_FIELDS.split(","), values, strict=False))


def describe(torch: Any, device: str) -> dict[str, Any]:
    """Everything that may matter for the times, for the JSON beside the tables."""
    facts: dict[str, Any] = {
        "device": device,
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        "processor": processor_name(),
        "cores": cores(),
        "system": f"{platform.system()} {platform.release()} {platform.machine()}",
        "python": platform.python_version(),
        "torch": torch.__version__,
        "threads": torch.get_num_threads(),
    }
    if device == "cuda":
        properties = torch.cuda.get_device_properties(0)
        facts |= {
            "gpu": properties.name,
            "compute_capability": f"{properties.major}.{properties.minor}",
            "sm": properties.multi_processor_count,
            "memory_bytes": properties.total_memory,
            "l2_bytes": properties.L2_cache_size,
            "cuda": torch.version.cuda,
            "cudnn": torch.backends.cudnn.version(),
            "cudnn_benchmark": torch.backends.cudnn.benchmark,
            "gpu_state": gpu_state(),
        }
    return facts


def slug(facts: dict[str, Any]) -> str:
    """Short name of the measured device for folders: ``nvidia-h200``, ``amd-epyc-2-cores``."""
    name = str(facts.get("gpu") or f"{facts['processor']} {facts['cores']} cores")
    return re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-")
