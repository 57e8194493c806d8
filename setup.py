"""Build of the native modules: one CMake build for all, driven from here; everything else is in pyproject.toml.

Environment
-----------
PERFMODEL_NATIVE : AUTO (default), ON or OFF
    OFF installs pure Python; AUTO does so, with a notice, where CMake or the compiler does not work; ON fails there.
PERFMODEL_CUDA : AUTO (default), ON or OFF
    Whether to build ``perfmodel._cuda``; AUTO builds it where nvcc works.
CUDACXX, CUDAARCHS
    The CUDA compiler and the architectures, as CMake reads them.
PERFMODEL_SANITIZE
    Sanitizers for the C++ code, such as ``address,undefined``.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import sysconfig
from pathlib import Path

from setuptools import Extension, find_packages, setup
from setuptools.command.build_ext import build_ext

ROOT = Path(__file__).resolve().parent
CPU = "perfmodel._cpu"
CUDA = "perfmodel._cuda"


class NativeBuildError(Exception):
    """The native build cannot run or failed: what and what to do, and the end of the tools' output."""

    def __init__(self, reason: str, output: str = "") -> None:
        self.reason = reason
        super().__init__(f"{reason}\n{output}" if output else reason)


def package_version() -> str:
    """Version as written in perfmodel/__init__.py, read as text so that nothing is imported."""
    text = (ROOT / "perfmodel" / "__init__.py").read_text(encoding="utf-8")
    match = re.search(r'^__version__ = "([^"]+)"$', text, re.MULTILINE)
    if match is None:
        raise SystemExit('perfmodel/__init__.py has no line __version__ = "..."')
    return match.group(1)


def choice(name: str) -> str:
    """Value of an AUTO/ON/OFF environment variable."""
    value = os.environ.get(name, "").strip() or "AUTO"
    if value.upper() not in ("AUTO", "ON", "OFF"):
        raise SystemExit(f"{name} is '{value}'; it must be AUTO, ON or OFF")
    return value.upper()


def notice(text: str) -> None:
    """Tell the user; pip shows it with -v, and perfmodel doctor says the same later."""
    print(f"perfmodel: {text}", file=sys.stderr, flush=True)


def find_cmake() -> str:
    """Path of CMake: the running environment's own first, then PATH."""
    found = shutil.which("cmake", path=str(Path(sys.executable).parent)) or shutil.which("cmake")
    if found is None:
        raise NativeBuildError("CMake was not found; install it (apt install cmake, or pip install cmake)")
    return found


def find_nvcc() -> str | None:
    """Path of nvcc: CUDACXX, PATH, CUDA_HOME or the usual folder."""
    named = os.environ.get("CUDACXX")
    if named:
        return shutil.which(named)
    home = os.environ.get("CUDA_HOME") or os.environ.get("CUDA_PATH") or "/usr/local/cuda"
    return shutil.which("nvcc") or shutil.which("nvcc", path=str(Path(home) / "bin"))


def pybind11_folder() -> str:
    """Folder of pybind11's CMake files in the build environment."""
    try:
        import pybind11
    except ImportError as error:
        raise NativeBuildError("pybind11 is not in the build environment; pip install pybind11") from error
    return str(pybind11.get_cmake_dir())


def run(command: list[str], *, what: str) -> None:
    """Run a command and raise with the end of its output where it fails."""
    verbose = bool(os.environ.get("PERFMODEL_VERBOSE"))
    result = subprocess.run(
        command, cwd=ROOT, stdout=None if verbose else subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )
    if result.returncode != 0:
        tail = "\n".join((result.stdout or "").splitlines()[-40:])
        raise NativeBuildError(f"{what} failed (status {result.returncode})", tail)
    for line in (result.stdout or "").splitlines():
        if line.startswith("perfmodel: "):  # what the build leaves out, from cmake/
            notice(line.removeprefix("perfmodel: "))


def configure(folder: Path, *, cuda: str | None) -> None:
    """Configure the CMake build, with CUDA where a compiler for it is given."""
    command = [
        find_cmake(),
        "-S",
        str(ROOT),
        "-B",
        str(folder),
        "-DCMAKE_BUILD_TYPE=Release",
        f"-DPERFMODEL_VERSION={package_version()}",
        f"-DPERFMODEL_BUILD_CUDA={'ON' if cuda else 'OFF'}",
        f"-DPERFMODEL_SANITIZE={os.environ.get('PERFMODEL_SANITIZE', '')}",
        f"-Dpybind11_DIR={pybind11_folder()}",
        f"-DPython_EXECUTABLE={sys.executable}",
        f"-DCMAKE_LIBRARY_OUTPUT_DIRECTORY={folder / 'out'}",
    ]
    if cuda:
        command.append(f"-DCMAKE_CUDA_COMPILER={cuda}")
    if not (folder / "CMakeCache.txt").exists() and shutil.which("ninja"):
        command += ["-G", "Ninja"]
    try:
        run(command, what="configuring the native modules")
    except NativeBuildError:
        shutil.rmtree(folder, ignore_errors=True)  # CMake would remember the compiler that did not work
        raise


