"""What one aten operator costs: kind, matrix-product view, FLOPs, bytes.

Every rule takes the call (arguments, result) and returns records; an operator without a rule is classed by PyTorch's
own tags (pointwise, reduction) or, at last, counted as unmodelled by the capture.
"""

from __future__ import annotations

from collections.abc import Callable
from math import prod
from typing import Any

from perfmodel.graph.aten_names import COPY, ELEMENTWISE, EMBEDDING, FILL, GATHERS, OTHER, POOL, REDUCE
from perfmodel.graph.calls import Call, is_half, tensors
from perfmodel.graph.convolutions import convolution, convolution_backward
from perfmodel.graph.records import Record, add_tensor, elements

_CODES = ((COPY, "copy"), (POOL, "pool"), (REDUCE, "reduce"), (ELEMENTWISE, "elementwise"), (OTHER, "other"))


def kind_of(operator: Any, name: str) -> str | None:
    """Class an operator by name or tag; None when nothing is known about it."""
    if name in RULES:
        return RULES[name][0]
    if name in FILL:
        return "copy"
    if name in EMBEDDING:
        return "embedding"
    if name.startswith(("_foreach_", "_amp_foreach_", "_fused_adam", "_fused_sgd", "_fused_adagrad")):
        return "optimizer"
    base = name.removesuffix("_")
    for names, kind in _CODES:
        if name in names or base in names:
            return kind
    tags = {str(tag).rsplit(".", 1)[-1] for tag in getattr(operator, "tags", ())}
    if "pointwise" in tags:
        return "elementwise"
    return "reduce" if "reduction" in tags else None


def records_of(operator: Any, call: Call) -> tuple[list[Record], bool]:
    """Return the records of one call and whether the operator is known."""
    kind = kind_of(operator, call.name)
    if kind is not None and call.name in RULES:
        return RULES[call.name][1](call), True
    record = Record(call.name, kind or "other")
    _bytes(record, call)
    _extent(record, call)
    return [record], kind is not None


def _bytes(record: Record, call: Call) -> None:
    """Account each input once and all outputs; gathers read what they return."""
    inputs = list(tensors((call.args, call.kwargs)))
    if call.name in FILL:
        inputs = []
    elif call.name in ("copy_", "copy"):
        inputs = inputs[1:]
    elif call.name in GATHERS and call.outputs:
        add_tensor(record, "read", call.outputs[0], call.batch)
        inputs = inputs[1:]
    elif call.name.startswith("_index_put") or call.name.startswith("index_put"):
        inputs = inputs[1:]
    seen: set[int] = set()
    for tensor in inputs:
        if id(tensor) not in seen:
            add_tensor(record, "read", tensor, call.batch)
            seen.add(id(tensor))
    if call.name in ("index_put_", "_index_put_impl_", "_unsafe_index_put"):
        add_tensor(record, "write", call.outputs[0], call.batch, elements(inputs[-1]) if inputs else None)
        return
    for tensor in call.outputs:
        add_tensor(record, "write", tensor, call.batch)


def _extent(record: Record, call: Call) -> None:
    """Set rows, cols and the nominal FLOPs (one an element) of an operator that is no product."""
    out = max((int(tensor.numel()) for tensor in call.outputs), default=0)
    inputs = max((int(tensor.numel()) for tensor in tensors(call.args)), default=0)
    if record.kind == "reduce" and out and inputs > out and inputs % out == 0:
        record.rows, record.cols = out, inputs // out
        record.flops = inputs
        return
    record.rows, record.cols = out, 1
    record.flops = out if record.kind in ("elementwise", "reduce", "pool") else 0
    if record.kind == "pool" and "pool2d" in call.name and "adaptive" not in call.name:
        at = 2 if "backward" in call.name else 1
        window = call.argument(at, [1])
        strides = call.argument(at + 1) or window
        record.window, record.stride = _prod(window, 2), max(strides)
    elif record.kind == "pool":
        record.window = 1


