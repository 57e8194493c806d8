"""What a capture records, against torch's own counter and against arithmetic by hand."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

torch = pytest.importorskip("torch")
from torch import nn  # noqa: E402
from torch.utils.flop_counter import FlopCounterMode  # noqa: E402

from perfmodel.graph import KINDS, PASSES, PHASES, Graph, Operators, capture  # noqa: E402
from perfmodel.graph.capturing import default_loss, to_device  # noqa: E402

KIND = {name: code for code, name in enumerate(KINDS)}


def counted(module: Any, *inputs: Any, mode: str) -> int:
    """FLOPs by torch's counter."""
    twin = to_device(module, "meta")
    twin.train(mode == "train")
    examples = [torch.empty_like(value, device="meta") for value in inputs]
    with FlopCounterMode(display=False) as counter, torch.set_grad_enabled(mode == "train"):
        output = twin(*examples)
        if mode == "train":
            default_loss(output).backward()
    return int(counter.get_total_flops())


def products(graph: Graph, mode: str, batch: int, **options: Any) -> Operators:
    found = graph.operators(batch=batch, mode=mode, optimizer=None, **options)
    return found.select(found.k > 0)


class Last(nn.Module):
    """A recurrent layer that returns its outputs only."""

    def __init__(self, core: Any) -> None:
        super().__init__()
        self.core = core

    def forward(self, x: Any) -> Any:
        return self.core(x)[0]


def image() -> Any:
    return torch.empty(3, 4, 12, 10)


NETWORKS: dict[str, tuple[Callable[[], Any], Callable[[], Any]]] = {
    "conv": (lambda: nn.Conv2d(4, 8, 3), image),
    "strided": (lambda: nn.Conv2d(4, 8, (3, 5), stride=2, padding=1, dilation=2), image),
    "transposed": (lambda: nn.ConvTranspose2d(4, 6, 3, stride=2, padding=1, output_padding=1), image),
    "conv1d": (lambda: nn.Conv1d(4, 8, 5), lambda: torch.empty(3, 4, 20)),
    "conv3d": (lambda: nn.Conv3d(4, 6, 3), lambda: torch.empty(3, 4, 6, 7, 8)),
    "linear": (lambda: nn.Sequential(nn.Linear(12, 7), nn.ReLU(), nn.Linear(7, 3)), lambda: torch.empty(5, 12)),
    "tokens": (lambda: nn.Linear(12, 7, bias=False), lambda: torch.empty(5, 9, 12)),
    "embedding": (
        lambda: nn.Sequential(nn.Embedding(50, 12), nn.Linear(12, 5)),
        lambda: torch.empty(3, 7, dtype=torch.long),
    ),
    "norms": (
        lambda: nn.Sequential(nn.Conv2d(4, 8, 1), nn.BatchNorm2d(8), nn.GroupNorm(2, 8), nn.InstanceNorm2d(8)),
        image,
    ),
}


@pytest.mark.parametrize("name", NETWORKS)
@pytest.mark.parametrize("mode", ["train", "infer"])
def test_flops_equal_torchs_counter(name: str, mode: str) -> None:
    module, inputs = NETWORKS[name][0](), NETWORKS[name][1]()
    graph = capture(module, inputs)
    assert graph.fixed_batch is None
    assert graph.unmodelled == {}
    for batch in (inputs.shape[0], 11):
        other = torch.empty(batch, *inputs.shape[1:], dtype=inputs.dtype)
        assert float(products(graph, mode, batch).total("flops")) == counted(module, other, mode=mode)


