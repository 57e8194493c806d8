"""Software stacks."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from perfmodel.errors import InputError
from perfmodel.hardware.gpu import find_gpu
from perfmodel.runs.stack import ERAS, Stack, completed, newest_stack, parse_stack, read_stack

ROWS = [
    # framework, version, layout, compiled -> label, era
    (("pytorch", "2.4.0+cu124", "nhwc", "eager"), "pytorch 2.4.0 cuda 12.4 nhwc eager", "pytorch2"),
    (("pytorch", "2.9.1+cu128", "nchw", "torch.compile"), "pytorch 2.9.1 cuda 12.8 nchw compiled", "pytorch2"),
    (("pytorch", "1.12+cu113", "nchw", "eager"), "pytorch 1.12 cuda 11.3 nchw eager", "pytorch1"),
    (("pytorch", "0.3.0", "nchw", "eager"), "pytorch 0.3.0 nchw eager", "pytorch0"),
    (("pytorch+torchvision", "1.4 / CUDA10.0 (README)", "", ""), "pytorch 1.4 cuda 10.0 nchw eager", "pytorch1"),
    (("pytorch+torchvision", "1.0 (2019)", "", ""), "pytorch 1.0 nchw eager", "pytorch1"),
    (
        ("pytorch (NVIDIA DeepLearningExamples scripts)", "nvcr pytorch 24.10", "", ""),
        "pytorch 2.5 cuda 12.6 nchw eager",
        "pytorch2",
    ),
    (("pytorch", "nvcr pytorch 20.xx", "", ""), "pytorch 1.8 cuda 11.1 nchw eager", "pytorch1"),
    (("pytorch", "NGC container named in README", "", ""), "pytorch nchw eager", "pytorch1"),
    (("tensorflow", "NGC container named in README", "", ""), "tensorflow nchw eager", "tf1"),
    (("tensorflow2", "NGC container named in README", "", ""), "tensorflow 2 nchw eager", "tf2"),
    (("tensorflow", "1.4.0", "", "xla"), "tensorflow 1.4.0 nchw compiled", "tf1"),
    (("torch7", "cudnn=5110", "nchw", "eager"), "torch7 7 nchw eager", "torch7"),
    (("caffe2", "0.8.1", "", ""), "caffe2 0.8.1 nchw eager", "caffe2"),
    (("jax", "0.4.30", "", ""), "jax 0.4.30 nchw eager", "jax"),
    (("something new", "7", "channels_last", "not compiled"), "other 7 nhwc eager", "other"),
    (("pytorch", None, float("nan"), None), "pytorch nchw eager", "pytorch2"),
]


@pytest.mark.parametrize(("cells", "label", "era"), ROWS)
def test_rows(cells: tuple[object, ...], label: str, era: str) -> None:
    stack = read_stack(*cells)
    assert (stack.label, stack.era) == (label, era)


def test_hints_may_name_a_compiler() -> None:
    assert read_stack("tensorflow", hints="Throughput - TF32 + XLA").compiled
    assert not read_stack("tensorflow", hints="Throughput - TF32").compiled


@pytest.mark.parametrize(
    ("framework", "version", "fused"),
    [
        ("pytorch", "2.1", True),
        ("pytorch", "1.13", False),
        ("pytorch+transformers", "2.1.0+cu121", False),
        ("tensorflow", "2.9", False),
    ],
)
def test_fused_attention(framework: str, version: str, fused: bool) -> None:
    assert read_stack(framework, version).fused_attention is fused


@pytest.mark.parametrize(
    ("card", "cuda"),
    [("k520", (10, 2)), ("k80", (11, 8)), ("p100", (12, 6)), ("v100", (12, 6)), ("t4", (13, 0)), ("h100", (13, 0))],
)
def test_newest_stack_of_a_card(card: str, cuda: tuple[int, int]) -> None:
    assert newest_stack(find_gpu(card)).cuda == cuda


@pytest.mark.parametrize(
    ("text", "label"),
    [
        ("newest", "pytorch 2.9 cuda 13.0 nchw eager"),
        ("", "pytorch 2.9 cuda 13.0 nchw eager"),
        ("compiled", "pytorch 2.9 cuda 13.0 nchw compiled"),
        ("pytorch 1.13 nhwc", "pytorch 1.13 nhwc eager"),
        ("torch 2.4.0+cu124 channels_last compile", "pytorch 2.4.0 cuda 12.4 nhwc compiled"),
        ("tensorflow-2.3 xla", "tensorflow 2.3 nchw compiled"),
        ("2.1", "pytorch 2.1 nchw eager"),
        ("cuda 12.4", "pytorch 2.9 cuda 12.4 nchw eager"),
    ],
)
def test_stacks_that_a_user_names(text: str, label: str) -> None:
    assert parse_stack(text, find_gpu("a100")).label == label


@pytest.mark.parametrize("text", ["foo 1", "pytorch one", "2.x", "nhwc nothing"])
def test_stacks_that_are_not_understood(text: str) -> None:
    with pytest.raises(InputError, match="is not understood; write newest"):
        parse_stack(text, find_gpu("a100"))


@given(st.text(max_size=30), st.text(max_size=30), st.text(max_size=10), st.text(max_size=10))
def test_any_words_give_a_stack_of_a_known_era(framework: str, version: str, layout: str, compiled: str) -> None:
    stack = read_stack(framework, version, layout, compiled)
    assert isinstance(stack, Stack)
    assert stack.era in ERAS


def test_what_a_row_does_not_say_is_the_newest() -> None:
    card = find_gpu("k80")
    newest = newest_stack(card)
    assert completed(read_stack("", ""), card).version == newest.version
    assert completed(read_stack("pytorch", "", "nhwc", "torch.compile"), card) == replace(
        newest, layout="nhwc", compiled=True
    )
    for stated in (read_stack("pytorch", "1.8"), read_stack("tensorflow", ""), read_stack("pytorch", "nvcr.io 20.12")):
        assert completed(stated, card) == stated
