"""Timing of whole steps: phases, precisions, that the step really trains."""

from __future__ import annotations

import pytest

from perfmodel.calibration import networks, steps

torch = pytest.importorskip("torch")


def network() -> torch.nn.Module:
    torch.manual_seed(0)
    return torch.nn.Sequential(torch.nn.Linear(8, 16), torch.nn.ReLU(), torch.nn.Linear(16, 1))


def test_phases_add_up_to_about_the_step() -> None:
    module = torch.nn.Sequential(*(torch.nn.Linear(512, 512) for _ in range(6)))
    timing = steps.measure_step(module, torch.randn(256, 512), repeats=9)
    assert set(timing.phases_s) == {"forward", "loss", "backward", "optimizer"}
    assert timing.step_min_s <= timing.step_s
    assert sum(timing.phases_s.values()) == pytest.approx(timing.step_s, rel=0.6)
    assert timing.parameters == 6 * (512 * 512 + 512)
    assert timing.repeats == 9


def test_the_step_trains() -> None:
    module = network()
    x = torch.randn(64, 8)
    before = module(x).square().mean().item()
    steps.measure_step(module, x, optimizer="sgd", repeats=40, warm_up=200)
    assert module(x).square().mean().item() < before


def test_inference_changes_nothing() -> None:
    module = network()
    before = [parameter.clone() for parameter in module.parameters()]
    timing = steps.measure_step(module, torch.randn(4, 8), mode="infer")
    assert set(timing.phases_s) == {"forward"}
    assert not module.training
    assert all(torch.equal(old, new) for old, new in zip(before, module.parameters(), strict=True))


def test_without_an_optimizer() -> None:
    timing = steps.measure_step(network(), torch.randn(4, 8), optimizer=None)
    assert set(timing.phases_s) == {"forward", "loss", "backward"}


def test_amp_on_the_cpu_is_bfloat16() -> None:
    seen: list[torch.dtype] = []

    def loss(output: torch.Tensor) -> torch.Tensor:
        seen.append(output.dtype)
        return output.float().square().mean()

    steps.measure_step(network(), torch.randn(4, 8), precision="amp", loss=loss)
    assert set(seen) == {torch.bfloat16}


def test_wrong_names() -> None:
    with pytest.raises(ValueError, match="no precision 'fp4'"):
        steps.measure_step(network(), torch.randn(4, 8), precision="fp4")
    with pytest.raises(ValueError, match="no optimizer 'lion'"):
        steps.make_optimizer(torch, "lion", [])


def test_a_small_budget_times_three_steps() -> None:
    assert steps.measure_step(network(), torch.randn(4, 8), repeats=50, budget_s=1e-9).repeats == 3


def test_row_has_the_columns_of_the_table() -> None:
    from perfmodel.calibration.rows import STEP_COLUMNS

    assert set(steps.measure_step(network(), torch.randn(4, 8)).row()) <= set(STEP_COLUMNS)


def test_reference_networks_have_their_published_sizes() -> None:
    with torch.device("meta"):
        resnet, gpt2 = networks.resnet50(), networks.gpt2()
    assert sum(parameter.numel() for parameter in resnet.parameters()) == 25_557_032
    assert sum(parameter.numel() for parameter in gpt2.parameters()) == 124_439_808
