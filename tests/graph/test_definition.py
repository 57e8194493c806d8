"""Symbolic graphs against fresh captures at points that were not fitted."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

torch = pytest.importorskip("torch")
from torch import nn  # noqa: E402

from perfmodel.calibration.zoo import language, workload_graphs  # noqa: E402
from perfmodel.errors import FailureError  # noqa: E402
from perfmodel.graph import Graph, Operators, load  # noqa: E402
from perfmodel.graph.assemble import assemble  # noqa: E402
from perfmodel.graph.definition import Definition, capture_definition, run_definition  # noqa: E402
from perfmodel.graph.symbolic import fit_sizes, without_blocks  # noqa: E402

WORKLOADS = {definition.name: definition for definition in workload_graphs.definitions()}
LANGUAGE = {definition.name: definition for definition in language.definitions()}


def fresh(definition: Definition, *, batch: int, mode: str, attention: str, **point: int) -> Graph:
    """Capture one point with plain numbers."""
    got = run_definition(definition, mode=mode, batch=batch, attention=attention, **point)
    return assemble(
        {(mode, attention): without_blocks(fit_sizes([got], [0], 0))},
        name="fresh", family="", unit="", size_name=None, default_size=0, size_step=0, default_blocks=None,
    )  # fmt: skip


def totals(operators: Operators) -> dict[tuple[Any, ...], float]:
    """Counts by everything else: the order of equal operators does not matter."""
    found: dict[tuple[Any, ...], float] = {}
    columns = ("kind", "phase", "pass_", "half", "b", "m", "n", "k", "flops", "read", "write", "rows", "cols", "saved")
    for at, name in enumerate(operators.name):
        key = (name, *(float(np.asarray(getattr(operators, column))[at]) for column in columns))
        found[key] = found.get(key, 0.0) + float(operators.count[at])
    return found


@pytest.mark.parametrize("blocks", [3, 5, 9])
@pytest.mark.parametrize("mode", ["train", "infer"])
def test_cyclegan_at_points_not_fitted(blocks: int, mode: str) -> None:
    expected = fresh(WORKLOADS["cyclegan"], batch=3, mode=mode, attention="fused", size=272, blocks=blocks)
    for variant in ("fp32", "amp"):
        point = {"mode": mode, "variant": variant, "optimizer": None}
        found = load("cyclegan").operators(batch=3, size=272, blocks=blocks, **point)  # type: ignore[arg-type]
        assert totals(found) == totals(expected.operators(batch=3, **point))  # type: ignore[arg-type]
    assert load("cyclegan").parameters(blocks) == expected.parameters() or mode == "infer"


@pytest.mark.parametrize(
    ("name", "point"),
    [
        ("pilotnet", {}),
        ("pilotnet_same", {}),
        ("deepest_lstm_tiny_pilotnet", {}),
        ("dmnet_cnn", {"size": 224}),
        ("dmnet_cnn_v1", {"size": 160}),
        ("dmnet_resnet", {"size": 192}),
    ],
)
def test_other_workloads_at_points_not_fitted(name: str, point: dict[str, int]) -> None:
    expected = fresh(WORKLOADS[name], batch=5, mode="train", attention="fused", **point)
    found = load(name).operators(batch=5, optimizer=None, **point)  # type: ignore[arg-type]
    assert totals(found) == totals(expected.operators(batch=5, optimizer=None))


@pytest.mark.parametrize("attention", ["fused", "unfused"])
def test_a_transformer_at_points_not_fitted(attention: str) -> None:
    expected = fresh(LANGUAGE["bert_base"], batch=2, mode="train", attention=attention, size=256, blocks=12)
    found = load("bert_base").operators(batch=2, size=256, attention=attention, optimizer=None)
    assert totals(found) == totals(expected.operators(batch=2, optimizer=None))


def small(**options: Any) -> Definition:
    settings: dict[str, Any] = {
        "name": "small",
        "family": "test",
        "build": lambda size, blocks: nn.Sequential(*(nn.Conv2d(4, 4, 3, padding=1) for _ in range(blocks or 2))),
        "inputs": lambda batch, size: [torch.empty(batch, 4, size, size)],
        "default_size": 32,
        "size_step": 8,
    }
    return Definition(**{**settings, **options})


def test_blocks_that_are_not_alike_are_refused() -> None:
    def build(size: int, blocks: int) -> Any:
        return nn.Sequential(*(nn.Conv2d(4, 4, 3, padding=1) for _ in range(blocks * blocks)))

    with pytest.raises(FailureError, match="not linear in the blocks"):
        capture_definition(small(build=build, blocks=(1, 2, 3), default_blocks=2))


def test_a_size_that_is_no_polynomial_is_refused() -> None:
    def build(size: int, blocks: int) -> Any:
        return nn.Conv2d(4, 4, 3, stride=3)

    with pytest.raises(FailureError, match="not a polynomial"):
        capture_definition(small(build=build))


def test_operators_that_change_with_the_size_are_refused() -> None:
    def build(size: int, blocks: int) -> Any:
        return nn.Sequential(nn.Conv2d(4, 4, 3), *([nn.ReLU()] if size > 40 else []))

    with pytest.raises(FailureError, match="change with the size"):
        capture_definition(small(build=build))


def test_sizes_between_the_steps_are_interpolated() -> None:
    graph = capture_definition(small())
    flops = [float(graph.operators(batch=1, size=size, optimizer=None).total("flops")) for size in (32, 36, 40)]
    assert flops[0] < flops[1] < flops[2]


def test_a_fixed_size_scales_with_the_pixels() -> None:
    graph = capture_definition(small(size_step=0, degree=0, points=(0,)))
    one, four = (graph.operators(batch=1, size=size, optimizer=None) for size in (32, 64))
    assert float(four.total("flops")) == 4 * float(one.total("flops"))
    other = capture_definition(replace(small(), size_name=None))
    assert other.size_step == 0
