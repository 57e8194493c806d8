"""Batches of images by Pillow and NumPy in threads: the reference of the native pool, and what takes its place."""

from __future__ import annotations

import io
import os
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from perfmodel.errors import DependencyError
from perfmodel.instrument.nvtx import ranges
from perfmodel.loading import colours
from perfmodel.loading.plan import DEFAULT_FILTER, EXACT, REGION, SHORTER, check_plan

if TYPE_CHECKING:
    from PIL.Image import Image

    from perfmodel.loading.pools import Item

OK, CANNOT_OPEN, NOT_AN_IMAGE, CORRUPT, TOO_LARGE, OUT_OF_MEMORY, CROP_TOO_LARGE = range(7)
"""Status of an image in a batch."""

MAX_PIXELS = 178_956_970
"""Images with more pixels are refused (Pillow's own limit)."""

STAGES = ("read", "decode", "resample", "colour", "write")
_FORMATS = ("JPEG", "PNG")
_ORIENTATION = 0x0112
_SIXTEEN_BIT = ("I;16", "I;16B", "I;16L", "I;16N", "I")
_RANGES = ranges(STAGES)


class ImageFault(Exception):
    """One image of a batch failed: its status and the reason."""

    def __init__(self, status: int, reason: str) -> None:
        super().__init__(reason)
        self.status = status


class PillowPool:
    """Threads that read, decode and transform batches of images; the contract of the native ``ImagePool``.

    Parameters
    ----------
    threads : int
        They start at the first call, again in a forked child, and end with `close`.

    Raises
    ------
    DependencyError
        When Pillow is not installed.
    """

    def __init__(self, threads: int) -> None:
        if threads < 1:
            raise ValueError(f"threads must be at least 1, not {threads}")
        try:
            import PIL.Image  # noqa: F401
        except ImportError as error:
            raise DependencyError(
                "loading images without the native module needs Pillow", "pip install pillow"
            ) from error
        self.threads = threads
        self._closed = False
        self._executor: ThreadPoolExecutor | None = None
        self._owner = os.getpid()
        self._lock = threading.Lock()
        self._spent = dict.fromkeys((*STAGES, "images", "bytes"), 0)

    def load(
        self,
        sources: Sequence[Item],
        plan: npt.NDArray[np.void],
        out: npt.NDArray[Any],
        *,
        mean: Sequence[float] = (0.0, 0.0, 0.0),
        std: Sequence[float] = (1.0, 1.0, 1.0),
        filter: int = 2,
        layout: str = "nchw",
        cut_fill: float = 0.0,
        max_pixels: int = MAX_PIXELS,
    ) -> tuple[npt.NDArray[np.int32], list[str]]:
        """Load and transform images into a batch.

        Parameters
        ----------
        sources : sequence of n str or (buffer, offset, length)
            Files, or encoded bytes.
        plan : array (n,) of `perfmodel.loading.plan.PLAN_DTYPE`
        out : array (n, C, H, W) or (n, H, W, C)
            uint8, float16, float32, or uint16 for the bits of bfloat16; the images that fail are zero.
        mean, std : sequence of C floats
        filter : int
            Code of the resampling filter where the plan has 255.
        layout : str
            ``nchw`` or ``nhwc``.
        cut_fill : float
            What cut-outs hold, in units of the output.
        max_pixels : int
            Larger images are refused.

        Returns
        -------
        status : array (n,) of int32
            0, or why it failed: 1 cannot be opened, 2 not JPEG or PNG, 3 truncated or corrupt, 4 too large,
            5 out of memory, 6 the crop is larger than the image.
        messages : list of str
            One for each that failed, in order.
        """
        self._check(sources, plan, out, layout)

        def one(index: int) -> tuple[int, str]:
            try:
                self._load_one(sources[index], plan[index], out[index], mean, std, filter, layout, cut_fill, max_pixels)
            except ImageFault as fault:
                out[index] = 0
                return fault.status, f"{_label(sources[index])}: {fault}"
            return OK, ""

        found = self._each(one, range(len(sources)))
        status = np.array([code for code, _ in found], dtype=np.int32)
        return status, [text for code, text in found if code]

    def sizes(self, sources: Sequence[Item]) -> npt.NDArray[np.int32]:
        """Return height, width and channels of each image from its header, (n, 3); zeros where it cannot be read."""
        found = self._each(_size, sources)
        return np.array(found, dtype=np.int32).reshape(len(found), 3)

    def stages(self) -> dict[str, int]:
        """Nanoseconds of all threads spent in each of `STAGES` so far, and images and bytes read."""
        with self._lock:
            return dict(self._spent)

    def close(self) -> None:
        """End the threads; a closed pool loads no more."""
        self._closed = True
        executor, self._executor = self._executor, None
        if executor is not None and self._owner == os.getpid():
            executor.shutdown(wait=True, cancel_futures=True)

    def _each(self, call: Callable[[Any], Any], values: Sequence[Any]) -> list[Any]:
        """Call for each value, in the threads; a single one here and now."""
        if self._closed:
            raise ValueError("the pool is closed")
        if len(values) == 1:
            return [call(values[0])]
        return list(self._threads().map(call, values))

    def _threads(self) -> ThreadPoolExecutor:
        if self._executor is None or self._owner != os.getpid():
            self._owner, self._lock = os.getpid(), threading.Lock()
            self._executor = ThreadPoolExecutor(self.threads, thread_name_prefix="perfmodel-load")
        return self._executor

    def _check(self, sources: Sequence[Item], plan: npt.NDArray[np.void], out: npt.NDArray[Any], layout: str) -> None:
        if self._closed:
            raise ValueError("the pool is closed")
        if layout not in ("nchw", "nhwc"):
            raise ValueError(f"layout must be nchw or nhwc, not {layout!r}")
        if out.ndim != 4 or out.dtype not in (np.uint8, np.uint16, np.float16, np.float32):
            raise ValueError(
                f"out must be four-dimensional uint8, uint16, float16 or float32, not {out.dtype} {out.shape}"
            )
        if not len(sources) == len(plan) == len(out):
            raise ValueError(f"{len(sources)} sources, {len(plan)} plans and {len(out)} places do not match")
        check_plan(plan)
        channels = out.shape[1] if layout == "nchw" else out.shape[3]
        if channels not in (1, 3) or not (plan["channels"] == channels).all():
            raise ValueError(f"out has {channels} channels, the plan {sorted(set(plan['channels'].tolist()))}")

    def _load_one(
        self, source: Item, record: Any, out: npt.NDArray[Any], mean: Sequence[float], std: Sequence[float],
        default_filter: int, layout: str, cut_fill: float, max_pixels: int,
    ) -> None:  # fmt: skip
        nchw = layout == "nchw"
        height, width = out.shape[1:] if nchw else out.shape[:2]
        clock = _Clock()
        encoded = clock.time("read", _read, source)
        image = clock.time("decode", _decode, encoded, record, max_pixels)
        chosen = default_filter if record["filter"] == DEFAULT_FILTER else int(record["filter"])
        image = clock.time("resample", _place, image, record, (height, width), chosen)
        image = clock.time("colour", colours.jitter, image, record)
        clock.time("write", _write, image, out, record, mean, std, nchw, cut_fill)
        with self._lock:
            for name, spent in clock.spent.items():
                self._spent[name] += spent
            self._spent["images"] += 1
            self._spent["bytes"] += len(encoded)


