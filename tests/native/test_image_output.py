"""Geometry, colour jitter, cut-out, types and layouts, against Pillow and NumPy on the same bytes."""

from __future__ import annotations

from itertools import permutations
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from PIL import Image, ImageEnhance

MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
TYPES = {"float32": np.float32, "float16": np.float16, "bfloat16": np.uint16, "uint8": np.uint8}


@pytest.fixture(scope="module")
def picture(loading: Any) -> npt.NDArray[np.uint8]:
    """49 x 67 pixels."""
    return np.asarray(loading.picture(49, 67, 1))


@pytest.fixture(scope="module")
def png(loading: Any, picture: npt.NDArray[np.uint8]) -> bytes:
    """The same as a file that loses nothing."""
    return bytes(loading.encode(picture, "PNG"))


def bfloat16_bits(values: npt.NDArray[np.float32]) -> npt.NDArray[np.uint16]:
    """Rounded to nearest even."""
    bits = values.view(np.uint32).astype(np.uint64)
    return ((bits + 0x7FFF + ((bits >> 16) & 1)) >> 16).astype(np.uint16)


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("layout", ["nchw", "nhwc"])
@pytest.mark.parametrize("kind", TYPES)
@pytest.mark.parametrize("size", [(1, 1), (3, 5), (16, 16), (33, 47), (49, 67)], ids=str)
def test_types_and_layouts(
    loading: Any, png: bytes, picture: Any, size: tuple[int, int], kind: str, layout: str, channels: int
) -> None:
    top, left = (round((full - part) / 2) for full, part in zip((49, 67), size, strict=True))
    expected = picture[top : top + size[0], left : left + size[1]]
    if channels == 1:
        expected = np.asarray(Image.fromarray(expected).convert("L"))[:, :, None]
    mean, std = MEAN[:channels], STD[:channels]
    status, message, out = loading.load(
        png, size, dtype=TYPES[kind], layout=layout, channels=channels, options={"mean": mean, "std": std}
    )
    assert status == 0, message
    found = out if layout == "nhwc" else out.transpose(1, 2, 0)
    if kind == "uint8":
        np.testing.assert_array_equal(found, expected)
        return
    scale = (1 / (255 * np.float32(std).astype(float))).astype(np.float32)
    shift = (-np.float32(mean).astype(float) / np.float32(std).astype(float)).astype(np.float32)
    values = expected.astype(np.float32) * scale + shift
    np.testing.assert_allclose(values, (expected / 255 - np.array(mean)) / np.array(std), atol=2e-6)
    wanted = {"float32": values, "float16": values.astype(np.float16), "bfloat16": bfloat16_bits(values)}[kind]
    np.testing.assert_array_equal(found, wanted)


def test_float16_and_bfloat16_of_every_byte(loading: Any) -> None:
    ramp = np.arange(256, dtype=np.uint8).reshape(16, 16)
    data = loading.encode(ramp, "PNG")
    for mean, std in ((0.0, 1.0), (0.5, 0.5), (300.0, 1e-3), (0.5, 3e4), (0.25, 1e-5)):
        options = {"mean": (mean,), "std": (std,)}
        arguments = {"channels": 1, "options": options}
        values = loading.load(data, (16, 16), dtype=np.float32, **arguments)[2]
        half = loading.load(data, (16, 16), dtype=np.float16, **arguments)[2]
        brain = loading.load(data, (16, 16), dtype=np.uint16, **arguments)[2]
        with np.errstate(over="ignore"):
            np.testing.assert_array_equal(half, values.astype(np.float16))
        np.testing.assert_array_equal(brain, bfloat16_bits(values))


@pytest.mark.parametrize("flip", [0, 1])
@pytest.mark.parametrize(("u", "v"), [(0.0, 0.0), (0.0, 0.9999), (0.9999, 0.0), (0.5, 0.3), (-1.0, -1.0)])
def test_crop_and_flip(loading: Any, png: bytes, picture: Any, u: float, v: float, flip: int) -> None:
    left = round((67 - 20) / 2) if u < 0 else int(np.float32(u) * (67 - 20 + 1))
    top = round((49 - 11) / 2) if v < 0 else int(np.float32(v) * (49 - 11 + 1))
    expected = picture[top : top + 11, left : left + 20]
    found = loading.pixels(png, (11, 20), cu=u, cv=v, flip=flip)
    np.testing.assert_array_equal(found, expected[:, ::-1] if flip else expected)


