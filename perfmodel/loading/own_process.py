"""Modules of this package run as processes: the same interpreter, the same package, wherever the caller stands."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import IO

ROOT = Path(__file__).resolve().parents[2]


def start_module(module: str, *, errors: int | IO[str] = subprocess.PIPE) -> subprocess.Popen[str]:
    """Start ``python -m module`` with pipes for text; the current folder is not looked in for modules."""
    inherited = os.environ.get("PYTHONPATH")
    path = f"{ROOT}{os.pathsep}{inherited}" if inherited else str(ROOT)
    return subprocess.Popen(
        [sys.executable, "-P", "-m", module], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=errors, text=True,
        env=os.environ | {"PYTHONPATH": path},
    )  # fmt: skip
