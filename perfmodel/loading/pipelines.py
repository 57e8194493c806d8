"""What one image costs a CPU core in each loading pipeline, and the image sets that workloads use by default."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
import numpy.typing as npt

from perfmodel.errors import InputError

if TYPE_CHECKING:
    from perfmodel.loading.file_sample import FileSample

Figures: TypeAlias = Any
"""A number, or an array of them."""


KINDS = ("jpeg", "progressive", "png", "raw")
"""How a file is coded: baseline or progressive JPEG, PNG, or not at all (tokens, arrays)."""

USUAL_CODED = {"jpeg": 1.5, "progressive": 1.5, "png": 3.0, "raw": 0.0}
"""Samples coded for each pixel where nothing else is known: 4:2:0 JPEG, RGB PNG."""


@dataclass(frozen=True, kw_only=True)
class Cost:
    """CPU cost of one image of one kind on one core: ``kb*a + mpx*b + coded_mpx*b' + out_mpx*d + e``.

    Attributes
    ----------
    kb : float
        Entropy decoding, ms for each KB (1000 bytes) of file.
    mpx : float
        Conversion and resizing, ms for each million decoded pixels.
    coded_mpx : float
        ms for each million coded samples: 1.5 a pixel in 4:2:0, 2 in 4:2:2, 3 in 4:4:4 and RGB, 1 in grey.
    out_mpx : float
        Cropping, flipping, conversion, normalisation and batching, ms for each million output pixels.
    fixed : float
        Opening, calls, ms an image.
    """

    kb: float = 0.0
    mpx: float = 0.0
    coded_mpx: float = 0.0
    out_mpx: float = 0.0
    fixed: float = 0.0

    def ms(self, *, kb: Figures, mpx: Figures, coded_mpx: Figures, out_mpx: Figures) -> Figures:
        """Return the CPU time of one image or of each of several, ms."""
        return self.kb * kb + self.mpx * mpx + self.coded_mpx * coded_mpx + self.out_mpx * out_mpx + self.fixed


@dataclass(frozen=True, kw_only=True)
class Pipeline:
    """What an image costs one core, by kind.

    Attributes
    ----------
    key, name : str
    costs : mapping of str to Cost
        By `KINDS`; on the reference machine, or on the host that was calibrated.
    source : str
    residual_sd : float
        Standard deviation of the log of a set's measured over its modelled cost.
    handover_ms_per_out_mpx : float
        Of the cost, what batches in shared memory take: nothing where the training process loads by itself.
    calibrated : bool
        The costs were measured on the host they are used for: its `decode_speed` does not apply.
    """

    key: str
    name: str
    costs: Mapping[str, Cost]
    source: str
    residual_sd: float = 0.20
    handover_ms_per_out_mpx: float = 0.0
    calibrated: bool = False

    def cost_ms(
        self, *, kb: Figures, mpx: Figures, out_mpx: Figures, kind: str = "jpeg", coded_mpx: Figures | None = None
    ) -> Figures:
        """Return the CPU time of one image, ms; scalars, or arrays of several images.

        A kind that was not measured costs as the one it is closest to.
        """
        coded = USUAL_CODED[kind] * mpx if coded_mpx is None else coded_mpx
        return self.cost_of(kind).ms(kb=kb, mpx=mpx, coded_mpx=coded, out_mpx=out_mpx)

    def cost_of(self, kind: str) -> Cost:
        """Return the coefficients of a kind."""
        if kind in self.costs:
            return self.costs[kind]
        jpeg = self.costs["jpeg"]
        if kind == "raw":
            return Cost(out_mpx=jpeg.out_mpx, fixed=jpeg.fixed)
        return replace(jpeg, kb=_PROGRESSIVE * jpeg.kb) if kind == "progressive" else jpeg


_PROGRESSIVE = 2.9
"""Entropy decoding of progressive over baseline JPEG, where it was not measured (a calibration of Pillow 13)."""


# Entropy decoding is libjpeg-turbo's in all four pipelines. What remains of a pipeline's published total for the
# KITTI image (1242 x 375, 145 KB, to 256 x 256) is split as measured with Pillow 13 on 60 re-encoded images of five
# sizes, four qualities and three output sizes (non-negative least squares, median error 4 %): 82.7 % by decoded
# pixels, 13.7 % by output pixels, 3.6 % fixed.
_KB_MS = 0.0128
_KITTI = {"kb": 145.0, "mpx": 1.242 * 0.375, "out_mpx": 0.256 * 0.256}
_SPLIT = {"mpx": 0.827, "out_mpx": 0.137, "fixed": 0.036}
_PNG_OVER_JPEG = 3.36
"""Cost of a decoded pixel of PNG over one of JPEG in Pillow, from the same measurement (inflate grows with pixels)."""


def _from_total(key: str, name: str, kitti_ms: float) -> Pipeline:
    rest = kitti_ms - _KB_MS * _KITTI["kb"]
    per_mpx = _SPLIT["mpx"] * rest / _KITTI["mpx"]
    out, fixed = _SPLIT["out_mpx"] * rest / _KITTI["out_mpx"], _SPLIT["fixed"] * rest
    return Pipeline(
        key=key,
        name=name,
        costs={
            "jpeg": Cost(kb=_KB_MS, mpx=per_mpx, out_mpx=out, fixed=fixed),
            "png": Cost(mpx=_PNG_OVER_JPEG * per_mpx, out_mpx=out, fixed=fixed),
        },
        source=f"{kitti_ms} ms measured for a KITTI JPEG; split by a measurement with Pillow 13",
    )


_PIL = _from_total("pil", "PIL in a torch DataLoader", 16.9)
_NATIVE_OUTPUT_SHARE = 0.75  # of the 0.59 ms that hold a 256 x 256 output; assumed, the fit had one output size
_NATIVE_OUT, _NATIVE_FIXED = _NATIVE_OUTPUT_SHARE * 0.59 / _KITTI["out_mpx"], (1 - _NATIVE_OUTPUT_SHARE) * 0.59
_NATIVE_PNG_MPX = (_PIL.cost_ms(**_KITTI, kind="png") / 4.3 - 0.59) / _KITTI["mpx"]
_NATIVE = Pipeline(
    key="native",
    name="this package's C++ loader",
    costs={
        "jpeg": Cost(kb=_KB_MS, mpx=2.90, out_mpx=_NATIVE_OUT, fixed=_NATIVE_FIXED),
        "png": Cost(mpx=_NATIVE_PNG_MPX, out_mpx=_NATIVE_OUT, fixed=_NATIVE_FIXED),
    },
    source="0.0128 ms/KB, 2.90 ms/Mpx, 0.59 ms measured for the fused design; PNG 4.3 times faster than PIL",
)
PIPELINES = {
    p.key: p
    for p in (
        _PIL,
        _NATIVE,
        _from_total("opencv", "OpenCV in a torch DataLoader", 12.4),
        _from_total("grain", "Grain", 10.2),
    )
}
_ALIASES = {"torch": "pil", "pillow": "pil", "torchvision": "pil", "default": "pil", "cv2": "opencv"}


def find_pipeline(name: str) -> Pipeline:
    """Return a pipeline by name (``pil``, also ``torch``; ``native``; ``opencv``; ``grain``).

    Raises
    ------
    InputError
        When no pipeline has that name.
    """
    key = name.strip().lower()
    key = _ALIASES.get(key, key)
    if key not in PIPELINES:
        raise InputError(f"unknown loader {name!r}", f"use one of {', '.join(PIPELINES)}")
    return PIPELINES[key]


@dataclass(frozen=True, kw_only=True)
class ImageSet:
    """The files of one sample and what becomes of them.

    Attributes
    ----------
    key, name : str
    kind : str
        One of `KINDS`.
    kb : float
        Mean file size, KB of 1000 bytes.
    width, height : int
        Mean decoded size, pixels.
    out_width, out_height : int
        Size after the transforms, pixels.
    channels : int
        Output channels of one file.
    files : int
        Files of one sample (2 for an unpaired pair).
    samples : int, optional
        How many there are.
    sample : FileSample, optional
        Some of the files themselves: their mix and spread count then, rather than the means.
    """

    key: str
    name: str
    kind: str = "jpeg"
    kb: float
    width: int
    height: int
    out_width: int
    out_height: int
    channels: int = 3
    files: int = 1
    samples: int | None = None
    sample: FileSample | None = field(default=None, repr=False, compare=False)

    def __post_init__(self) -> None:
        """Refuse sizes that no image has."""
        if self.kind not in KINDS:
            raise ValueError(f"ImageSet.kind must be one of {', '.join(KINDS)}, not {self.kind!r}")
        if self.kb < 0 or min(self.width, self.height, self.out_width, self.out_height) < 0 or self.files < 1:
            raise ValueError("ImageSet sizes must not be negative, and files must be at least 1")

    @property
    def mpx(self) -> float:
        """Million pixels of one decoded file."""
        return self.width * self.height / 1e6

    @property
    def out_mpx(self) -> float:
        """Million pixels of one output."""
        return self.out_width * self.out_height / 1e6

    def costs_ms(self, pipeline: Pipeline) -> npt.NDArray[np.float64]:
        """Return the CPU time of each file of the sample in a pipeline, ms; of the mean file alone without a sample."""
        if self.sample is not None:
            return self.sample.costs_ms(pipeline, out_mpx=self.out_mpx)
        return np.array([pipeline.cost_ms(kb=self.kb, mpx=self.mpx, out_mpx=self.out_mpx, kind=self.kind)])

    def resized(self, size: int) -> ImageSet:
        """Return the same files, brought to a square output of `size` pixels."""
        return replace(self, out_width=size, out_height=size)


IMAGE_SETS = {
    s.key: s
    for s in (
        ImageSet(
            key="cyclegan",
            name="pairs of KITTI-size JPEGs, resized to 286 and cropped to 256",
            kb=145,
            width=1242,
            height=375,
            out_width=256,
            out_height=256,
            files=2,
        ),
        ImageSet(key="kitti", name="KITTI-size JPEGs", kb=145, width=1242, height=375, out_width=256, out_height=256),
        ImageSet(
            key="kitti-png",
            name="KITTI-size PNGs",
            kind="png",
            kb=870,
            width=1242,
            height=375,
            out_width=256,
            out_height=256,
        ),
        ImageSet(
            key="classification",
            name="ImageNet-like JPEGs (mean 110 KB, 500 x 375) to 224",
            kb=110,
            width=500,
            height=375,
            out_width=224,
            out_height=224,
        ),
        ImageSet(
            key="pilotnet",
            name="640 x 480 camera JPEGs to 66 x 200",
            kb=110,
            width=640,
            height=480,
            out_width=200,
            out_height=66,
        ),
        ImageSet(
            key="depthmap",
            name="four small JPEGs (background, foreground, mask, depth) to 192",
            kb=10,
            width=224,
            height=224,
            out_width=192,
            out_height=192,
            files=4,
        ),
        ImageSet(key="tokens", name="tokenised text", kind="raw", kb=2, width=0, height=0, out_width=0, out_height=0),
    )
}


def find_image_set(name: str) -> ImageSet:
    """Return a default image set by name.

    Raises
    ------
    InputError
        When no set has that name.
    """
    key = name.strip().lower()
    if key not in IMAGE_SETS:
        raise InputError(f"unknown image set {name!r}", f"use one of {', '.join(IMAGE_SETS)}")
    return IMAGE_SETS[key]
