"""The shipped graphs are what their definitions give."""

from __future__ import annotations

from typing import Any

import pytest

pytest.importorskip("torch")

from perfmodel.calibration.zoo import language, others, workload_graphs
from perfmodel.calibration.zoo.regenerate import make
from perfmodel.graph import load
from perfmodel.graph.definition import Definition
from perfmodel.graph.documents import dumps, to_document

PURE = {
    definition.name: definition
    for module in (workload_graphs, others, language)
    for definition in module.definitions()
    if definition.name not in ("ssd300_resnet50", "maskrcnn_resnet50_fpn")
}
QUICK = ("pilotnet", "pilotnet_same", "deepest_lstm_tiny_pilotnet", "dmnet_cnn", "dmnet_resnet", "ncf", "unet", "lstm")


def assert_shipped(definition: Definition) -> None:
    assert dumps(make(definition)) == dumps(to_document(load(definition.name)))


@pytest.mark.parametrize("name", QUICK)
def test_quick_graphs_are_regenerated(name: str) -> None:
    assert_shipped(PURE[name])


@pytest.mark.slow
@pytest.mark.parametrize("name", [name for name in PURE if name not in QUICK and not name.startswith("switch")])
def test_graphs_of_own_definitions_are_regenerated(name: str) -> None:
    assert_shipped(PURE[name])


@pytest.mark.slow
def test_torchvision_graphs_are_regenerated(torchvision: Any) -> None:
    from perfmodel.calibration.zoo import vision

    found = {definition.name: definition for definition in vision.definitions()}
    for name in ("resnet18", "alexnet", "vgg11", "mobilenet_v2"):
        assert_shipped(found[name])
