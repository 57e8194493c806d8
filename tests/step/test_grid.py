"""Grids of `compare`: each point is what `predict` says, whichever implementation computes it."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import pytest

from perfmodel import native
from perfmodel.errors import NativeUnavailableError
from perfmodel.hardware.gpu import gpus
from perfmodel.step import grid
from perfmodel.step.compare import Comparison, compare
from perfmodel.step.predict import predict

CARDS = [gpu.key for gpu in gpus()][::11]
PRECISIONS = ("fp32", "tf32", "amp")


def built() -> bool:
    try:
        return hasattr(native.cpu(), "product_time")
    except NativeUnavailableError:
        return False


def assert_points_are_predictions(model: str, found: Comparison, **options: Any) -> None:
    seen = 0
    axes = (found.gpus, found.precisions, found.batches.tolist(), found.blocks.tolist())
    for at in itertools.product(*(range(len(axis)) for axis in axes)):
        if np.isnan(found.step_s[at]):
            continue
        gpu, precision, batch, blocks = (axis[index] for axis, index in zip(axes, at, strict=True))
        one = predict(model, gpu=gpu, precision=precision, batch=batch, blocks=blocks or None, **options)
        point = (found.step_s[at], found.low_s[at], found.high_s[at], 1e9 * found.memory_gb[at])
        asked = (one.step_s.median, one.step_s.low, one.step_s.high, one.memory_bytes["peak"])
        assert point == pytest.approx(asked, rel=1e-9)
        assert found.fits[at] == one.fits
        assert found.grade[at[:2]] == one.evidence.grade
        seen += 1
    assert seen >= len(CARDS)


@pytest.mark.parametrize(
    ("model", "axes", "options"),
    [
        ("cyclegan", {"batch": (1, 2, 7, 64), "blocks": (3, 5, 60)}, {}),
        ("cyclegan", {"batch": (1, 3), "blocks": (6, 9)}, {"gpus": 4, "accumulate": 2}),
        ("cyclegan", {"batch": (1, 3), "blocks": (6, 9)}, {"checkpoint": True, "coverage": 0.5}),
        ("cyclegan", {"batch": (1, 3), "blocks": (6, 9)}, {"mode": "infer", "loader": "none"}),
        ("cyclegan", {"batch": (4,), "blocks": (6,)}, {"optimizer": "sgd", "stack": "pytorch 1.8"}),
        ("resnet50", {"batch": (1, 32)}, {"size": 256}),
        ("bert_base", {"batch": (1, 8)}, {}),
    ],
)
def test_points_equal_predictions(model: str, axes: dict[str, Any], options: dict[str, Any]) -> None:
    found = compare(model, gpu=CARDS, precision=PRECISIONS, **axes, **options)
    assert_points_are_predictions(model, found, **options)


def test_pieces_and_threads_change_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    axes: dict[str, Any] = {"batch": range(1, 6), "blocks": (3, 6, 9), "gpu": CARDS, "precision": PRECISIONS}
    whole = compare("cyclegan", **axes)
    monkeypatch.setattr(grid, "_PIECE", 1)
    monkeypatch.setattr(grid, "_ONE_THREAD", 1)
    monkeypatch.setattr(grid, "thread_count", lambda: 3)
    pieces = compare("cyclegan", **axes)
    for name in ("step_s", "low_s", "high_s", "memory_gb", "fits", "grade"):
        np.testing.assert_array_equal(getattr(whole, name), getattr(pieces, name), err_msg=name)


@pytest.mark.skipif(not built(), reason="the native CPU module is not built")
def test_backends_give_one_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    found, one = {}, {}
    for name in ("numpy", "native"):
        monkeypatch.setenv("PERFMODEL_BACKEND", name)
        found[name] = compare("cyclegan", gpu=CARDS, precision=PRECISIONS, batch=(1, 16), blocks=(3, 9))
        one[name] = predict("resnet50", gpu="v100", precision="amp", batch=48)
    for field in ("step_s", "low_s", "high_s"):
        np.testing.assert_allclose(getattr(found["native"], field), getattr(found["numpy"], field), rtol=1e-9)
    assert one["native"].step_s.median == pytest.approx(one["numpy"].step_s.median, rel=1e-9)
    assert one["native"].terms_s == pytest.approx(one["numpy"].terms_s, rel=1e-9)
