"""Transforms are plain data: checked, frozen, picklable; and the named ones say what their systems do."""

from __future__ import annotations

import pickle

import pytest

from perfmodel.errors import InputError
from perfmodel.loading.transforms import TRANSFORMS, Channel, Transform, find_transform


def test_the_cyclegan_pipeline() -> None:
    one = find_transform("cyclegan")
    assert (one.size, one.resize, one.crop, one.filter, one.flip) == ((256, 256), (286, 286), "random", "bicubic", 0.5)
    assert one.mean == one.std == (0.5, 0.5, 0.5)


def test_the_pilotnet_pipeline_takes_rows_240_to_480() -> None:
    one = find_transform("pilotnet")
    assert one.size == (200, 66)
    assert one.region is not None
    assert [share * 480 for share in one.region[::2]] == [240, 480]


def test_depth_maps_are_resampled_but_not_coloured() -> None:
    one = find_transform("depthmap")
    assert one.channel("background").jitter
    mask, depth = one.channel("mask"), one.channel("depth")
    assert (mask.filter, depth.filter) == ("nearest", "bilinear")
    assert not mask.jitter
    assert mask.mean == (0.0,)
    assert mask.std == (1.0,)


@pytest.mark.parametrize("name", TRANSFORMS)
def test_named_ones_pickle_and_resolve(name: str) -> None:
    one = find_transform(name)
    assert pickle.loads(pickle.dumps(one)) == one
    assert len(one.channel("anything").mean or ()) == 3


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        ({"size": (0, 4)}, "sizes"),
        ({"resize": 70000}, "sizes"),
        ({"filter": "sinc"}, "filter"),
        ({"dtype": "float64"}, "dtype"),
        ({"layout": "chw"}, "layout"),
        ({"crop": "corner"}, "crop"),
        ({"flip": 1.5}, "probability"),
        ({"cutout": -0.1}, "probability"),
        ({"hue": (-0.6, 0.1)}, "hue"),
        ({"brightness": (1.2, 0.8)}, "brightness"),
        ({"area": (0.0, 1.0)}, "area"),
        ({"area": (0.1, 1.0), "resize": 8}, "exclude"),
        ({"region": (0.5, 0.0, 0.5, 1.0)}, "region"),
        ({"std": (1.0, 0.0, 1.0)}, "std"),
        ({"region": (0.5, 0.0, 1.0, 1.0), "orientation": True}, "orientation"),
    ],
)
def test_nonsense_is_refused_in_one_line(wrong: dict[str, object], says: str) -> None:
    with pytest.raises(InputError, match=says) as caught:
        Transform(**({"size": (4, 4)} | wrong))  # type: ignore[arg-type]
    assert "\n" not in str(caught.value)


def test_means_must_fit_the_channels() -> None:
    one = Transform(size=(4, 4), mean=(0.1, 0.2, 0.3), files={"mask": Channel(channels=1)})
    with pytest.raises(InputError, match="mean has 3 values for 1 channels"):
        one.channel("mask")


def test_an_unknown_name() -> None:
    with pytest.raises(InputError, match="cyclegan, imagenet-train"):
        find_transform("nosuch")
