"""What both pools do: each case against Pillow called directly, on every format, shape and kind of damage."""

from __future__ import annotations

import contextlib
import io
import os
import struct
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from perfmodel.errors import PerfmodelError
from perfmodel.loading.plan import EXACT, KEEP, REGION, SHORTER
from perfmodel.loading.pools import chosen_backend, make_pool, plan_dtype

Save = Callable[..., Path]
BACKENDS = ("pillow", "native")


@pytest.fixture(scope="module", params=BACKENDS)
def backend(request: pytest.FixtureRequest) -> str:
    name: str = request.param
    try:
        return chosen_backend(name)
    except PerfmodelError as error:
        pytest.skip(str(error))


@pytest.fixture(scope="module")
def pool(backend: str) -> Iterator[Any]:
    found = make_pool(backend, 3)
    yield found
    found.close()


def plan(backend: str, count: int = 1, **fields: Any) -> npt.NDArray[np.void]:
    """Records with nothing switched on but what is given."""
    records = np.zeros(count, dtype=plan_dtype(backend))
    defaults = {
        "channels": 3, "filter": 2, "order": [0, 1, 2, 3], "brightness": 1, "contrast": 1, "saturation": 1,
        "cu": -1, "cv": -1,
    }  # fmt: skip
    for name, value in (defaults | fields).items():
        records[name] = value
    return records


def load_one(pool: Any, backend: str, source: Any, size: tuple[int, int], **fields: Any) -> npt.NDArray[Any]:
    """One image as uint8 (H, W, C)."""
    channels = fields.get("channels", 3)
    out = np.full((1, *size, channels), 77, dtype=np.uint8)
    status, messages = pool.load([source], plan(backend, **fields), out, layout="nhwc")
    assert status.tolist() == [0], messages
    assert messages == []
    return out[0]


def close(backend: str, found: npt.NDArray[Any], expected: Any, *, lossless: bool = False) -> None:
    """Equal for the reference; within the limits of the issue for the native pool."""
    wanted = np.asarray(expected)
    wanted = wanted[:, :, None] if wanted.ndim == 2 else wanted
    assert found.shape == wanted.shape
    error = np.abs(found.astype(np.float64) - wanted)
    if backend == "pillow":
        assert error.max() == 0
    elif lossless:
        assert error.mean() <= 0.4
        assert error.max() <= 4
    else:
        assert error.mean() <= 0.5
        assert np.quantile(error, 0.999) <= 2.5
        assert error.max() <= 24


def opened(path: Path, mode: str = "RGB") -> Any:
    from PIL import Image

    with Image.open(path) as image:
        return image.convert(mode)


def filters() -> tuple[Any, ...]:
    from PIL.Image import Resampling as R

    return (R.NEAREST, R.BOX, R.BILINEAR, R.BICUBIC, R.LANCZOS)


FORMATS: dict[str, dict[str, Any]] = {
    "444.jpg": {"quality": 90, "subsampling": 0},
    "422.jpg": {"quality": 90, "subsampling": 1},
    "420.jpg": {"quality": 90, "subsampling": 2},
    "411.jpg": {"quality": 90, "subsampling": "4:1:1"},
    "progressive.jpg": {"quality": 85, "progressive": True},
    "optimized.jpg": {"quality": 60, "optimize": True},
    "grey.jpg": {"mode": "L", "quality": 90},
    "cmyk.jpg": {"mode": "CMYK", "quality": 95},
    "rgb.png": {},
    "grey.png": {"mode": "L"},
    "alpha.png": {"mode": "RGBA"},
    "greyalpha.png": {"mode": "LA"},
    "palette.png": {"mode": "P"},
    "bits.png": {"mode": "1"},
    "stored.png": {"compress_level": 0},
}


@pytest.fixture(scope="module")
def formats(tmp_path_factory: pytest.TempPathFactory, save: Save) -> dict[str, Path]:
    root = tmp_path_factory.mktemp("formats")
    return {name: save(root / name, 11, height=93, width=131, **dict(opts)) for name, opts in FORMATS.items()}


