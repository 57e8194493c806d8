from __future__ import annotations

import pytest

from perfmodel.report.words import duration, estimate, listed, number, percent, span, work


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.0, "0"), (1.0, "1"), (1234.5, "1230"), (0.00906, "0.00906"), (99.96, "100"), (1e-5, "1e-05"), (None, "-"),
        (123456789.0, "123000000"), (-0.0, "0"), (2.5e-4, "0.00025"),
    ],
)  # fmt: skip
def test_numbers(value: float | None, text: str) -> None:
    assert number(value) == text


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(5e-6, "5 µs"), (0.0123, "12.3 ms"), (1.0, "1 s"), (119.0, "119 s"), (120.0, "2 min"), (7200, "2 h")],
)
def test_durations(seconds: float, text: str) -> None:
    assert duration(seconds) == text.replace(" ", "\u00a0")


def test_intervals() -> None:
    assert span(60.0, 90.0) == "60 to 90\u00a0s"
    assert span(60.0, 180.0) == "60 to 180\u00a0s"
    assert span(60.0, 180.0, (1 / 60, "min")) == "1 to 3\u00a0min"
    assert estimate(192.0, 150.0, 246.0, 0.9) == "3.2 minutes (90\u00a0%: 2.5 to 4.1)"


def test_shares() -> None:
    assert [percent(share) for share in (0.0, 0.004, 0.5, 0.995, 1.0)] == [
        f"{text}\u00a0%" for text in ("0", "under 1", "50", "over 99", "100")
    ]


def test_lists_and_work() -> None:
    assert listed(["a"]) == "a"
    assert listed(["a", "b", "c"], "or") == "a, b or c"
    assert work({"model": "cyclegan", "mode": "train", "blocks": 9, "size": 256, "size_name": "image_size"}) == (
        "training CycleGAN (9 blocks, image size 256)"
    )
    assert work({"model": "bert", "mode": "infer", "blocks": None, "size": None}) == "inference with bert"
