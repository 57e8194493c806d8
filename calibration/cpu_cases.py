"""The designed set of cases for the profile of a processor: small, and of the shapes that networks use.

Every family is ordered so that a run that is cut short has covered its range; families are mixed, those that take most
of a training step first.
"""

from __future__ import annotations

from collections.abc import Iterator

from . import cases
from .cases import Case, Conv

PASSES = ("fwd", "dgrad", "wgrad")

#: batch, channels in, size, channels out, window, stride, padding, groups. First layers, body layers of three depths,
#: 5x5 and 7x7 and 4x4 windows, strides, pointwise and grouped ones; none larger than about a GFLOP.
CONVOLUTIONS = (
    (1, 128, 32, 128, 3, 1, 1, 1),
    (4, 24, 48, 40, 5, 2, 0, 1),
    (1, 32, 64, 64, 3, 1, 1, 1),
    (1, 3, 72, 64, 7, 1, 0, 1),
    (1, 256, 18, 256, 3, 1, 0, 1),
    (8, 3, 96, 24, 5, 2, 0, 1),
    (1, 64, 96, 96, 3, 1, 1, 1),
    (1, 128, 32, 256, 3, 2, 1, 1),
    (2, 16, 80, 32, 3, 1, 1, 1),
    (1, 256, 16, 512, 4, 1, 1, 1),
    (1, 64, 96, 16, 1, 1, 0, 1),
    (4, 64, 12, 64, 3, 1, 0, 1),
    (1, 64, 70, 3, 7, 1, 0, 1),
    (1, 3, 128, 64, 4, 2, 1, 1),
    (2, 36, 20, 48, 5, 2, 0, 1),
    (1, 6, 96, 16, 3, 1, 1, 1),
    (1, 128, 80, 1, 1, 1, 0, 1),
    (1, 64, 64, 128, 4, 2, 1, 1),
    (2, 48, 64, 48, 3, 1, 1, 1),
    (1, 512, 8, 512, 3, 1, 1, 1),
    (8, 128, 14, 128, 3, 1, 1, 1),
    (1, 64, 56, 64, 3, 1, 1, 64),
    (1, 16, 128, 16, 3, 1, 1, 1),
    (1, 64, 64, 128, 3, 2, 1, 1),
    (16, 40, 20, 64, 3, 1, 0, 1),
    (4, 256, 14, 64, 1, 1, 0, 1),
    (1, 512, 9, 1, 4, 1, 1, 1),
    (2, 128, 28, 128, 3, 1, 1, 128),
    (1, 96, 48, 128, 3, 1, 1, 1),
    (32, 24, 32, 36, 5, 2, 0, 1),
    (2, 256, 8, 256, 3, 1, 1, 1),
    (8, 256, 8, 256, 3, 1, 1, 1),
    (1, 32, 160, 32, 3, 1, 1, 1),
    (4, 3, 64, 32, 3, 1, 1, 1),
    (4, 32, 28, 32, 5, 1, 2, 1),
    (1, 128, 20, 512, 4, 2, 1, 1),
    (8, 64, 7, 64, 3, 1, 1, 1),
    (1, 1024, 14, 256, 1, 1, 0, 1),
    (1, 20, 40, 28, 3, 1, 1, 1),
    (2, 12, 100, 24, 5, 1, 2, 1),
    (1, 240, 14, 240, 5, 1, 2, 240),
)

#: m, n, k of layers with k inputs and n outputs over m rows.
PRODUCTS = (
    (512, 512, 512),
    (8, 1000, 1024),
    (64, 256, 768),
    (1, 1024, 1024),
    (16, 128, 1000),
    (256, 1024, 256),
    (4, 50, 100),
    (32, 512, 2048),
    (64, 10, 50),
    (128, 768, 3072),
    (2, 2048, 1000),
    (1024, 64, 64),
    (64, 1100, 1100),
    (100, 333, 77),
)