@pytest.mark.parametrize("name", FORMATS)
@pytest.mark.parametrize("channels", [3, 1])
def test_formats(pool: Any, backend: str, formats: dict[str, Path], name: str, channels: int) -> None:
    path = formats[name]
    image = opened(path, "RGB" if channels == 3 else "L").resize((64, 48), filters()[3])
    found = load_one(pool, backend, str(path), (48, 64), mode=EXACT, rh=48, rw=64, filter=3, channels=channels)
    close(backend, found, image, lossless=name.endswith("png"))


@pytest.mark.parametrize("name", FORMATS)
def test_content_decides_not_the_name(
    pool: Any, backend: str, formats: dict[str, Path], tmp_path: Path, name: str
) -> None:
    other = tmp_path / ("x.jpg" if name.endswith("png") else "x.png")
    other.write_bytes(formats[name].read_bytes())
    same = load_one(pool, backend, str(formats[name]), (40, 40), mode=EXACT, rh=40, rw=40)
    assert (load_one(pool, backend, str(other), (40, 40), mode=EXACT, rh=40, rw=40) == same).all()


@pytest.mark.parametrize("filter_code", range(5))
@pytest.mark.parametrize("size", [(24, 31), (93, 131), (150, 170), (1, 1), (93, 7)])
@pytest.mark.parametrize("name", ["420.jpg", "444.jpg", "rgb.png"])
def test_filters_up_and_down(
    pool: Any, backend: str, formats: dict[str, Path], filter_code: int, size: tuple[int, int], name: str
) -> None:
    image = opened(formats[name]).resize(size[::-1], filters()[filter_code])
    path = str(formats[name])
    found = load_one(pool, backend, path, size, mode=EXACT, rh=size[0], rw=size[1], filter=filter_code)
    close(backend, found, image, lossless=name.endswith("png"))


@pytest.mark.parametrize(("height", "width"), [(80, 120), (120, 80), (100, 100), (61, 333)])
def test_shorter_side_and_centre(pool: Any, backend: str, save: Save, tmp_path: Path, height: int, width: int) -> None:
    path = save(tmp_path / "a.png", 3, height=height, width=width)
    short = 50
    new = (int(short * width / height), short) if height <= width else (short, int(short * height / width))
    left, top = round((new[0] - 45) / 2), round((new[1] - 44) / 2)
    image = opened(path).resize(new, filters()[2]).crop((left, top, left + 45, top + 44))
    found = load_one(pool, backend, str(path), (44, 45), mode=SHORTER, rh=short)
    close(backend, found, image, lossless=True)


@pytest.mark.parametrize("flip", [0, 1])
@pytest.mark.parametrize(("u", "v"), [(0.0, 0.0), (0.5, 0.3), (0.9999999, 0.9999999), (-1, -1), (0.25, -1)])
def test_crop_and_flip(pool: Any, backend: str, formats: dict[str, Path], flip: int, u: float, v: float) -> None:
    def at(c: float, space: int) -> int:
        return round(space / 2) if c < 0 else min(space, int(float(np.float32(c)) * (space + 1)))

    image = opened(formats["rgb.png"]).resize((80, 70), filters()[3])
    left, top = at(u, 80 - 33), at(v, 70 - 22)
    wanted = np.asarray(image)[top : top + 22, left : left + 33]
    found = load_one(
        pool, backend, str(formats["rgb.png"]), (22, 33), mode=EXACT, rh=70, rw=80, cu=u, cv=v, flip=flip, filter=3
    )
    close(backend, found, wanted[:, ::-1] if flip else wanted, lossless=True)


