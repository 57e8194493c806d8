from __future__ import annotations

import numpy as np
import pytest

from perfmodel.graph.optimizers import (
    OPTIMIZERS,
    accumulation_operators,
    optimizer_operators,
    parse,
    state_tensors,
)


@pytest.mark.parametrize("name", OPTIMIZERS)
@pytest.mark.parametrize("style", ["", "_fused", "_loop", "_foreach"])
def test_every_optimizer_moves_at_least_its_state(name: str, style: str) -> None:
    found = optimizer_operators(name + style, parameters=np.array(1000.0), tensors=np.array(10.0), scaler=False)
    assert float(found.total("read")) >= 4 * 1000 * (2 + (state_tensors(name) > 0))
    assert float(found.total("write")) >= 4 * 1000
    assert set(found.count.tolist()) == ({10.0} if style == "_loop" else {1.0})
    assert not found.half.any()


def test_parse_splits_name_and_style() -> None:
    assert parse("AdamW_fused") == ("adamw", "fused")
    assert parse("sgd") == ("sgd", "foreach")
    with pytest.raises(ValueError, match="unknown optimizer 'madam'"):
        parse("madam")


@pytest.mark.parametrize(("name", "count"), [("adam", 2), ("sgd", 1), ("sgd_plain", 0), ("lamb_fused", 2)])
def test_state(name: str, count: int) -> None:
    assert state_tensors(name) == count
    assert state_tensors(None) == 0


def test_parameters_may_be_an_array() -> None:
    found = optimizer_operators("adam", parameters=np.array([1e3, 2e3]), tensors=np.array([10.0, 10.0]), scaler=True)
    assert found.read.shape == (2, len(found))
    np.testing.assert_allclose(found.total("read")[1], 2 * found.total("read")[0])


@pytest.mark.parametrize(
    ("name", "factory", "options"),
    [("sgd", "SGD", {"momentum": 0.9}), ("adam", "Adam", {}), ("adamw", "AdamW", {})],
)
def test_passes_are_those_torch_makes(name: str, factory: str, options: dict[str, float]) -> None:
    torch = pytest.importorskip("torch")
    from perfmodel.graph.capturing import trace

    module = torch.nn.Linear(100, 50, device="meta")
    optimizer = getattr(torch.optim, factory)(module.parameters(), lr=0.1, foreach=True, **options)
    for _ in range(2):
        for parameter in module.parameters():
            parameter.grad = torch.empty_like(parameter)
        got = trace(lambda session: optimizer.step(), modules=[module], inputs=[], batch=0, trace_peak=False)
    assert got.unmodelled == {}
    real = [record for record in got.records if record.linear.get("write_single", [0])[0] >= 5050]
    counted = optimizer_operators(name, parameters=np.array(5050.0), tensors=np.array(2.0), scaler=False)
    assert [record.name for record in real] == list(counted.name)
    assert [4 * record.linear["read_single"][0] for record in real] == counted.read.tolist()
    assert [4 * record.linear["write_single"][0] for record in real] == counted.write.tolist()


def test_accumulation_adds_once_for_each_further_micro_batch() -> None:
    found = accumulation_operators(parameters=np.array(1000.0), tensors=np.array(10.0), times=4)
    assert found.count.tolist() == [30.0]
    assert float(found.total("read")) == 3 * 8 * 1000
