"""How fast files are read where they lie: past the page cache where the system allows it, and from the cache."""

from __future__ import annotations

import mmap
import os
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np

_BLOCK, _PAGE = 1 << 20, 1 << 12
_READERS = 16
_FILE_BYTES = 96 << 20
_FILE_SIZES, _FILES = (16 << 10, 512 << 10), 60


@dataclass(frozen=True, kw_only=True)
class StorageTimes:
    """Rates of reading.

    Attributes
    ----------
    storage_mbs, storage_iops : float
        Of 16 readers together: blocks of 1 MiB in MB/s, of 4 KiB a second.
    stream_mbs, read_latency_ms : float
        Of one reader of whole files that are not cached, through the page cache: time = latency + bytes / stream.
    cached_mbs : float
        One reader, from the page cache.
    direct : bool
        The page cache was passed by (O_DIRECT); else it was asked to forget the file before.
    """

    storage_mbs: float
    storage_iops: float
    stream_mbs: float
    read_latency_ms: float
    cached_mbs: float
    direct: bool

    def figures(self) -> dict[str, float]:
        """Fields of `perfmodel.hardware.host.Host`."""
        names = ("storage_mbs", "storage_iops", "stream_mbs", "read_latency_ms")
        return {name: getattr(self, name) for name in names}


def time_storage(folder: str | os.PathLike[str] | None = None, *, seconds: float = 5.0) -> StorageTimes:
    """Measure reading in a folder (a temporary one where not given), with a file that is removed afterwards."""
    with tempfile.TemporaryDirectory(dir=folder, prefix=".perfmodel-") as place:
        path = Path(place) / "blocks"
        _write(path)
        reader = _Reader(path)
        try:
            share = seconds / 4
            every = reader.rate(_BLOCK, readers=_READERS, seconds=share)
            reads = reader.rate(_PAGE, readers=_READERS, seconds=share)
        finally:
            reader.close()
        latency, stream = time_files(Path(place), seconds=share)
        cached = _cached_rate(path, share / 2)
    return StorageTimes(
        storage_mbs=max(every * _BLOCK / 1e6, stream),
        storage_iops=max(reads, 1.0),
        stream_mbs=stream,
        read_latency_ms=1e3 * latency,
        cached_mbs=cached * _BLOCK / 1e6,
        direct=reader.direct,
    )


def _write(path: Path) -> None:
    block = np.random.default_rng(0).bytes(_BLOCK)
    with open(path, "wb") as file:
        for _ in range(_FILE_BYTES // _BLOCK):
            file.write(block)
        file.flush()
        os.fsync(file.fileno())


class _Reader:
    """Reads blocks of a file at random places."""

    def __init__(self, path: Path) -> None:
        flag = getattr(os, "O_DIRECT", 0)
        self.direct = bool(flag)
        try:
            self._file = os.open(path, os.O_RDONLY | flag)
            os.preadv(self._file, [mmap.mmap(-1, _PAGE)], 0)
        except OSError:  # file systems in memory, some network file systems
            self.direct = False
            self._file = os.open(path, os.O_RDONLY)

    def rate(self, size: int, *, readers: int, seconds: float) -> float:
        """Blocks a second that some readers get together."""
        if not self.direct and hasattr(os, "posix_fadvise"):
            os.posix_fadvise(self._file, 0, 0, os.POSIX_FADV_DONTNEED)
        with ThreadPoolExecutor(readers) as pool:
            start = time.perf_counter()
            done = sum(pool.map(lambda n: self._read(size, n, start + seconds), range(readers)))
            return done / (time.perf_counter() - start)

    def _read(self, size: int, seed: int, deadline: float) -> int:
        rng, buffer = np.random.default_rng(seed), mmap.mmap(-1, size)
        places = (size * rng.integers(0, _FILE_BYTES // size, 4096)).tolist()
        done = 0
        while not done or time.perf_counter() < deadline:
            os.preadv(self._file, [buffer], places[done % len(places)])
            done += 1
        return done

    def close(self) -> None:
        """Close the file."""
        os.close(self._file)


def time_files(folder: Path, *, seconds: float) -> tuple[float, float]:
    """Read whole files of two sizes that are not in the page cache: latency (s), and bandwidth beyond it (MB/s)."""
    times = []
    for size in _FILE_SIZES:
        paths = [folder / f"{size}-{number}" for number in range(_FILES)]
        content = np.random.default_rng(size).bytes(size)
        for path in paths:
            path.write_bytes(content)
        os.sync()
        for path in paths:
            _forget(path)
        taken: list[float] = []
        deadline = time.perf_counter() + seconds / 2
        for path in paths:
            if taken and time.perf_counter() > deadline:
                break
            start = time.perf_counter()
            path.read_bytes()
            taken.append(time.perf_counter() - start)
        times.append(float(np.median(taken)))
    slope = max(times[1] - times[0], 1e-7) / (_FILE_SIZES[1] - _FILE_SIZES[0])
    return max(times[0] - slope * _FILE_SIZES[0], 1e-6), 1 / slope / 1e6


def _forget(path: Path) -> None:
    """Ask for a file to leave the page cache."""
    if hasattr(os, "posix_fadvise"):
        file = os.open(path, os.O_RDONLY)
        os.posix_fadvise(file, 0, 0, os.POSIX_FADV_DONTNEED)
        os.close(file)


def _cached_rate(path: Path, seconds: float) -> float:
    buffer = bytearray(_BLOCK)
    with open(path, "rb", buffering=0) as file:
        while file.readinto(buffer):  # fills the cache
            pass

        def read() -> None:
            if not file.readinto(buffer):
                file.seek(0)

        return 1 / _median_s(read, seconds)


def copy_gbs(threads: int, *, seconds: float = 1.0) -> float:
    """Return main memory bandwidth of copying, bytes read and written, GB/s of all threads together."""
    size = 32 << 20

    def copy(_: int) -> float:
        source, target = np.ones(size, dtype=np.uint8), np.zeros(size, dtype=np.uint8)
        return 2 * size / _median_s(lambda: np.copyto(target, source), seconds)

    with ThreadPoolExecutor(threads) as pool:
        return sum(pool.map(copy, range(threads))) / 1e9


def _median_s(call: Callable[[], object], seconds: float) -> float:
    deadline = time.perf_counter() + seconds
    taken: list[float] = []
    while not taken or (time.perf_counter() < deadline and len(taken) < 10_000):
        start = time.perf_counter()
        call()
        taken.append(time.perf_counter() - start)
    return max(float(np.median(taken)), 1e-9)
