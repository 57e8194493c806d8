"""What a measured time covers, by keyword."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from perfmodel.runs.timing import is_training, read_timing

STEP = "fwd+loss+bwd+opt"
SCOPES = [
    # timing_def, data, phase, scope: the spellings of the measured tables
    ("infer: fwd only, cuda events", "synthetic-on-gpu", "infer", "fwd"),
    ("train: zero_grad+fwd+loss+bwd+optimizer step", "synthetic-on-gpu", "train", STEP),
    ("reported training throughput", "real; resnet50 synthetic", "train", f"{STEP}+h2d+load"),
    ("H2D copy+fwd", "random host tensor, pageable H2D copy inside the timed region", "infer", "fwd+h2d-pageable"),
    (
        "zero_grad+H2D copy+fwd+CE loss+bwd, NO optimizer step",
        "random host tensor, pageable H2D copy inside the timed region",
        "train",
        "fwd+loss+bwd+h2d-pageable",
    ),
    ("fwd only (train-mode graph)", "random on-gpu", "infer", "fwd"),
    ("fwd+bwd, no optimizer", "random on-gpu", "train", "fwd+loss+bwd"),
    ("fwd+bwd", "random on-gpu", "train", "fwd+loss+bwd"),
    (
        "device time of one step, sum of operators (forward; training: forward + backward, no optimizer)",
        "synthetic",
        "infer",
        "fwd+operators",
    ),
    (
        "device time of one step, sum of operators (forward; training: forward + backward, no optimizer)",
        "synthetic",
        "train",
        "fwd+loss+bwd+operators",
    ),
    ("tf_cnn_benchmarks total images/sec", "synthetic-on-gpu", "train", STEP),
    ("Throughput - mixed precision [img/s]", "see README", "train", STEP),
    ("Sequence Length", "see README", "infer", "fwd"),
    # spellings never seen
    ("forward and backward, optimizer excluded", "", "train", "fwd+loss+bwd"),
    ("train step w/o optimizer", "", "train", "fwd+loss+bwd"),
    ("complete step without optimizer", "", "train", "fwd+loss+bwd"),
    ("full training step", "", "train", STEP),
    ("full step: forward, backward, update", "", "train", STEP),
    ("training: forward, backward and Adam update", "", "train", STEP),
    ("time per iteration", "", "train", STEP),
    ("forward only", "", "train", "fwd"),
    ("no backward", "", "train", "fwd"),
    ("forward_pass", "", "inference", "fwd"),
    ("forward pass, host-to-device transfer included", "", "infer", "fwd+h2d"),
    ("excluding data loading and copies", "", "train", STEP),
    ("iteration", "ImageNet from disk", "train", f"{STEP}+h2d+load"),
    ("iteration", "CPU tensors", "train", f"{STEP}+h2d"),
    ("iteration", "synthetic, no copy", "train", STEP),
    ("sum of kernels", "", "infer", "fwd+operators"),
    ("", "", "train", STEP),
    ("", "", "infer", "fwd"),
]


@pytest.mark.parametrize(("timing_def", "data", "phase", "key"), SCOPES)
def test_scopes(timing_def: str, data: str, phase: str, key: str) -> None:
    assert read_timing(timing_def, data, phase).key == key


@pytest.mark.parametrize("nothing", [None, float("nan"), ""])
def test_cells_that_say_nothing(nothing: object) -> None:
    scope = read_timing(nothing, nothing, "train")
    assert (scope.key, scope.stated) == (STEP, False)


def test_a_clause_may_speak_of_one_model_only() -> None:
    data = "real (COCO/SQuAD/ml-20m/WMT...) ; resnet50 synthetic"
    assert not read_timing("throughput", data, "train", model="resnet-50").loading
    assert read_timing("throughput", data, "train", model="bert_base_squad").loading


@pytest.mark.parametrize(
    ("phase", "training"), [("train", True), ("Training", True), ("fine-tuning", True), ("infer", False), ("", False)]
)
def test_phases(phase: str, training: bool) -> None:
    assert is_training(phase) is training


def test_every_measured_spelling_gives_a_scope_of_its_phase(shared_data: Path) -> None:
    from perfmodel.runs import read_runs

    runs = read_runs(shared_data / "measurements" / "end_to_end.csv.gz")
    for scope, training in zip(runs.timings, runs.training, strict=True):
        assert scope.forward
        assert scope.backward == training
        assert not (scope.optimizer and not training)
    optimizer = {source: set() for source in set(runs.text("source"))}
    for scope, source, training in zip(runs.timings, runs.text("source"), runs.training, strict=True):
        if training:
            optimizer[source].add(scope.optimizer)
    without = {source for source, seen in optimizer.items() if seen == {False}}
    assert without == {"ryujaehun", "cnn-benchmarks", "u39kun", "neusight-e2e"}


@given(st.text(max_size=60), st.text(max_size=60), st.sampled_from(["train", "infer"]))
def test_any_words_give_a_scope(timing_def: str, data: str, phase: str) -> None:
    scope = read_timing(timing_def, data, phase)
    assert scope.forward
    assert phase == "train" or not (scope.backward or scope.optimizer)
    assert scope.h2d_copy or not scope.pageable
