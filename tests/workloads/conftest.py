"""Generated data for training runs, made once."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from perfmodel.workloads.datasets.generate import generate, named_order


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    """Networks this small are slower on several threads that share the machine with others."""
    torch = sys.modules.get("torch")
    if torch is None:
        yield
        return
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="session")
def domains(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with 12 generated images of VKITTI and of KITTI, 80 px."""
    root = tmp_path_factory.mktemp("data")
    generate(root, named_order(["VKITTI", "KITTI"], images=12, height=80, width=80), jobs=1)
    return root


@pytest.fixture(scope="session")
def frames(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with 20 labelled frames of one domain, 96 x 128."""
    root = tmp_path_factory.mktemp("frames")
    generate(root, named_order(["KITTI"], images=20, height=96, width=128, kind="frames", seed=2), jobs=1)
    return root / "KITTI"


@pytest.fixture(scope="session")
def quadruples(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with 12 quadruples of one domain, 32 px."""
    root = tmp_path_factory.mktemp("quadruples")
    generate(root, named_order(["VKITTI"], images=12, height=32, width=32, kind="quadruples", seed=1), jobs=1)
    return root / "VKITTI"
