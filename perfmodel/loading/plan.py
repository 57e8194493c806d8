"""A batch's plan: for each image, the numbers that its transform drew, as one record that every decoder understands."""

from __future__ import annotations

from itertools import permutations

import numpy as np
import numpy.typing as npt

from perfmodel.errors import InputError
from perfmodel.loading.philox import uniforms
from perfmodel.loading.transforms import FILTERS, Channel, Range, Transform

Numbers = npt.NDArray[np.float64]

KEEP, EXACT, SHORTER, REGION = range(4)
"""Values of the field `mode`."""

PLAN_DTYPE = np.dtype(
    [
        ("mode", "u1"), ("rh", "<u2"), ("rw", "<u2"), ("cu", "<f4"), ("cv", "<f4"), ("area", "<f4"), ("ratio", "<f4"),
        ("flip", "u1"), ("channels", "u1"), ("filter", "u1"), ("order", "u1", (4,)), ("brightness", "<f4"),
        ("contrast", "<f4"), ("saturation", "<f4"), ("hue", "<f4"), ("cut_y", "<f4"), ("cut_x", "<f4"),
        ("cut_h", "<f4"), ("cut_w", "<f4"), ("orient", "u1"),
    ]
)  # fmt: skip
"""One image. Positions and boxes are shares, so that a plan does not depend on the size of the image; `cu` and `cv` are
the position of the crop in [0, 1) from the left and the top, -1 for the centre; `order` is that of brightness,
contrast, saturation and hue (0 to 3)."""

DEFAULT_FILTER = 255
"""Value of the field `filter` that leaves the choice to the call."""

GEOMETRY_STREAM = 16
"""First stream of random numbers for transforms; the files of an unpaired sample use one each."""

ATTEMPTS = 10
"""Tries of a random resized crop before it falls back to the centre, as torchvision's."""

_ORDERS = np.array(list(permutations(range(4))), dtype=np.uint8)
_FLIP, _U, _V, _ORDER, _BRIGHTNESS, _CONTRAST, _SATURATION, _HUE, _CUT, _CUT_AREA, _CUT_RATIO, _CUT_Y, _CUT_X = range(
    13
)
_FIRST_TRY = 16
_DRAWS = _FIRST_TRY + 2 * ATTEMPTS


def make_plan(
    transform: Transform,
    index: npt.NDArray[np.int64],
    *,
    seed: int,
    epoch: int,
    channel: Channel | None = None,
    stream: int = 0,
    sizes: npt.NDArray[np.integer] | None = None,
    dtype: np.dtype[np.void] = PLAN_DTYPE,
) -> npt.NDArray[np.void]:
    """Draw what a transform leaves to chance.

    Parameters
    ----------
    transform : Transform
    index : array (n,)
        Samples.
    seed, epoch : int
        With a sample's index they alone decide what is drawn.
    channel : Channel, optional
        What holds for these files of the samples.
    stream : int
        Files that share it share their geometry.
    sizes : array (n, 2 or more), optional
        Height and width of each image; needed where ``transform.needs_sizes``.
    dtype : dtype
        Of the records: `PLAN_DTYPE`, or the same fields laid out otherwise.

    Returns
    -------
    array (n,) of dtype
    """
    chosen = channel or transform.channel("")
    count = _DRAWS if transform.area is not None else _FIRST_TRY
    u = uniforms(index, count, seed=seed, epoch=epoch, stream=GEOMETRY_STREAM + stream)
    plan = np.zeros(len(u), dtype=dtype)
    plan["channels"] = chosen.channels
    plan["filter"] = FILTERS[chosen.filter or transform.filter]
    plan["flip"] = u[:, _FLIP] < transform.flip
    plan["orient"] = transform.orientation
    _place(plan, transform, u, sizes)
    _colour(plan, transform, u, applies=chosen.jitter)
    if chosen.jitter and transform.cutout > 0:
        _cut(plan, transform, u)
    return plan


_FLOATS = tuple(name for name in PLAN_DTYPE.names or () if PLAN_DTYPE[name] == np.float32)


def check_plan(plan: npt.NDArray[np.void]) -> None:
    """Refuse records that no transform makes.

    Raises
    ------
    ValueError
        When a mode, filter or order is unknown, a size is zero, a number is not finite or out of its range.
    """
    exact, region = plan["mode"] == EXACT, plan["mode"] == REGION
    resized = exact | (plan["mode"] == SHORTER)
    wrong = {
        "mode": plan["mode"] > REGION,
        "filter": (plan["filter"] >= len(FILTERS)) & (plan["filter"] != DEFAULT_FILTER),
        "order": (np.sort(plan["order"], axis=1) != np.arange(4)).any(axis=1),
        "rh": resized & (plan["rh"] == 0),
        "rw": exact & (plan["rw"] == 0),
        "area": region & ~((plan["area"] > 0) & (plan["area"] <= 1.001)),
        "ratio": region & ~(plan["ratio"] > 0),
        "hue": ~(np.abs(plan["hue"]) <= 0.5),
        **{name: ~np.isfinite(plan[name]) for name in _FLOATS if name not in ("area", "ratio", "hue")},
    }
    for name, bad in wrong.items():
        if bad.any():
            at = int(np.argmax(bad))
            raise ValueError(f"the plan's {name} of image {at} is {plan[name][at]}")


