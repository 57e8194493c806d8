"""What becomes of a decoded image, as plain data: geometry, colours, cut-out, output type; and the named pipelines."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from types import MappingProxyType

from perfmodel.errors import InputError

FILTERS = {"nearest": 0, "box": 1, "bilinear": 2, "bicubic": 3, "lanczos": 4}
"""Resampling filters, as Pillow has them, all but nearest with antialiasing; and their codes in a plan."""

DTYPES = ("float32", "float16", "bfloat16", "uint8")
LAYOUTS = ("nchw", "nhwc")
CROPS = ("random", "centre")

Range = tuple[float, float]


@dataclass(frozen=True, kw_only=True)
class Channel:
    """What differs for one file of a sample.

    Attributes
    ----------
    channels : int
        3 (RGB) or 1 (grey).
    jitter : bool
        The colour jitter and the cut-out apply; masks and depth keep their values.
    filter : str, optional
        One of `FILTERS`; the transform's where not given.
    mean, std : tuple of float, optional
        Of each channel; the transform's where not given.
    """

    channels: int = 3
    jitter: bool = True
    filter: str | None = None
    mean: tuple[float, ...] | None = None
    std: tuple[float, ...] | None = None

    def __post_init__(self) -> None:
        """Refuse what is not one of the choices."""
        if self.channels not in (1, 3):
            raise InputError(f"an output has 1 or 3 channels, not {self.channels}", "give channels=1 or 3")
        if self.filter is not None:
            _check("filter", self.filter, tuple(FILTERS))


@dataclass(frozen=True, kw_only=True)
class Transform:
    """What becomes of a decoded image, in this order.

    Attributes
    ----------
    size : (int, int)
        Height and width of the output, pixels.
    region : (top, left, bottom, right), optional
        Part of the image that is used, as shares of its height and width; it is resized to `size` directly.
    resize : int or (int, int), optional
        Shorter side, keeping the aspect, or exact (height, width), before cropping; None crops the image as it is.
    area, ratio : (low, high), optional
        Random resized crop: share of the image and width over height (drawn uniformly in its logarithm), resized to
        `size`; excludes `resize` and `region`.
    crop : str
        ``random`` or ``centre``: where `size` is cut out of the resized image.
    flip : float
        Probability of mirroring left and right.
    brightness, contrast, saturation : (low, high), optional
        Factors, drawn uniformly, applied in random order as torchvision's ColorJitter.
    hue : (low, high), optional
        Shift as a share of the colour circle, within -0.5 and 0.5.
    cutout : float
        Probability that a rectangle is blanked.
    cutout_area : (low, high)
        Its share of the output.
    cutout_ratio : (low, high)
        Its height over width.
    cutout_fill : float
        What it holds, in units of the output.
    mean, std : tuple of float
        The output is (v / 255 - mean) / std; not used for uint8.
    dtype : str
        One of `DTYPES`. NumPy has no bfloat16: arrays hold its bits as uint16.
    layout : str
        ``nchw`` or ``nhwc``.
    filter : str
        One of `FILTERS`.
    orientation : bool
        Turn images as their EXIF tag says (PIL does not unless asked).
    files : mapping of str to Channel
        Exceptions for single files of a sample, by role.
    """

    size: tuple[int, int]
    region: tuple[float, float, float, float] | None = None
    resize: int | tuple[int, int] | None = None
    area: Range | None = None
    ratio: Range = (3 / 4, 4 / 3)
    crop: str = "centre"
    flip: float = 0.0
    brightness: Range | None = None
    contrast: Range | None = None
    saturation: Range | None = None
    hue: Range | None = None
    cutout: float = 0.0
    cutout_area: Range = (0.02, 0.33)
    cutout_ratio: Range = (0.3, 3.3)
    cutout_fill: float = 0.0
    mean: tuple[float, ...] = (0.0, 0.0, 0.0)
    std: tuple[float, ...] = (1.0, 1.0, 1.0)
    dtype: str = "float32"
    layout: str = "nchw"
    filter: str = "bilinear"
    orientation: bool = False
    files: Mapping[str, Channel] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Refuse what makes no sense, and freeze the exceptions."""
        _check("filter", self.filter, tuple(FILTERS))
        _check("dtype", self.dtype, DTYPES)
        _check("layout", self.layout, LAYOUTS)
        _check("crop", self.crop, CROPS)
        self._check_geometry()
        for name in ("flip", "cutout"):
            if not 0.0 <= getattr(self, name) <= 1.0:
                raise InputError(f"{name} is a probability, not {getattr(self, name)}", "give 0 to 1")
        for name in ("brightness", "contrast", "saturation", "cutout_area", "cutout_ratio"):
            _check_range(name, getattr(self, name), 0.0, float("inf"))
        _check_range("hue", self.hue, -0.5, 0.5)
        if any(value <= 0 for value in self.std):
            raise InputError(f"std must be positive, not {self.std}", "give the spread of each channel")
        object.__setattr__(self, "files", MappingProxyType(dict(self.files)))

    def _check_geometry(self) -> None:
        sides = (*self.size, *(self.resize if isinstance(self.resize, tuple) else (self.resize or 1,)))
        if any(not 1 <= side <= _LONGEST for side in sides):
            raise InputError(f"sizes must be 1 to {_LONGEST} pixels, not {sides}", "give (height, width)")
        if sum(one is not None for one in (self.region, self.resize, self.area)) > 1:
            raise InputError("region, resize and area exclude each other", "give one of them")
        _check_range("area", self.area, 1e-6, 1.0)
        _check_range("ratio", self.ratio, 1e-3, 1e3)
        if self.region is not None and self.orientation:
            raise InputError("a region is of the image as it is stored", "leave orientation out, or crop instead")
        if self.region is not None:
            top, left, bottom, right = self.region
            if not (0 <= top < bottom <= 1 and 0 <= left < right <= 1):
                raise InputError(f"region {self.region} is empty or outside of the image", "give shares from 0 to 1")

    def __reduce__(self) -> tuple[object, tuple[dict[str, object]]]:
        """Pickle as its options: the exceptions are behind a read-only view."""
        options = {name: getattr(self, name) for name in self.__dataclass_fields__}
        return _restore, (options | {"files": dict(self.files)},)

    def channel(self, role: str) -> Channel:
        """Return what holds for one file of a sample, with nothing left open."""
        one = self.files.get(role, Channel())
        mean, std = (
            _per_channel(name, chosen if chosen is not None else common, one.channels)
            for name, chosen, common in (("mean", one.mean, self.mean), ("std", one.std, self.std))
        )
        return replace(one, filter=one.filter or self.filter, mean=mean, std=std)

    @property
    def needs_sizes(self) -> bool:
        """The geometry depends on the size of each image."""
        return self.region is not None or self.area is not None

    @property
    def jitters(self) -> bool:
        """Colours are changed at random."""
        return any(one is not None for one in (self.brightness, self.contrast, self.saturation, self.hue))