def build(folder: Path) -> None:
    """Compile on as many cores as this process may use."""
    jobs = str(len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1)
    run([find_cmake(), "--build", str(folder), "--parallel", jobs], what="compiling the native modules")


def build_native(folder: Path) -> list[str]:
    """Build all modules that this machine can build; returns their names."""
    wanted = choice("PERFMODEL_CUDA")
    nvcc = None if wanted == "OFF" else find_nvcc()
    if wanted == "ON" and nvcc is None:
        raise NativeBuildError("PERFMODEL_CUDA=ON, but nvcc was not found; set CUDACXX or PATH")
    if wanted == "AUTO" and nvcc is None:
        notice("nvcc was not found: perfmodel._cuda is not built")
    if nvcc is not None:
        try:
            configure(folder, cuda=nvcc)
            build(folder)
            return [CPU, CUDA]
        except NativeBuildError as error:
            if wanted == "ON":
                raise
            notice(f"perfmodel._cuda is not built: {error.reason}; PERFMODEL_CUDA=ON shows why")
    configure(folder, cuda=None)
    build(folder)
    return [CPU]


def try_native(folder: Path) -> list[str]:
    """As build_native, but a failure only counts where PERFMODEL_NATIVE=ON or PERFMODEL_CUDA=ON asks for it."""
    wanted = choice("PERFMODEL_NATIVE")
    if wanted == "OFF":
        if choice("PERFMODEL_CUDA") == "ON":
            raise SystemExit("PERFMODEL_NATIVE=OFF and PERFMODEL_CUDA=ON contradict each other")
        notice("PERFMODEL_NATIVE=OFF: installing pure Python")
        return []
    try:
        return build_native(folder)
    except NativeBuildError as error:
        if wanted == "ON" or choice("PERFMODEL_CUDA") == "ON":
            raise SystemExit(f"perfmodel: {error}") from error
        notice(f"no native modules, installing pure Python: {error.reason}; PERFMODEL_NATIVE=ON shows why")
        return []


class BuildNative(build_ext):
    """Builds all extensions by CMake in one stable folder and keeps those that were built."""

    def run(self) -> None:
        """Build, then copy the modules to the wheel's tree or, in editable mode, into the source package."""
        sanitize = (
            "-" + re.sub(r"\W+", "-", os.environ["PERFMODEL_SANITIZE"]) if os.environ.get("PERFMODEL_SANITIZE") else ""
        )
        folder = ROOT / "build" / f"cmake-{sys.implementation.cache_tag}-{sysconfig.get_platform()}{sanitize}"
        built = try_native(folder)
        in_place = bool(self.inplace or getattr(self, "editable_mode", False))
        self.drop_stale(built, in_place=in_place)
        self.extensions = [extension for extension in self.extensions if extension.name in built]
        for extension in self.extensions:
            source = folder / "out" / Path(self.get_ext_filename(extension.name)).name
            for target in self.targets(extension.name, in_place=in_place):
                target.parent.mkdir(parents=True, exist_ok=True)
                self.install(source, target)

    def targets(self, name: str, *, in_place: bool) -> list[Path]:
        """Where the module of that name has to lie."""
        relative = Path(self.get_ext_filename(name))
        return [ROOT / relative] if in_place else [Path(self.build_lib) / relative]

    def drop_stale(self, built: list[str], *, in_place: bool) -> None:
        """Remove modules of an earlier build that this build does not make."""
        for extension in self.extensions:
            if extension.name not in built:
                for target in self.targets(extension.name, in_place=in_place):
                    target.unlink(missing_ok=True)

    @staticmethod
    def install(source: Path, target: Path) -> None:
        """Copy beside the target and rename: a process that has the old module loaded keeps it whole."""
        temporary = target.with_name(target.name + ".new")
        shutil.copy2(source, temporary)
        temporary.replace(target)


def packages() -> list[str]:
    """All packages; workloads/ and calibration/ lie at the root and install inside perfmodel."""
    inside = find_packages(str(ROOT), include=["perfmodel", "perfmodel.*"])
    beside = find_packages(str(ROOT), include=["workloads", "workloads.*", "calibration", "calibration.*"])
    return inside + [f"perfmodel.{name}" for name in beside]


setup(
    version=package_version(),
    packages=packages(),
    package_dir={f"perfmodel.{name}": name for name in ("workloads", "calibration")},
    ext_modules=[Extension(CPU, []), Extension(CUDA, [])],
    cmdclass={"build_ext": BuildNative},
)
