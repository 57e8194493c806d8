"""Measured rows of a processor resolve, and are predicted as `predict` does."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from perfmodel.step.predict import predict
from perfmodel.validation.report import validate

ROWS = """source,gpu,model,batch,precision,phase,timing_def,image_size,latency_ms
here,cpu,pilotnet,8,fp32,training,full step,,25
here,cpu:1,dmnet_cnn,2,fp32,inference,forward,96,40
here,CPU,cyclegan,1,fp32,training,"forward + backward + optimizer, pageable input copy included",64,500
card,p100,pilotnet,8,fp32,training,full step,,5
"""
TIMES_S = {"pilotnet": 0.025, "dmnet_cnn": 0.040, "cyclegan": 0.500}


def test_rows_of_a_processor(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PERFMODEL_DATA_DIR", str(tmp_path))
    path = tmp_path / "rows.csv"
    path.write_text(ROWS, encoding="utf-8")
    found = json.loads(json.dumps(validate(path, by=["source", "model"]).to_dict()))
    assert (found["rows"], found["resolved"]) == (4, 4)
    assert not found["unresolved"]
    groups = {tuple(one["by"].values()): one for one in found["groups"]}
    for model, options in (
        ("pilotnet", {"gpu": "cpu", "batch": 8}),
        ("dmnet_cnn", {"gpu": "cpu:1", "batch": 2, "size": 96, "mode": "infer"}),
        ("cyclegan", {"gpu": "cpu", "batch": 1, "size": 64}),
    ):
        predicted = predict(model, loader=None, **options).step_s.median
        error = 100 * abs(predicted / TIMES_S[model] - 1)
        assert groups["here", model]["median_ape"] == pytest.approx(error, rel=1e-6)