class _Clock:
    """Nanoseconds that the stages of one image took."""

    def __init__(self) -> None:
        self.spent: dict[str, int] = {}

    def time(self, stage: str, call: Any, *arguments: Any) -> Any:
        start = time.perf_counter_ns()
        with _RANGES[stage]:
            result = call(*arguments)
        self.spent[stage] = time.perf_counter_ns() - start
        return result


def _label(source: Item) -> str:
    return source if isinstance(source, str) else "<buffer>"


def _read(source: Item) -> bytes:
    if not isinstance(source, str):
        buffer, offset, length = source
        return bytes(memoryview(buffer)[offset : offset + length])
    try:
        with open(source, "rb") as file:
            return file.read()
    except OSError as error:
        raise ImageFault(CANNOT_OPEN, error.strerror or str(error)) from None


def _open(file: Any, max_pixels: int) -> Image:
    from PIL import Image as images
    from PIL import UnidentifiedImageError

    try:
        image = images.open(file, formats=_FORMATS)
    except UnidentifiedImageError:
        raise ImageFault(NOT_AN_IMAGE, "not a JPEG or PNG image") from None
    except (images.DecompressionBombError, images.DecompressionBombWarning):
        raise ImageFault(TOO_LARGE, f"more than {max_pixels} pixels") from None
    except Exception as error:
        raise ImageFault(CORRUPT, f"truncated or corrupt ({error})") from None
    if image.width * image.height > max_pixels:
        raise ImageFault(TOO_LARGE, f"{image.width} x {image.height} pixels are more than {max_pixels}")
    return image


