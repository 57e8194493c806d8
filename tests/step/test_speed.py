"""Prediction stays fast: limits with room to spare, in processor time, so that a busy machine does not fail them.

The figures themselves are measured by ``benchmarks/predict_speed.py``.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from perfmodel import native
from perfmodel.errors import NativeUnavailableError
from perfmodel.hardware.gpu import gpus
from perfmodel.step.compare import compare
from perfmodel.step.predict import predict


def least_cpu_s(call: Callable[[], object], times: int) -> float:
    found = []
    for _ in range(times):
        start = time.process_time()
        call()
        found.append(time.process_time() - start)
    return min(found)


def built() -> bool:
    try:
        return hasattr(native.cpu(), "product_time")
    except NativeUnavailableError:
        return False


def test_one_prediction_takes_milliseconds() -> None:
    predict("cyclegan", gpu="p100", blocks=6)
    assert least_cpu_s(lambda: predict("cyclegan", gpu="p100", blocks=6), 30) < 5e-3


@pytest.mark.skipif(not built(), reason="the native CPU module is not built")
@pytest.mark.parametrize("blocks", [range(3, 61), range(3, 10)])
def test_compare_answers_many_points(blocks: range) -> None:
    cards = [gpu.key for gpu in gpus()]
    axes: dict[str, Any] = {"gpu": cards, "batch": range(1, 65), "precision": ("fp32", "amp"), "blocks": blocks}
    points = int(np.isfinite(compare("cyclegan", **axes).high_s).sum())
    assert points > 50_000
    seconds = least_cpu_s(lambda: compare("cyclegan", **axes), 3)
    assert points / seconds > 200_000
