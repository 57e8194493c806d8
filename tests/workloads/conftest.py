"""Generated data that the tests of the workloads share, and what they all check of a run."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from perfmodel.workloads.datasets.generate import generate, named_order


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    """Networks this small are slower on several threads that share the machine with others."""
    torch = pytest.importorskip("torch")
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="session")
def frames(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder with 20 labelled frames of one domain."""
    root = tmp_path_factory.mktemp("frames")
    generate(root, named_order(["KITTI"], images=20, height=96, width=128, kind="frames", seed=2), jobs=1)
    return root / "KITTI"


@pytest.fixture(scope="session")
def quadruples(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder with 12 quadruples of one domain."""
    root = tmp_path_factory.mktemp("quadruples")
    generate(root, named_order(["VKITTI"], images=12, height=32, width=32, kind="quadruples", seed=1), jobs=1)
    return root / "VKITTI"
