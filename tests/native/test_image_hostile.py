"""Files that are cut short, damaged, random or lie about their size: an error with a reason, never a crash."""

from __future__ import annotations

import resource
import struct
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

KINDS = ("jpeg", "progressive", "restart", "grey", "cmyk", "png", "interlaced", "palette")


@pytest.fixture(scope="module")
def samples(loading: Any) -> dict[str, bytes]:
    """A good file of each kind, 45 x 61 pixels."""
    from PIL import Image

    picture = loading.picture(45, 61, 1)
    ink = np.dstack([picture, picture[:, :, 0]])
    wide = picture.astype(np.int64)
    return {
        "jpeg": loading.encode(picture, "JPEG", quality=85),
        "progressive": loading.encode(picture, "JPEG", quality=85, progressive=True),
        "restart": loading.encode(picture, "JPEG", quality=85, restart_marker_rows=1, subsampling="4:2:2"),
        "grey": loading.encode(picture[:, :, 0].copy(), "JPEG", quality=85),
        "cmyk": loading.encode(Image.frombytes("CMYK", (61, 45), ink.tobytes()), "JPEG", quality=85),
        "png": loading.write_png(wide, depth=8, colour=2, pieces=3),
        "interlaced": loading.write_png(wide * 257, depth=16, colour=2, interlaced=True),
        "palette": loading.write_png(wide[:, :, :1] >> 4, depth=4, colour=3, palette=loading.picture(1, 16, 2)[0]),
    }


def attempt(loading: Any, data: bytes) -> tuple[int, str]:
    """Load damaged bytes whole and in part; the result has to be complete or all zero."""
    outcome = (0, "")
    for size, fields in (((45, 61), {}), ((9, 7), {"mode": 1, "rh": 20, "rw": 20, "filter": 3, "cv": 0.0})):
        status, message, out = loading.load(data, size, **fields)
        assert 0 <= status <= 6
        assert (status == 0) == (message == "")
        assert status == 0 or not out.any()
        outcome = max(outcome, (status, message))
    loading.pool.sizes([(data, 0, len(data))])
    return outcome


@pytest.mark.parametrize("kind", KINDS)
def test_cut_short_anywhere(loading: Any, samples: dict[str, bytes], kind: str) -> None:
    data = samples[kind]
    assert attempt(loading, data)[0] == 0
    lengths = {*range(0, len(data), 64), *range(1, 40), *range(len(data) - 20, len(data))}
    for length in lengths:
        status, message = attempt(loading, data[:length])
        assert status in (2, 3), length
        assert message.startswith("<buffer>: ")
        if length > 8:
            assert status == 3, length


@pytest.mark.parametrize("kind", KINDS)
def test_flipped_bits(loading: Any, samples: dict[str, bytes], kind: str) -> None:
    rng = np.random.default_rng(7)
    for _ in range(400):
        damaged = bytearray(samples[kind])
        for place in rng.integers(0, len(damaged), rng.integers(1, 4)):
            damaged[place] ^= 1 << rng.integers(0, 8)
        attempt(loading, bytes(damaged))


@pytest.mark.parametrize("kind", KINDS)
def test_bytes_replaced_moved_and_lost(loading: Any, samples: dict[str, bytes], kind: str) -> None:
    rng = np.random.default_rng(8)
    for _ in range(200):
        data = bytearray(samples[kind])
        a, b = sorted(rng.integers(0, len(data), 2).tolist())
        change = rng.integers(0, 4)
        if change == 0:
            data[a : a + 8] = rng.bytes(8)
        elif change == 1:
            del data[a : min(b, a + 50)]
        elif change == 2:
            data[a:a] = data[b : b + 50]
        else:
            data[a : a + 4] = b"\xff" * 4
        attempt(loading, bytes(data))


@pytest.mark.parametrize("start", [b"", b"\xff\xd8\xff", b"\xff\xd8\xff\xe0", b"\x89PNG\r\n\x1a\n"], ids=repr)
def test_random_bytes(loading: Any, start: bytes) -> None:
    rng = np.random.default_rng(9)
    for length in (0, 1, 7, 100, 5000):
        for _ in range(30):
            assert attempt(loading, start + rng.bytes(length))[0] in (2, 3, 4)


