"""What one image costs a CPU core in each loading pipeline, and the image sets that workloads use by default."""

from __future__ import annotations

from dataclasses import dataclass, replace

from perfmodel.errors import InputError


@dataclass(frozen=True, kw_only=True)
class Pipeline:
    """CPU cost of one image on one core of the reference machine: ``kb*a + mpx*b + out_mpx*d + e``.

    Attributes
    ----------
    key, name : str
    jpeg_ms_per_kb : float
        Entropy decoding of JPEG, ms for each KB (1000 bytes) of file.
    jpeg_ms_per_mpx, png_ms_per_mpx : float
        The rest of decoding, and resizing, ms for each million decoded pixels.
    ms_per_out_mpx : float
        Cropping, flipping, conversion and normalisation, ms for each million output pixels.
    fixed_ms : float
        Opening, calls, batching, ms an image.
    source : str
    """

    key: str
    name: str
    jpeg_ms_per_kb: float
    jpeg_ms_per_mpx: float
    png_ms_per_mpx: float
    ms_per_out_mpx: float
    fixed_ms: float
    source: str

    def cost_ms(self, *, kb: float, mpx: float, out_mpx: float, kind: str = "jpeg") -> float:
        """Return the CPU time of one image, ms on the reference core."""
        per_kb, per_mpx = (0.0, self.png_ms_per_mpx) if kind == "png" else (self.jpeg_ms_per_kb, self.jpeg_ms_per_mpx)
        if kind == "raw":
            per_kb = per_mpx = 0.0
        return per_kb * kb + per_mpx * mpx + self.ms_per_out_mpx * out_mpx + self.fixed_ms


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
    return Pipeline(
        key=key,
        name=name,
        jpeg_ms_per_kb=_KB_MS,
        jpeg_ms_per_mpx=per_mpx,
        png_ms_per_mpx=_PNG_OVER_JPEG * per_mpx,
        ms_per_out_mpx=_SPLIT["out_mpx"] * rest / _KITTI["out_mpx"],
        fixed_ms=_SPLIT["fixed"] * rest,
        source=f"{kitti_ms} ms measured for a KITTI JPEG; split by a measurement with Pillow 13",
    )


_PIL = _from_total("pil", "PIL in a torch DataLoader", 16.9)
_NATIVE_OUTPUT_SHARE = 0.75  # of the 0.59 ms that hold a 256 x 256 output; assumed, the fit had one output size
_NATIVE = Pipeline(
    key="native",
    name="this package's C++ loader",
    jpeg_ms_per_kb=_KB_MS,
    jpeg_ms_per_mpx=2.90,
    png_ms_per_mpx=(_PIL.cost_ms(**_KITTI, kind="png") / 4.3 - 0.59) / _KITTI["mpx"],
    ms_per_out_mpx=_NATIVE_OUTPUT_SHARE * 0.59 / _KITTI["out_mpx"],
    fixed_ms=(1 - _NATIVE_OUTPUT_SHARE) * 0.59,
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
        ``jpeg``, ``png`` or ``raw`` (no decoding: tokens, arrays).
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

    def __post_init__(self) -> None:
        """Refuse sizes that no image has."""
        if self.kind not in ("jpeg", "png", "raw"):
            raise ValueError(f"ImageSet.kind must be jpeg, png or raw, not {self.kind!r}")
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