@pytest.mark.parametrize("box", [(10, 5, 60, 40), (0, 0, 131, 93), (130, 92, 1, 1), (3, 80, 128, 13)])
@pytest.mark.parametrize("size", [(32, 48), (5, 5), (93, 131)])
@pytest.mark.parametrize("name", ["420.jpg", "rgb.png"])
def test_regions(
    pool: Any, backend: str, formats: dict[str, Path], box: tuple[int, int, int, int], size: tuple[int, int], name: str
) -> None:
    left, top, width, height = box
    fields = {
        "area": width * height / (131 * 93), "ratio": width / height,
        "cu": (left + 0.5) / (131 - width + 1), "cv": (top + 0.5) / (93 - height + 1),
    }  # fmt: skip
    part = opened(formats[name]).crop((left, top, left + width, top + height))
    found = load_one(pool, backend, str(formats[name]), size, mode=REGION, **fields)
    close(backend, found, part.resize(size[::-1], filters()[2]), lossless=name.endswith("png"))


def test_as_it_is(pool: Any, backend: str, formats: dict[str, Path]) -> None:
    found = load_one(pool, backend, str(formats["rgb.png"]), (93, 131), mode=KEEP)
    assert (found == np.asarray(opened(formats["rgb.png"]))).all()
    found = load_one(pool, backend, str(formats["grey.png"]), (93, 131), mode=KEEP, channels=1)
    assert (found[:, :, 0] == np.asarray(opened(formats["grey.png"], "L"))).all()


@pytest.mark.parametrize("tag", range(1, 9))
@pytest.mark.parametrize("apply", [0, 1])
def test_orientation(pool: Any, backend: str, save: Save, tmp_path: Path, tag: int, apply: int) -> None:
    from PIL import Image, ImageOps

    exif = Image.Exif()
    exif[0x0112] = tag
    path = save(tmp_path / "turned.jpg", 5, height=60, width=90, quality=95, subsampling=0, exif=exif.tobytes())
    with Image.open(path) as image:
        turned = ImageOps.exif_transpose(image) if apply else image.copy()
    size = (turned.height, turned.width)
    found = load_one(pool, backend, str(path), size, mode=KEEP, orient=apply)
    close(backend, found, turned)


@pytest.mark.parametrize(
    ("fields", "enhance"),
    [
        ({"brightness": 1.4}, "Brightness"),
        ({"brightness": 0.3}, "Brightness"),
        ({"contrast": 1.7}, "Contrast"),
        ({"contrast": 0.0}, "Contrast"),
        ({"saturation": 0.2}, "Color"),
        ({"saturation": 1.8}, "Color"),
    ],
)
def test_single_colour_changes(
    pool: Any, backend: str, formats: dict[str, Path], fields: dict[str, float], enhance: str
) -> None:
    from PIL import ImageEnhance

    factor = float(np.float32(next(iter(fields.values()))))
    image = getattr(ImageEnhance, enhance)(opened(formats["rgb.png"])).enhance(factor)
    close(backend, load_one(pool, backend, str(formats["rgb.png"]), (93, 131), **fields), image, lossless=True)


@pytest.mark.parametrize("shift", [0.1, -0.1, 0.5, -0.5])
def test_hue(pool: Any, backend: str, formats: dict[str, Path], shift: float) -> None:
    from PIL import Image

    h, s, v = opened(formats["rgb.png"]).convert("HSV").split()
    turned = Image.fromarray(np.asarray(h) + np.int32(float(np.float32(shift)) * 255).astype(np.uint8))
    image = np.asarray(Image.merge("HSV", (turned, s, v)).convert("RGB")).astype(int)
    found = load_one(pool, backend, str(formats["rgb.png"]), (93, 131), hue=shift).astype(int)
    error = np.abs(found - image)
    limit = 0 if backend == "pillow" else 8  # HSV of 8 bits is coarse; a float computation differs by its steps
    assert error.max() <= limit
    assert error.mean() <= 2.5


