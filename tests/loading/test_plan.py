"""What transforms leave to chance: by seed, epoch and sample alone, within their ranges, exact in pixels."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from perfmodel.errors import InputError
from perfmodel.loading.plan import EXACT, PLAN_DTYPE, REGION, SHORTER, make_plan
from perfmodel.loading.transforms import TRANSFORMS, Channel, Transform

EVERYTHING = Transform(
    size=(32, 48), resize=(64, 64), crop="random", flip=0.5, brightness=(0.5, 1.5), contrast=(0.6, 1.4),
    saturation=(0.7, 1.3), hue=(-0.2, 0.1), cutout=0.7,
)  # fmt: skip


def region(record: np.void, width: int, height: int) -> tuple[int, int, int, int]:
    """Left, top, width and height in pixels, by the contract's formula."""
    area = float(record["area"]) * width * height
    w, h = round((area * float(record["ratio"])) ** 0.5), round((area / float(record["ratio"])) ** 0.5)
    return int(float(record["cu"]) * (width - w + 1)), int(float(record["cv"]) * (height - h + 1)), w, h


@pytest.mark.parametrize("name", ["cyclegan", "imagenet-train", "depthmap"])
def test_splitting_a_batch_changes_nothing(name: str) -> None:
    sizes = np.full((40, 3), 300)

    def planned(index: np.ndarray) -> np.ndarray:
        return make_plan(TRANSFORMS[name], index, seed=3, epoch=1, sizes=sizes[: len(index)])

    whole = planned(np.arange(40))
    parts = np.concatenate([planned(np.arange(at, at + 8)) for at in range(0, 40, 8)])
    assert (whole == parts).all()
    assert (whole[::-1] == planned(np.arange(40)[::-1])).all()
    assert (whole != planned(np.arange(100, 140))).any()


def test_streams_share_or_differ_in_geometry() -> None:
    index = np.arange(64)
    first, same, other = (make_plan(EVERYTHING, index, seed=1, epoch=0, stream=s) for s in (0, 0, 1))
    assert (first == same).all()
    assert (first["cu"] != other["cu"]).all()


def test_masks_follow_the_geometry_only() -> None:
    index = np.arange(64)
    image = make_plan(EVERYTHING, index, seed=1, epoch=0)
    mask = make_plan(EVERYTHING, index, seed=1, epoch=0, channel=Channel(channels=1, jitter=False, filter="nearest"))
    for name in ("mode", "rh", "rw", "cu", "cv", "flip"):
        assert (image[name] == mask[name]).all(), name
    assert (mask["channels"] == 1).all()
    assert (mask["filter"] == 0).all()
    assert (mask["brightness"] == 1).all()
    assert (mask["cut_h"] == 0).all()


def test_draws_stay_in_their_ranges_and_fill_them() -> None:
    plan = make_plan(EVERYTHING, np.arange(4000), seed=9, epoch=0)
    for name in ("brightness", "contrast", "saturation", "hue"):
        low, high = getattr(EVERYTHING, name)
        assert plan[name].min() >= np.float32(low)
        assert plan[name].max() <= np.float32(high)
        assert plan[name].mean() == pytest.approx((low + high) / 2, abs=0.02)
    assert plan["flip"].mean() == pytest.approx(0.5, abs=0.03)
    assert (plan["cu"] < 1).all()
    assert (plan["cv"] >= 0).all()
    assert len({tuple(order) for order in plan["order"].tolist()}) == 24
    on = plan["cut_h"] > 0
    assert on.mean() == pytest.approx(0.7, abs=0.03)
    for at, length in (("cut_y", "cut_h"), ("cut_x", "cut_w")):
        assert (plan[at] >= 0).all()
        assert (plan[at].astype(np.float64) + plan[length] <= 1 + 1e-6).all()
    share = plan["cut_h"][on].astype(np.float64) * plan["cut_w"][on]
    assert share.max() <= 0.33 + 1e-6