@pytest.mark.parametrize("flip", [0, 1])
@pytest.mark.parametrize("short", [10, 49, 50, 120])
def test_shorter_side(loading: Any, picture: Any, short: int, flip: int) -> None:
    for turned in (False, True):
        image = Image.fromarray(np.ascontiguousarray(picture.swapaxes(0, 1)) if turned else picture)
        size = (short, int(short * 67 / 49)) if turned else (int(short * 67 / 49), short)
        whole = np.asarray(image.resize(size, Image.Resampling.BILINEAR)).astype(int)
        left, top = round((size[0] - 9) / 2), round((size[1] - 8) / 2)
        expected = whole[top : top + 8, left : left + 9]
        found = loading.pixels(loading.encode(image, "PNG"), (8, 9), mode=2, rh=short, filter=2, flip=flip)
        assert np.abs(found - (expected[:, ::-1] if flip else expected)).max() <= 1


@pytest.mark.parametrize("filter", [0, 2, 3])
@pytest.mark.parametrize(("area", "ratio"), [(1.0, 67 / 49), (0.3, 1.0), (0.08, 0.75), (1e-6, 1.0), (1.0, 30.0)])
def test_region(loading: Any, png: bytes, picture: Any, area: float, ratio: float, filter: int) -> None:
    total = np.float64(np.float32(area)) * 67 * 49
    width = min(67, max(1, round(np.sqrt(total * np.float32(ratio)))))
    height = min(49, max(1, round(np.sqrt(total / np.float32(ratio)))))
    for u, v in ((0.0, 0.0), (0.7, 0.4), (-1.0, -1.0)):
        left = round((67 - width) / 2) if u < 0 else int(np.float32(u) * (67 - width + 1))
        top = round((49 - height) / 2) if v < 0 else int(np.float32(v) * (49 - height + 1))
        part = Image.fromarray(picture[top : top + height, left : left + width])
        expected = np.asarray(part.resize((24, 18), Image.Resampling((0, 4, 2, 3, 1)[filter])))
        found = loading.pixels(png, (18, 24), mode=3, area=area, ratio=ratio, cu=u, cv=v, filter=filter)
        error = np.abs(found.astype(int) - expected)
        assert error.mean() <= 0.4
        assert error.max() <= (0 if filter == 0 else 4)


def test_plan_wins_over_the_batchs_filter(loading: Any, png: bytes) -> None:
    by_plan = loading.pixels(png, (20, 20), mode=1, rh=20, rw=20, filter=3)
    by_batch = loading.load(png, (20, 20), mode=1, rh=20, rw=20, filter=255, options={"filter": 3})[2]
    both = loading.load(png, (20, 20), mode=1, rh=20, rw=20, filter=3, options={"filter": 0})[2]
    np.testing.assert_array_equal(by_plan, by_batch)
    np.testing.assert_array_equal(by_plan, both)


def turn_hue(image: Image.Image, share: float) -> Image.Image:
    """As torchvision's adjust_hue."""
    hue, saturation, value = image.convert("HSV").split()
    turned = np.asarray(hue) + np.int32(share * 255).astype(np.uint8)
    return Image.merge("HSV", (Image.fromarray(turned), saturation, value)).convert("RGB")


def jittered(picture: Any, order: Any, factors: dict[str, float]) -> npt.NDArray[np.uint8]:
    """Colour jitter by Pillow."""
    image = Image.fromarray(picture)
    for step in order:
        name = ("brightness", "contrast", "saturation", "hue")[step]
        if name not in factors:
            continue
        factor = float(np.float32(factors[name]))
        if name == "hue":
            image = turn_hue(image, factor)
        else:
            enhancer = {
                "brightness": ImageEnhance.Brightness, "contrast": ImageEnhance.Contrast,
                "saturation": ImageEnhance.Color,
            }[name]  # fmt: skip
            image = enhancer(image).enhance(factor)
    return np.asarray(image)


ALL = {"brightness": 1.17, "contrast": 0.81, "saturation": 1.31, "hue": 0.07}


@pytest.mark.parametrize("order", list(permutations(range(4))), ids=str)
def test_jitter_in_every_order(loading: Any, png: bytes, picture: Any, order: tuple[int, ...]) -> None:
    found = loading.pixels(png, (49, 67), order=order, **ALL)
    np.testing.assert_array_equal(found, jittered(picture, order, ALL))


