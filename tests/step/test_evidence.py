"""Grades: what was measured decides them, and how much wider the interval becomes."""

from __future__ import annotations

from dataclasses import replace

import pytest

import perfmodel as pm
from perfmodel.efficiency.prior import Prior, shipped_prior
from perfmodel.hardware.gpu import Gpu, find_gpu
from perfmodel.step.evidence import Evidence, judge
from perfmodel.step.request import make_request

CARD = find_gpu("v100")
COUNTS = {
    "gpu_engine": {"v100-sxm2-16|fp32": 50, "v100-sxm2-16|half": 3},
    "arch_engine": {"Volta|fp32": 80, "Turing|amp": 30, "Ampere|tf32": 4},
}
SUPPORT = {"Volta|fp32|gemm": 500, "Volta|fp32|conv": 100, "Pascal|fp32|gemm": 7}


def prior(**counts: dict[str, int]) -> Prior:
    return replace(shipped_prior(), counts={**COUNTS, **counts}, support=SUPPORT)


def grade(gpu: Gpu, precision: str) -> Evidence:
    return judge(prior(), make_request("resnet50", gpu=gpu, precision=precision).plan.setting, gpu)


def unknown_card() -> Gpu:
    """A user's card of an architecture that nothing was measured on."""
    return replace(find_gpu("h100"), key="future", name="Future 1", arch="Future", compute_capability=15.0)


@pytest.mark.parametrize(
    ("gpu", "precision", "expected", "rows", "words"),
    [
        ("v100", "fp32", "A", 50, "50 measured steps on Tesla V100 SXM2 16 GB at fp32"),
        ("titanv", "fp32", "B", 80, "80 measured steps on Volta cards at fp32"),
        ("v100", "fp16", "B", 0, "Volta cards"),
        ("v100", "amp", "C", 30, "on other generations, Volta cards only at other precisions"),
        ("p100", "fp32", "C", 80, "none on Pascal cards"),
        ("a100", "tf32", "D", 0, "no measured step at tf32 precision on any card, 4 on Ampere cards at others"),
        ("h100", "fp8", "D", 0, "no measured step at fp8 precision on any card, and none on Hopper cards"),
        ("h100", "int8", "D", 0, "no measured step at int8"),
    ],
)
def test_grades(gpu: str, precision: str, expected: str, rows: int, words: str) -> None:
    found = grade(find_gpu(gpu), precision)
    assert (found.grade, found.rows) == (expected, rows)
    assert words in found.why


def test_single_kernels_are_told() -> None:
    assert "600 single kernels of that generation" in grade(CARD, "fp32").why
    assert "kernels" not in grade(CARD, "amp").why


@pytest.mark.parametrize("precision", ["fp8", "int8", "bf16"])
def test_nothing_supports_a_precision_of_an_unknown_architecture(precision: str) -> None:
    card = unknown_card()
    found = grade(card, precision)
    assert found.grade == "D"
    assert "none on Future cards" in found.why
    assert found.variance > grade(find_gpu("h100"), "fp32").variance


def test_worse_grades_are_less_sure() -> None:
    variance = [
        grade(CARD, "fp32").variance,
        grade(find_gpu("titanv"), "fp32").variance,
        grade(CARD, "amp").variance,
        grade(find_gpu("p100"), "fp32").variance,
        grade(CARD, "tf32" if CARD.supports("tf32") else "amp").variance,
        grade(unknown_card(), "fp8").variance,
    ]
    assert variance[0] == variance[1] == 0
    assert 0 < variance[2] < variance[3] < variance[5]


def test_a_profile_is_the_best_evidence() -> None:
    setting = make_request("resnet50", gpu="p100", precision="fp16").plan.setting
    empty = pm.Profile(gpu="p100-pcie-16")
    assert judge(prior(), setting, find_gpu("p100"), empty).grade != "A"
    found = judge(prior(), setting, find_gpu("p100"), replace(empty, observations=12))
    assert (found.grade, found.rows) == ("A", 12)
    assert "its profile" in found.why


def test_extrapolation_is_said_and_wide() -> None:
    known = pm.predict("vgg16", gpu="h100", precision="tf32", batch=64, mode="infer", timing="forward")
    far = pm.predict("vgg16", gpu=unknown_card(), precision="fp8", batch=64, mode="infer", timing="forward")
    assert far.evidence.grade == "D"
    assert any("extrapolated" in note and "fp8" in note and "Future" in note for note in far.notes)
    assert not any("extrapolated" in note for note in known.notes)
    assert far.step_s.high / far.step_s.low > 1.3 * known.step_s.high / known.step_s.low
    assert far.to_dict()["evidence"]["grade"] == "D"
    assert any("extrapolated" in note for note in far.to_dict()["notes"])
