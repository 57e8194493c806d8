"""Cost of convolutions: forward, gradient of data, gradient of weights, plain or transposed."""

from __future__ import annotations

from dataclasses import dataclass
from math import prod
from typing import Any

from perfmodel.graph.calls import Call, is_half
from perfmodel.graph.records import Record, add_tensor


@dataclass(frozen=True)
class _Conv:
    """Geometry of a convolution: positions, channels, groups, window."""

    inner: int  # N*H*W of the input
    outer: int  # N*P*Q of the output
    c: int
    k: int
    groups: int
    window: int
    stride: int
    transposed: bool
    winograd: bool

    @property
    def depthwise(self) -> bool:
        return self.groups > 1 and self.groups == self.c

    @property
    def flops(self) -> int:
        positions = self.inner if self.transposed else self.outer
        return 2 * positions * (self.c // self.groups) * self.k * self.window

    def view(self, pass_: str) -> tuple[int, int, int, int]:
        """Matrix-product view (b, m, n, k) of one pass."""
        g, c, k = self.groups, self.c // self.groups, self.k // self.groups
        if pass_ == "wgrad":
            if self.transposed:
                return g, c, k * self.window, self.inner
            return g, k, c * self.window, self.outer
        if pass_ == "fwd":
            return g, self.outer, k, c * self.window
        return g, self.inner, c, k * self.window


def _geometry(x: Any, weight: Any, y: Any, stride: Any, dilation: Any, transposed: bool, groups: int) -> _Conv:
    window = tuple(int(size) for size in weight.shape[2:])
    channels = int(x.shape[1])
    plain = all(int(s) == 1 for s in stride) and all(int(d) == 1 for d in dilation)
    return _Conv(
        inner=int(x.numel()) // max(channels, 1),
        outer=int(y.numel()) // max(int(y.shape[1]), 1),
        c=channels,
        k=int(y.shape[1]),
        groups=int(groups),
        window=prod(window),
        stride=max((int(s) for s in stride), default=1),
        transposed=bool(transposed),
        winograd=window == (3, 3) and plain and groups == 1 and not transposed,
    )


def _conv_record(name: str, conv: _Conv, pass_: str, x: Any) -> Record:
    record = Record(name, "conv", pass_=pass_, half=is_half(x), window=conv.window, stride=conv.stride)
    record.depthwise, record.winograd = conv.depthwise, conv.winograd
    record.product(*conv.view(pass_))
    record.flops = conv.flops
    if pass_ != "wgrad":  # images and positions of one image: Winograd works on whole tiles of an image
        record.rows, record.cols = int(x.shape[0]), record.m // max(int(x.shape[0]), 1)
    return record


def convolution(call: Call) -> list[Record]:
    """Cost a forward convolution, transposed or not."""
    x, weight, bias, stride, _, dilation, transposed, _, groups = call.args[:9]
    conv = _geometry(x, weight, call.outputs[0], stride, dilation, transposed, groups)
    record = _conv_record(call.name, conv, "fwd", x)
    for tensor in (x, weight, bias):
        if tensor is not None:
            add_tensor(record, "read", tensor, call.batch)
    add_tensor(record, "write", call.outputs[0], call.batch)
    return [record]


def convolution_backward(call: Call) -> list[Record]:
    """Cost the gradients of data, weights and bias that are asked for, one operator each."""
    grad, x, weight, _, stride, _, dilation, transposed, _, groups, mask = call.args[:11]
    conv = _geometry(x, weight, grad, stride, dilation, transposed, groups)
    results = iter(call.outputs)
    found = []
    for wanted, pass_, other in zip(mask[:2], ("dgrad", "wgrad"), (weight, x), strict=True):
        if wanted:
            record = _conv_record(call.name, conv, pass_, x)
            add_tensor(record, "read", grad, call.batch)
            add_tensor(record, "read", other, call.batch)
            add_tensor(record, "write", next(results), call.batch)
            found.append(record)
    if mask[2]:
        bias = next(results)
        record = Record("convolution_backward_bias", "reduce", pass_="wgrad", half=is_half(grad))
        add_tensor(record, "read", grad, call.batch)
        add_tensor(record, "write", bias, call.batch)
        record.rows, record.cols = int(bias.numel()), int(grad.numel()) // max(int(bias.numel()), 1)
        record.flops = int(grad.numel())
        found.append(record)
    return found