def test_colour_changes_follow_their_order(pool: Any, backend: str, formats: dict[str, Path]) -> None:
    from PIL import ImageEnhance

    image = opened(formats["rgb.png"])
    results = []
    for order in ([0, 1, 2, 3], [1, 0, 2, 3]):
        wanted = image
        for step in order[:2]:
            tool = ImageEnhance.Brightness if step == 0 else ImageEnhance.Contrast
            wanted = tool(wanted).enhance(1.5)
        found = load_one(pool, backend, str(formats["rgb.png"]), (93, 131), order=order, brightness=1.5, contrast=1.5)
        close(backend, found, wanted, lossless=True)
        results.append(found)
    assert (results[0] != results[1]).any()


def test_contrast_is_about_the_mean_of_the_crop(pool: Any, backend: str, formats: dict[str, Path]) -> None:
    from PIL import ImageEnhance

    part = opened(formats["rgb.png"]).crop((0, 0, 40, 30))
    found = load_one(pool, backend, str(formats["rgb.png"]), (30, 40), cu=0, cv=0, contrast=0.5)
    close(backend, found, ImageEnhance.Contrast(part).enhance(0.5), lossless=True)


@pytest.mark.parametrize(
    ("layout", "dtype"), [(a, d) for a in ("nchw", "nhwc") for d in ("float32", "float16", "bfloat16", "uint8")]
)
def test_types_and_layouts(pool: Any, backend: str, formats: dict[str, Path], layout: str, dtype: str) -> None:
    mean, std = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
    size, paths = (20, 26), [str(formats["rgb.png"]), str(formats["444.jpg"])]
    bytes_ = [load_one(pool, backend, path, size, mode=EXACT, rh=20, rw=26) for path in paths]
    shape = (2, 3, *size) if layout == "nchw" else (2, *size, 3)
    out = np.zeros(shape, dtype={"bfloat16": "uint16"}.get(dtype, dtype))
    pool.load(paths, plan(backend, 2, mode=EXACT, rh=20, rw=26), out, mean=mean, std=std, layout=layout)
    if dtype == "bfloat16":
        assert (out & 0x7FFF).max() < 0x7F80, "no infinities"
        values = (out.astype(np.uint32) << 16).view(np.float32)
    else:
        values = out
    values = values.transpose(0, 2, 3, 1) if layout == "nchw" else values
    wanted = np.stack(bytes_).astype(np.float64)
    if dtype != "uint8":
        wanted = (wanted / 255 - mean) / std
    step = 0.0 if backend == "pillow" else (1 / 255 / 0.224 if dtype != "uint8" else 0)
    relative = {"float32": 1e-6, "float16": 2**-11, "bfloat16": 2**-8, "uint8": 0}[dtype]
    assert (np.abs(values - wanted) <= step + relative * np.abs(wanted) + 1e-6).all()


def test_bfloat16_rounds_to_even(pool: Any, backend: str, tmp_path: Path) -> None:
    from PIL import Image

    path = tmp_path / "ramp.png"
    Image.fromarray(np.arange(256, dtype=np.uint8).reshape(16, 16)).save(path)
    torch = pytest.importorskip("torch")
    out = np.zeros((1, 1, 16, 16), dtype=np.uint16)
    pool.load([str(path)], plan(backend, channels=1), out, mean=(0.5,), std=(0.25,))
    exact = (np.arange(256, dtype=np.float64) / 255 - 0.5) / 0.25
    wanted = torch.tensor(exact.astype(np.float32)).to(torch.bfloat16).view(torch.int16).numpy().view(np.uint16)
    differing = out.reshape(-1) != wanted
    assert np.abs(out.reshape(-1).astype(int) - wanted)[differing].max(initial=0) <= 1
    assert differing.mean() <= (0.0 if backend == "pillow" else 0.02)


