from __future__ import annotations

from typing import Any

import pytest

torch = pytest.importorskip("torch")
from torch import nn  # noqa: E402
from torch.nn import functional as F  # noqa: E402

from perfmodel.graph.autocast import device_rules, fused  # noqa: E402


def empty(*shape: int, dtype: Any = None, grad: bool = False) -> Any:
    return torch.empty(*shape, dtype=dtype, device="meta", requires_grad=grad)


CASES: dict[str, tuple[Any, str]] = {
    "conv2d": (lambda: F.conv2d(empty(2, 3, 8, 8), empty(4, 3, 3, 3)), "float16"),
    "conv_transpose2d": (lambda: F.conv_transpose2d(empty(2, 3, 8, 8), empty(3, 4, 3, 3)), "float16"),
    "linear": (lambda: F.linear(empty(2, 3), empty(4, 3)), "float16"),
    "matmul": (lambda: empty(2, 3) @ empty(3, 4), "float16"),
    "einsum": (lambda: torch.einsum("ij,jk->ik", empty(2, 3), empty(3, 4)), "float16"),
    "attention": (lambda: F.scaled_dot_product_attention(*(empty(2, 4, 8, 16) for _ in range(3))), "float16"),
    "softmax": (lambda: empty(2, 3, dtype=torch.float16).softmax(-1), "float32"),
    "layer_norm": (lambda: F.layer_norm(empty(2, 3, dtype=torch.float16), (3,)), "float32"),
    "group_norm": (lambda: F.group_norm(empty(2, 4, 3, dtype=torch.float16), 2), "float32"),
    "loss": (lambda: F.mse_loss(empty(2, dtype=torch.float16), empty(2, dtype=torch.float16)), "float32"),
    "sum": (lambda: empty(2, dtype=torch.float16).sum(), "float32"),
    "relu": (lambda: empty(2, dtype=torch.float16).relu(), "float16"),
    "add": (lambda: empty(2) + empty(2, dtype=torch.float16), "float32"),
    "batch_norm": (
        lambda: F.batch_norm(empty(2, 3, 4, dtype=torch.float16), empty(3), empty(3), training=True),
        "float16",
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_dtypes_are_those_of_autocast(name: str) -> None:
    run, expected = CASES[name]
    with device_rules(amp=True, fused_attention=True):
        assert str(run().dtype) == f"torch.{expected}"


@pytest.mark.parametrize("name", ["conv2d", "linear", "attention"])
def test_nothing_is_cast_without_amp_or_outside(name: str) -> None:
    run, _ = CASES[name]
    with device_rules(amp=False, fused_attention=True):
        assert run().dtype == torch.float32
    assert run().dtype == torch.float32


def test_gradients_of_parameters_come_back_in_float32() -> None:
    layer = nn.Linear(3, 4, device="meta")
    with device_rules(amp=True, fused_attention=True):
        loss = layer(empty(2, 3)).float().mean()
    loss.backward()
    assert layer.weight.grad.dtype == torch.float32


def test_rules_nest() -> None:
    with device_rules(amp=True, fused_attention=False):
        assert not fused()
        with device_rules(amp=False, fused_attention=True):
            assert fused()
            assert F.linear(empty(2, 3), empty(4, 3)).dtype == torch.float32
        assert F.linear(empty(2, 3), empty(4, 3)).dtype == torch.float16


def fail() -> None:
    with device_rules(amp=True, fused_attention=False):
        raise ZeroDivisionError


def test_rules_end_with_an_error() -> None:
    with pytest.raises(ZeroDivisionError):
        fail()
    assert fused()
    assert F.linear(empty(2, 3), empty(4, 3)).dtype == torch.float32


def test_real_tensors_outside_are_untouched() -> None:
    with device_rules(amp=True, fused_attention=True):
        pass
    x = torch.randn(2, 3)
    torch.testing.assert_close(F.linear(x, torch.eye(3)), x)
