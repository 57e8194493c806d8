"""Timing of whole steps: phases, precisions, that the step really trains."""

from __future__ import annotations

import time

import pytest

from perfmodel.calibration import networks, programs, steps

torch = pytest.importorskip("torch")


def network() -> torch.nn.Module:
    torch.manual_seed(0)
    return torch.nn.Sequential(torch.nn.Linear(8, 16), torch.nn.ReLU(), torch.nn.Linear(16, 1))


def test_phases_and_step_of_a_program_whose_times_are_known() -> None:
    def step(probe: steps.Probe) -> None:
        for name, seconds in (("forward", 0.01), ("backward", 0.02), ("forward", 0.01)):
            with probe.phase(name):
                time.sleep(seconds)

    program = steps.Program(step=step, parameters=7)
    timing = steps.measure_program(program, device="cpu", repeats=5, warm_up=1)
    assert (timing.parameters, timing.repeats, timing.peak_memory_bytes) == (7, 5, 0)
    assert timing.step_s >= timing.step_min_s >= 0.04
    assert timing.step_min_s < 0.4
    assert 0.02 <= timing.phases_s["forward"] < 0.2
    assert 0.02 <= timing.phases_s["backward"] < 0.2


def test_phases_of_a_module() -> None:
    timing = steps.measure_step(network(), torch.randn(4, 8), repeats=9)
    assert set(timing.phases_s) == {"forward", "loss", "backward", "optimizer"}
    assert timing.parameters == 8 * 16 + 16 + 16 + 1
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


def test_resnet50_has_its_published_size() -> None:
    with torch.device("meta"):
        assert sum(parameter.numel() for parameter in networks.resnet50().parameters()) == 25_557_032


def test_nested_phases_do_not_count_twice() -> None:
    probe = steps.TimingProbe(lambda: None)
    with probe.phase("backward"):
        time.sleep(0.02)
        with probe.phase("forward"):
            time.sleep(0.05)
        time.sleep(0.02)
    time.sleep(0.02)
    with probe.phase("optimizer"):
        pass
    assert set(probe.seconds) == {"backward", "forward", "optimizer"}
    assert probe.seconds["forward"] == pytest.approx(0.05, abs=0.02)
    assert probe.seconds["backward"] == pytest.approx(0.04, abs=0.02)
    assert probe.seconds["optimizer"] < 0.01


@pytest.mark.parametrize("case", programs.cases_for("dry"), ids=lambda case: case.workload)
def test_the_step_of_every_workload(case: programs.StepCase) -> None:
    program = programs._BUILDERS[case.workload](torch, case, "cpu")
    timing = steps.measure_program(program, device="cpu", repeats=3, warm_up=1)
    assert set(timing.phases_s) == {"forward", "loss", "backward", "optimizer"}
    assert all(seconds > 0 for seconds in timing.phases_s.values())


def test_cyclegan_trains_all_four_networks() -> None:
    case = programs.StepCase(workload="cyclegan", blocks=3, batch=1, size=32, precision="fp32")
    assert programs._BUILDERS["cyclegan"](torch, case, "cpu").parameters == 14_123_912
    assert {case.blocks for case in programs.cases_for("gpu")} == {0, 3, 6, 9}