def test_cut_out(pool: Any, backend: str, formats: dict[str, Path]) -> None:
    fields = {"cut_y": 0.25, "cut_x": 0.5, "cut_h": 0.5, "cut_w": 0.75}
    out = np.zeros((1, 3, 40, 48), dtype=np.float32)
    records = plan(backend, mode=EXACT, rh=40, rw=48, **fields)
    pool.load([str(formats["rgb.png"])], records, out, mean=(0.5,) * 3, std=(0.5,) * 3, cut_fill=3.5)
    inside = np.zeros((40, 48), dtype=bool)
    inside[10:30, 24:48] = True
    assert (out[0][:, inside] == 3.5).all()
    assert (np.abs(out[0][:, ~inside]) <= 1).all()


def test_sixteen_bits_keep_their_high_byte(pool: Any, backend: str, tmp_path: Path) -> None:
    values = np.arange(64 * 64, dtype=np.uint16).reshape(64, 64) * 16
    path = tmp_path / "deep.png"
    path.write_bytes(png(values))
    found = load_one(pool, backend, str(path), (64, 64), channels=1)
    assert (found[:, :, 0] == values >> 8).all()
    colour = np.stack([values, values[::-1], values.T], axis=-1)
    path.write_bytes(png(colour))
    assert (load_one(pool, backend, str(path), (64, 64)) == colour >> 8).all()


def png(values: npt.NDArray[np.uint16], *, interlaced: bool = False) -> bytes:
    """Encode 16 bits a sample, by the specification; Adam7 where asked for."""
    height, width = values.shape[:2]
    colour = 2 if values.ndim == 3 else 0

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    passes = [(0, 0, 8, 8), (0, 4, 8, 8), (4, 0, 8, 4), (0, 2, 4, 4), (2, 0, 4, 2), (0, 1, 2, 2), (1, 0, 2, 1)]
    rows = b""
    for top, left, down, right in passes if interlaced else [(0, 0, 1, 1)]:
        part = values[top::down, left::right].astype(">u2")
        if part.size:
            rows += b"".join(b"\0" + row.tobytes() for row in part)
    header = struct.pack(">IIBBBBB", width, height, 16, colour, 0, 0, int(interlaced))
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")


@pytest.mark.parametrize(("height", "width"), [(1, 1), (3, 5), (8, 8), (33, 17)])
def test_interlaced(
    pool: Any, backend: str, scene: Callable[..., Any], tmp_path: Path, height: int, width: int
) -> None:
    values = (scene(2, 40, 40)[:height, :width].astype(np.uint16) << 8) + 7
    path = tmp_path / "interlaced.png"
    path.write_bytes(png(values, interlaced=True))
    assert (load_one(pool, backend, str(path), (height, width)) == values >> 8).all()


def test_bytes_and_files_are_the_same(pool: Any, backend: str, formats: dict[str, Path]) -> None:
    data = formats["420.jpg"].read_bytes()
    for buffer in (
        b"xyz" + data + b"tail",
        memoryview(bytearray(b"xyz" + data)),
        np.frombuffer(b"xyz" + data, np.uint8),
    ):
        found = load_one(pool, backend, (buffer, 3, len(data)), (32, 32), mode=EXACT, rh=32, rw=32)
        assert (found == load_one(pool, backend, str(formats["420.jpg"]), (32, 32), mode=EXACT, rh=32, rw=32)).all()


