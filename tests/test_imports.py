"""Imports go one way, and importing perfmodel is cheap."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]

# Lowest first. A part imports from its own layer or a lower one, and no parts import each other in a circle.
LAYERS: list[set[str]] = [
    {"errors", "lazy", "_cpu", "_cuda"},
    {"native"},
    {"hardware", "instrument", "intervals", "doctor"},
    {"graph"},
    {"roofline", "runs"},
    {"loading", "regression", "efficiency"},
    {"step"},
    {"validation", "quantize", "loss", "trace"},
    {"report"},
    {"cli"},
]
RANK = {part: rank for rank, parts in enumerate(LAYERS) for part in parts}
OUTSIDE = {"calibration", "workloads"}
HEAVY = ("torch", "pandas", "scipy", "statsmodels", "matplotlib", "pyarrow", "cupy", "rich", "platformdirs", "nvtx")
NUMPY_FREE = (
    "perfmodel",
    "perfmodel.errors",
    "perfmodel.lazy",
    "perfmodel.cli",
    "perfmodel.native",
    "perfmodel.doctor",
    "perfmodel.cli.doctor",
)

SOURCES = sorted((ROOT / "perfmodel").rglob("*.py"))


def part_of(path: Path) -> str:
    """Name of the part that a source file belongs to; empty for the package's own __init__ and __main__."""
    relative = path.relative_to(ROOT / "perfmodel")
    first = relative.parts[0]
    return "" if first in ("__init__.py", "__main__.py") else first.removesuffix(".py")


def imported_modules(path: Path) -> Iterator[str]:
    """Full names of all modules that a file imports anywhere in it, also relatively or inside functions."""
    package = ["perfmodel", *path.relative_to(ROOT / "perfmodel").parts[:-1]]
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = package[: len(package) - node.level + 1] if node.level else []
            module = ".".join([*base, *([node.module] if node.module else [])])
            yield from (f"{module}.{alias.name}" for alias in node.names)


def parts_imported(path: Path) -> set[str]:
    names = (name.split(".") for name in imported_modules(path))
    found = {name[1] for name in names if name[0] == "perfmodel" and len(name) > 1}
    return {name for name in found if (ROOT / "perfmodel" / name).exists() or name in RANK or name in OUTSIDE} | {
        name for name in found if (ROOT / "perfmodel" / f"{name}.py").exists()
    }


def test_every_part_has_a_place_in_the_order() -> None:
    parts = {part_of(path) for path in SOURCES} - {""}
    assert parts <= set(RANK), f"add {parts - set(RANK)} to the order of layers"


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: str(path.relative_to(ROOT)))
def test_imports_go_one_way(path: Path) -> None:
    part = part_of(path)
    for other in parts_imported(path) - {part}:
        if part in ("", "cli"):
            continue  # the top: may reach everything
        assert other not in OUTSIDE, f"{part} imports perfmodel.{other}: only the command line does"
        assert RANK[other] <= RANK[part], f"{part} imports {other}, which lies above it"


def test_parts_form_no_circle() -> None:
    graph: dict[str, set[str]] = {}
    for path in SOURCES:
        if part_of(path):
            graph.setdefault(part_of(path), set()).update(parts_imported(path) - {part_of(path)})
    settled: set[str] = set()
    while graph.keys() - settled:
        ready = {part for part in graph.keys() - settled if graph[part] & graph.keys() <= settled}
        assert ready, f"these import each other in a circle: {sorted(graph.keys() - settled)}"
        settled |= ready


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: str(path.relative_to(ROOT)))
def test_heavy_packages_are_not_imported_at_module_level(path: Path) -> None:
    for node in module_level(ast.parse(path.read_text(encoding="utf-8")).body):
        names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else [node.module or ""]
        for name in names:
            assert name.split(".")[0] not in HEAVY, f"line {node.lineno} imports {name}; import it inside the function"


def module_level(body: list[ast.stmt]) -> Iterator[ast.Import | ast.ImportFrom]:
    """Imports that run when the module is imported; those under TYPE_CHECKING do not."""
    for node in body:
        if isinstance(node, ast.Import | ast.ImportFrom):
            yield node
        elif isinstance(node, ast.If) and "TYPE_CHECKING" in ast.dump(node.test):
            yield from module_level(node.orelse)
        elif isinstance(node, ast.If | ast.Try | ast.With | ast.ClassDef):
            yield from module_level(node.body)


def loaded_after(code: str) -> set[str]:
    """Top-level modules that a fresh interpreter holds after running the code."""
    script = f"{code}\nimport sys\nprint(' '.join(sorted({{m.split('.')[0] for m in sys.modules}})))"
    result = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=60, cwd=ROOT)
    assert result.returncode == 0, result.stderr
    return set(result.stdout.split())


def test_import_is_light() -> None:
    assert not loaded_after("import perfmodel") & {*HEAVY, "numpy", "click", "_cpu", "_cuda"}


@pytest.mark.parametrize("module", NUMPY_FREE)
def test_the_edge_needs_no_numpy(module: str) -> None:
    assert not loaded_after(f"import {module}") & {*HEAVY, "numpy"}


def test_every_module_imports_without_heavy_packages() -> None:
    names = [".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__") for path in SOURCES]
    code = "\n".join(f"import {name}" for name in names if not name.endswith("__main__"))
    assert not loaded_after(code) & set(HEAVY)
