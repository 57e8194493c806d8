"""TF32 is switched such that everyone who asks gets the same answer."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

torch = pytest.importorskip("torch")

from perfmodel.workloads.training.precision import set_tf32  # noqa: E402


@pytest.fixture(autouse=True)
def _restored() -> Iterator[None]:
    products, convolutions = torch.backends.cuda.matmul.allow_tf32, torch.backends.cudnn.allow_tf32
    yield
    torch.backends.cuda.matmul.allow_tf32, torch.backends.cudnn.allow_tf32 = products, convolutions


@pytest.mark.parametrize("allowed", [True, False])
def test_both_switches_of_torch_agree(allowed: bool) -> None:
    set_tf32(not allowed)
    set_tf32(allowed)
    assert torch.backends.cuda.matmul.allow_tf32 is torch.backends.cudnn.allow_tf32 is allowed
    if hasattr(torch.backends.cudnn, "conv"):
        newer = (torch.backends.cuda.matmul, torch.backends.cudnn.conv, torch.backends.cudnn.rnn)
        assert {one.fp32_precision == "tf32" for one in newer} == {allowed}


def test_a_network_can_be_exported_after_it_was_switched() -> None:
    set_tf32(False)
    network = torch.nn.Sequential(torch.nn.Conv2d(1, 2, 3), torch.nn.ReLU())
    torch.export.export(network, (torch.zeros(1, 1, 8, 8),))
