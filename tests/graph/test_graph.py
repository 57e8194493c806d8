from __future__ import annotations

import numpy as np
import pytest

from perfmodel.graph import PHASES, load
from perfmodel.graph.operators import KIND_CODE, Operators

COLUMNS = ("count", "b", "m", "n", "k", "flops", "read", "write", "rows", "cols", "saved")


def assert_same(first: Operators, second: Operators, at: tuple[int, ...] = ()) -> None:
    assert first.name == second.name
    for column in COLUMNS:
        np.testing.assert_array_equal(getattr(first, column)[at], getattr(second, column), err_msg=column)


@pytest.mark.parametrize("name", ["cyclegan", "resnet50", "gpt2", "pilotnet"])
@pytest.mark.parametrize("variant", ["fp32", "amp", "half"])
def test_arrays_give_what_scalars_give(name: str, variant: str) -> None:
    graph = load(name)
    batches = np.array([1, 3, 16])
    sizes = graph.default_size + graph.size_step * np.array([0, 1, 2]) if graph.size_step else None
    found = graph.operators(batch=batches, size=sizes, variant=variant)
    assert found.flops.shape == (3, len(found))
    for at, batch in enumerate(batches):
        size = None if sizes is None else int(sizes[at])
        assert_same(found, graph.operators(batch=int(batch), size=size, variant=variant), (at,))


def test_half_precision_moves_half_the_bytes() -> None:
    graph = load("vgg11")
    single, half = (graph.operators(batch=8, variant=v, mode="infer") for v in ("fp32", "half"))
    products = single.k > 0
    np.testing.assert_allclose(half.read[products], single.read[products] / 2)
    assert half.half.all()
    assert not single.half.any()


def test_phases_and_optimizer() -> None:
    graph = load("resnet18")
    found = graph.operators(batch=4, optimizer="adam")
    assert {PHASES[code] for code in found.phase} == set(PHASES)
    step = found.select(found.kind == KIND_CODE["optimizer"])
    assert float(step.total("write")) >= 3 * 4 * graph.parameters()
    fused = graph.operators(batch=4, optimizer="adam_fused")
    fused = fused.select(fused.kind == KIND_CODE["optimizer"])
    assert float(fused.total("read")) == 4 * 4 * graph.parameters()
    assert float(fused.total("write")) == 3 * 4 * graph.parameters()
    loop = graph.operators(batch=4, optimizer="adam_loop")
    loop = loop.select(loop.kind == KIND_CODE["optimizer"])
    assert float(loop.count[0]) == graph.tensor_line[0]
    assert float(loop.total("read")) == pytest.approx(float(step.total("read")))
    without = graph.operators(batch=4, optimizer=None)
    assert KIND_CODE["optimizer"] not in without.kind
    assert len(graph.operators(batch=4, mode="infer")) < len(without)


def test_mixed_precision_unscales_gradients() -> None:
    found = load("resnet18").operators(batch=4, variant="amp")
    assert "_amp_foreach_non_finite_check_and_unscale_" in found.name


def test_backward_costs_about_two_forwards() -> None:
    found = load("resnet50").operators(batch=4, optimizer=None)
    found = found.select(found.k > 0)
    forward = float(found.select(found.phase == PHASES.index("forward")).total("flops"))
    backward = float(found.select(found.phase == PHASES.index("backward")).total("flops"))
    assert backward / forward == pytest.approx(2, abs=0.05)


def test_accumulation_repeats_the_passes_and_not_the_optimizer() -> None:
    graph = load("resnet18")
    once, four = (graph.operators(batch=4, accumulate=times) for times in (1, 4))
    products = [found.select(found.k > 0) for found in (once, four)]
    assert float(products[1].total("flops")) == 4 * float(products[0].total("flops"))
    steps = [found.select(found.kind == KIND_CODE["optimizer"]) for found in (once, four)]
    assert float(steps[1].total("read")) == float(steps[0].total("read"))
    adding = four.select(np.array([name == "add_" for name in four.name]) & (four.phase == PHASES.index("backward")))
    assert float(adding.total("read")) >= 3 * 8 * graph.parameters()


def test_checkpointing_computes_the_forward_again() -> None:
    graph = load("resnet18")
    plain, again = (graph.operators(batch=4, checkpoint=value, optimizer=None) for value in (False, True))
    forward = plain.select(plain.phase == PHASES.index("forward"))
    assert float(again.total("flops")) == float(plain.total("flops") + forward.total("flops"))
    assert float(again.total("saved")) == float(plain.total("saved"))
    assert float(graph.memory(batch=64, checkpoint=True).peak) < float(graph.memory(batch=64).peak)


def test_unfused_attention_is_another_table() -> None:
    graph = load("bert_base")
    assert graph.attentions == ("fused", "unfused")
    fused, plain = (graph.operators(batch=2, attention=kind) for kind in graph.attentions)
    assert KIND_CODE["attention"] in fused.kind
    assert KIND_CODE["attention"] not in plain.kind
    assert float(plain.total("saved")) > float(fused.total("saved"))


def test_more_work_for_more_samples_pixels_and_blocks() -> None:
    graph = load("cyclegan")
    base = graph.operators(batch=1, blocks=6)
    for options in ({"batch": 2, "blocks": 6}, {"batch": 1, "blocks": 7}, {"batch": 1, "blocks": 6, "size": 288}):
        more = graph.operators(**options)  # type: ignore[arg-type]
        for column in ("flops", "read", "write"):
            assert float(more.total(column)) > float(base.total(column))


def test_input_bytes() -> None:
    assert float(load("resnet50").input_bytes(batch=8)) == 8 * 3 * 224 * 224 * 4
    assert float(load("cyclegan").input_bytes(batch=2, size=256)) == 2 * 2 * 3 * 256 * 256 * 4
    assert float(load("gpt2").input_bytes(batch=2, size=512)) == 2 * 512 * 8


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"batch": 0}, "at least 1"),
        ({"batch": 1, "size": 0}, "at least 1"),
        ({"batch": 1, "blocks": 0}, "blocks"),
        ({"batch": 1, "mode": "test"}, "no mode"),
        ({"batch": 1, "variant": "fp12"}, "unknown variant"),
        ({"batch": 1, "optimizer": "sgdx"}, "unknown optimizer"),
    ],
)
def test_wrong_arguments(options: dict[str, object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        load("cyclegan").operators(**options)  # type: ignore[arg-type]


def test_blocks_of_a_network_without_blocks() -> None:
    with pytest.raises(ValueError, match="no block count"):
        load("resnet50").operators(batch=1, blocks=3)