_LONGEST = 65535


def _restore(options: dict[str, object]) -> Transform:
    return Transform(**options)  # type: ignore[arg-type]


def _check(name: str, value: str, choices: tuple[str, ...]) -> None:
    if value not in choices:
        raise InputError(f"{name} {value!r} is unknown", f"give one of {', '.join(choices)}")


def _check_range(name: str, value: Range | None, least: float, most: float) -> None:
    if value is not None and not least <= value[0] <= value[1] <= most:
        raise InputError(f"{name} {value} is not a range within {least:g} and {most:g}", "give (low, high)")


def _per_channel(name: str, values: tuple[float, ...], channels: int) -> tuple[float, ...]:
    if len(values) == 3 and channels == 1 and len(set(values)) == 1:
        return values[:1]
    if len(values) != channels:
        raise InputError(f"{name} has {len(values)} values for {channels} channels", f"give {channels}")
    return values


IMAGENET_MEAN, IMAGENET_STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
_HALF = (0.5, 0.5, 0.5)

TRANSFORMS: Mapping[str, Transform] = MappingProxyType(
    {
        # pytorch-CycleGAN-and-pix2pix: resize_and_crop, load_size 286, crop_size 256, normalised to [-1, 1]
        "cyclegan": Transform(
            size=(256, 256), resize=(286, 286), filter="bicubic", crop="random", flip=0.5, mean=_HALF, std=_HALF
        ),
        # torchvision's reference training: RandomResizedCrop(224), flip; evaluation: Resize(256), CenterCrop(224)
        "imagenet-train": Transform(size=(224, 224), area=(0.08, 1.0), flip=0.5, mean=IMAGENET_MEAN, std=IMAGENET_STD),
        "imagenet-eval": Transform(size=(224, 224), resize=256, mean=IMAGENET_MEAN, std=IMAGENET_STD),
        # rows 240 to 480 of a frame of 480, to 200 high and 66 wide, as the driving networks take them
        "pilotnet": Transform(size=(200, 66), region=(0.5, 0.0, 1.0, 1.0)),
        # background and composite are jittered and cut alike; mask and depth follow the geometry only
        "depthmap": Transform(
            size=(192, 192),
            resize=(224, 224),
            crop="random",
            flip=0.5,
            brightness=(0.8, 1.2),
            contrast=(0.8, 1.2),
            saturation=(0.8, 1.2),
            hue=(-0.05, 0.05),
            cutout=0.5,
            cutout_area=(0.02, 0.1),
            files={
                "mask": Channel(channels=1, jitter=False, filter="nearest"),
                "depth": Channel(channels=1, jitter=False, filter="bilinear"),
            },
        ),
    }
)
"""Named pipelines."""


def find_transform(name: str) -> Transform:
    """Return a pipeline by name.

    Raises
    ------
    InputError
        When none has that name.
    """
    if name not in TRANSFORMS:
        raise InputError(f"pipeline {name!r} is unknown", f"give one of {', '.join(TRANSFORMS)}, or a Transform")
    return TRANSFORMS[name]
