from __future__ import annotations

import pytest

torch = pytest.importorskip("torch")

from perfmodel.graph.operators import KINDS  # noqa: E402
from perfmodel.graph.rules import RULES, kind_of  # noqa: E402

EXPECTED = {
    "mm": "gemm",
    "baddbmm": "gemm",
    "convolution": "conv",
    "convolution_backward": "conv",
    "_scaled_dot_product_efficient_attention": "attention",
    "_cudnn_rnn": "rnn",
    "native_layer_norm": "norm",
    "native_batch_norm_backward": "norm",
    "_softmax": "softmax",
    "relu_": "elementwise",
    "gelu": "elementwise",
    "native_dropout": "elementwise",
    "threshold_backward": "elementwise",
    "sum": "reduce",
    "nll_loss_forward": "reduce",
    "cat": "copy",
    "_to_copy": "copy",
    "zeros": "copy",
    "max_pool2d_with_indices": "pool",
    "upsample_bilinear2d": "pool",
    "embedding": "embedding",
    "embedding_dense_backward": "embedding",
    "_foreach_addcmul_": "optimizer",
    "topk": "other",
}


@pytest.mark.parametrize("name", EXPECTED)
def test_kinds(name: str) -> None:
    packet = getattr(torch.ops.aten, name)
    assert kind_of(getattr(packet, packet.overloads()[0]), name) == EXPECTED[name]


def test_every_rule_has_a_known_kind() -> None:
    assert {kind for kind, _ in RULES.values()} <= set(KINDS)


def test_an_unknown_operator_has_no_kind() -> None:
    assert kind_of(object(), "something_new") is None