def _place(plan: npt.NDArray[np.void], transform: Transform, u: Numbers, sizes: npt.NDArray[np.integer] | None) -> None:
    """Fill in mode, sizes and position."""
    if transform.needs_sizes:
        if sizes is None:
            raise InputError("this transform needs the size of each image", "pass sizes")
        shape = np.maximum(np.asarray(sizes, dtype=np.float64)[:, :2], 1.0)
        box = _drawn_region(transform, u, shape) if transform.area is not None else _fixed_region(transform, shape)
        _write_region(plan, box, shape)
        return
    if isinstance(transform.resize, tuple):
        plan["mode"], plan["rh"], plan["rw"] = EXACT, *transform.resize
    elif transform.resize is not None:
        plan["mode"], plan["rh"] = SHORTER, transform.resize
    random = transform.crop == "random"
    plan["cu"] = u[:, _U] if random else -1.0
    plan["cv"] = u[:, _V] if random else -1.0


def _fixed_region(transform: Transform, shape: Numbers) -> Numbers:
    """Return top, left, height and width of `region`, pixels, shape (n, 4)."""
    top, left, bottom, right = transform.region or (0.0, 0.0, 1.0, 1.0)
    scale = np.concatenate([shape, shape], axis=1)
    edge = np.rint(np.array([top, left, bottom, right]) * scale)
    start = np.minimum(edge[:, :2], shape - 1)
    return np.concatenate([start, np.maximum(edge[:, 2:] - start, 1.0)], axis=1)


def _drawn_region(transform: Transform, u: Numbers, shape: Numbers) -> Numbers:
    """Return top, left, height and width of a random resized crop, as torchvision's RandomResizedCrop draws them."""
    tries = u[:, _FIRST_TRY:].reshape(len(u), ATTEMPTS, 2)
    height, width = shape[:, :1], shape[:, 1:]
    area = _between(transform.area or (1.0, 1.0), tries[..., 0]) * height * width
    low, high = transform.ratio
    ratio = np.exp(_between((np.log(low), np.log(high)), tries[..., 1]))
    w, h = np.rint(np.sqrt(area * ratio)), np.rint(np.sqrt(area / ratio))
    fits = (w >= 1) & (w <= width) & (h >= 1) & (h <= height)
    first = (np.arange(len(u)), fits.argmax(axis=1))
    found = np.stack([h[first], w[first]], axis=1)
    start = np.floor(u[:, [_V, _U]] * (shape - found + 1))
    drawn = np.concatenate([start, found], axis=1)
    return np.where(fits.any(axis=1, keepdims=True), drawn, _central_region(transform.ratio, shape))


def _central_region(ratio: Range, shape: Numbers) -> Numbers:
    """Return the largest box in the middle whose aspect is within the range."""
    height, width = shape.T
    h = np.where(width / height < ratio[0], np.rint(width / ratio[0]), height)
    w = np.where(width / height > ratio[1], np.rint(height * ratio[1]), width)
    found = np.stack([np.clip(h, 1, height), np.clip(w, 1, width)], axis=1)
    return np.concatenate([np.floor((shape - found) / 2), found], axis=1)


def _write_region(plan: npt.NDArray[np.void], box: Numbers, shape: Numbers) -> None:
    """Write boxes in pixels as the shares that give exactly these pixels again."""
    top, left, h, w = box.T
    height, width = shape.T
    plan["mode"] = REGION
    plan["area"], plan["ratio"] = h * w / (height * width), w / h
    plan["cv"], plan["cu"] = (top + 0.5) / (height - h + 1), (left + 0.5) / (width - w + 1)


def _colour(plan: npt.NDArray[np.void], transform: Transform, u: Numbers, *, applies: bool) -> None:
    """Fill in the colour jitter."""
    plan["order"] = np.arange(4)
    plan["brightness"] = plan["contrast"] = plan["saturation"] = 1.0
    if not (applies and transform.jitters):
        return
    plan["order"] = _ORDERS[np.floor(u[:, _ORDER] * len(_ORDERS)).astype(np.intp)]
    for name, slot in (
        ("brightness", _BRIGHTNESS),
        ("contrast", _CONTRAST),
        ("saturation", _SATURATION),
        ("hue", _HUE),
    ):
        limits = getattr(transform, name)
        if limits is not None:
            plan[name] = _between(limits, u[:, slot])


def _cut(plan: npt.NDArray[np.void], transform: Transform, u: Numbers) -> None:
    """Fill in the box that is blanked: inside of the output, as shares of its height and width."""
    height, width = transform.size
    area = _between(transform.cutout_area, u[:, _CUT_AREA]) * height * width
    low, high = transform.cutout_ratio
    ratio = np.exp(_between((np.log(low), np.log(high)), u[:, _CUT_RATIO]))
    h = np.minimum(np.sqrt(area * ratio) / height, 1.0)
    w = np.minimum(np.sqrt(area / ratio) / width, 1.0)
    on = u[:, _CUT] < transform.cutout
    for name, value in (
        ("cut_h", h),
        ("cut_w", w),
        ("cut_y", u[:, _CUT_Y] * (1 - h)),
        ("cut_x", u[:, _CUT_X] * (1 - w)),
    ):
        plan[name] = np.where(on, value, 0.0)


def _between(limits: Range, u: Numbers) -> Numbers:
    return limits[0] + (limits[1] - limits[0]) * u
