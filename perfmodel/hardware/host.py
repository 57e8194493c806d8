"""Hosts: the machine that feeds a GPU."""

from __future__ import annotations

import math
import os
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from perfmodel.errors import InputError

if TYPE_CHECKING:
    from perfmodel.hardware.host_profile import HostProfile


@dataclass(frozen=True, kw_only=True)
class Host:
    """What a host brings to loading, launching and copying.

    Attributes
    ----------
    key, name : str
        Short name and description.
    cores : int
        Logical cores that the process may use.
    decode_speed : float
        Single-core image decode speed relative to the machine on which the loader's cost constants were measured
        (a server core that decodes 65-70 MB/s of JPEG by libjpeg-turbo); 2.0 is twice as fast.
    launch_speed : float
        Single-thread speed of launching work, relative to the same machine.
    smt : bool
        Cores are hardware threads that share a physical core by two.
    storage_mbs : float
        Sequential read bandwidth of the storage, MB/s.
    storage_iops : float
        Random reads a second.
    cache_hit : float
        Share of files that the page cache serves from the second epoch on, 0 to 1.
    memory_gbs, memory_gb : float
        Main memory bandwidth (GB/s) and size (GB).
    pcie_gbs : float
        Ceiling of one host-to-device copy, GB/s of payload from pinned memory.
    pageable_gbs : float
        The same from pageable memory (staged by the driver).
    source : str
        Where the figures come from.
    cpu_quota : float
        Cores' worth of CPU time that a cgroup grants; infinite without a quota.
    read_latency_ms, stream_mbs : float
        What one reader waits for the first byte of a file that is not cached, and the bandwidth (MB/s) it gets alone.
    profile : HostProfile, optional
        What `perfmodel loader calibrate` measured: the cost of pipelines, how cores scale.
    """

    key: str
    name: str
    cores: int
    decode_speed: float = 1.0
    launch_speed: float = 1.0
    smt: bool = False
    storage_mbs: float = 2000.0
    storage_iops: float = 100_000.0
    cache_hit: float = 0.0
    memory_gbs: float = 40.0
    memory_gb: float = 32.0
    pcie_gbs: float = 12.0
    pageable_gbs: float = 5.0
    source: str = "typical figures of the class; replace by calibration"
    cpu_quota: float = math.inf
    read_latency_ms: float = 0.0
    stream_mbs: float = math.inf
    profile: HostProfile | None = field(default=None, repr=False, compare=False)

    def __post_init__(self) -> None:
        """Refuse figures that no host can have."""
        for name in (
            "cores",
            "decode_speed",
            "launch_speed",
            "storage_mbs",
            "storage_iops",
            "memory_gbs",
            "pcie_gbs",
            "cpu_quota",
            "stream_mbs",
        ):
            if not getattr(self, name) > 0:
                raise ValueError(f"Host.{name} must be positive, not {getattr(self, name)!r}")
        if not 0.0 <= self.cache_hit <= 1.0:
            raise ValueError(f"Host.cache_hit must be between 0 and 1, not {self.cache_hit!r}")


_HOSTS = (
    Host(key="default", name="8-core host with an NVMe disk", cores=8),
    Host(
        key="laptop",
        name="8-core laptop (16 threads) with an NVMe disk",
        cores=16,
        smt=True,
        decode_speed=1.2,
        launch_speed=1.2,
        storage_mbs=2500.0,
        memory_gbs=45.0,
        memory_gb=16.0,
        pcie_gbs=12.0,
    ),
    Host(
        key="server",
        name="64-thread server with NVMe disks",
        cores=64,
        smt=True,
        storage_mbs=5000.0,
        storage_iops=400_000.0,
        memory_gbs=150.0,
        memory_gb=512.0,
        pcie_gbs=24.0,
        pageable_gbs=8.0,
    ),
    Host(
        key="dgx",
        name="multi-GPU server, 128 threads, local NVMe array",
        cores=128,
        smt=True,
        storage_mbs=10_000.0,
        storage_iops=800_000.0,
        memory_gbs=200.0,
        memory_gb=1024.0,
        pcie_gbs=24.0,
        pageable_gbs=8.0,
    ),
    Host(
        key="colab",
        name="hosted notebook, 2 threads, network disk",
        cores=2,
        smt=True,
        decode_speed=0.75,
        launch_speed=0.75,
        storage_mbs=150.0,
        storage_iops=3000.0,
        memory_gbs=12.0,
        memory_gb=12.7,
        pcie_gbs=10.0,
        pageable_gbs=3.0,
    ),
    Host(
        key="cloud-8",
        name="cloud virtual machine, 8 threads, network disk",
        smt=True,
        cores=8,
        decode_speed=0.85,
        launch_speed=0.85,
        storage_mbs=400.0,
        storage_iops=15_000.0,
        memory_gbs=30.0,
        memory_gb=52.0,
        pcie_gbs=10.0,
        pageable_gbs=4.0,
    ),
)