#: Shares of a tensor that elementwise operators take: name, pass, tensors read, tensors written, a kind of the graph.
ELEMENTWISE = (
    ("relu", "fwd", 1.0, 1.0, "elementwise"),
    ("relu", "dgrad", 2.0, 1.0, "elementwise"),
    ("add", "fwd", 2.0, 1.0, "elementwise"),
    ("mul", "fwd", 2.0, 1.0, "elementwise"),
    ("clone", "fwd", 1.0, 1.0, "copy"),
    ("sum", "fwd", 1.0, 0.0, "reduce"),
    ("tanh", "fwd", 1.0, 1.0, "elementwise"),
    ("gelu", "fwd", 1.0, 1.0, "elementwise"),
    ("sqrt", "fwd", 1.0, 1.0, "elementwise"),
)
SIZES = (1 << 20, 1 << 12, 1 << 17, 6_000_000, 1 << 15, 300_000, 2_500_000)

#: batch, channels, size of normalised images.
NORMS = ((1, 64, 64), (8, 3, 128), (1, 256, 16), (2, 32, 96), (1, 128, 96), (4, 64, 28), (1, 512, 8), (1, 64, 160))
ROWS = ((128, 768), (1536, 128), (512, 512), (64, 4000))


def designed_cases() -> list[Case]:
    """All cases, in the order of measuring: families in turn, by the share of each that is done."""
    families = (_convolutions(), _products(), _elementwise(), _norms(), _rows(), _moves())
    placed: list[tuple[float, Case]] = []
    for family in families:
        members = list(family)
        placed += [((index + 0.5) / len(members), case) for index, case in enumerate(members)]
    return [case for _, case in sorted(placed, key=lambda place: place[0])]


def _convolutions() -> Iterator[Case]:
    for batch, cin, size, cout, window, stride, padding, groups in CONVOLUTIONS:
        conv = Conv(
            batch=batch, cin=cin, size=size, cout=cout, window=window, stride=stride, padding=padding, groups=groups
        )
        for pass_ in PASSES:
            yield cases.convolution(conv, pass_, "fp32")


def _products() -> Iterator[Case]:
    for m, n, k in PRODUCTS:
        for pass_ in PASSES:
            yield cases.product("linear", pass_, "fp32", m=m, n=n, k=k)
    for b, m, n, k in ((16, 64, 64, 64), (96, 128, 128, 64), (12, 256, 64, 256)):
        yield cases.product("bmm", "fwd", "fp32", b=b, m=m, n=n, k=k)


def _elementwise() -> Iterator[Case]:
    for numel in SIZES:
        for op, pass_, inputs, outputs, kind in ELEMENTWISE:
            yield cases.elementwise(op, kind, pass_, "fp32", numel=numel, inputs=inputs, outputs=outputs)


def _norms() -> Iterator[Case]:
    for batch, channels, size in NORMS:
        shape = (("batch", batch), ("channels", channels), ("size", size))
        for op in ("batch_norm", "instance_norm"):
            rows = channels * (batch if op == "instance_norm" else 1)
            cols = batch * channels * size * size // rows
            for pass_ in ("fwd", "dgrad"):
                yield cases.rowwise(op, "norm", pass_, "fp32", rows=rows, cols=cols, shape=shape)
        cols = batch * size * size
        yield cases.rowwise("batch_norm_eval", "norm", "fwd", "fp32", rows=channels, cols=cols, shape=shape)


def _rows() -> Iterator[Case]:
    for rows, cols in ROWS:
        for op in ("layer_norm", "softmax"):
            for pass_ in ("fwd", "dgrad"):
                kind = "softmax" if op == "softmax" else "norm"
                yield cases.rowwise(op, kind, pass_, "fp32", rows=rows, cols=cols)


def _moves() -> Iterator[Case]:
    for batch, channels, size in ((2, 32, 56), (1, 64, 32), (1, 256, 16), (4, 64, 112)):
        shape = (("batch", batch), ("channels", channels), ("size", size))
        planes, area = batch * channels, size * size
        for op, kind in (("reflection_pad", "copy"), ("max_pool", "pool")):
            yield cases.rowwise(op, kind, "fwd", "fp32", rows=planes, cols=area, shape=shape)
    for rows, cols in ((512, 256), (2048, 768)):
        for pass_ in ("fwd", "dgrad"):
            yield cases.rowwise("embedding", "embedding", pass_, "fp32", rows=rows, cols=cols)
