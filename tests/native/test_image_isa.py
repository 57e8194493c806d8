"""Every instruction set gives the same bits."""

from __future__ import annotations

import os
import pickle
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

CODE = """
import hashlib, pickle, sys
import numpy as np
from perfmodel import _cpu
files, plan_fields = pickle.load(open(sys.argv[1], "rb"))
pool = _cpu.ImagePool(1)
digest = hashlib.sha256()
for number, data in enumerate(files):
    for filter in range(5):
        for height, width in ((61, 63), (20, 128), (90, 33)):
            plan = np.zeros(1, _cpu.plan_dtype())
            for name, value in plan_fields.items():
                plan[name] = value
            plan["filter"], plan["rh"], plan["rw"], plan["flip"] = filter, height + 2, width + 3, filter % 2
            for dtype in (np.float32, np.float16, np.uint16, np.uint8):
                for layout in ("nchw", "nhwc"):
                    shape = (1, 3, height, width) if layout == "nchw" else (1, height, width, 3)
                    out = np.zeros(shape, dtype)
                    options = {"layout": layout, "mean": (0.4,), "std": (0.2,)}
                    status, messages = pool.load([(data, 0, len(data))], plan, out, **options)
                    assert status[0] == 0, messages
                    digest.update(out.tobytes())
print(_cpu.isa(), digest.hexdigest())
"""


def files_of(loading: Any) -> list[bytes]:
    """Files that between them use every kernel."""
    large, small = loading.picture(97, 131, 1, spread=90.0), loading.picture(9, 5, 2)
    files = [loading.encode(large, "JPEG", subsampling=kind) for kind in ("4:4:4", "4:2:2", "4:2:0")]
    files += [
        loading.encode(picture, format) for picture in (small, large[:, :, 0].copy()) for format in ("JPEG", "PNG")
    ]
    alpha = np.dstack([large, large[:, :, 0]]).astype(np.int64)
    for colour, depth in ((0, 8), (0, 16), (2, 8), (2, 16), (4, 8), (6, 8), (6, 16)):
        count = {0: 1, 2: 3, 4: 2, 6: 4}[colour]
        samples = alpha[:, :, :count] * (257 if depth == 16 else 1)
        files += [loading.write_png(samples, depth=depth, colour=colour, interlaced=kind) for kind in (False, True)]
    return files


def run(path: Path, isa: str) -> str:
    environment = os.environ | {"PERFMODEL_ISA": isa}
    result = subprocess.run(
        [sys.executable, "-c", CODE, str(path)], env=environment, capture_output=True, text=True, timeout=300
    )
    assert result.returncode == 0, result.stderr
    name, digest = result.stdout.split()
    assert name == isa
    return digest


def test_same_bits(loading: Any, tmp_path: Path) -> None:
    fields = {
        "mode": 1, "channels": 3, "order": [0, 1, 2, 3], "brightness": 1, "contrast": 1, "saturation": 1, "cu": 0.6,
        "cv": 0.3,
    }  # fmt: skip
    path = tmp_path / "files"
    path.write_bytes(pickle.dumps((files_of(loading), fields)))
    names = [name for name, _, supported in loading.module.isas() if supported]
    if len(names) == 1:
        pytest.skip("this processor has no other instruction set")
    assert len({run(path, name) for name in names}) == 1
