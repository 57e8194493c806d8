"""The CUDA module: one clear error without a GPU, device query and microbenchmarks with one."""

from __future__ import annotations

import pytest

from perfmodel.errors import CudaUnavailableError

cuda = pytest.importorskip("perfmodel._cuda", reason="the native CUDA module is not built")


def has_gpu() -> bool:
    try:
        return cuda.device_count() > 0
    except CudaUnavailableError:
        return False


needs_gpu = pytest.mark.skipif(not has_gpu(), reason="no NVIDIA GPU on this machine")


@pytest.mark.skipif(has_gpu(), reason="this machine has an NVIDIA GPU")
def test_without_a_gpu_every_call_says_why() -> None:
    for call in (cuda.device_count, cuda.device_info, lambda: cuda.bandwidth("copy", 1024), cuda.launch_time):
        with pytest.raises(CudaUnavailableError, match=r"no NVIDIA driver|reports cuda|sees no GPU") as caught:
            call()
        assert caught.value.remedy
        assert caught.value.exit_code == 1


def test_arguments_are_checked_first() -> None:
    with pytest.raises(ValueError, match="no pattern 'scale'"):
        cuda.bandwidth("scale", 1024)
    with pytest.raises(ValueError, match="multiple of 16"):
        cuda.bandwidth("copy", 100)
    with pytest.raises(ValueError, match="launches must be"):
        cuda.launch_time(launches=0)


def test_versions() -> None:
    assert cuda.runtime_version() >= 11000
    assert cuda.driver_version() >= 0
    assert cuda.architectures


@pytest.mark.cuda
@needs_gpu
def test_device_query() -> None:
    info = cuda.device_info()
    assert info["name"]
    assert info["sm"] >= 1
    assert info["memory_bytes"] > 1 << 28
    with pytest.raises(ValueError, match="no GPU 99"):
        cuda.device_info(99)


@pytest.mark.cuda
@needs_gpu
@pytest.mark.parametrize(("pattern", "arrays"), [("read", 1), ("copy", 2), ("triad", 3)])
def test_bandwidth(pattern: str, arrays: int) -> None:
    moved, seconds = cuda.bandwidth(pattern, 1 << 26, repeats=5)
    assert moved == arrays * (1 << 26)
    assert len(seconds) == 5
    assert 1e9 < moved / min(seconds) < 2e13


@pytest.mark.cuda
@needs_gpu
def test_a_failed_call_leaves_no_sticky_error() -> None:
    with pytest.raises(RuntimeError, match=r"resources\.h:\d+: cudaErrorMemoryAllocation"):
        cuda.bandwidth("copy", 1 << 50)
    assert len(cuda.launch_time(launches=10, repeats=3)) == 3