def _prod(values: Any, dims: int) -> int:
    return int(values[0]) ** dims if len(values) == 1 else int(prod(values))


# --- matrix products -------------------------------------------------------------------------------------------------


def _matrix(call: Call) -> list[Record]:
    first, second = (call.args[1], call.args[2]) if call.name in ("addmm", "baddbmm", "addmv") else call.args[:2]
    record = Record(call.name, "gemm", half=is_half(first))
    _bytes(record, call)
    if first.dim() == 3:
        record.product(int(first.shape[0]), int(first.shape[1]), int(second.shape[2]), int(first.shape[2]))
    elif first.dim() == 2:
        columns = int(second.shape[1]) if second.dim() == 2 else 1
        record.product(1, int(first.shape[0]), columns, int(first.shape[1]))
    else:
        record.product(1, 1, 1, int(first.shape[0]))
    return [record]


# --- attention -------------------------------------------------------------------------------------------------------


def _attention(call: Call) -> list[Record]:
    backward = call.name.endswith("_backward")
    query, key, value = call.args[1:4] if backward else call.args[:3]
    record = Record(call.name, "attention", half=is_half(query), pass_="dgrad" if backward else "fwd")
    _bytes(record, call)
    heads = int(query.shape[0] * query.shape[1])
    m, n, d, dv = int(query.shape[2]), int(key.shape[2]), int(query.shape[3]), int(value.shape[3])
    record.b, record.m, record.n, record.k = heads, m, n, d
    record.flops = 2 * heads * m * n * (3 * d + 2 * dv if backward else d + dv)
    record.rows, record.cols = heads * m, n
    return [record]


# --- recurrent layers ------------------------------------------------------------------------------------------------

_GATES = {0: 1, 1: 1, 2: 4, 3: 3}


def _recurrent(call: Call) -> list[Record]:
    backward = call.name.endswith("_backward")
    x, weights, per_layer = call.args[0], call.args[1], int(call.args[2])
    at = 10 if backward else 6
    mode, hidden, _, _, batch_first = (call.args[at + i] for i in range(5))
    steps = int(x.shape[1] if batch_first else x.shape[0])
    samples = int(x.shape[0] if batch_first else x.shape[1])
    gates = _GATES[int(mode)] * int(hidden)
    found: list[Record] = []
    for start in range(0, len(weights), per_layer):
        width = int(weights[start].shape[1])
        for pass_ in ("dgrad", "wgrad") if backward else ("fwd",):
            layer = _recurrent_layer(call, x, pass_, steps, samples, width, gates, int(hidden))
            unused = pass_ == "dgrad" and not call.args[-1][0] and weights[start].shape[1] == x.shape[-1] and start == 0
            found += layer[1:] if unused else layer
    return found


def _recurrent_layer(
    call: Call, like: Any, pass_: str, steps: int, samples: int, width: int, gates: int, hidden: int
) -> list[Record]:
    """Input product of all steps at once, and the recurrent product: step by step, or at once for the weights."""
    tokens = steps * samples
    views = {
        "fwd": ((1, tokens, gates, width), (1, samples, gates, hidden)),
        "dgrad": ((1, tokens, width, gates), (1, samples, hidden, gates)),
        "wgrad": ((1, gates, width, tokens), (1, gates, hidden, tokens)),
    }[pass_]
    found = []
    for view, repeats in zip(views, (1, 1 if pass_ == "wgrad" else steps), strict=True):
        record = Record(call.name, "rnn", pass_=pass_, half=is_half(like), count=repeats)
        record.product(*view)
        _, m, n, k = view
        add_tensor(record, "read", like, call.batch, m * k)
        add_tensor(record, "read", like, call.batch, k * n)
        add_tensor(record, "write", like, call.batch, m * n)
        found.append(record)
    return found


