"""Per-layer times."""

from __future__ import annotations

from typing import Any

import pytest

from perfmodel.errors import InputError
from perfmodel.instrument.layers import layer_table, layers

torch = pytest.importorskip("torch")


def test_layers_of_pilotnet_hold_its_operations_and_its_time() -> None:
    from perfmodel.workloads.pilotnet import PilotNet

    network = PilotNet()
    found = layers(network, torch.randn(4, 3, 200, 66), gpu="cpu")
    leaves = [name for name, module in network.named_modules() if not list(module.children())]
    assert [one.name for one in found] == leaves
    forward = 2 * 28.2e6 * 4 / 1e9
    # a backward pass costs two forward passes; the first convolution needs its data gradient for the norm before it
    assert sum(one.gflops for one in found) == pytest.approx(3 * forward, rel=0.01)
    assert all(one.forward_s > 0 and one.backward_s > 0 for one in found)
    assert all(one.share_of_roofline is not None and one.share_of_roofline > 0 for one in found if one.gflops)
    assert all(parameter.grad is None for parameter in network.parameters())
    text = layer_table(found)
    longest = max(found, key=lambda one: one.forward_s + one.backward_s)
    assert text.splitlines()[1].startswith(longest.name)


def test_the_slow_layer_is_found() -> None:
    network = torch.nn.Sequential(torch.nn.Linear(16, 16), torch.nn.Linear(16, 4096), torch.nn.Linear(4096, 1024))
    found = {one.name: one for one in layers(network, torch.randn(256, 16))}
    assert max(found, key=lambda name: found[name].forward_s) == "2"
    assert max(found, key=lambda name: found[name].backward_s) == "2"
    assert found["2"].gflops == pytest.approx(3 * 2 * 256 * 4096 * 1024 / 1e9)
    assert found["0"].gflops == pytest.approx(2 * 2 * 256 * 16 * 16 / 1e9)  # no gradient for the input


def test_a_layer_used_twice_counts_twice() -> None:
    class Twice(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.same = torch.nn.Linear(8, 8)

        def forward(self, x: Any) -> Any:
            return self.same(self.same(x))

    (only,) = layers(Twice(), torch.randn(2, 8), backward=False)
    assert only.calls == 2
    assert only.backward_s == 0
    assert only.gflops == pytest.approx(2 * 2 * 2 * 8 * 8 / 1e9)


def test_a_bare_layer_and_bad_requests() -> None:
    (only,) = layers(torch.nn.Linear(8, 8), torch.randn(2, 8))
    assert only.gflops > 0
    with pytest.raises(InputError, match="repeats"):
        layers(torch.nn.Linear(8, 8), torch.randn(2, 8), repeats=0)
