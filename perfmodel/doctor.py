"""What is built, found and missing on this machine, and what to do about it."""

from __future__ import annotations

import importlib.util
import os
import platform
import shutil
from collections.abc import Callable
from dataclasses import asdict, dataclass
from importlib import metadata
from typing import Any, Literal

from perfmodel import __version__, native
from perfmodel.errors import CudaUnavailableError, NativeUnavailableError

SCHEMA_VERSION = 1

Status = Literal["ok", "absent", "problem"]

REQUIRED = ("numpy", "scipy", "pandas", "statsmodels", "pyarrow", "click", "rich", "platformdirs", "nvtx", "matplotlib")
OPTIONAL = {
    "torch": ("torch", "capturing one's own models, measuring", "pip install 'perfmodel[torch]'"),
    "cupy": ("cupy", "CUDA arrays without torch", "pip install 'perfmodel[cuda13]' (or cuda12)"),
    "nvidia-ml-py": ("pynvml", "reading this machine's GPU", "pip install 'perfmodel[cuda13]' (or cuda12)"),
    "dask": ("dask", "sweeps on a cluster", "pip install 'perfmodel[dask]'"),
    "tensorboard": ("tensorboard", "live curves of instrumented runs", "pip install 'perfmodel[tensorboard]'"),
    "plotly": ("plotly", "interactive figures", "pip install 'perfmodel[plotly]'"),
}


@dataclass(frozen=True, kw_only=True)
class Finding:
    """One thing that was looked at.

    Parameters
    ----------
    group : str
        ``machine``, ``native``, ``gpu``, ``packages`` or ``extras``.
    name : str
        The thing.
    status : {"ok", "absent", "problem"}
        ``absent`` is a part one can do without, ``problem`` one that should be there.
    detail : str
        What was found.
    remedy : str
        What to do; empty where nothing needs doing.
    """

    group: str
    name: str
    status: Status
    detail: str
    remedy: str = ""


def findings() -> tuple[Finding, ...]:
    """Look at everything; never raises for what is missing."""
    parts: tuple[Callable[[], list[Finding]], ...] = (_machine, _native_cpu, _native_cuda, _gpu, _packages, _extras)
    return tuple(finding for part in parts for finding in part())


def to_dict(found: tuple[Finding, ...]) -> dict[str, Any]:
    """The findings as one JSON document."""
    return {
        "schema_version": SCHEMA_VERSION,
        "version": __version__,
        "problems": sum(finding.status == "problem" for finding in found),
        "findings": [asdict(finding) for finding in found],
    }


def _machine() -> list[Finding]:
    """Python, system and cores."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return [
        Finding(group="machine", name="python", status="ok", detail=platform.python_version()),
        Finding(group="machine", name="system", status="ok", detail=f"{platform.system()} {platform.machine()}"),
        Finding(group="machine", name="cores", status="ok", detail=str(cores)),
    ]


def _native_cpu() -> list[Finding]:
    """The compiled CPU module and the instruction set in use."""
    try:
        module = native.cpu()
    except NativeUnavailableError as error:
        return [
            Finding(group="native", name="perfmodel._cpu", status="absent", detail=error.reason, remedy=error.remedy)
        ]
    try:
        detail = f"version {module.__version__}, instruction set {module.isa()}"
    except ValueError as error:
        remedy = "unset PERFMODEL_ISA or name one of the known sets"
        return [Finding(group="native", name="perfmodel._cpu", status="problem", detail=str(error), remedy=remedy)]
    if module.__version__ != __version__:
        return [
            Finding(
                group="native",
                name="perfmodel._cpu",
                status="problem",
                detail=f"version {module.__version__} beside perfmodel {__version__}",
                remedy="rebuild: pip install -e .",
            )
        ]
    return [Finding(group="native", name="perfmodel._cpu", status="ok", detail=detail)]


def _native_cuda() -> list[Finding]:
    """The compiled CUDA module, which needs no GPU to load."""
    nvcc = shutil.which(os.environ.get("CUDACXX") or "nvcc")
    try:
        module = native.cuda()
    except CudaUnavailableError as error:
        remedy = (
            error.remedy if nvcc else "install the CUDA toolkit (nvcc), then reinstall, if there is a GPU to measure"
        )
        return [Finding(group="native", name="perfmodel._cuda", status="absent", detail=error.reason, remedy=remedy)]
    runtime = module.runtime_version()
    detail = f"CUDA {runtime // 1000}.{runtime % 1000 // 10} for {module.architectures}"
    return [Finding(group="native", name="perfmodel._cuda", status="ok", detail=detail)]


def _gpu() -> list[Finding]:
    """The GPUs that the CUDA module sees."""
    try:
        module = native.cuda()
        count = module.device_count()
    except CudaUnavailableError as error:
        remedy = "predictions need none; to measure, run this on a machine with an NVIDIA GPU"
        return [Finding(group="gpu", name="gpu", status="absent", detail=error.reason, remedy=remedy)]
    found = []
    for index in range(count):
        info = module.device_info(index)
        major, minor = info["compute_capability"]
        detail = f"{info['name']}, compute capability {major}.{minor}, {info['memory_bytes'] / 2**30:.0f} GiB"
        found.append(Finding(group="gpu", name=f"gpu {index}", status="ok", detail=detail))
    return found


def _packages() -> list[Finding]:
    """The packages that every installation has."""
    found = []
    for name in REQUIRED:
        version = _installed(name)
        if version is None:
            remedy = f"pip install {name}"
            found.append(Finding(group="packages", name=name, status="problem", detail="not installed", remedy=remedy))
        else:
            found.append(Finding(group="packages", name=name, status="ok", detail=version))
    return found


def _extras() -> list[Finding]:
    """The packages of the extras."""
    found = []
    for name, (module, purpose, remedy) in OPTIONAL.items():
        if importlib.util.find_spec(module) is None:
            detail = f"not installed; for {purpose}"
            found.append(Finding(group="extras", name=name, status="absent", detail=detail, remedy=remedy))
        else:
            found.append(Finding(group="extras", name=name, status="ok", detail=_installed(name) or "version unknown"))
    return found


def _installed(name: str) -> str | None:
    """Version of an installed distribution, without importing it."""
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return None