def damaged(tmp_path: Path, save: Save) -> dict[str, tuple[Path, int]]:
    """Files that must fail, each with its status."""
    jpeg = save(tmp_path / "good.jpg", 1, height=200, width=300, quality=90).read_bytes()
    image = save(tmp_path / "good.png", 1, height=200, width=300).read_bytes()
    contents = {
        "empty.jpg": (b"", 2),
        "text.jpg": (b"this is no image at all, whatever its name", 2),
        "random.png": (np.random.default_rng(0).bytes(5000), 2),
        "truncated.jpg": (jpeg[: len(jpeg) // 2], 3),
        "header.jpg": (jpeg[:20], 3),
        "truncated.png": (image[: len(image) // 2], 3),
        "header.png": (image[:40], 3),
        "bomb.png": (bomb(), 4),
        "scrambled.png": (image[:100] + bytes(500) + image[600:], 3),
    }
    found = {}
    for name, (content, status) in contents.items():
        (tmp_path / name).write_bytes(content)
        found[name] = (tmp_path / name, status)
    return found | {"missing.jpg": (tmp_path / "missing.jpg", 1), "folder.jpg": (_made(tmp_path / "folder.jpg"), 1)}


def _made(path: Path) -> Path:
    path.mkdir()
    return path


def bomb() -> bytes:
    """A PNG that claims 50,000 x 50,000 pixels."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", 50_000, 50_000, 8, 2, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(bytes(100))) + chunk(b"IEND", b"")
    )


def test_damage_is_named_and_the_rest_is_loaded(pool: Any, backend: str, tmp_path: Path, save: Save) -> None:
    bad = damaged(tmp_path, save)
    good = str(tmp_path / "good.png")
    sources = [good, *(str(path) for path, _ in bad.values()), good]
    out = np.full((len(sources), 24, 32, 3), 9, dtype=np.uint8)
    records = plan(backend, len(sources), mode=EXACT, rh=24, rw=32)
    status, messages = pool.load(sources, records, out, layout="nhwc")
    expected = [0, *(code for _, code in bad.values()), 0]
    allowed = [{code} | ({2, 3} if code in (2, 3) else set()) for code in expected]
    assert all(code in fine for code, fine in zip(status.tolist(), allowed, strict=True)), status.tolist()
    assert len(messages) == len(bad)
    for text, (path, _) in zip(messages, bad.values(), strict=True):
        assert text.startswith(f"{path}: ")
        assert "\n" not in text
    assert (out[1:-1] == 0).all()
    assert (out[0] == out[-1]).all()
    assert out[0].any()


def test_a_crop_larger_than_the_image(pool: Any, backend: str, formats: dict[str, Path]) -> None:
    out = np.ones((1, 94, 100, 3), dtype=np.uint8)
    status, messages = pool.load([str(formats["rgb.png"])], plan(backend), out, layout="nhwc")
    assert status.tolist() == [6]
    assert "crop" in messages[0]
    assert not out.any()


def test_the_limit_of_pixels(pool: Any, backend: str, formats: dict[str, Path]) -> None:
    out = np.ones((1, 4, 4, 3), dtype=np.uint8)
    records = plan(backend, mode=EXACT, rh=4, rw=4)
    for name in ("420.jpg", "rgb.png"):
        for limit, code in ((93 * 131, 0), (93 * 131 - 1, 4)):
            status, _ = pool.load([str(formats[name])], records, out, layout="nhwc", max_pixels=limit)
            assert status.tolist() == [code]


def test_sizes(pool: Any, formats: dict[str, Path], tmp_path: Path) -> None:
    (tmp_path / "no.jpg").write_bytes(b"nothing")
    data = formats["rgb.png"].read_bytes()
    sources = [str(formats["420.jpg"]), str(tmp_path / "no.jpg"), (data, 0, len(data)), str(tmp_path / "missing.png")]
    assert pool.sizes(sources)[:, :2].tolist() == [[93, 131], [0, 0], [93, 131], [0, 0]]
    assert pool.sizes([]).shape == (0, 3)


def test_nothing_to_load(pool: Any, backend: str) -> None:
    status, messages = pool.load([], plan(backend, 0), np.zeros((0, 3, 8, 8), dtype=np.float32))
    assert status.shape == (0,)
    assert messages == []


@pytest.mark.parametrize(
    ("count", "shape", "dtype", "layout"),
    [(2, (1, 3, 8, 8), "float32", "nchw"), (1, (1, 3, 8), "float32", "nchw"), (1, (1, 3, 8, 8), "float64", "nchw"),
     (1, (1, 8, 8, 3), "float32", "nchw"), (1, (1, 3, 8, 8), "float32", "chwn")],
)  # fmt: skip
def test_wrong_arguments(
    pool: Any, backend: str, formats: dict[str, Path], count: int, shape: tuple[int, ...], dtype: str, layout: str
) -> None:
    with pytest.raises(ValueError, match=r"."):
        pool.load([str(formats["rgb.png"])], plan(backend, count), np.zeros(shape, dtype=dtype), layout=layout)


@pytest.mark.parametrize(
    "fields",
    [{"mode": 4}, {"filter": 5}, {"mode": EXACT, "rh": 0, "rw": 4}, {"mode": SHORTER},
     {"mode": REGION, "area": 0.0, "ratio": 1.0}, {"mode": REGION, "area": 0.5, "ratio": np.nan}],
)  # fmt: skip
def test_plans_that_make_no_sense(pool: Any, backend: str, formats: dict[str, Path], fields: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"."):
        pool.load([str(formats["rgb.png"])], plan(backend, **fields), np.zeros((1, 3, 8, 8), dtype=np.uint8))


@pytest.mark.parametrize(
    "fields",
    [{"order": [0, 0, 1, 2]}, {"cu": np.inf}, {"brightness": np.nan}, {"hue": 0.7}, {"cut_y": -np.inf, "cut_h": 0.5}],
)
def test_numbers_out_of_range_are_refused_or_harmless(
    pool: Any, backend: str, formats: dict[str, Path], fields: dict[str, Any]
) -> None:
    whole = np.zeros((3, 3, 8, 8), dtype=np.uint8)
    with contextlib.suppress(ValueError):
        pool.load([str(formats["rgb.png"])], plan(backend, **fields), whole[1:2])
    assert not whole[0].any()
    assert not whole[2].any()


def test_threads_change_nothing(backend: str, formats: dict[str, Path]) -> None:
    sources = [str(path) for path in formats.values()] * 3
    records = plan(backend, len(sources), mode=EXACT, rh=50, rw=60, filter=3, brightness=1.2, hue=0.1, flip=1)
    results = []
    for threads in (1, 2, 7):
        found = make_pool(backend, threads)
        out = np.zeros((len(sources), 3, 32, 32), dtype=np.float32)
        status, _ = found.load(sources, records, out)
        found.close()
        assert not status.any()
        results.append(out)
    assert (results[0] == results[1]).all()
    assert (results[0] == results[2]).all()


def test_counters_grow(backend: str, formats: dict[str, Path]) -> None:
    found = make_pool(backend, 2)
    path = formats["420.jpg"]
    out = np.zeros((4, 3, 32, 32), dtype=np.float32)
    found.load([str(path)] * 4, plan(backend, 4, mode=EXACT, rh=32, rw=32), out)
    stages = found.stages()
    assert stages["images"] == 4
    assert stages["bytes"] == 4 * path.stat().st_size
    assert stages["decode"] > 0
    assert set(stages) >= {"read", "decode", "resample", "colour", "write", "images", "bytes"}
    found.close()


def test_closing_is_final_and_repeatable(backend: str) -> None:
    found = make_pool(backend, 2)
    found.close()
    found.close()
    with pytest.raises(ValueError, match="closed"):
        found.load([], plan(backend, 0), np.zeros((0, 3, 8, 8), dtype=np.float32))


def test_a_forked_child_loads(backend: str, formats: dict[str, Path]) -> None:
    found = make_pool(backend, 2)
    path, records = str(formats["420.jpg"]), plan(backend, mode=EXACT, rh=16, rw=16)
    first = np.zeros((1, 3, 16, 16), dtype=np.float32)
    found.load([path], records, first)  # the parent's threads run
    read, write = os.pipe()
    child = os.fork()
    if child == 0:
        out = np.zeros_like(first)
        found.load([path], records, out)
        os.write(write, b"same" if (out == first).all() else b"else")
        os._exit(0)
    os.close(write)
    with io.FileIO(read) as end:
        assert end.read(4) == b"same"
    os.waitpid(child, 0)
    found.close()
