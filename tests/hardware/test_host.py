"""Hosts by name, and this machine."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from perfmodel.errors import InputError
from perfmodel.hardware import host as module
from perfmodel.hardware.host import Host, find_host, hosts, local_host


def test_default_has_eight_cores() -> None:
    assert find_host("default").cores == 8
    assert {"default", "laptop", "server", "colab"} <= {h.key for h in hosts()}


def test_cores_can_be_set() -> None:
    assert find_host("Server", cores=3).cores == 3
    with pytest.raises(InputError, match="0 cores"):
        find_host("default", cores=0)


def test_unknown_host() -> None:
    with pytest.raises(InputError, match=r"use one of default, .*local"):
        find_host("mainframe")


def test_local_host_is_this_machine() -> None:
    here = local_host()
    assert 1 <= here.cores <= (os.cpu_count() or 1)
    assert here.memory_gb > 0.1
    assert find_host("local") == here


@pytest.mark.parametrize(
    ("text", "quota"), [("max 100000", None), ("150000 100000", 1.5), ("junk", None), ("a b", None)]
)
def test_cpu_quota(tmp_path: Path, text: str, quota: float | None) -> None:
    (tmp_path / "cpu.max").write_text(text)
    absent = str(tmp_path / "absent")
    assert module.cpu_quota(str(tmp_path), absent) == quota
    assert module.cpu_quota(absent, absent) is None


@pytest.mark.parametrize(
    "wrong", [{"cores": 0}, {"decode_speed": -1.0}, {"pcie_gbs": float("nan")}, {"cache_hit": 1.5}]
)
def test_impossible_hosts_are_refused(wrong: dict[str, float]) -> None:
    with pytest.raises(ValueError, match=next(iter(wrong))):
        Host(**{"key": "x", "name": "x", "cores": 4, **wrong})  # type: ignore[arg-type]
