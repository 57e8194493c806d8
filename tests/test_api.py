"""The public names of the package: lazy, complete, typed."""

from __future__ import annotations

import ast
import importlib
import subprocess
import sys
from pathlib import Path

import pytest

import perfmodel as pm

ROOT = Path(__file__).resolve().parents[1]


@pytest.mark.parametrize("name", pm.__all__)
def test_every_public_name_imports(name: str) -> None:
    assert getattr(pm, name) is not None


@pytest.mark.parametrize("part", ["", "instrument", "loading", "report", "runs"])
def test_types_and_lazy_names_agree(part: str) -> None:
    """What type checkers see under TYPE_CHECKING is what `__getattr__` imports."""
    package = f"perfmodel.{part}".rstrip(".")
    module = importlib.import_module(package)
    typed: dict[str, str] = {}
    for node in ast.walk(ast.parse((ROOT / "perfmodel" / part / "__init__.py").read_text(encoding="utf-8"))):
        if isinstance(node, ast.If):
            for one in (found for found in node.body if isinstance(found, ast.ImportFrom)):
                inside = str(one.module).removeprefix(f"{package}.")
                for alias in one.names:
                    public = alias.asname or alias.name
                    typed[public] = inside if public == alias.name else f"{inside}:{alias.name}"
    assert typed == module._LAZY
    assert set(typed) <= set(module.__all__)
    assert all(getattr(module, name) is not None for name in module.__all__)
    with pytest.raises(AttributeError, match=rf"module '{package}' has no attribute 'nosuch'"):
        module.nosuch  # noqa: B018


def test_parts_are_attributes() -> None:
    assert pm.instrument.PHASES[0] == "load"
    assert "predict" in dir(pm)


def test_names_load_no_heavy_package() -> None:
    code = (
        "import sys\nimport perfmodel as pm\n"
        "before = set(sys.modules)\nassert 'numpy' not in before\n"
        "pm.predict('cyclegan', gpu='p100', blocks=6, batch=4)\npm.compare('cyclegan', gpu=['p100'], batch=[1, 2])\n"
        "print(sorted({m.split('.')[0] for m in sys.modules}"
        " & {'torch', 'pandas', 'scipy', 'statsmodels', 'pyarrow', 'matplotlib', 'click'}))"
    )
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=120, cwd=ROOT)
    assert result.stdout.strip() == "[]", result.stderr


def test_the_example_of_the_readme() -> None:
    p = pm.predict("cyclegan", gpu="p100", blocks=6, batch=4)
    assert p.step.low < p.step.median < p.step.high
    assert p.epoch is not None
    assert p.epoch.median == pytest.approx(250 * p.step.median)
    assert p.memory["peak"] > 1e9
    assert p.explain().achieved_tflops == p.achieved_tflops
    assert set(p.phases) == set(pm.instrument.PHASES)


def test_a_module_of_ones_own() -> None:
    torch = pytest.importorskip("torch")
    module = torch.nn.Sequential(torch.nn.Linear(32, 64), torch.nn.ReLU(), torch.nn.Linear(64, 8))
    p = pm.predict(module, torch.zeros(4, 32), gpu="v100", batch=4, precision="amp")
    assert p.request.graph.parameters() == 32 * 64 + 64 + 64 * 8 + 8
    assert p.step.median > 0
