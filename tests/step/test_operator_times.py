"""Operators of a prediction: they add up to it, and their traffic and arithmetic are those of the graph."""

from __future__ import annotations

from typing import Any

import pytest

import perfmodel as pm
from perfmodel.roofline.roofs import roofs_of
from perfmodel.step.operator_times import operator_times


@pytest.mark.parametrize(
    ("model", "options"),
    [
        ("cyclegan", {"gpu": "p100", "blocks": 6, "batch": 4}),
        ("bert_base", {"gpu": "v100", "batch": 8, "precision": "amp", "accumulate": 2}),
        ("resnet50", {"gpu": "h100", "batch": 32, "timing": "forward"}),
        ("pilotnet", {"gpu": "cpu", "batch": 16, "loader": "none"}),
    ],
    ids=str,
)
def test_operators_add_up_to_the_terms(model: str, options: dict[str, Any]) -> None:
    p = pm.predict(model, **options)
    found = operator_times(p)
    for group, seconds in p.terms_s.items():
        assert sum(one.total_s for one in found if one.group == group) == pytest.approx(seconds, rel=1e-9, abs=1e-15)
    totals = [one.total_s for one in found]
    assert totals == sorted(totals, reverse=True)
    assert all(one.l2_bytes >= one.bytes >= 0 and one.flops >= 0 for one in found)


def test_a_linear_layer_is_counted_by_hand() -> None:
    torch = pytest.importorskip("torch")
    layer = torch.nn.Linear(1024, 512, bias=False)
    p = pm.predict(layer, torch.zeros(256, 1024), gpu="v100", batch=256, mode="infer")
    product = next(one for one in operator_times(p) if one.kind == "gemm")
    assert product.flops == 2 * 256 * 1024 * 512
    assert product.bytes == 4 * (256 * 1024 + 1024 * 512 + 256 * 512)
    # Four tiles across 512 columns read the input, two down 256 rows read the weights.
    assert product.l2_bytes == 4 * (4 * 256 * 1024 + 2 * 1024 * 512 + 256 * 512)


def test_they_stand_in_the_document_of_an_explanation() -> None:
    document = pm.predict("cyclegan", gpu="v100", precision="amp").explain().to_dict()
    roofline = document["roofline"]
    assert {one["precision"] for one in roofline["ceilings"]} == {"fp32", "fp16", "int8"}
    assert set(roofline["operators"][0]) >= {"name", "kind", "phase", "count", "flops", "bytes", "l2_bytes", "seconds"}
    assert "roofs" not in document
    assert "operator_times" not in document


def test_roofs_of_cards() -> None:
    v100 = roofs_of(pm.find_gpu("v100"))
    assert v100.dram_gbs == 900.0
    assert v100.dram_sustained_gbs < v100.dram_gbs < (v100.l2_gbs or 0.0)
    # Jia et al. 2018 measured 2155 GiB/s.
    assert v100.l2_gbs == pytest.approx(2155 * 1.0737, rel=0.3)
    for ceiling in v100.ceilings:
        assert 0 < ceiling.sustained_tflops <= ceiling.peak_tflops
    assert [one.precision for one in roofs_of(pm.find_gpu("p100")).ceilings] == ["fp32"]
    assert roofs_of(pm.find_gpu("cpu")).l2_gbs is None
    for card in pm.gpus():
        roofs = roofs_of(card)
        assert roofs.l2_gbs is None or roofs.l2_gbs > roofs.dram_gbs
    assert roofs_of(pm.find_gpu("b200")).l2_gbs is None
