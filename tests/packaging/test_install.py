"""Wheel, source archive and editable install: what is in them, with and without native code; no network is used."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import sysconfig
import tarfile
import venv
import zipfile
from collections.abc import Iterable
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow

ROOT = Path(__file__).resolve().parents[2]
SUFFIX = sysconfig.get_config_var("EXT_SUFFIX")
CPU, CUDA = f"perfmodel/_cpu{SUFFIX}", f"perfmodel/_cuda{SUFFIX}"
SKIPPED = {".git", ".venv", "build", "dist", "site", "out", "node_modules"}
BUILT = (".pyc", ".so")

needs_compiler = pytest.mark.skipif(
    shutil.which("cmake") is None or not (shutil.which("c++") or shutil.which("g++")),
    reason="no CMake or C++ compiler here",
)
needs_nvcc = pytest.mark.skipif(shutil.which("nvcc") is None, reason="no nvcc here")


def sources() -> list[str]:
    """Files of the checkout that a wheel has to hold, sources and data, by their place in the wheel."""
    found = []
    for top in ("perfmodel", "workloads", "calibration"):
        for path in (ROOT / top).rglob("*"):
            relative = path.relative_to(ROOT)
            if path.is_file() and not path.name.endswith(BUILT):
                found.append(str(relative) if top == "perfmodel" else f"perfmodel/{relative}")
    return sorted(found)


@pytest.fixture(scope="session")
def checkout(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the source tree without anything built, so that tests leave the real one alone."""
    copy = tmp_path_factory.mktemp("packaging") / "checkout"
    shutil.copytree(ROOT, copy, ignore=lambda _, names: [name for name in names if name in SKIPPED or unwanted(name)])
    return copy


def unwanted(name: str) -> bool:
    return name.endswith((".so", ".egg-info")) or (name.startswith(".") and name not in (".clang-format", ".ci"))


def environment(**changes: str) -> dict[str, str]:
    """This environment without settings that steer the build or the import, and with those given."""
    dropped = ("PERFMODEL_", "CUDAARCHS", "PYTHONPATH")
    kept = {name: value for name, value in os.environ.items() if not name.startswith(dropped)}
    return {**kept, "PIP_NO_INDEX": "1", "PIP_DISABLE_PIP_VERSION_CHECK": "1", **changes}


