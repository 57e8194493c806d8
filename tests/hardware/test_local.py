"""The GPU of this machine, through a driver that the tests play."""

from __future__ import annotations

import sys
from types import SimpleNamespace
from typing import Any

import pytest

from perfmodel.errors import DependencyError, FailureError, InputError
from perfmodel.hardware.gpu import find_gpu


class DriverError(Exception):
    """Stands for pynvml.NVMLError."""


def driver(*, count: int = 1, absent: tuple[str, ...] = (), **facts: Any) -> SimpleNamespace:
    values: dict[str, Any] = {
        "Name": "NVIDIA GeForce RTX 3060 Laptop GPU",
        "CudaComputeCapability": (8, 6),
        "MemoryInfo": SimpleNamespace(total=6 * 2**30),
        "NumGpuCores": 3840,
        "EnforcedPowerLimit": 95_000,
        "MaxClockInfo": lambda kind: {1: 2100, 2: 7001}[kind],
        "MemoryBusWidth": 192,
        "MaxPcieLinkGeneration": 4,
        "MaxPcieLinkWidth": 8,
    } | facts

    def getter(name: str) -> Any:
        def get(_handle: object, *arguments: object) -> Any:
            if name in absent:
                raise DriverError("not supported")
            return values[name](*arguments) if callable(values[name]) else values[name]

        return get

    return SimpleNamespace(
        NVMLError=DriverError,
        NVML_CLOCK_SM=1,
        NVML_CLOCK_MEM=2,
        nvmlInit=lambda: None,
        nvmlShutdown=lambda: None,
        nvmlDeviceGetCount=lambda: count,
        nvmlDeviceGetHandleByIndex=lambda index: index,
        **{f"nvmlDeviceGet{name}": getter(name) for name in values},
    )


@pytest.fixture
def play(monkeypatch: pytest.MonkeyPatch) -> Any:
    return lambda **facts: monkeypatch.setitem(sys.modules, "pynvml", driver(**facts))


def test_a_known_card_has_its_row_and_the_power_limit_of_the_driver(play: Any) -> None:
    play()
    card = find_gpu("local")
    assert (card.key, card.tdp_w, card.origin) == ("rtx3060-mobile", 95.0, "driver")


def test_names_may_come_as_bytes(play: Any) -> None:
    play(Name=b"Tesla T4", MemoryInfo=SimpleNamespace(total=15 * 2**30), NumGpuCores=2560)
    assert find_gpu("local:0").key == "t4"


def test_a_variant_with_other_memory_is_not_the_known_card(play: Any) -> None:
    play(
        Name="NVIDIA GeForce RTX 3080",
        MemoryInfo=SimpleNamespace(total=12 * 2**30),
        NumGpuCores=8960,
        MemoryBusWidth=384,
        EnforcedPowerLimit=350_000,
    )
    card = find_gpu("local")
    assert (card.key, card.sm, card.arch) == ("local-nvidia-geforce-rtx-3080", 70, "Ampere")
    assert card.bandwidth_gbs == pytest.approx(672.1, rel=1e-3)
    assert card.l2_mb == 6.0  # of the A10, the nearest known 8.6 chip


def test_a_card_unknown_to_table_and_driver_asks_for_a_description(play: Any) -> None:
    play(Name="NVIDIA Something New", absent=("NumGpuCores",))
    with pytest.raises(FailureError, match=r"cuda_cores is not known; describe it in TOML"):
        find_gpu("local")


def test_power_limit_may_be_missing(play: Any) -> None:
    play(absent=("EnforcedPowerLimit", "NumGpuCores"))
    assert find_gpu("local").tdp_w == 80.0


def test_no_driver(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse() -> None:
        raise DriverError("NVML Shared Library Not Found")

    fake = driver()
    fake.nvmlInit = refuse
    monkeypatch.setitem(sys.modules, "pynvml", fake)
    with pytest.raises(FailureError, match=r"no NVIDIA driver answers here .*name the card instead"):
        find_gpu("local")


def test_no_package(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pynvml", None)
    with pytest.raises(DependencyError, match="nvidia-ml-py"):
        find_gpu("local")


def test_no_gpu_and_wrong_index(play: Any) -> None:
    play(count=0)
    with pytest.raises(FailureError, match="no GPU"):
        find_gpu("local")
    play(count=2)
    with pytest.raises(InputError, match="no GPU 2; it has 2"):
        find_gpu("local:2")
    with pytest.raises(InputError, match="names no GPU of this machine"):
        find_gpu("local:first")


def test_a_driver_that_fails_while_it_describes(play: Any) -> None:
    play(absent=("MemoryInfo",))
    with pytest.raises(FailureError, match="failed to describe GPU 0"):
        find_gpu("local")


@pytest.mark.cuda
def test_the_real_driver() -> None:
    pytest.importorskip("pynvml")
    try:
        card = find_gpu("local")
    except FailureError as error:
        pytest.skip(error.reason)
    assert card.origin == "driver"