@given(data=st.binary(max_size=300), kind=st.sampled_from(KINDS), place=st.floats(0, 1))
@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_anything_anywhere(loading: Any, samples: dict[str, bytes], data: bytes, kind: str, place: float) -> None:
    good = samples[kind]
    at = int(place * len(good))
    attempt(loading, good[:at] + data + good[at + len(data) :])


def header(width: int, height: int, *, depth: int = 8, colour: int = 2) -> bytes:
    """A PNG of that size with almost no data."""

    def chunk(name: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))

    parts = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + parts + chunk(b"IDAT", zlib.compress(bytes(5000))) + chunk(b"IEND", b"")


def resized_jpeg(data: bytes, height: int, width: int) -> bytes:
    """A JPEG whose header says another size."""
    at = max(data.find(b"\xff\xc0"), data.find(b"\xff\xc2"))
    return data[: at + 5] + struct.pack(">HH", height, width) + data[at + 9 :]


@pytest.mark.parametrize("size", [(65500, 65500), (2**31 - 1, 1), (2**31 - 1, 2**31 - 1), (1, 2**28)], ids=str)
def test_bombs_are_refused(loading: Any, size: tuple[int, int]) -> None:
    status, message, _ = loading.load(header(*size), (8, 8))
    assert status == 4
    assert "pixels are more than the limit of 178956970" in message


@pytest.mark.parametrize("kind", ["jpeg", "progressive", "png"])
def test_a_size_that_the_data_cannot_fill_costs_no_memory(loading: Any, samples: dict[str, bytes], kind: str) -> None:
    data = header(13000, 13000) if kind == "png" else resized_jpeg(samples[kind], 13000, 13000)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    status, message, _ = loading.load(data, (8, 8), mode=1, rh=8, rw=8)
    assert status == 3, message
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 100_000


def test_a_real_bomb_is_inflated_no_further_than_its_size(loading: Any) -> None:
    data = loading.write_png(np.zeros((4, 4, 3), np.int64), depth=8, colour=2)
    start, end = data.index(b"IDAT") - 4, data.index(b"IEND") - 4
    bomb = data[:start] + loading.chunk(b"IDAT", zlib.compress(bytes(200_000_000))) + data[end:]
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    status, message, _ = loading.load(bomb, (4, 4))
    assert status == 3
    assert "longer than the image" in message
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 20_000


def test_many_scans(loading: Any, samples: dict[str, bytes]) -> None:
    """A progressive file may repeat a scan as often as it likes; each costs the time of a whole image."""
    data = samples["progressive"]
    scan = data.rindex(b"\xff\xda")
    status, message, _ = loading.load(data[:scan] + data[scan:-2] * 600 + data[-2:], (45, 61))
    assert status == 3
    assert "more than 500 scans" in message


def test_trailing_bytes_are_harmless(loading: Any, samples: dict[str, bytes]) -> None:
    for kind in KINDS:
        expected = loading.pixels(samples[kind], (45, 61))
        np.testing.assert_array_equal(loading.pixels(samples[kind] + b"\0" * 100, (45, 61)), expected)


def test_stray_bytes_before_a_marker_are_harmless(loading: Any, samples: dict[str, bytes]) -> None:
    data = samples["jpeg"]
    tables = data.index(b"\xff\xdb")
    expected = loading.pixels(data, (45, 61))
    np.testing.assert_array_equal(loading.pixels(data[:tables] + b"xyz" + data[tables:], (45, 61)), expected)


def test_end_is_asked_for_even_where_the_crop_does_not_reach(loading: Any, samples: dict[str, bytes]) -> None:
    for kind in ("jpeg", "grey", "restart"):
        status, message, _ = loading.load(samples[kind][:-2], (8, 8), cu=0.0, cv=0.0)
        assert status == 3
        assert "truncated" in message


def test_changed_while_it_is_read(loading: Any, samples: dict[str, bytes], tmp_path: Path) -> None:
    """A file that is shorter than it said counts as truncated."""
    path = tmp_path / "short.jpg"
    path.write_bytes(samples["jpeg"][: len(samples["jpeg"]) // 2])
    status, message, _ = loading.load(path, (45, 61))
    assert status == 3
    assert message.startswith(f"{path}: ")
