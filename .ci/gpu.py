"""Builds perfmodel for this machine's GPU, runs the tests that need one, and measures; needs no network.

Nothing is installed into the machine's own Python: packages that it lacks come from a folder of wheels, and they and
perfmodel go to out/gpu/site. Only the standard library is used here.
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
import time
from importlib import metadata
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
SITE = ROOT / "out" / "gpu" / "site"
SANITIZERS = ("memcheck", "racecheck", "initcheck", "synccheck")


def say(text: str) -> None:
    """One line of progress."""
    print(f"[{time.strftime('%H:%M:%S')}] {text}", flush=True)


def environment(architecture: str | None) -> dict[str, str]:
    """Variables of the build and of what runs on it."""
    variables = {**os.environ, "PYTHONPATH": str(SITE), "PYTHONUNBUFFERED": "1", "PERFMODEL_NATIVE": "ON"}
    variables["PERFMODEL_CUDA"] = "ON" if architecture else "AUTO"
    if architecture:
        variables.setdefault("CUDAARCHS", architecture)
    return variables


def gpu_architecture() -> str | None:
    """Compute capability of the first GPU as CMake writes it (``90``); None without a GPU."""
    if shutil.which("nvidia-smi") is None:
        return None
    command = ["nvidia-smi", "--id=0", "--query-gpu=compute_cap", "--format=csv,noheader"]
    result = subprocess.run(command, capture_output=True, text=True, timeout=60)
    text = result.stdout.strip().replace(".", "")
    return text if result.returncode == 0 and text.isdigit() else None


def wheel_name(wheel: Path) -> str:
    """Name of the distribution in a wheel."""
    return wheel.name.split("-")[0].replace("_", "-")


def installed(name: str) -> bool:
    """Whether the machine's Python has that distribution."""
    try:
        metadata.version(name)
    except metadata.PackageNotFoundError:
        return False
    return True


def pip(arguments: list[str], variables: dict[str, str]) -> None:
    """Install into the site folder without network."""
    command = [sys.executable, "-m", "pip", "install", "--quiet", "--no-index", "--no-deps", "--upgrade"]
    subprocess.run([*command, "--target", str(SITE), *arguments], cwd=ROOT, env=variables, check=True, timeout=900)


def install_missing(folder: Path, variables: dict[str, str]) -> None:
    """Install those wheels whose package the machine lacks."""
    wheels = [str(wheel) for wheel in sorted(folder.glob("*.whl")) if not installed(wheel_name(wheel))]
    if wheels:
        say(f"from {folder}/: {', '.join(wheel_name(Path(wheel)) for wheel in wheels)}")
        pip(wheels, variables)


def run_tests(variables: dict[str, str]) -> int:
    """Run the tests marked cuda; returns pytest's status."""
    options = ["-m", "cuda", "-q", "-p", "no:cacheprovider", "-W", "default", "--continue-on-collection-errors"]
    command = [sys.executable, "-P", "-m", "pytest", *options]
    try:
        return subprocess.run(command, cwd=ROOT, env=variables, timeout=240).returncode
    except subprocess.TimeoutExpired:
        say("the tests took more than four minutes and were stopped")
        return 1


def find_sanitizer() -> str | None:
    """Path of compute-sanitizer: PATH, or beside the toolkit."""
    home = os.environ.get("CUDA_HOME") or os.environ.get("CUDA_PATH") or "/usr/local/cuda"
    return shutil.which("compute-sanitizer") or shutil.which("compute-sanitizer", path=str(Path(home) / "bin"))


def run_sanitizers(variables: dict[str, str]) -> list[str]:
    """Run the preprocessing kernel under each tool of compute-sanitizer; returns the tools that found something."""
    sanitizer = find_sanitizer()
    if sanitizer is None:
        say("compute-sanitizer is not installed: the kernel is not checked by it")
        return []
    program = [sys.executable, "-P", "-m", "perfmodel.calibration.preprocess", "--check"]
    failed = []
    for tool in SANITIZERS:
        say(f"compute-sanitizer: {tool}")
        try:
            command = [sanitizer, "--tool", tool, "--error-exitcode", "9", *program]
            status = subprocess.run(command, cwd=ROOT, env=variables, timeout=180).returncode
        except subprocess.TimeoutExpired:
            say(f"{tool} took more than three minutes and was stopped")
            status = 1
        if status != 0:
            failed.append(tool)
    return failed


def benchmark_preprocess(options: argparse.Namespace, variables: dict[str, str]) -> int:
    """Time the preprocessing kernel; returns the program's status."""
    command = [sys.executable, "-P", "-m", "perfmodel.calibration.preprocess", "--device", options.device]
    command += ["--output", str(options.output.absolute())]
    if options.dry_run:
        command.append("--dry-run")
    return subprocess.run(command, cwd=ROOT, env=variables).returncode


def measure(options: argparse.Namespace, variables: dict[str, str]) -> int:
    """Run the measuring program; returns its status."""
    command = [sys.executable, "-P", "-m", "perfmodel.calibration.gpu", "--device", options.device]
    command += ["--output", str(options.output.absolute()), "--budget", f"{options.budget:g}"]
    if options.dry_run:
        command.append("--dry-run")
    return subprocess.run(command, cwd=ROOT, env=variables).returncode


def parser() -> argparse.ArgumentParser:
    """The arguments of the program."""
    result = argparse.ArgumentParser(description=__doc__)
    result.add_argument("--output", type=Path, default=Path("calibration/measurements"), help="folder of the tables")
    result.add_argument("--wheels", type=Path, default=Path("wheels"), help="folder of wheels for missing packages")
    result.add_argument("--budget", type=float, default=420.0, help="seconds for measuring")
    result.add_argument("--device", choices=("cuda", "cpu"), default="cuda", help="cpu tries the path without a GPU")
    result.add_argument("--dry-run", action="store_true", help="measure a few tiny cases")
    return result


def check(variables: dict[str, str]) -> list[str]:
    """Run the tests and the sanitizers on the GPU; returns what failed."""
    failed = [] if run_tests(variables) in (0, 5) else ["a test"]
    return failed + [f"compute-sanitizer's {tool}" for tool in run_sanitizers(variables)]


def main() -> int:
    """Do it all; measuring comes last and runs even where a test failed."""
    options = parser().parse_args()
    architecture = gpu_architecture()
    if architecture is None and options.device == "cuda":
        print("error: nvidia-smi finds no GPU here; --device cpu --dry-run tries the path without one", file=sys.stderr)
        return 1
    variables = environment(architecture)
    install_missing(options.wheels, variables)
    say(f"building for {f'compute capability {architecture}' if architecture else 'the CPU'}")
    try:
        pip(["--no-build-isolation", "."], variables)
    except subprocess.CalledProcessError as error:
        print(f"error: the build failed (status {error.returncode}); its output is above", file=sys.stderr)
        return 1
    failed = check(variables) if architecture else []
    say("timing the preprocessing of images")
    timed = benchmark_preprocess(options, variables)
    say("measuring")
    status = measure(options, variables)
    for name in failed:
        print(f"error: {name} failed on the GPU; its output is above the measuring", file=sys.stderr)
    return status or timed or int(bool(failed))


if __name__ == "__main__":
    sys.exit(main())
