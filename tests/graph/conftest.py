"""Fixtures of the graph tests."""

from __future__ import annotations

from typing import Any

import pytest


@pytest.fixture(scope="session")
def torch() -> Any:
    return pytest.importorskip("torch")


@pytest.fixture(scope="session")
def torchvision(torch: Any) -> Any:
    from perfmodel.calibration.zoo.shim import import_torchvision

    try:
        return import_torchvision()
    except ImportError:
        pytest.skip("torchvision is not installed (it is needed to regenerate parts of the zoo only)")