def hosts() -> tuple[Host, ...]:
    """Return the hosts known by name."""
    return _HOSTS


def find_host(name: str, *, cores: int | None = None) -> Host:
    """Return a host by name; ``local`` is read from this machine. `cores` overrides the number of cores.

    Raises
    ------
    InputError
        When no host has that name.
    """
    wanted = name.strip().lower()
    if wanted == "local":
        host = local_host()
    else:
        found = {h.key: h for h in _HOSTS}
        if wanted not in found:
            raise InputError(f"unknown host {name!r}", f"use one of {', '.join(found)}, local")
        host = found[wanted]
    if cores is None:
        return host
    if cores < 1:
        raise InputError(f"a host cannot have {cores} cores", "give a whole number from 1 on")
    return replace(host, cores=cores)


def local_host() -> Host:
    """Describe this machine: cores that this process may use (affinity and CPU quota) and memory.

    Everything else is what `perfmodel loader calibrate` measured here, else typical.
    """
    from perfmodel.hardware.host_profile import local_profile

    host = Host(
        key="local",
        name="this machine",
        cores=usable_cores(),
        memory_gb=_memory_gb(),
        cpu_quota=cpu_quota() or math.inf,
        source="cores and memory read from this machine, the rest typical; `perfmodel loader calibrate` measures it",
    )
    profile = local_profile()
    return host if profile is None else profile.apply(host)


def usable_cores() -> int:
    """Return how many cores this process may use: its affinity, capped by a cgroup's CPU quota."""
    affinity = getattr(os, "sched_getaffinity", None)
    cores = len(affinity(0)) if affinity else os.cpu_count() or 1
    quota = cpu_quota()
    return max(1, min(cores, round(quota))) if quota else cores


def cpu_quota(root: str = "/sys/fs/cgroup", groups: str = "/proc/self/cgroup") -> float | None:
    """Return the CPU time that this process's cgroups grant, in cores; None without a quota.

    Both versions of cgroups are read, for the process's own group and those above it.
    """
    found = []
    for folder, files in _groups(root, groups):
        words = [word for name in files for word in _words(os.path.join(folder, name))]
        if len(words) == 2 and words[0].isdecimal() and words[1].isdecimal() and int(words[1]):
            found.append(int(words[0]) / int(words[1]))  # not "max" or -1
    return min(found, default=None)


_V2, _V1 = ("cpu.max",), ("cpu.cfs_quota_us", "cpu.cfs_period_us")


def _groups(root: str, groups: str) -> Iterator[tuple[str, tuple[str, ...]]]:
    """Folders that may hold a quota, and the files that it is in."""
    yield root, _V2
    try:
        with open(groups, encoding="utf-8") as file:
            lines = [line.strip().split(":", 2) for line in file]
    except OSError:
        return
    for _, controllers, path in (line for line in lines if len(line) == 3):
        if controllers and "cpu" not in controllers.split(","):
            continue
        folder, files = (f"{root}/{controllers}", _V1) if controllers else (root, _V2)
        parts = [part for part in path.split("/") if part and part != ".."]
        for depth in range(len(parts) + 1):
            yield os.path.join(folder, *parts[:depth]), files


def _words(path: str) -> list[str]:
    try:
        with open(path, encoding="ascii") as file:
            return file.read().split()
    except (OSError, ValueError):
        return []


def _memory_gb(default: float = 16.0) -> float:
    try:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 1e9
    except (ValueError, OSError, AttributeError):
        return default