@pytest.mark.parametrize("name", ["brightness", "contrast", "saturation"])
@pytest.mark.parametrize("factor", [0.0, 0.3, 0.999, 1.001, 1.9, 7.0])
def test_single_steps(loading: Any, png: bytes, picture: Any, name: str, factor: float) -> None:
    found = loading.pixels(png, (49, 67), **{name: factor})
    np.testing.assert_array_equal(found, jittered(picture, range(4), {name: factor}))


@pytest.mark.parametrize("share", [-0.5, -0.21, -0.003, 0.003, 0.11, 0.5])
def test_hue_of_many_colours(loading: Any, share: float) -> None:
    colours = np.random.default_rng(3).integers(0, 256, (128, 160, 3), dtype=np.uint8)
    colours[::3] //= 60  # few levels: greys and ties between channels
    data = loading.encode(colours, "PNG")
    np.testing.assert_array_equal(loading.pixels(data, (128, 160), hue=share), jittered(colours, [3], {"hue": share}))


def test_jitter_of_grey(loading: Any, picture: Any) -> None:
    grey = np.ascontiguousarray(picture[:, :, 0])
    data = loading.encode(grey, "PNG")
    found = loading.pixels(data, (49, 67), channels=1, **ALL)[:, :, 0]
    np.testing.assert_array_equal(found, jittered(grey, [0, 1], {k: ALL[k] for k in ("brightness", "contrast")}))
    np.testing.assert_array_equal(loading.pixels(data, (49, 67), **ALL), jittered(np.dstack([grey] * 3), range(4), ALL))


@pytest.mark.parametrize("layout", ["nchw", "nhwc"])
@pytest.mark.parametrize("kind", TYPES)
@pytest.mark.parametrize(
    "box", [(0.1, 0.2, 0.3, 0.4), (0.0, 0.0, 1.0, 1.0), (-0.2, 0.9, 0.5, 0.5), (0.5, 0.5, 1e-4, 1e-4), (2, 2, 1, 1)]
)
def test_cut_out(loading: Any, png: bytes, box: tuple[float, ...], kind: str, layout: str) -> None:
    y, x, h, w = (float(np.float32(value)) for value in box)
    fields = {"cut_y": y, "cut_x": x, "cut_h": h, "cut_w": w}
    options = {"mean": MEAN, "std": STD, "cut_fill": 0.7}
    plain = loading.load(png, (31, 45), dtype=TYPES[kind], layout=layout, options=options)[2]
    found = loading.load(png, (31, 45), dtype=TYPES[kind], layout=layout, options=options, **fields)[2]
    fill: Any = {
        "float32": 0.7,
        "float16": np.float16(0.7),
        "bfloat16": bfloat16_bits(np.float32([0.7]))[0],
        "uint8": 1,
    }
    edges = [int(np.clip(np.floor(edge * n + 0.5), 0, n)) for edge, n in ((y, 31), (y + h, 31), (x, 45), (x + w, 45))]
    rows, columns = slice(*edges[:2]), slice(*edges[2:])
    plain[(rows, columns) if layout == "nhwc" else (slice(None), rows, columns)] = fill[kind]
    np.testing.assert_array_equal(found, plain)


def test_crop_larger_than_the_image(loading: Any, png: bytes) -> None:
    for fields in ({}, {"mode": 1, "rh": 40, "rw": 60}, {"mode": 2, "rh": 20}):
        status, message, out = loading.load(png, (50, 60), **fields)
        assert status == 6
        assert "larger than the image" in message
        assert not out.any()


@pytest.mark.parametrize(
    ("fields", "match"),
    [
        ({"mode": 4}, "unknown mode"),
        ({"mode": 1, "rh": 5}, "resized to nothing"),
        ({"mode": 2}, "resized to nothing"),
        ({"mode": 3, "area": 0.5}, "above 0"),
        ({"filter": 5}, "unknown filter"),
        ({"order": [0, 1, 2, 2]}, "no permutation"),
        ({"order": [0, 1, 2, 9]}, "no permutation"),
        ({"channels": 1}, "1 channels, the output 3"),
        ({"hue": 0.6}, "hue"),
        ({"cu": np.nan}, "not finite"),
        ({"contrast": np.inf}, "not finite"),
    ],
    ids=str,
)
def test_plans_that_make_no_sense(loading: Any, png: bytes, fields: dict[str, Any], match: str) -> None:
    out = np.zeros((1, 8, 8, 3), np.uint8)
    with pytest.raises(ValueError, match=match):
        loading.pool.load([(png, 0, len(png))], loading.plan(**fields), out, layout="nhwc")