@pytest.mark.parametrize("groups", [2, 4])
def test_grouped_convolution_costs_the_same_in_every_pass(groups: int) -> None:
    # torch's counter multiplies the weight gradient by the groups, so that only its forward is a reference
    module = nn.Sequential(nn.Conv2d(4, 4, 1), nn.Conv2d(4, 8, 3, groups=groups))
    graph = capture(module, image())
    found = products(graph, "train", 3)
    grouped = found.select(found.window == 9)
    assert len(grouped) == 3
    assert set(grouped.flops.tolist()) == {2.0 * 3 * 10 * 8 * 8 * (4 // groups) * 9}
    assert set(grouped.b.tolist()) == {float(groups)}
    assert grouped.depthwise.all() == (groups == 4)
    assert float(products(graph, "infer", 3).total("flops")) == counted(module, image(), mode="infer")


def test_convolution_views() -> None:
    module = nn.Sequential(nn.Conv2d(4, 4, 1), nn.Conv2d(4, 8, 3, stride=2, bias=False))
    found = products(capture(module, image()), "train", 3)
    big = found.select(found.window == 9)
    by_pass = {PASSES[p]: (b, m, n, k) for p, b, m, n, k in zip(big.pass_, big.b, big.m, big.n, big.k, strict=True)}
    assert by_pass == {"fwd": (1, 60, 8, 36), "dgrad": (1, 360, 4, 72), "wgrad": (1, 8, 36, 60)}
    assert set(big.stride.tolist()) == {2.0}
    assert not big.winograd.any()


def test_winograd_is_marked_for_plain_3x3() -> None:
    module = nn.Sequential(
        nn.Conv2d(4, 4, 3), nn.Conv2d(4, 4, 3, dilation=2), nn.Conv2d(4, 4, 3, groups=2), nn.Conv2d(4, 4, 5)
    )
    found = products(capture(module, torch.empty(2, 4, 20, 20), mode="infer"), "infer", 2)
    assert found.winograd.tolist() == [True, False, False, False]


def test_the_first_layer_needs_no_gradient_of_its_input() -> None:
    found = products(capture(nn.Conv2d(4, 8, 3), image()), "train", 3)
    assert [PASSES[code] for code in found.pass_] == ["fwd", "wgrad"]


def test_linear_passes_are_told_apart() -> None:
    module = nn.Sequential(nn.Linear(12, 7), nn.Linear(7, 3))
    found = products(capture(module, torch.empty(5, 12)), "train", 5)
    backward = found.select(found.phase == PHASES.index("backward"))
    assert sorted(PASSES[code] for code in backward.pass_) == ["dgrad", "wgrad", "wgrad"]


def test_bytes_count_every_input_once_and_the_outputs() -> None:
    graph = capture(nn.Conv2d(4, 8, 3), image(), mode="infer")
    found = products(graph, "infer", 3)
    inputs, weights, outputs = 3 * 4 * 12 * 10, 8 * 4 * 9 + 8, 3 * 8 * 10 * 8
    assert found.read.tolist() == [4 * (inputs + weights)]
    assert found.write.tolist() == [4 * outputs]
    half = products(graph, "infer", 3, variant="half")
    assert half.read.tolist() == [2 * (inputs + weights)]


def test_expanded_inputs_and_gathers_move_what_they_touch() -> None:
    found = capture(nn.Embedding(1000, 16), torch.empty(3, 7, dtype=torch.long), mode="infer").operators(
        batch=3, mode="infer"
    )
    assert found.read.tolist() == [3 * 7 * 16 * 4 + 3 * 7 * 8]
    assert found.write.tolist() == [3 * 7 * 16 * 4]


@pytest.mark.parametrize(("core", "gates"), [(nn.LSTM, 4), (nn.GRU, 3), (nn.RNN, 1)], ids=["lstm", "gru", "rnn"])
@pytest.mark.parametrize("bidirectional", [False, True])
def test_recurrent_layers_are_kept_whole_and_counted(core: Any, gates: int, bidirectional: bool) -> None:
    module = Last(core(8, 16, 2, batch_first=True, bidirectional=bidirectional))
    graph = capture(module, torch.empty(3, 7, 8))
    infer = products(graph, "infer", 3)
    assert set(infer.kind.tolist()) == {KIND["rnn"]}
    directions = 2 if bidirectional else 1
    widths = [8, 16 * directions]
    expected = sum(2 * 3 * 7 * gates * 16 * (width + 16) * directions for width in widths)
    assert float(infer.total("flops")) == expected
    train = products(graph, "train", 3)
    forward = train.select(train.phase == PHASES.index("forward"))
    backward = train.select(train.phase == PHASES.index("backward"))
    assert float(forward.total("flops")) == expected
    skipped = 2 * 3 * 7 * gates * 16 * 8  # no gradient of the input is asked for
    assert float(backward.total("flops")) == 2 * expected - skipped


def test_attention_is_one_operator_or_products_and_softmax() -> None:
    class Attend(nn.Module):
        def forward(self, x: Any) -> Any:
            return nn.functional.scaled_dot_product_attention(x, x, x, is_causal=True)

    x = torch.empty(2, 4, 16, 8)
    whole = capture(Attend(), x, mode="infer").operators(batch=2, mode="infer")
    assert [KINDS[code] for code in whole.kind] == ["attention"]
    assert (whole.b[0], whole.m[0], whole.n[0], whole.k[0]) == (8, 16, 16, 8)
    assert whole.flops.tolist() == [4.0 * 8 * 16 * 16 * 8]
    parts = capture(Attend(), x, mode="infer", attention="unfused").operators(batch=2, mode="infer")
    kinds = [KINDS[code] for code in parts.kind]
    assert kinds.count("gemm") == 2 - (len(parts) != parts.count.sum())
    assert "softmax" in kinds
    assert float(parts.select(parts.k > 0).total("flops")) == 4.0 * 8 * 16 * 16 * 8
    assert float(parts.total("write")) > float(whole.total("write"))


def test_autocast_runs_products_in_half_and_norms_in_single() -> None:
    module = nn.Sequential(nn.Linear(16, 32), nn.LayerNorm(32), nn.Linear(32, 4), nn.Softmax(dim=-1))
    graph = capture(module, torch.empty(5, 16), precision="amp")
    assert graph.default_variant == "amp"
    found = graph.operators(batch=5, optimizer=None)
    half = dict(zip(found.name, found.half, strict=True))
    assert half["addmm"]
    assert not half["native_layer_norm"]
    forward = found.phase == PHASES.index("forward")
    casts = [name for name, f in zip(found.name, forward, strict=True) if f and name == "_to_copy"]
    assert casts
    single = graph.operators(batch=5, variant="fp32", optimizer=None)
    assert "_to_copy" not in single.name
    assert not single.half.any()
    assert float(single.total("flops")) <= float(found.total("flops")) * 1.5


def test_a_parameter_is_cast_once_a_step() -> None:
    class Twice(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.layer = nn.Linear(16, 16, bias=False)

        def forward(self, x: Any) -> Any:
            return self.layer(self.layer(x))

    found = capture(Twice(), torch.empty(5, 16), mode="infer").operators(batch=5, mode="infer", variant="amp")
    casts = found.select(np.array([name == "_to_copy" for name in found.name]))
    assert casts.total("read") == 4 * (16 * 16 + 5 * 16)


def test_float32_derived_from_autocast_equals_a_plain_capture() -> None:
    from perfmodel.graph.assemble import assemble
    from perfmodel.graph.capturing import module_step, symbolic_prime, trace
    from perfmodel.graph.symbolic import fit_sizes, without_blocks

    module = to_device(
        nn.Sequential(nn.Conv2d(4, 8, 3), nn.BatchNorm2d(8), nn.GELU(), nn.Flatten(), nn.Linear(640, 5)), "meta"
    )
    batch = symbolic_prime(module)
    graphs = []
    for amp in (True, False):
        x = torch.empty(batch, 4, 12, 10, device="meta")
        got = trace(module_step(module, [x], mode="train"), modules=[module], inputs=[x], batch=batch, amp=amp)
        module.zero_grad()
        fitted = {("train", "fused"): without_blocks(fit_sizes([got], [0], 0))}
        plain_attributes = {"name": "x", "family": "x", "unit": "sample", "size_name": None, "default_blocks": None}
        graphs.append(assemble(fitted, default_size=0, size_step=0, **plain_attributes))
    derived, plain = (graph.operators(batch=4, variant="fp32", optimizer=None) for graph in graphs)
    assert derived.name == plain.name
    for column in ("count", "flops", "read", "write", "m", "n", "k", "saved"):
        np.testing.assert_array_equal(getattr(derived, column), getattr(plain, column), err_msg=column)


def test_custom_operators_are_counted_and_named() -> None:
    library = torch.library.Library("perfmodel_test", "DEF")
    library.define("twist(Tensor x) -> Tensor")
    library.impl("twist", lambda x: torch.empty_like(x), "Meta")

    class Twist(nn.Module):
        def forward(self, x: Any) -> Any:
            return torch.ops.perfmodel_test.twist(torch.ops.perfmodel_test.twist(x))

    graph = capture(Twist(), torch.empty(3, 5), mode="infer")
    assert graph.unmodelled == {"perfmodel_test::twist": 2}
    found = graph.operators(batch=3, mode="infer")
    assert found.name == ("perfmodel_test::twist",)
    assert found.total("read") == 2 * 3 * 5 * 4


def test_a_module_that_insists_on_its_batch_keeps_it() -> None:
    class Fixed(nn.Module):
        def forward(self, x: Any) -> Any:
            return x.view(3, -1) * 2

    graph = capture(nn.Sequential(nn.Linear(4, 4), Fixed()), torch.empty(3, 5, 4), mode="infer")
    if graph.fixed_batch is None:  # the view may hold for every batch divisible by three only
        pytest.fail("the batch must be fixed")
    assert graph.fixed_batch == 3
    with pytest.raises(ValueError, match="captured at batch 3 only"):
        graph.operators(batch=4, mode="infer")


def test_checkpointing_inside_a_module_is_recorded_as_recomputation() -> None:
    from torch.utils.checkpoint import checkpoint

    class Again(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.body = nn.Sequential(nn.Linear(8, 32), nn.ReLU(), nn.Linear(32, 8))

        def forward(self, x: Any) -> Any:
            return checkpoint(self.body, x, use_reentrant=False, preserve_rng_state=False)

    x = torch.empty(4, 8)
    plain, again = capture(Again().body, x), capture(Again(), x)
    single = {"batch": 4, "optimizer": None, "variant": "fp32"}
    more = float(again.operators(**single).total("flops") - plain.operators(**single).total("flops"))
    assert more == 2 * 4 * 8 * 32 + 4 * 32  # the last layer's output is not saved, so it is not computed again
    assert float(again.memory(batch=4).saved) < float(plain.memory(batch=4).saved)


def test_channels_last_is_followed() -> None:
    class Tokens(nn.Module):
        def forward(self, x: Any) -> Any:
            return x.permute(0, 2, 3, 1).contiguous()

    module = nn.Sequential(nn.Conv2d(4, 8, 3), nn.BatchNorm2d(8), nn.ReLU(), Tokens(), nn.Linear(8, 3))
    plain = capture(module, image())
    last = capture(module, image(), channels_last=True)
    assert "clone" in plain.operators(batch=3, mode="infer").name
    assert "clone" not in last.operators(batch=3, mode="infer").name
    assert float(products(last, "train", 3).total("flops")) == float(products(plain, "train", 3).total("flops"))


@pytest.mark.parametrize(
    ("options", "message"), [({"mode": "test"}, "unknown mode"), ({"precision": "fp12"}, "unknown precision")]
)
def test_wrong_options_are_refused(options: dict[str, str], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        capture(nn.Linear(2, 2), torch.empty(1, 2), **options)


def test_the_module_is_left_alone() -> None:
    module = nn.Linear(3, 3)
    before = {name: value.clone() for name, value in module.state_dict().items()}
    capture(module, torch.empty(2, 3))
    assert module.weight.grad is None
    assert all(torch.equal(value, before[name]) for name, value in module.state_dict().items())