def run(*command: object, cwd: Path, **changes: str) -> str:
    result = subprocess.run(
        [str(word) for word in command],
        cwd=cwd,
        env=environment(**changes),
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert result.returncode == 0, result.stdout[-3000:] + result.stderr[-3000:]
    return result.stdout + result.stderr


def wheel(checkout: Path, target: Path, **changes: str) -> tuple[set[str], str]:
    """Build a wheel; returns its files and what was printed."""
    options = ["--no-build-isolation", "--no-deps", "--verbose", "--wheel-dir", target]
    text = run(sys.executable, "-m", "pip", "wheel", *options, checkout, cwd=target, **changes)
    (path,) = target.glob("perfmodel-*.whl")
    return set(zipfile.ZipFile(path).namelist()), text


def holds_sources(files: Iterable[str]) -> None:
    missing = set(sources()) - set(files)
    assert not missing, f"not in the wheel: {sorted(missing)}"


def test_pure_python_wheel(checkout: Path, tmp_path: Path) -> None:
    files, text = wheel(checkout, tmp_path, PERFMODEL_NATIVE="OFF")
    holds_sources(files)
    assert not [name for name in files if name.endswith(".so")]
    assert "installing pure Python" in text
    assert not [name for name in files if name.startswith(("tests", "csrc", "workloads/", "calibration/"))]


def test_no_compiler_installs_pure_python_with_a_notice(checkout: Path, tmp_path: Path) -> None:
    (tmp_path / "bin").mkdir()
    (tmp_path / "wheel").mkdir()
    changes = {"CXX": "/nonexistent/c++", "PERFMODEL_CUDA": "OFF"}
    shutil.rmtree(checkout / "build", ignore_errors=True)
    files, text = wheel(checkout, tmp_path / "wheel", **changes)
    shutil.rmtree(checkout / "build", ignore_errors=True)
    assert CPU not in files
    assert "perfmodel: no native modules, installing pure Python" in text


def test_no_compiler_fails_where_native_is_asked_for(checkout: Path, tmp_path: Path) -> None:
    shutil.rmtree(checkout / "build", ignore_errors=True)
    changes = {"CXX": "/nonexistent/c++", "PERFMODEL_CUDA": "OFF", "PERFMODEL_NATIVE": "ON"}
    command = [sys.executable, "setup.py", "-q", "build", "--build-lib", str(tmp_path)]
    result = subprocess.run(
        command, cwd=checkout, env=environment(**changes), capture_output=True, text=True, timeout=300
    )
    shutil.rmtree(checkout / "build", ignore_errors=True)
    assert result.returncode != 0
    assert "perfmodel: configuring the native modules failed" in result.stderr


@needs_compiler
def test_broken_nvcc_fails_where_cuda_is_asked_for(checkout: Path, tmp_path: Path) -> None:
    shutil.rmtree(checkout / "build", ignore_errors=True)
    changes = {"CUDACXX": shutil.which("false") or "false", "PERFMODEL_CUDA": "ON"}
    command = [sys.executable, "setup.py", "-q", "build", "--build-lib", str(tmp_path)]
    result = subprocess.run(
        command, cwd=checkout, env=environment(**changes), capture_output=True, text=True, timeout=300
    )
    assert result.returncode != 0
    assert "perfmodel: configuring the native modules failed" in result.stderr
    assert not list((checkout / "build").glob("cmake-*")), "CMake would remember the compiler that does not work"


def test_contradictory_settings(checkout: Path) -> None:
    command = [sys.executable, "setup.py", "-q", "build"]
    changes = environment(PERFMODEL_NATIVE="OFF", PERFMODEL_CUDA="ON")
    result = subprocess.run(command, cwd=checkout, env=changes, capture_output=True, text=True, timeout=300)
    assert result.returncode != 0
    assert "contradict each other" in result.stderr
    changes = environment(PERFMODEL_NATIVE="maybe")
    result = subprocess.run(command, cwd=checkout, env=changes, capture_output=True, text=True, timeout=300)
    assert "PERFMODEL_NATIVE is 'maybe'; it must be AUTO, ON or OFF" in result.stderr


@needs_compiler
def test_source_archive_builds_a_wheel_that_installs_and_imports(checkout: Path, tmp_path: Path) -> None:
    tree = unpacked_archive(checkout, tmp_path)
    target = tmp_path / "wheel"
    target.mkdir()
    files, _ = wheel(tree, target, PERFMODEL_CUDA="OFF", PERFMODEL_NATIVE="ON")
    holds_sources(files)
    assert CPU in files
    assert CUDA not in files
    site = tmp_path / "site"
    (path,) = target.glob("*.whl")
    run(sys.executable, "-m", "pip", "install", "--no-deps", "--target", site, path, cwd=tmp_path)
    code = (
        "import perfmodel, perfmodel._cpu, perfmodel.workloads, perfmodel.calibration.rows as rows\n"
        "print(perfmodel.__file__, rows.__file__, perfmodel._cpu.isa())"
    )
    places = run(sys.executable, "-P", "-c", code, cwd=tmp_path, PYTHONPATH=str(site)).split()
    assert all(place.startswith(str(site)) for place in places[:2])
    assert "perfmodel/calibration/rows.py" in places[1]
    script = run(sys.executable, "-P", "-m", "perfmodel", "--version", cwd=tmp_path, PYTHONPATH=str(site))
    assert script.startswith("perfmodel, version ")


def unpacked_archive(checkout: Path, target: Path) -> Path:
    """Make a source archive and unpack it; returns the folder inside."""
    run(sys.executable, "setup.py", "-q", "sdist", "--dist-dir", target, cwd=checkout)
    (archive,) = target.glob("perfmodel-*.tar.gz")
    with tarfile.open(archive) as file:
        file.extractall(target, filter="data")
    (tree,) = target.glob("perfmodel-*/")
    native = {str(path.relative_to(ROOT)) for path in (ROOT / "csrc").rglob("*") if path.is_file()}
    inside = {str(path.relative_to(tree)) for path in tree.rglob("*") if path.is_file()}
    assert (
        native | {"CMakeLists.txt", "LICENSE", "README.md", "pyproject.toml", "setup.py", "cmake/cuda.cmake"} <= inside
    )
    return tree


@needs_compiler
@needs_nvcc
def test_wheel_with_cuda(checkout: Path, tmp_path: Path) -> None:
    files, _ = wheel(checkout, tmp_path, PERFMODEL_CUDA="ON", CUDAARCHS="90-real")
    assert {CPU, CUDA} <= files
    site = tmp_path / "site"
    (path,) = tmp_path.glob("*.whl")
    zipfile.ZipFile(path).extractall(site)
    code = "import perfmodel._cuda as m; print(m.architectures)"
    assert run(sys.executable, "-P", "-c", code, cwd=tmp_path, PYTHONPATH=str(site)).strip() == "90-real"


@needs_compiler
def test_editable_install_puts_native_modules_beside_the_sources(checkout: Path, tmp_path: Path) -> None:
    home = tmp_path / "venv"
    venv.create(home, with_pip=False)
    site = next((home / "lib").glob("python*/site-packages"))
    # The new environment sees the packages of the running one: that is where the build tools are.
    (site / "running.pth").write_text("\n".join(path for path in sys.path if path.endswith("site-packages")))
    python = home / "bin" / "python"
    options = ["--no-build-isolation", "--no-deps", "--no-index", "--force-reinstall", "--editable", checkout]
    run(python, "-m", "pip", "install", *options, cwd=tmp_path, PERFMODEL_CUDA="OFF")
    assert (checkout / CPU).exists()
    code = (
        "import perfmodel._cpu as cpu, perfmodel.calibration as c, perfmodel.workloads as w, perfmodel as p\n"
        "print(cpu.__file__, c.__file__, w.__file__, p.__file__)"
    )
    places = run(python, "-c", code, cwd=tmp_path).split()
    assert places == [
        str(checkout / part)
        for part in (CPU, "calibration/__init__.py", "workloads/__init__.py", "perfmodel/__init__.py")
    ]
    assert "doctor" in run(home / "bin" / "perfmodel", "--help", cwd=tmp_path)
    run(python, "-m", "pip", "install", *options, cwd=tmp_path, PERFMODEL_NATIVE="OFF")
    assert not (checkout / CPU).exists(), "a module of an earlier build was left behind"
