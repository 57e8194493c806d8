"""Predictions: the document, sums, bounds, and what must grow with what."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import perfmodel as pm
from perfmodel.efficiency.features import GROUPS
from perfmodel.efficiency.profile import term_shares
from perfmodel.errors import InputError, PrecisionError
from perfmodel.instrument.phases import PHASES

MODELS = ("cyclegan", "pilotnet", "dmnet_cnn", "resnet50", "vgg16", "bert_base", "gpt2_large")
CARDS = ("k80", "p100", "v100", "t4", "a100", "h100", "rtx3060", "rtx3060-mobile")
PRECISIONS = ("fp32", "tf32", "fp16", "bf16", "amp", "int8", "fp8")
TOP = {
    "schema_version": int, "gpu": dict, "gpus": int, "host": dict, "stack": str, "workload": dict, "step_ms": dict,
    "samples_per_s": float, "epoch_s": (dict, type(None)), "cost": (dict, type(None)), "phases_ms": dict,
    "memory_gb": dict, "fits": bool, "largest_batch": int, "bottleneck": dict, "evidence": dict,
    "unmodelled_operators": dict, "model": dict,
}  # fmt: skip


def check_document(document: dict[str, Any]) -> None:
    """Everything that holds for every answer."""
    for name, kind in TOP.items():
        assert isinstance(document[name], kind), name
    assert document["schema_version"] == 1
    assert set(document["gpu"]) == {"key", "name"}
    step = document["step_ms"]
    assert set(step) == {"median", "low", "high", "coverage"}
    assert 0 < step["low"] < step["median"] < step["high"] < math.inf
    assert 0 < step["coverage"] < 1
    assert tuple(document["phases_ms"]) == PHASES
    exposed = [phase["exposed"] for phase in document["phases_ms"].values()]
    assert all(set(phase) == {"total", "exposed"} for phase in document["phases_ms"].values())
    assert all(0 <= phase["exposed"] <= phase["total"] * (1 + 1e-12) for phase in document["phases_ms"].values())
    assert math.fsum(exposed) == pytest.approx(step["median"], rel=1e-9)
    memory = document["memory_gb"]
    assert memory["peak"] == pytest.approx(sum(memory["parts"].values()), rel=1e-9)
    assert document["fits"] is (memory["peak"] <= memory["capacity"])
    work = document["workload"]
    samples = work["batch"] * document["gpus"] * work["accumulate"]
    assert document["samples_per_s"] * step["median"] / 1e3 == pytest.approx(samples, rel=1e-9)
    if work["dataset_size"] is not None:
        steps = math.ceil(work["dataset_size"] / samples)
        for name in ("median", "low", "high"):
            assert document["epoch_s"][name] == pytest.approx(steps * step[name] / 1e3, rel=1e-9)
    else:
        assert document["epoch_s"] is None
    assert document["evidence"]["grade"] in "ABCD"
    assert document["evidence"]["rows"] >= 0
    assert document["evidence"]["why"]
    assert set(document["bottleneck"]) == {"term", "explanation"}


@pytest.mark.parametrize("model", MODELS)
@pytest.mark.parametrize("gpu", CARDS)
def test_documents(model: str, gpu: str) -> None:
    checked = 0
    for precision in PRECISIONS:
        for mode in ("train", "infer"):
            try:
                found = pm.predict(model, gpu=gpu, precision=precision, mode=mode, batch=4, price=1.5)
            except PrecisionError:
                assert not pm.find_gpu(gpu).supports(precision)
                continue
            check_document(found.to_dict())
            checked += 1
    assert checked >= 4


@pytest.mark.parametrize("model", MODELS)
@pytest.mark.parametrize(
    "options",
    [
        {"gpus": 8}, {"accumulate": 4}, {"checkpoint": True}, {"gpus": 4, "accumulate": 2, "checkpoint": True},
        {"loader": "none"}, {"loader": "native", "workers": 1}, {"workers": 0}, {"timing": "forward + backward"},
        {"timing": "sum of operators"}, {"timing": "full step with pageable input copy"}, {"dataset_size": 12345},
        {"stack": "pytorch 2.4 nhwc compiled"}, {"optimizer": "sgd"}, {"optimizer": "adam_fused"}, {"coverage": 0.5},
        {"host": "colab"}, {"gpus": 3, "timing": "forward"},
    ],
    ids=str,
)  # fmt: skip
def test_documents_of_options(model: str, options: dict[str, Any]) -> None:
    found = pm.predict(model, gpu="v100", precision="amp", batch=8, **options)
    check_document(found.to_dict())


def test_cost_is_price_times_hours() -> None:
    found = pm.predict("cyclegan", gpus=4, price=2.5, dataset_size=5000)
    assert found.cost is not None
    assert found.epoch_s is not None
    assert found.cost["per_epoch"] == pytest.approx(4 * 2.5 * found.epoch_s.median / 3600, rel=1e-12)
    assert found.cost["per_epoch_low"] < found.cost["per_epoch"] < found.cost["per_epoch_high"]
    assert found.cost["per_1000_steps"] == pytest.approx(4 * 2.5 * found.step_s.median * 1000 / 3600, rel=1e-12)
    assert pm.predict("cyclegan").cost is None
    assert pm.predict("cyclegan", price=0.0).cost == {
        "per_hour": 0, "per_1000_steps": 0, "per_epoch": 0, "per_epoch_low": 0, "per_epoch_high": 0,
    }  # fmt: skip


@given(
    gpu=st.sampled_from(CARDS), precision=st.sampled_from(("fp32", "amp")), power=st.integers(0, 7),
    model=st.sampled_from(MODELS), mode=st.sampled_from(("train", "infer")),
)  # fmt: skip
@settings(max_examples=60, deadline=None)
def test_twice_the_batch_is_never_shorter(gpu: str, precision: str, power: int, model: str, mode: str) -> None:
    options: dict[str, Any] = {"gpu": gpu, "precision": precision, "mode": mode}
    one = pm.predict(model, batch=2**power, **options)
    two = pm.predict(model, batch=2 ** (power + 1), **options)
    assert two.step_s.median >= one.step_s.median * (1 - 1e-9)
    assert two.memory_bytes["peak"] >= one.memory_bytes["peak"]
    assert two.largest_batch == one.largest_batch


@given(gpu=st.sampled_from(CARDS), precision=st.sampled_from(("fp32", "amp")), blocks=st.integers(1, 30))
@settings(max_examples=40, deadline=None)
def test_more_blocks_are_never_shorter(gpu: str, precision: str, blocks: int) -> None:
    one = pm.predict(gpu=gpu, precision=precision, blocks=blocks)
    two = pm.predict(gpu=gpu, precision=precision, blocks=blocks + 1)
    assert two.step_s.median > one.step_s.median
    assert two.memory_bytes["peak"] > one.memory_bytes["peak"]


@given(low=st.floats(0.05, 0.95), rise=st.floats(0.001, 0.04))
@settings(max_examples=25, deadline=None)
def test_more_coverage_is_wider(low: float, rise: float) -> None:
    narrow = pm.predict("resnet50", coverage=low).step_s
    wide = pm.predict("resnet50", coverage=low + rise).step_s
    assert wide.low <= narrow.low < narrow.median == wide.median < narrow.high <= wide.high


def test_compute_bound_time_follows_flops() -> None:
    """Blocks add the same work each: time is a straight line in them, to within launch and loading."""
    times = [pm.predict(gpu="p100", blocks=n, loader="none").step_s.median for n in (3, 6, 9)]
    assert times[2] - times[1] == pytest.approx(times[1] - times[0], rel=0.02)


def test_launch_bound_time_is_flat_in_the_batch() -> None:
    one, four = (pm.predict("pilotnet", gpu="h100", batch=n, loader="none") for n in (1, 4))
    assert one.bottleneck.term == "launch"
    assert four.step_s.median < 1.15 * one.step_s.median
    assert one.phases["launch"].exposed > 0.5 * one.step_s.median


def test_compute_bound_step_has_little_launch() -> None:
    found = pm.predict("vgg16", gpu="p100", batch=32, loader="none")
    assert found.bottleneck.term == "arithmetic"
    assert found.phases["launch"].total < 0.01 * found.step_s.median


def test_communication_appears_with_more_cards() -> None:
    one, eight = (pm.predict("bert_base", gpu="v100", gpus=n) for n in (1, 8))
    assert one.phases["communication"].total == 0
    assert eight.phases["communication"].total > eight.phases["communication"].exposed > 0
    assert eight.step_s.median - one.step_s.median == pytest.approx(eight.phases["communication"].exposed, rel=1e-6)
    assert eight.samples_per_s < 8 * one.samples_per_s
    assert pm.predict("bert_base", gpu="v100", gpus=8, mode="infer").phases["communication"].total == 0


def test_accumulation_hides_communication() -> None:
    plain = pm.predict("bert_base", gpu="p100", gpus=8)
    spread = pm.predict("bert_base", gpu="p100", gpus=8, accumulate=8)
    assert spread.samples_per_s > 1.2 * plain.samples_per_s


def test_a_slow_loader_binds() -> None:
    found = pm.predict("resnet50", gpu="h100", batch=256, precision="amp", workers=1, host="colab")
    assert found.bottleneck.term == "loading"
    assert "worker" in found.bottleneck.explanation
    wait = found.phases["input_wait"]
    assert wait.exposed > 0.5 * found.step_s.median
    assert found.phases["load"].exposed == 0
    options: dict[str, Any] = {"gpu": "h100", "batch": 256, "precision": "amp", "host": "colab"}
    free = pm.predict("resnet50", loader="none", **options)
    assert free.phases["load"].total == free.phases["input_wait"].total == 0
    alone = free.step_s.median + found.phases["h2d"].exposed
    assert alone + wait.exposed == pytest.approx(found.step_s.median, rel=1e-9)


def test_input_is_copied_at_the_rate_of_the_bus() -> None:
    whole = pm.predict("resnet50", gpu="v100", batch=64)
    nbytes = 64 * 3 * 224 * 224 * 4
    assert 3e9 < nbytes / whole.phases["h2d"].total < 16e9
    assert pm.predict("resnet50", gpu="v100", batch=64, timing="forward + backward").phases["h2d"].total == 0
    assert pm.predict("resnet50", gpu="v100", batch=64, loader="none").phases["h2d"].total == 0
    assert pm.predict("bert_base", gpu="v100").phases["h2d"].total > 0
    pageable = pm.predict("resnet50", gpu="v100", batch=64, timing="train step, pageable input copy included")
    assert pageable.phases["h2d"].total > whole.phases["h2d"].total


def test_timed_regions_nest() -> None:
    words = ("forward", "forward + backward", "forward + backward + optimizer")
    times = [pm.predict("resnet50", gpu="v100", batch=32, timing=text).step_s.median for text in words]
    assert times[0] < times[1] < times[2]


def test_a_profile_moves_the_answer_and_narrows_it() -> None:
    plain = pm.predict("resnet50", gpu="v100", batch=32, loader="none")
    shares = term_shares(np.eye(len(GROUPS))[0], 0.2, whole_step=True)
    slow = pm.Observation(measured_s=1.5, predicted_s=1.0, shares=shares)
    profile = pm.Profile(gpu="v100-sxm2-16").update([slow] * 5)
    known = pm.predict("resnet50", gpu="v100", batch=32, loader="none", profile=profile)
    assert known.step_s.median > 1.2 * plain.step_s.median
    assert known.step_s.high / known.step_s.low < plain.step_s.high / plain.step_s.low
    assert known.evidence.grade == "A"


@pytest.mark.parametrize(
    "options",
    [
        {"batch": 0}, {"batch": 1.5}, {"batch": True}, {"gpus": 0}, {"accumulate": 0}, {"workers": -1},
        {"dataset_size": 0}, {"size": 0}, {"size": 1}, {"blocks": 0}, {"blocks": 2.5}, {"price": -1.0},
        {"coverage": 1.0}, {"mode": "dream"}, {"precision": "bf16"}, {"gpu": "nosuch"}, {"host": "nosuch"},
        {"loader": "nosuch"}, {"optimizer": "nosuch"}, {"stack": "nosuch"},
    ],
    ids=str,
)  # fmt: skip
def test_bad_arguments(options: dict[str, Any]) -> None:
    with pytest.raises(InputError) as caught:
        pm.predict(**{"gpu": "p100", **options})
    assert caught.value.remedy


def test_names_imply_options() -> None:
    assert pm.predict("bert_large_squad").request.size == 384
    assert pm.predict("bert_large_squad", size=128).request.size == 128


def test_a_calibrated_host_gives_the_cost_of_loading(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Only where the host is asked for: the default answers do not depend on the machine."""
    from perfmodel.hardware.cpu import processor_name
    from perfmodel.hardware.host_profile import HostProfile, profile_path

    before = pm.predict("cyclegan", blocks=6)
    monkeypatch.setenv("PERFMODEL_DATA_DIR", str(tmp_path))
    cost = {"kb": 0.0, "mpx": 0.0, "coded_mpx": 0.0, "out_mpx": 0.0, "fixed": 2000.0}
    HostProfile(
        processor=processor_name(), figures={"decode_speed": 1.0}, pipelines={"pil": {"jpeg": cost}},
        residual_sd={"pil": 0.01}, provenance={"date": "2026-01-02"},
    ).save(profile_path())  # fmt: skip
    again, local = pm.predict("cyclegan", blocks=6), pm.predict("cyclegan", blocks=6, host="local", workers=1)
    assert again.to_dict() == before.to_dict()
    assert local.phases["load"].total == pytest.approx(4.0)
    assert local.phases["input_wait"].exposed > 2.0
    assert any("measured on this host, 2026-01-02" in note for note in local.notes)