@settings(max_examples=60, deadline=None)
@given(width=st.integers(1, 3000), height=st.integers(1, 3000), seed=st.integers(0, 2**63))
def test_random_regions_lie_inside_and_survive_the_records(width: int, height: int, seed: int) -> None:
    sizes = np.tile([height, width, 3], (20, 1))
    plan = make_plan(TRANSFORMS["imagenet-train"], np.arange(20), seed=seed, epoch=0, sizes=sizes)
    assert (plan["mode"] == REGION).all()
    for record in plan:
        left, top, w, h = region(record, width, height)
        assert 1 <= w <= width - left
        assert 1 <= h <= height - top


def test_random_regions_are_distributed_as_torchvision_draws_them() -> None:
    sizes = np.tile([375, 500, 3], (5000, 1))
    plan = make_plan(TRANSFORMS["imagenet-train"], np.arange(5000), seed=0, epoch=0, sizes=sizes)
    rng = np.random.default_rng(0)
    reference = []
    for _ in range(5000):
        for _ in range(10):
            area = 375 * 500 * rng.uniform(0.08, 1)
            ratio = np.exp(rng.uniform(np.log(3 / 4), np.log(4 / 3)))
            w, h = round((area * ratio) ** 0.5), round((area / ratio) ** 0.5)
            if 0 < w <= 500 and 0 < h <= 375:
                reference.append((w * h / (375 * 500), w / h))
                break
        else:
            reference.append((1.0, 500 / 375))
    for name, column in (("area", 0), ("ratio", 1)):
        theirs = np.array([one[column] for one in reference])
        found = np.quantile(plan[name], [0.1, 0.5, 0.9])
        assert found == pytest.approx(np.quantile(theirs, [0.1, 0.5, 0.9]), abs=0.03)


def test_an_aspect_that_never_fits_falls_back_to_the_centre() -> None:
    plan = make_plan(
        TRANSFORMS["imagenet-train"], np.arange(50), seed=0, epoch=0, sizes=np.tile([10, 4000, 3], (50, 1))
    )
    boxes = {region(record, 4000, 10) for record in plan}
    assert (round((4000 - 13) / 2 - 0.5), 0, 13, 10) in boxes


@pytest.mark.parametrize(("height", "width"), [(480, 640), (240, 320), (481, 641), (1, 1), (2, 5), (65535, 3)])
def test_the_pilotnet_region_is_the_lower_half(height: int, width: int) -> None:
    plan = make_plan(TRANSFORMS["pilotnet"], np.arange(1), seed=0, epoch=0, sizes=np.array([[height, width, 3]]))
    left, top, w, h = region(plan[0], width, height)
    assert (left, w) == (0, width)
    assert top + h == height
    assert abs(h - height / 2) <= 0.5
    if height == 480:
        assert top == 240


def test_modes() -> None:
    index = np.arange(1)
    assert make_plan(TRANSFORMS["cyclegan"], index, seed=0, epoch=0)["mode"] == EXACT
    evaluated = make_plan(TRANSFORMS["imagenet-eval"], index, seed=0, epoch=0)
    assert evaluated["mode"] == SHORTER
    assert evaluated["rh"] == 256
    assert evaluated["cu"] == evaluated["cv"] == -1
    assert make_plan(Transform(size=(4, 4)), index, seed=0, epoch=0)["mode"] == 0
    assert make_plan(Transform(size=(4, 4)), index, seed=0, epoch=0).dtype == PLAN_DTYPE


def test_other_layouts_of_the_record_hold_the_same() -> None:
    padded = np.dtype(
        {"names": list(PLAN_DTYPE.names or ()), "formats": [PLAN_DTYPE[n] for n in PLAN_DTYPE.names or ()]}, align=True
    )
    packed = make_plan(EVERYTHING, np.arange(9), seed=0, epoch=0)
    aligned = make_plan(EVERYTHING, np.arange(9), seed=0, epoch=0, dtype=padded)
    assert padded.itemsize != PLAN_DTYPE.itemsize
    for name in PLAN_DTYPE.names or ():
        assert (packed[name] == aligned[name]).all()


def test_regions_need_sizes() -> None:
    with pytest.raises(InputError, match="size of each image"):
        make_plan(replace(TRANSFORMS["pilotnet"]), np.arange(1), seed=0, epoch=0)
