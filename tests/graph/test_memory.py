"""The memory model against allocations of real steps on the CPU."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

torch = pytest.importorskip("torch")
from torch import nn  # noqa: E402

from perfmodel.graph import capture, load  # noqa: E402
from perfmodel.graph.memory import CUBLAS_WORKSPACE  # noqa: E402
from perfmodel.workloads import cyclegan, depthmap, pilotnet  # noqa: E402


def loss(output: Any) -> Any:
    parts = output if isinstance(output, tuple) else (output,)
    return sum(part.pow(2).mean() for part in parts)


def measured(module: Any, x: Any) -> int:
    """Peak of the allocator during one step, bytes above what was there before."""
    module.train()

    def step() -> None:
        value = loss(module(x))
        value.backward()
        module.zero_grad()

    step()
    with torch.profiler.profile(activities=[torch.profiler.ProfilerActivity.CPU], profile_memory=True) as profile:
        step()
    events = [event for event in profile.profiler.kineto_results.events() if event.name() == "[memory]"]
    now = np.cumsum([event.nbytes() for event in sorted(events, key=lambda event: event.start_ns())])
    return int(now.max())


def small_cnn() -> Any:
    layers: list[Any] = []
    for inner, outer in ((3, 32), (32, 64), (64, 64), (64, 128)):
        layers += [nn.Conv2d(inner, outer, 3, padding=1), nn.BatchNorm2d(outer), nn.ReLU()]
    return nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(128, 10))


def small_transformer() -> Any:
    layer = nn.TransformerEncoderLayer(64, 4, 256, batch_first=True, dropout=0.0)
    return nn.TransformerEncoder(layer, 4, enable_nested_tensor=False)


CASES: dict[str, tuple[Callable[[], Any], Callable[[], Any], float]] = {
    "cnn": (small_cnn, lambda: torch.randn(8, 3, 48, 48), 0.05),
    "dmnet_cnn": (depthmap.dmnet_cnn, lambda: torch.randn(1, 6, 96, 96), 0.05),
    "dmnet_resnet": (depthmap.dmnet_resnet, lambda: torch.randn(2, 6, 96, 96), 0.06),
    "generator": (lambda: cyclegan.Generator(2, 16), lambda: torch.randn(1, 3, 64, 64), 0.1),
    "transformer": (small_transformer, lambda: torch.randn(8, 64, 64), 0.12),
    "pilotnet_same": (lambda: pilotnet.PilotNet(same=True), lambda: torch.randn(4, 3, 200, 66), 0.1),
}


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("name", CASES)
def test_peak_is_that_of_a_real_step(name: str) -> None:
    build, inputs, tolerance = CASES[name]
    module, x = build(), inputs()
    graph = capture(module, x, loss=loss)
    memory = graph.memory(batch=x.shape[0], optimizer=None, workspace=False)
    predicted = float(memory.gradients + memory.activations)
    assert predicted == pytest.approx(measured(module, x), rel=tolerance)


def test_saved_tensors_are_those_autograd_keeps() -> None:
    module, x = small_cnn(), torch.randn(4, 3, 32, 32)
    kept: dict[int, int] = {}
    known = {tensor.untyped_storage().data_ptr() for tensor in (*module.parameters(), *module.buffers(), x)}
    alive = []

    def pack(tensor: Any) -> Any:
        storage = tensor.untyped_storage()
        if storage.data_ptr() not in known:
            alive.append(tensor)
            kept[storage.data_ptr()] = storage.nbytes()
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(pack, lambda tensor: tensor):
        value = loss(module(x))
    graph = capture(module, x, loss=loss)
    assert float(graph.memory(batch=4).saved) == pytest.approx(sum(kept.values()), rel=0.01)
    assert value.requires_grad


def test_parts_sum_to_the_peak_and_grow_with_the_batch() -> None:
    graph = load("resnet50")
    memory = graph.memory(batch=[1, 8, 64], optimizer="adam")
    parts = sum(
        getattr(memory, name)
        for name in ("parameters", "buffers", "gradients", "optimizer", "inputs", "activations", "workspace")
    )
    np.testing.assert_allclose(memory.peak, parts)
    assert (np.diff(memory.peak) > 0).all()
    assert float(memory.parameters[0]) == 4 * graph.parameters()
    assert float(memory.optimizer[0]) == 8 * graph.parameters()
    assert memory.workspace[0] > CUBLAS_WORKSPACE
    assert float(graph.memory(batch=8, optimizer="sgd").optimizer) == 4 * graph.parameters()


def test_resnet50_needs_what_is_known() -> None:
    # about 22 GB for batch 256 in float32 is the usual experience
    peak = float(load("resnet50").memory(batch=256, optimizer="sgd").peak) / 1e9
    assert 20 < peak < 27


def test_mixed_precision_needs_less_for_activations_and_inference_far_less() -> None:
    graph = load("resnet50")
    single, mixed, half = (float(graph.memory(batch=64, variant=v).activations) for v in ("fp32", "amp", "half"))
    assert half < mixed < single
    infer = graph.memory(batch=64, mode="infer")
    assert float(infer.activations) < single / 4
    assert float(infer.gradients) == float(infer.optimizer) == 0


def test_accumulation_keeps_gradients_during_the_passes() -> None:
    graph = load("vgg16")
    once, more = (float(graph.memory(batch=4, accumulate=times).peak) for times in (1, 4))
    assert once < more <= once + 4 * graph.parameters()
