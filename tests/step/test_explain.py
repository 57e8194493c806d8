"""Explanations: terms, operators and changes agree with predictions."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

import perfmodel as pm
from perfmodel.graph.catalogue import load


@pytest.mark.parametrize(
    "options",
    [{}, {"gpus": 8}, {"accumulate": 4, "checkpoint": True}, {"mode": "infer"}, {"timing": "forward"},
     {"timing": "sum of operators"}, {"precision": "amp", "stack": "compiled"}],
    ids=str,
)  # fmt: skip
@pytest.mark.parametrize("model", ["cyclegan", "bert_base"])
def test_terms_sum_to_the_device_time(model: str, options: dict[str, Any]) -> None:
    p = pm.predict(model, gpu="v100", batch=4, **options)
    e = p.explain()
    device = sum(p.phases[name].total for name in ("forward", "loss", "backward", "optimizer"))
    assert sum(seconds for _, seconds, _ in e.terms) == pytest.approx(device, rel=1e-9)
    assert [seconds for _, seconds, _ in e.terms] == sorted((seconds for _, seconds, _ in e.terms), reverse=True)
    assert e.share_of_peak == pytest.approx(e.achieved_tflops / e.peak_tflops)
    assert [one.seconds for one in e.operators] == sorted((one.seconds for one in e.operators), reverse=True)


def test_operators_are_those_of_the_timed_region() -> None:
    forward = pm.predict("resnet50", timing="forward").explain()
    assert {one.phase for one in forward.operators} == {"forward"}
    assert {one.phase for one in pm.predict("resnet50").explain().operators} > {"backward"}


def test_changes_are_predictions() -> None:
    p = pm.predict("resnet50", gpu="v100", batch=32)
    changes = {one.change: one for one in p.explain().changes}
    assert changes["batch 64"].step_s == pm.predict("resnet50", gpu="v100", batch=64).step_s.median
    assert changes["2 cards"].step_s == pm.predict("resnet50", gpu="v100", batch=32, gpus=2).step_s.median
    amp = pm.predict("resnet50", gpu="v100", batch=32, precision="amp")
    assert changes["precision amp"].step_s == amp.step_s.median
    assert changes["precision amp"].samples_per_s == amp.samples_per_s


def test_a_network_of_one_batch_only() -> None:
    fixed = replace(load("resnet50"), fixed_batch=4)
    p = pm.predict(fixed, gpu="v100", batch=4)
    assert p.largest_batch == 4
    assert not any(one.change.startswith("batch") for one in p.explain().changes)
    with pytest.raises(pm.InputError, match="runs at batch 4 only, not 8"):
        pm.predict(fixed, gpu="v100", batch=8)
    with pytest.raises(pm.InputError, match="runs at batch 4 only"):
        pm.compare(fixed, gpu=["v100"], batch=[4, 8])


def test_a_change_that_does_not_fit_says_so() -> None:
    p = pm.predict("cyclegan", gpu="p100", batch=pm.predict("cyclegan", gpu="p100").largest_batch)
    larger = next(one for one in p.explain().changes if one.change.startswith("batch"))
    assert larger.effect.endswith("does not fit")


def test_operators_of_a_processor_take_its_own_time() -> None:
    p = pm.predict("pilotnet", gpu="cpu", batch=16, loader="none")
    found = p.explain().operators
    total = sum(one.seconds for one in found)
    assert 0.3 * p.step_s.median < total < 1.2 * p.step_s.median
