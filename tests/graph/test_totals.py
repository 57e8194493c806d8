from __future__ import annotations

import numpy as np
import pytest

from perfmodel.errors import InputError
from perfmodel.graph import load
from perfmodel.graph.totals import graph_from_totals, nearest_template


@pytest.mark.parametrize(
    ("params", "gmacs", "macts"),
    [(25.56, 4.09, 11.1), (3.5, 0.3, 6.7), (138.4, 15.5, 13.6), (86.6, 17.6, 23.9), (60.0, 4.1, 30.0)],
)
def test_the_totals_are_met(params: float, gmacs: float, macts: float) -> None:
    graph = graph_from_totals(params, gmacs, macts, image_size=224)
    totals = graph.totals()
    assert totals.parameters == pytest.approx(params * 1e6)
    assert float(totals.gmacs) == pytest.approx(gmacs, rel=0.02)
    assert float(totals.activations) == pytest.approx(macts, rel=0.1)


def test_missing_activations_are_filled_in() -> None:
    assert float(graph_from_totals(25.6, 4.1).totals().activations) == pytest.approx(11, rel=0.5)


def test_a_known_network_is_found_again() -> None:
    graph = load("resnet50")
    totals = graph.totals()
    assert nearest_template(25.557, float(totals.gmacs), float(totals.activations), name="resnet50") == "resnet50"
    again = graph_from_totals(25.557, float(totals.gmacs), float(totals.activations), image_size=224, name="resnet50")
    for column in ("flops", "read", "write", "count"):
        mine, its = again.operators(batch=16), graph.operators(batch=16)
        assert float(getattr(mine, column).sum()) == pytest.approx(float(getattr(its, column).sum()), rel=0.01)


@pytest.mark.parametrize("name", ["resnet101", "densenet161", "mobilenet_v2", "vgg13", "efficientnet_b2"])
def test_a_left_out_network_comes_out_alike(name: str) -> None:
    graph = load(name)
    totals = graph.totals()
    size = graph.default_size
    again = graph_from_totals(
        totals.parameters / 1e6, float(totals.gmacs), float(totals.activations),
        image_size=size, name=name, exclude=frozenset({name}),
    )  # fmt: skip
    for mode in ("train", "infer"):
        mine, its = (g.operators(batch=32, mode=mode, optimizer=None) for g in (again, graph))
        moved = [float(found.total("read") + found.total("write")) for found in (mine, its)]
        assert moved[0] == pytest.approx(moved[1], rel=0.5)
        assert float(mine.count.sum()) == pytest.approx(float(its.count.sum()), rel=0.6)


def test_other_sizes_scale_with_the_pixels_and_batches_are_arrays() -> None:
    graph = graph_from_totals(25.6, 4.1, 11.1, image_size=224)
    base = graph.operators(batch=np.array([1, 2, 4]))
    assert base.flops.shape[0] == 3
    assert float(graph.totals(size=448).gmacs) == pytest.approx(4 * 4.1, rel=0.05)
    assert float(graph.memory(batch=32).peak) > 4 * 25.6e6


@pytest.mark.parametrize("wrong", [{"params_M": 0.0, "gmacs": 1.0}, {"params_M": 1.0, "gmacs": -1.0}])
def test_totals_must_be_positive(wrong: dict[str, float]) -> None:
    with pytest.raises(InputError, match="must be positive"):
        graph_from_totals(**wrong)