def rnn_reserve(call: Call) -> int:
    """Elements that a recurrent layer keeps for its backward: gates, cell and output of every step."""
    x, weights, per_layer = call.args[0], call.args[1], int(call.args[2])
    hidden, gates = int(call.args[7]), _GATES[int(call.args[6])]
    layers = len(weights) // per_layer
    return layers * int(x.shape[0] * x.shape[1]) * (gates + 1) * hidden


# --- normalisation and softmax ---------------------------------------------------------------------------------------


def _rows(call: Call, x: Any, rows: int, kind: str, *, factor: int = 1, pass_: str = "fwd") -> list[Record]:
    record = Record(call.name, kind, half=is_half(x), pass_=pass_)
    _bytes(record, call)
    record.rows, record.cols = rows, int(x.numel()) // max(rows, 1)
    record.flops = factor * int(x.numel())
    return [record]


def _batch_norm(call: Call) -> list[Record]:
    x = call.args[1] if call.name.endswith("_backward") else call.args[0]
    return _rows(call, x, int(x.shape[1]), "norm", factor=5)


def _layer_norm(call: Call) -> list[Record]:
    backward = call.name.endswith("_backward")
    x, shape = (call.args[1], call.args[2]) if backward else (call.args[0], call.args[1])
    return _rows(call, x, int(x.numel()) // max(prod(shape), 1), "norm", factor=5)


def _group_norm(call: Call) -> list[Record]:
    backward = call.name.endswith("_backward")
    x = call.args[1] if backward else call.args[0]
    samples, groups = (call.args[5], call.args[8]) if backward else (call.args[3], call.args[6])
    return _rows(call, x, int(samples) * int(groups), "norm", factor=5)


def _softmax(call: Call) -> list[Record]:
    backward = call.name.endswith("_backward_data")
    x = call.args[0]
    dim = int(call.args[2] if backward else call.args[1])
    return _rows(call, x, int(x.numel()) // max(int(x.shape[dim]), 1), "softmax", factor=5)


def _embedding_backward(call: Call) -> list[Record]:
    record = Record(call.name, "embedding", pass_="wgrad", half=is_half(call.args[0]))
    _bytes(record, call)
    record.rows, record.cols = int(call.args[1].numel()), int(call.args[0].shape[-1])
    return [record]


Rule = Callable[[Call], list[Record]]
RULES: dict[str, tuple[str, Rule]] = {
    **dict.fromkeys(["mm", "addmm", "bmm", "baddbmm", "mv", "addmv", "dot", "_int_mm"], ("gemm", _matrix)),
    **dict.fromkeys(("convolution", "convolution_overrideable"), ("conv", convolution)),
    "convolution_backward": ("conv", convolution_backward),
    **{
        f"_scaled_dot_product_{name}_attention{end}": ("attention", _attention)
        for name in ("efficient", "flash", "cudnn", "flash_attention_for_cpu", "fused")
        for end in ("", "_backward")
    },
    "_cudnn_rnn": ("rnn", _recurrent),
    "_cudnn_rnn_backward": ("rnn", _recurrent),
    **dict.fromkeys(
        [
            "native_batch_norm",
            "_native_batch_norm_legit",
            "_native_batch_norm_legit_no_training",
            "cudnn_batch_norm",
            "_batch_norm_with_update",
            "native_batch_norm_backward",
            "batch_norm_backward",
            "_batch_norm_no_update",
        ],
        ("norm", _batch_norm),
    ),
    **dict.fromkeys(
        ["native_layer_norm", "native_layer_norm_backward", "_fused_rms_norm", "_fused_rms_norm_backward"],
        ("norm", _layer_norm),
    ),
    "native_group_norm": ("norm", _group_norm),
    "native_group_norm_backward": ("norm", _group_norm),
    **dict.fromkeys(
        ["_softmax", "_log_softmax", "_safe_softmax", "_softmax_backward_data", "_log_softmax_backward_data"],
        ("softmax", _softmax),
    ),
    "embedding_dense_backward": ("embedding", _embedding_backward),
}
