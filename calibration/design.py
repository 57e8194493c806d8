"""The designed set of cases: which shapes are measured, and in what order.

Three sources of shapes. *Log-spaced*: a low-discrepancy sequence over the logarithm of every dimension, rounded in turn
to multiples of 128, to multiples of 8 and not at all, so that aligned and unaligned shapes of every size occur.
*Probes* of tile quantisation: a dimension just below, at and above multiples of a tile and of a wave, and long inner
dimensions that invite split-K. *Network-like*: layers of the networks that users train. The order mixes families,
precisions and sizes, so that a run that is cut short has covered all of them evenly.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import TypeVar

from . import cases
from .cases import Case, Conv

T = TypeVar("T")


@dataclass(frozen=True, kw_only=True)
class Scale:
    """How large and how many the cases are.

    Parameters
    ----------
    name : str
        ``gpu``, ``cpu`` or ``dry``.
    precisions : tuple of str
        Precisions of products and convolutions, among fp32, tf32, fp16, bf16, fp8 and int8.
    max_flops : float
        Larger cases are left out.
    max_bytes : float
        Cases that move more are left out.
    points : int
        Log-spaced shapes of each family.
    """

    name: str
    precisions: tuple[str, ...]
    max_flops: float
    max_bytes: float
    points: int

    @property
    def floats(self) -> tuple[str, ...]:
        """Precisions of operators that only move bytes: TF32 is fp32 there, and 8-bit types have none."""
        return tuple(name for name in self.precisions if name in ("fp32", "fp16", "bf16"))

    @property
    def matrix(self) -> tuple[str, ...]:
        """Precisions of convolutions, batched products and attention."""
        return tuple(name for name in self.precisions if name in ("fp32", "tf32", "fp16", "bf16"))


GPU = Scale(
    name="gpu", precisions=("fp32", "tf32", "fp16", "bf16", "fp8", "int8"), max_flops=4e11, max_bytes=2e9, points=40
)
CPU = Scale(name="cpu", precisions=("fp32",), max_flops=3e9, max_bytes=1.5e8, points=16)
DRY = Scale(name="dry", precisions=("fp32",), max_flops=2e7, max_bytes=2e6, points=2)


def cases_for(scale: Scale) -> list[Case]:
    """All cases of the kernels part at this scale, in the order of measuring, none twice."""
    families: tuple[Callable[[Scale], Iterable[Case]], ...] = (
        _linear,
        _convolutions,
        _batched,
        _elementwise,
        _norms,
        _attention,
        _softmax,
        _optimizers,
        _moves,
    )
    limit = 5 if scale.name == "dry" else None
    placed: list[tuple[float, Case]] = []
    for family in families:
        unique = {case.key: case for case in family(scale) if _fits(case, scale)}
        chosen = _spread(list(unique.values()))[:limit]
        placed += [((index + 0.5) / len(chosen), case) for index, case in enumerate(chosen)]
    return [case for _, case in sorted(placed, key=lambda place: place[0])]


def _fits(case: Case, scale: Scale) -> bool:
    return case.flops <= scale.max_flops and case.read_bytes + case.write_bytes <= scale.max_bytes


def log_spaced(points: int, *ranges: tuple[int, int]) -> Iterator[tuple[int, ...]]:
    """Low-discrepancy points, log-uniform in each range (first and last value), rounded in turn to 128, 8 and 1.

    The sequence is the additive one with the generalised golden ratio (Roberts 2018), which needs no table and whose
    first points already spread over the whole range.
    """
    ratio = 2.0
    for _ in range(40):
        ratio = (1.0 + ratio) ** (1.0 / (len(ranges) + 1))
    for index in range(points):
        grain = (128, 8, 1)[index % 3]
        values = []
        for axis, (low, high) in enumerate(ranges):
            share = (0.5 + (index + 1) * ratio ** -(axis + 1)) % 1.0
            value = low * (high / low) ** share
            values.append(
                max(low, round(value / grain) * grain or grain) if grain <= low or value >= grain else round(value)
            )
        yield tuple(values)


def _spread(items: Sequence[T]) -> list[T]:
    """The same items with neighbours far apart, for an order that is even when cut short."""
    step = max(1, round(len(items) * 0.618))
    while math.gcd(step, len(items)) > 1:
        step += 1
    return [items[index * step % len(items)] for index in range(len(items))]


def _linear_shapes(scale: Scale) -> list[tuple[int, ...]]:
    """(m, n, k) of layers."""
    if scale.name == "gpu":
        ranges = ((16, 16384), (64, 8192), (64, 8192))
        probes = [(m, n, 1024) for m in (127, 128, 129, 2048, 2049, 2176, 4224) for n in (1024, 4096)]
        probes += [(128, 128, k) for k in (512, 4096, 32768)] + [(64, 256, 16384), (16, 4096, 4096), (1, 4096, 4096)]
        layers = [(4096, 1024, 1024), (4096, 3072, 768), (4096, 768, 3072), (8192, 2304, 768), (8192, 4096, 1024)]
        layers += [(256, 1000, 2048), (512, 4096, 25088), (1024, 50257, 768), (128, 1164, 1152), (2048, 11008, 4096)]
    else:
        ranges = ((4, 1024), (16, 1536), (16, 1536))
        probes = [(127, 256, 256), (128, 256, 256), (129, 256, 256), (1, 1024, 1024), (16, 16, 8192), (512, 512, 512)]
        layers = [(32, 1164, 1152), (32, 100, 1164), (128, 768, 768), (128, 3072, 768), (64, 1000, 512), (1, 100, 1164)]
    return [*log_spaced(scale.points, *ranges), *probes, *layers]


def _linear(scale: Scale) -> Iterator[Case]:
    """Layers: forward in every precision; backward for every second shape; 8-bit products forward, aligned to 16."""
    for index, (m, n, k) in enumerate(_linear_shapes(scale)):
        for precision in scale.matrix:
            yield cases.product("linear", "fwd", precision, m=m, n=n, k=k)
            if index % 2 == 0:
                yield cases.product("linear", "dgrad", precision, m=m, n=n, k=k)
                yield cases.product("linear", "wgrad", precision, m=m, n=n, k=k)
        for precision in (name for name in scale.precisions if name in ("fp8", "int8")):
            m16, n16, k16 = (max(32, round(value / 16) * 16) for value in (m, n, k))
            yield cases.product("linear", "fwd", precision, m=m16, n=n16, k=k16)


def _batched(scale: Scale) -> Iterator[Case]:
    """Batched products, as in attention that is not fused."""
    if scale.name == "gpu":
        shapes = [*log_spaced(scale.points // 2, (4, 512), (32, 2048), (32, 2048), (16, 512))]
        shapes += [
            (96, 128, 128, 64),
            (96, 64, 128, 128),
            (192, 512, 512, 64),
            (192, 64, 512, 512),
            (16, 2048, 2048, 64),
        ]
    else:
        shapes = [*log_spaced(scale.points // 2, (2, 64), (16, 256), (16, 256), (16, 128))]
        shapes += [(12, 128, 128, 64), (12, 64, 128, 128)]
    for b, m, n, k in shapes:
        for precision in scale.matrix:
            yield cases.product("bmm", "fwd", precision, b=b, m=m, n=n, k=k)


def _network_convolutions() -> list[Conv]:
    """Layers of CycleGAN, ResNet, VGG, PilotNet, DMNet, MobileNet and Inception."""
    cyclegan = [
        Conv(batch=batch, cin=cin, size=size, cout=cout, window=window, stride=stride, padding=padding)
        for batch in (1, 4, 16)
        for cin, size, cout, window, stride, padding in (
            (3, 262, 64, 7, 1, 0),
            (64, 256, 128, 3, 2, 1),
            (128, 128, 256, 3, 2, 1),
            (256, 66, 256, 3, 1, 0),
            (64, 262, 3, 7, 1, 0),
            (3, 256, 64, 4, 2, 1),
            (64, 128, 128, 4, 2, 1),
            (256, 32, 512, 4, 1, 1),
        )
    ]
    resnet = [
        Conv(batch=batch, cin=cin, size=size, cout=cout, window=window, stride=stride, padding=window // 2)
        for batch in (1, 8, 64)
        for cin, size, cout, window, stride in (
            (3, 224, 64, 7, 2),
            (64, 56, 64, 3, 1),
            (64, 56, 256, 1, 1),
            (128, 28, 128, 3, 1),
            (512, 28, 1024, 1, 2),
            (256, 14, 256, 3, 1),
            (512, 7, 512, 3, 1),
            (2048, 7, 512, 1, 1),
        )
    ]
    others = [
        Conv(batch=32, cin=6, size=192, cout=16, window=3, padding=1),
        Conv(batch=32, cin=32, size=192, cout=64, window=3, padding=1),
        Conv(batch=32, cin=64, size=192, cout=128, window=3, padding=1),
        Conv(batch=64, cin=3, size=200, cout=24, window=5, stride=2),
        Conv(batch=64, cin=36, size=47, cout=48, window=5, stride=2),
        Conv(batch=64, cin=48, size=22, cout=64, window=3),
        Conv(batch=32, cin=64, size=224, cout=64, window=3, padding=1),
        Conv(batch=32, cin=512, size=14, cout=512, window=3, padding=1),
        *(
            Conv(batch=batch, cin=c, size=size, cout=c, window=window, stride=stride, padding=window // 2, groups=c)
            for batch in (8, 64)
            for c, size, window, stride in ((32, 112, 3, 1), (96, 112, 3, 2), (192, 28, 5, 1), (960, 7, 3, 1))
        ),
        Conv(batch=32, cin=128, size=28, cout=128, window=3, padding=1, groups=32),
        Conv(batch=32, cin=768, size=14, cout=768, window=7, padding=3, groups=768),
    ]
    return [*cyclegan, *resnet, *others]


def _small_convolutions() -> list[Conv]:
    """Layers that a CPU does in milliseconds."""
    return [
        Conv(batch=1, cin=3, size=70, cout=32, window=7),
        Conv(batch=1, cin=32, size=64, cout=64, window=3, stride=2, padding=1),
        Conv(batch=1, cin=128, size=18, cout=128, window=3),
        Conv(batch=4, cin=64, size=34, cout=64, window=3),
        Conv(batch=1, cin=256, size=18, cout=256, window=3),
        Conv(batch=1, cin=64, size=128, cout=128, window=4, stride=2, padding=1),
        Conv(batch=2, cin=6, size=96, cout=16, window=3, padding=1),
        Conv(batch=2, cin=32, size=96, cout=64, window=3, padding=1),
        Conv(batch=1, cin=48, size=96, cout=64, window=3, padding=1),
        Conv(batch=16, cin=3, size=100, cout=24, window=5, stride=2),
        Conv(batch=16, cin=24, size=48, cout=36, window=5, stride=2),
        Conv(batch=16, cin=48, size=22, cout=64, window=3),
        Conv(batch=4, cin=64, size=56, cout=64, window=1),
        Conv(batch=4, cin=256, size=14, cout=1024, window=1),
        Conv(batch=8, cin=32, size=56, cout=32, window=3, padding=1, groups=32),
        Conv(batch=1, cin=512, size=7, cout=512, window=3, padding=1),
    ]


def _log_convolutions(scale: Scale) -> Iterator[Conv]:
    """Log-spaced batch, channels and extent, with windows 1, 3, 5, strides 1, 2 taking turns."""
    gpu = scale.name == "gpu"
    ranges = ((1, 128), (8, 1024), (8, 1024), (7, 224)) if gpu else ((1, 16), (4, 256), (4, 256), (7, 96))
    for index, (batch, cin, cout, size) in enumerate(log_spaced(scale.points, *ranges)):
        window, stride = (3, 1, 3, 5)[index % 4], (1, 1, 2)[index % 3]
        yield Conv(
            batch=min(batch, ranges[0][1]),
            cin=cin,
            size=min(size, ranges[3][1]),
            cout=cout,
            window=window,
            stride=stride,
            padding=window // 2,
        )


def _convolutions(scale: Scale) -> Iterator[Case]:
    """All three passes; half precision in both layouts, full precision in the usual one."""
    known = _network_convolutions() if scale.name == "gpu" else _small_convolutions()
    for conv in (*known, *_log_convolutions(scale)):
        for precision in scale.matrix:
            layouts = ("contiguous", "channels_last") if precision in ("fp16", "bf16") else ("contiguous",)
            for layout in layouts:
                if precision == "bf16" and layout == "channels_last":
                    continue
                for pass_ in ("fwd", "dgrad", "wgrad"):
                    yield cases.convolution(conv, pass_, precision, layout)


def _norms(scale: Scale) -> Iterator[Case]:
    """Batch, instance and layer normalisation, forward and backward."""
    if scale.name == "gpu":
        images = [(1, 64, 256), (1, 256, 64), (4, 128, 128), (16, 256, 64), (32, 64, 56), (64, 256, 56), (64, 512, 7)]
        tokens = [(512, 768), (4096, 768), (8192, 1024), (16384, 4096), (4095, 1000), (64, 8192)]
    else:
        images = [(1, 32, 64), (1, 128, 32), (2, 32, 96), (8, 64, 28), (4, 256, 14)]
        tokens = [(128, 768), (512, 256), (63, 1000)]
    for precision in scale.floats:
        for pass_ in ("fwd", "dgrad"):
            for batch, channels, size in images:
                shape = (("batch", batch), ("channels", channels), ("size", size))
                area = size * size
                yield cases.rowwise(
                    "batch_norm", "norm", pass_, precision, rows=channels, cols=batch * area, shape=shape
                )
                yield cases.rowwise(
                    "instance_norm", "norm", pass_, precision, rows=batch * channels, cols=area, shape=shape
                )
            for rows, cols in tokens:
                yield cases.rowwise("layer_norm", "norm", pass_, precision, rows=rows, cols=cols)


def _softmax(scale: Scale) -> Iterator[Case]:
    """Softmax over the last axis."""
    gpu = [(1536, 128), (6144, 512), (98304, 128), (49152, 1024), (16384, 2048), (512, 50257), (2048, 1000), (333, 333)]
    cpu = [(1536, 128), (512, 512), (64, 10000), (333, 333)]
    for precision in scale.floats:
        for rows, cols in gpu if scale.name == "gpu" else cpu:
            for pass_ in ("fwd", "dgrad"):
                yield cases.rowwise("softmax", "softmax", pass_, precision, rows=rows, cols=cols)


ELEMENTWISE = (
    ("add", "elementwise", "fwd", 2.0, 1.0),
    ("relu", "elementwise", "fwd", 1.0, 1.0),
    ("gelu", "elementwise", "fwd", 1.0, 1.0),
    ("mul", "elementwise", "fwd", 2.0, 1.0),
    ("tanh", "elementwise", "fwd", 1.0, 1.0),
    ("relu", "elementwise", "dgrad", 2.0, 1.0),
    ("gelu", "elementwise", "dgrad", 2.0, 1.0),
    ("scale", "elementwise", "fwd", 1.0, 1.0),
    ("sum", "reduce", "fwd", 1.0, 0.0),
    ("clone", "copy", "fwd", 1.0, 1.0),
    ("transpose", "copy", "fwd", 1.0, 1.0),
)


def _sizes(scale: Scale) -> tuple[int, ...]:
    """Numbers of elements: inside the caches, around them, and far beyond."""
    if scale.name == "gpu":
        return (1 << 12, 1 << 24, 1 << 18, 1 << 27, 1 << 21, 100_003, 1 << 26, 10_000_019)
    return (1 << 12, 1 << 20, 1 << 16, 1 << 23, 100_003, 1 << 22)


def _elementwise(scale: Scale) -> Iterator[Case]:
    """Arithmetic, activations, reductions and copies over all sizes."""
    for numel in _sizes(scale):
        for op, kind, pass_, inputs, outputs in ELEMENTWISE:
            for precision in scale.floats:
                yield cases.elementwise(op, kind, pass_, precision, numel=numel, inputs=inputs, outputs=outputs)
        if "fp16" in scale.floats:
            yield cases.elementwise("to_fp16", "copy", "fwd", "fp32", numel=numel, inputs=1.0, outputs=0.5)
            yield cases.elementwise("to_fp32", "copy", "fwd", "fp16", numel=numel, inputs=1.0, outputs=2.0)


def _attention_backends(scale: Scale, precision: str) -> tuple[str, ...]:
    """The CPU is measured without fusion only; flash attention needs 16-bit inputs."""
    if scale.name != "gpu":
        return ("math",)
    return ("efficient", "math") if precision == "fp32" else ("flash", "efficient", "math")


def _attention(scale: Scale) -> Iterator[Case]:
    """Fused and unfused attention."""
    if scale.name == "gpu":
        shapes = [
            (8, 12, 1024, 64),
            (32, 12, 128, 64),
            (4, 16, 2048, 64),
            (1, 32, 4096, 128),
            (16, 16, 512, 64),
            (8, 12, 333, 64),
        ]
    else:
        shapes = [(1, 12, 128, 64), (2, 8, 256, 32)]
    for batch, heads, seq, dim in shapes:
        for precision in scale.floats:
            for backend in _attention_backends(scale, precision):
                for pass_ in ("fwd", "dgrad"):
                    for causal in (0, 1) if backend == "flash" else (0,):
                        yield cases.attention(
                            f"attention_{backend}",
                            pass_,
                            precision,
                            batch=batch,
                            heads=heads,
                            seq=seq,
                            dim=dim,
                            causal=causal,
                        )


def _optimizers(scale: Scale) -> Iterator[Case]:
    """Optimizer steps over few large and many small parameters."""
    gpu = [(8, 1 << 20), (160, 1 << 17), (32, 1 << 22), (300, 1 << 10), (2, 1 << 25)]
    cpu = [(8, 1 << 16), (40, 1 << 12), (4, 1 << 19)]
    for tensors, numel in gpu if scale.name == "gpu" else cpu:
        for op in (
            ("adam_fused", "adam_foreach", "adam_loop", "sgd_foreach")
            if scale.name == "gpu"
            else ("adam_foreach", "sgd_foreach")
        ):
            yield cases.optimizer(op, tensors=tensors, numel=numel)


def _moves(scale: Scale) -> Iterator[Case]:
    """Pooling, padding and embedding."""
    gpu = scale.name == "gpu"
    for precision in scale.floats:
        for batch, channels, size in (
            ((64, 64, 112), (16, 256, 64), (1, 256, 64)) if gpu else ((2, 32, 56), (1, 64, 32))
        ):
            shape = (("batch", batch), ("channels", channels), ("size", size))
            planes, area = batch * channels, size * size
            yield cases.rowwise("reflection_pad", "copy", "fwd", precision, rows=planes, cols=area, shape=shape)
            yield cases.rowwise("max_pool", "pool", "fwd", precision, rows=planes, cols=area, shape=shape)
        for rows, cols in ((4096, 768), (32768, 1024)) if gpu else ((512, 256),):
            yield cases.rowwise("embedding", "embedding", "fwd", precision, rows=rows, cols=cols)
            yield cases.rowwise("embedding", "embedding", "dgrad", precision, rows=rows, cols=cols)
