"""The inner loops for 64-bit Arm against the portable ones: there, or here in an emulator."""

from __future__ import annotations

import os
import platform
import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
CROSS, EMULATOR = "aarch64-linux-gnu-g++", "qemu-aarch64"


@pytest.mark.slow
def test_neon_gives_the_portable_bits() -> None:
    native = platform.machine() == "aarch64"
    if not native and (shutil.which(CROSS) is None or shutil.which(EMULATOR) is None):
        pytest.skip(f"{CROSS} or {EMULATOR} is not installed (apt install g++-aarch64-linux-gnu qemu-user)")
    environment = dict(os.environ) if native else os.environ | {"CXX": CROSS}
    command = [str(ROOT / ".ci" / "kernels"), "neon", *([] if native else [EMULATOR])]
    result = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=600)
    assert result.returncode == 0, result.stdout + result.stderr
    assert result.stdout.strip() == "neon: 0 differences"
