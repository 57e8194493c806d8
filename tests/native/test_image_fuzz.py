"""A short pass of the fuzz target; ``make fuzz`` runs it for longer."""

from __future__ import annotations

import importlib.util
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


def can_fuzz(folder: Path) -> bool:
    """Whether clang has libFuzzer and finds the image libraries."""
    source = folder / "probe.cpp"
    source.write_text(
        "#include <cstdio>\n#include <cstdint>\n#include <jpeglib.h>\n#include <libdeflate.h>\n"
        'extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t*, std::size_t) { return 0; }\n'
    )
    command = ["clang++", "-fsanitize=fuzzer,address", str(source), "-o", str(folder / "probe")]
    return subprocess.run(command, capture_output=True).returncode == 0


@pytest.mark.slow
def test_a_short_pass(tmp_path: Path) -> None:
    for tool in ("clang++", "cmake"):
        if shutil.which(tool) is None:
            pytest.skip(f"{tool} is not installed")
    if importlib.util.find_spec("pybind11") is None:
        pytest.skip("pybind11 is not installed")
    if not can_fuzz(tmp_path):
        pytest.skip("clang++ has no libFuzzer here, or does not find libjpeg and libdeflate")
    environment = os.environ | {"PYTHON": sys.executable}
    result = subprocess.run(
        [str(ROOT / ".ci" / "fuzz"), "10"], cwd=ROOT, env=environment, capture_output=True, text=True, timeout=600
    )
    assert result.returncode == 0, (result.stdout + result.stderr)[-5000:]
    assert "Done " in result.stderr
