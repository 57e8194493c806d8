"""Write the inputs that fuzzing begins with: small good files of every kind, each behind bytes that choose a plan."""

from __future__ import annotations

import argparse
import struct
import sys
import zlib
from pathlib import Path

CHOICES = 16
PNG_KINDS = [(0, 1), (0, 4), (0, 8), (0, 16), (2, 8), (2, 16), (3, 2), (3, 8), (4, 8), (6, 8), (6, 16)]
SAMPLES = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}
ADAM7 = ((0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4), (0, 2, 2, 4), (1, 0, 2, 2), (0, 1, 1, 2))


def chunk(name: bytes, data: bytes) -> bytes:
    """A chunk of a PNG file."""
    return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))


def write_png(colour: int, depth: int, *, interlaced: bool) -> bytes:
    """A picture of 13 x 21 pixels whose rows use all filters."""
    height, width = 13, 21
    raw = b""
    for x, y, dx, dy in ADAM7 if interlaced else ((0, 0, 1, 1),):
        length = (len(range(x, width, dx)) * SAMPLES[colour] * depth + 7) // 8
        for row in range(y, height, dy):
            if length:
                raw += bytes([row % 5]) + bytes((7 * row + 3 * i) % 256 for i in range(length))
    header = struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, int(interlaced))
    palette = chunk(b"PLTE", bytes(range(3 * (1 << depth)))) if colour == 3 and depth < 8 else b""
    palette = chunk(b"PLTE", bytes(i % 256 for i in range(768))) if colour == 3 and depth == 8 else palette
    data = chunk(b"IDAT", zlib.compress(raw))
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + palette + data + chunk(b"IEND", b"")


def main() -> int:
    """Write the files; returns the status."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    folder = parser.parse_args().folder
    files = [path.read_bytes() for path in sorted(Path("tests/native/jpegs").glob("*.jpg"))]
    files += [write_png(colour, depth, interlaced=kind) for colour, depth in PNG_KINDS for kind in (False, True)]
    for number, content in enumerate(files):
        for turn in range(4):
            choices = bytes((37 * number + 11 * turn + 53 * i * (turn + 1)) % 256 for i in range(CHOICES))
            (folder / f"{number:02d}-{turn}").write_bytes(choices + content)
    return 0


if __name__ == "__main__":
    sys.exit(main())
