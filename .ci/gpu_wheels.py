"""Fills a folder with the wheels that a GPU machine without network may lack; run it where there is one."""

from __future__ import annotations

import argparse
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]

# To build, to run the measuring program and to run the tests; torch, NumPy, CMake and nvcc have to be there.
PACKAGES = (
    "setuptools",
    "pybind11",
    "click",
    "platformdirs",
    "nvtx",
    "pytest",
    "pluggy",
    "iniconfig",
    "packaging",
    "pygments",
    "hypothesis",
    "sortedcontainers",
)
PLATFORMS = ("manylinux_2_28_x86_64", "manylinux_2_17_x86_64", "manylinux2014_x86_64", "manylinux_2_5_x86_64")


def main() -> int:
    """Download them; returns pip's status."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--wheels", type=Path, default=Path("wheels"), help="folder to fill")
    parser.add_argument("--python", default="3.12", help="version of the machine's Python")
    options = parser.parse_args()
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--only-binary=:all:"]
    command += ["--python-version", options.python, "--implementation", "cp", "--dest", str(options.wheels)]
    command += [part for platform in PLATFORMS for part in ("--platform", platform)]
    return subprocess.run([*command, "-c", str(ROOT / "constraints.txt"), *PACKAGES], cwd=ROOT).returncode


if __name__ == "__main__":
    sys.exit(main())
