"""Comparisons: each point is the scalar prediction, and the best points are."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import perfmodel as pm
from perfmodel.efficiency.features import GROUPS
from perfmodel.efficiency.profile import term_shares
from perfmodel.errors import InputError, PrecisionError
from perfmodel.step.compare import non_dominated

CARDS = ("k80", "p100", "v100", "t4", "a100", "h100", "rtx3060", "rtx3060-mobile", "gtx1080ti")


def check_points(model: str, gpu: list[str], batch: list[int], precision: list[str], **options: Any) -> int:
    """Compare every point with the scalar answer; returns how many were."""
    blocks = options.pop("blocks", None)
    found = pm.compare(model, gpu=gpu, batch=batch, precision=precision, blocks=blocks, **options)
    checked = 0
    for g, card in enumerate(gpu):
        for p, name in enumerate(precision):
            for b, samples in enumerate(batch):
                for n, count in enumerate(found.blocks):
                    at = (g, p, b, n)
                    try:
                        one = pm.predict(
                            model, gpu=card, batch=samples, precision=name, blocks=int(count) or None, **options
                        )
                    except PrecisionError:
                        assert np.isnan(found.step_s[at])
                        assert not found.fits[at]
                        continue
                    checked += 1
                    expected = (one.step_s.median, one.step_s.low, one.step_s.high, one.memory_bytes["peak"] / 1e9)
                    got = (found.step_s[at], found.low_s[at], found.high_s[at], found.memory_gb[at])
                    np.testing.assert_allclose(got, expected, rtol=1e-9)
                    assert bool(found.fits[at]) is one.fits
                    assert found.grade[g, p] == one.evidence.grade
                    assert found.samples_per_s[at] == pytest.approx(one.samples_per_s, rel=1e-9)
                    if one.epoch_s is not None:
                        assert found.unit_s[at] == pytest.approx(one.epoch_s.median, rel=1e-9)
    return checked


@given(data=st.data())
@settings(max_examples=40, deadline=None)
def test_points_equal_predict(data: st.DataObject) -> None:
    model = data.draw(st.sampled_from(("cyclegan", "pilotnet", "resnet50", "bert_base", "mobilenet_v2")))
    options: dict[str, Any] = {
        "gpus": data.draw(st.sampled_from((1, 1, 2, 8))),
        "mode": data.draw(st.sampled_from(("train", "infer"))),
        "accumulate": data.draw(st.sampled_from((1, 3))),
        "checkpoint": data.draw(st.booleans()),
        "loader": data.draw(st.sampled_from(("torch", "native", "none"))),
        "workers": data.draw(st.integers(0, 8)),
        "coverage": data.draw(st.sampled_from((0.5, 0.9))),
        "stack": data.draw(st.sampled_from(("newest", "pytorch 2.4 nhwc", "pytorch 1.8", "compiled"))),
    }
    if model == "cyclegan":
        options["blocks"] = data.draw(st.lists(st.integers(1, 20), min_size=1, max_size=4))
    check_points(
        model,
        data.draw(st.lists(st.sampled_from(CARDS), min_size=1, max_size=4, unique=True)),
        data.draw(st.lists(st.integers(1, 300), min_size=1, max_size=4, unique=True)),
        data.draw(st.lists(st.sampled_from(("fp32", "amp")), min_size=1, max_size=2, unique=True)),
        **options,
    )


def test_a_whole_grid() -> None:
    cards = ["k80", "p100", "v100", "a100", "h100"]
    precisions = ["fp32", "tf32", "amp", "bf16", "int8"]
    assert check_points("cyclegan", cards, [1, 4, 64], precisions, blocks=[3, 6, 7, 9]) > 150


@pytest.mark.parametrize("timing", ["forward", "forward + backward", "sum of operators", "step, pageable input copy"])
def test_timed_regions_equal_predict(timing: str) -> None:
    assert check_points("resnet50", ["p100", "v100"], [1, 32], ["fp32"], timing=timing, gpus=2) == 4


def test_a_profile_counts_for_its_card_only() -> None:
    shares = term_shares(np.eye(len(GROUPS))[0], 0.2, whole_step=True)
    profile = pm.Profile(gpu="v100-sxm2-16").update([pm.Observation(measured_s=2, predicted_s=1, shares=shares)] * 3)
    plain = pm.compare("resnet50", gpu=["p100", "v100"])
    known = pm.compare("resnet50", gpu=["p100", "v100"], profile=profile)
    assert known.step_s[0] == plain.step_s[0]
    assert known.step_s[1] > 1.2 * plain.step_s[1]
    one = pm.predict("resnet50", gpu="v100", profile=profile)
    assert known.step_s[1].item() == pytest.approx(one.step_s.median, rel=1e-9)


def test_costs_and_best_points() -> None:
    found = pm.compare(
        gpu=["p100", "v100", "k80"], batch=[1, 8], precision=["fp32", "amp"], blocks=[6, 9],
        price={"p100": 0.5, "v100": 1.2},
    )  # fmt: skip
    one = pm.predict(gpu="v100", batch=8, precision="amp", blocks=6, price=1.2)
    assert one.cost is not None
    assert found.unit_cost[1, 1, 1, 0] == pytest.approx(one.cost["per_epoch"], rel=1e-9)
    assert np.isnan(found.unit_cost[2]).all()
    assert not found.pareto[2].any()
    assert not found.pareto[~found.fits].any()
    assert not found.fits.all()
    for blocks in range(2):
        best = found.pareto[..., blocks]
        assert best.any()
        usable = found.fits[..., blocks] & np.isfinite(found.unit_cost[..., blocks])
        for at in np.argwhere(usable):
            beaten = (found.unit_s[..., blocks] <= found.unit_s[(*at, blocks)]) & (
                found.unit_cost[..., blocks] <= found.unit_cost[(*at, blocks)]
            )
            beaten[tuple(at)] = False
            assert best[tuple(at)] == (not (beaten & usable).any())


@given(st.lists(st.tuples(st.integers(0, 8), st.integers(0, 8)), max_size=30))
def test_non_dominated_is_what_it_says(points: list[tuple[int, int]]) -> None:
    array = np.array(points, dtype=float).reshape(-1, 2)
    found = non_dominated(array[:, 0], array[:, 1])
    for at, (time, cost) in enumerate(points):
        beaten = any(t <= time and c <= cost and (t < time or c < cost) for t, c in points)
        assert found[at] == (not beaten)


def test_a_frame_has_a_row_a_point() -> None:
    pytest.importorskip("pandas")
    frame = pm.compare(gpu=["p100", "v100"], batch=[1, 2], blocks=[3, 6, 9]).to_frame()
    assert len(frame) == 12
    assert list(frame.columns[:5]) == ["gpu", "precision", "batch", "blocks", "step_ms"]
    assert frame["step_ms"].gt(0).all()


@pytest.mark.parametrize(
    "options",
    [
        {"gpu": []}, {"gpu": "p100"}, {"gpu": ["p100"], "batch": [0]}, {"gpu": ["p100"], "blocks": [3, 0]},
        {"gpu": ["p100"], "blocks": []}, {"gpu": ["p100"], "precision": ["bf16"]}, {"gpu": ["p100"], "price": -1},
        {"gpu": ["p100"], "price": {"v100": 1}}, {"gpu": ["p100"], "price": {"p100": float("nan")}},
        {"gpu": ["nosuch"]}, {"gpu": ["p100"], "precision": ["words"]},
    ],
    ids=str,
)  # fmt: skip
def test_bad_arguments(options: dict[str, Any]) -> None:
    with pytest.raises(InputError):
        pm.compare(**options)
