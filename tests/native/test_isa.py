"""The run-time choice of instruction set: forced by PERFMODEL_ISA, checked in fresh processes."""

from __future__ import annotations

import os
import subprocess
import sys

import numpy as np
import pytest

cpu = pytest.importorskip("perfmodel._cpu", reason="the native CPU module is not built")

SUPPORTED = [name for name, _, supported in cpu.isas() if supported]
OTHERS = [name for name, _, supported in cpu.isas() if not supported]


def run(code: str, isa: str | None) -> subprocess.CompletedProcess[str]:
    environment = {key: value for key, value in os.environ.items() if key != "PERFMODEL_ISA"}
    if isa is not None:
        environment["PERFMODEL_ISA"] = isa
    return subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, timeout=60)


def test_scalar_is_always_there_and_last() -> None:
    assert cpu.isas()[-1][0] == "scalar"
    assert cpu.isas()[-1][2]


def test_best_supported_is_chosen() -> None:
    result = run("import perfmodel._cpu as m; print(m.isa())", None)
    assert result.stdout.strip() == SUPPORTED[0]


@pytest.mark.parametrize("name", SUPPORTED)
def test_force_takes_hold_and_computes(name: str) -> None:
    code = (
        "import array, perfmodel._cpu as m\n"
        "a = array.array('f', range(1003)); b = array.array('f', [2.0] * 1003); out = array.array('f', [0.0] * 1003)\n"
        "m.triad(out, a, b, 0.5)\n"
        "assert list(out) == [x + 1.0 for x in range(1003)]\n"
        "flops, seconds = m.fma_rate(0.01)\n"
        "assert flops / seconds > 1e7\n"
        "print(m.isa(), m.sum(a))\n"
    )
    result = run(code, name)
    assert result.stdout.split() == [name, "502503.0"], result.stderr


def test_wrong_name_fails_and_lists_known_ones() -> None:
    result = run("import perfmodel._cpu as m; m.isa()", "sse9")
    assert result.returncode != 0
    assert "ValueError: PERFMODEL_ISA: no instruction set 'sse9'; known: " in result.stderr
    assert "scalar" in result.stderr


@pytest.mark.skipif(not OTHERS, reason="this processor supports every instruction set of the build")
def test_unsupported_name_fails() -> None:
    result = run("import perfmodel._cpu as m; m.isa()", OTHERS[0])
    assert result.returncode != 0
    assert f"this processor does not support '{OTHERS[0]}'" in result.stderr


@pytest.mark.parametrize("size", [0, 1, 3, 4, 7, 8, 15, 16, 17, 31, 33, 1000])
def test_edge_sizes(size: int) -> None:
    rng = np.random.default_rng(size)
    a, b = rng.normal(size=(2, size)).astype(np.float32)
    out = np.full(size, np.nan, np.float32)
    cpu.triad(out, a, b, 1.5)
    np.testing.assert_allclose(out, a + np.float32(1.5) * b, rtol=1e-6, atol=1e-6)
    assert cpu.sum(a) == pytest.approx(a.astype(np.float64).sum(), abs=1e-9)


def test_wrong_seconds() -> None:
    with pytest.raises(ValueError, match="seconds must be above 0"):
        cpu.fma_rate(0.0)
    with pytest.raises(ValueError, match="at most 60"):
        cpu.fma_rate(float("nan"))
