"""Generated data for training runs, made once."""

from __future__ import annotations

from pathlib import Path

import pytest

from perfmodel.workloads.datasets.generate import generate, named_order


@pytest.fixture(scope="session")
def domains(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with 12 generated images of VKITTI and of KITTI, 80 px."""
    root = tmp_path_factory.mktemp("data")
    generate(root, named_order(["VKITTI", "KITTI"], images=12, height=80, width=80), jobs=1)
    return root