def _decode(encoded: bytes, record: Any, max_pixels: int) -> Image:
    """Decode to RGB or L, and turn as the EXIF tag says where asked for."""
    image = _open(io.BytesIO(encoded), max_pixels)
    try:
        image.load()
        turn = _turn(image) if record["orient"] else None
        image = _converted(image, "RGB" if record["channels"] == 3 else "L")
        return image if turn is None else image.transpose(turn)
    except MemoryError:
        raise ImageFault(OUT_OF_MEMORY, f"no memory for {image.width} x {image.height} pixels") from None
    except Exception as error:  # Pillow raises OSError, SyntaxError, ValueError, struct.error and more
        raise ImageFault(CORRUPT, f"truncated or corrupt ({error})") from None


def _converted(image: Image, mode: str) -> Image:
    from PIL import Image as images

    if image.mode in _SIXTEEN_BIT:
        image = images.fromarray((np.asarray(image) >> 8).astype(np.uint8))
    elif image.mode == "PA" or (image.mode == "P" and "transparency" in image.info):
        image = image.convert("RGBA")
    image.info.pop("transparency", None)
    return image if image.mode == mode else image.convert(mode)


def _turn(image: Image) -> Any:
    """Return the transposition that the EXIF tag asks for, None for none or an unreadable tag."""
    from PIL.Image import Transpose

    turns = (
        Transpose.FLIP_LEFT_RIGHT, Transpose.ROTATE_180, Transpose.FLIP_TOP_BOTTOM, Transpose.TRANSPOSE,
        Transpose.ROTATE_270, Transpose.TRANSVERSE, Transpose.ROTATE_90,
    )  # fmt: skip
    try:
        tag = image.getexif().get(_ORIENTATION, 1)
    except Exception:  # a broken tag is not a broken image
        return None
    return turns[tag - 2] if isinstance(tag, int) and 2 <= tag <= 8 else None


def _place(image: Image, record: Any, size: tuple[int, int], filter_code: int) -> Image:
    """Resize, crop and mirror to an output of (height, width)."""
    from PIL.Image import Resampling, Transpose

    filters = (Resampling.NEAREST, Resampling.BOX, Resampling.BILINEAR, Resampling.BICUBIC, Resampling.LANCZOS)
    chosen = filters[filter_code]
    height, width = size
    if record["mode"] == REGION:
        image = image.crop(_region(image, record)).resize((width, height), chosen)
    else:
        image = image.resize(_resized(image, record), chosen) if record["mode"] in (EXACT, SHORTER) else image
        if image.height < height or image.width < width:
            raise ImageFault(
                CROP_TOO_LARGE, f"a crop of {width} x {height} is larger than {image.width} x {image.height}"
            )
        left, top = _offset(record["cu"], image.width, width), _offset(record["cv"], image.height, height)
        image = image.crop((left, top, left + width, top + height))
    return image.transpose(Transpose.FLIP_LEFT_RIGHT) if record["flip"] else image


def _resized(image: Image, record: Any) -> tuple[int, int]:
    """Return (width, height) after resizing."""
    if record["mode"] == EXACT:
        return int(record["rw"]), int(record["rh"])
    short = int(record["rh"])
    if image.height <= image.width:
        return int(short * image.width / image.height), short
    return short, int(short * image.height / image.width)


def _region(image: Image, record: Any) -> tuple[int, int, int, int]:
    """Return left, top, right, bottom of the part that is used."""
    area = float(record["area"]) * image.width * image.height
    ratio = float(record["ratio"])
    width = min(image.width, max(1, round((area * ratio) ** 0.5)))
    height = min(image.height, max(1, round((area / ratio) ** 0.5)))
    left, top = _offset(record["cu"], image.width, width), _offset(record["cv"], image.height, height)
    return left, top, left + width, top + height


def _offset(position: Any, size: int, crop: int) -> int:
    if position < 0:
        return round((size - crop) / 2)
    return min(size - crop, int(float(position) * (size - crop + 1)))


def _write(
    image: Image, out: npt.NDArray[Any], record: Any, mean: Sequence[float], std: Sequence[float], nchw: bool,
    cut_fill: float,
) -> None:  # fmt: skip
    colours.write(image, out, mean=mean, std=std, nchw=nchw)
    rows, columns = colours.cut_box(record, image.height, image.width)
    value = colours.as_output(cut_fill, out.dtype)
    if nchw:
        out[:, rows, columns] = value
    else:
        out[rows, columns] = value


def _size(source: Item) -> tuple[int, int, int]:
    try:
        image = _open(source if isinstance(source, str) else io.BytesIO(_read(source)), MAX_PIXELS)
    except (ImageFault, OSError):
        return 0, 0, 0
    with image:
        return image.height, image.width, 3 if image.mode == "P" else len(image.getbands())
