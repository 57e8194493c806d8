"""Cases as calls: every operator on random data, as torch's own eager kernels run it in training.

Outputs are allocated by every call, as in eager training: on the CPU that is a good part of the time of large ones.
Backward passes call the backward kernels themselves, not autograd, wherever torch names them, so that nothing else is
timed.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from .cases import Case
from .timing import Call

# Data of one case takes at most this much memory over all its copies, and there are at most so many copies.
MAX_COPIES = 64


class UnsupportedCaseError(Exception):
    """This device or this torch has no such operator; the text says which."""


@dataclass(frozen=True, kw_only=True)
class Bench:
    """Where and how cases run.

    Parameters
    ----------
    torch : module
        The imported torch.
    device : str
        ``cpu`` or ``cuda``.
    cache_bytes : int
        Size of the last cache: copies of the data together exceed twice this.
    """

    torch: Any
    device: str
    cache_bytes: int

    def copies(self, case: Case) -> int:
        """Copies of the data so that a call never finds its own in the cache."""
        footprint = max(1.0, case.read_bytes + case.write_bytes)
        return max(1, min(MAX_COPIES, math.ceil(2.0 * self.cache_bytes / footprint)))

    def dtype(self, precision: str) -> Any:
        """torch's type of the precision's inputs."""
        names = {"fp32": "float32", "tf32": "float32", "fp16": "float16", "bf16": "bfloat16"}
        return getattr(self.torch, names[precision])

    def random(self, *shape: int, precision: str, scale: float = 1.0) -> Any:
        """Normal random data: never zeros, on which a GPU draws less power and runs faster."""
        return (self.torch.randn(*shape, device=self.device) * scale).to(self.dtype(precision))

    def image(self, *shape: int, case: Case) -> Any:
        """Random data in the case's layout."""
        data = self.random(*shape, precision=case.precision)
        if case.layout == "channels_last":
            return data.contiguous(memory_format=self.torch.channels_last)
        return data


Make = Callable[[Bench, Case], Callable[[], object]]


def prepare(bench: Bench, case: Case) -> tuple[Call, int]:
    """Allocate a case's data.

    Returns
    -------
    call : callable
        ``call(i)`` runs the operator once on the i-th copy of the data.
    copies : int
        Number of copies.

    Raises
    ------
    UnsupportedCaseError
        If there is no such operator here.
    """
    make = _MAKERS.get(case.op)
    if make is None:
        raise UnsupportedCaseError(f"no operation '{case.op}'")
    from perfmodel.workloads.training.precision import set_tf32

    set_tf32(case.precision == "tf32")
    count = bench.copies(case)
    calls = [make(bench, case) for _ in range(count)]

    def call(index: int) -> object:
        return calls[index]()

    return call, count


def _linear(bench: Bench, case: Case) -> Callable[[], object]:
    if case.precision in ("fp8", "int8"):
        return _linear_8bit(bench, case)
    torch, m, n, k = bench.torch, case.dim("m"), case.dim("n"), case.dim("k")
    x, w = bench.random(m, k, precision=case.precision), bench.random(n, k, precision=case.precision)
    if case.pass_ == "fwd":
        return lambda: torch.nn.functional.linear(x, w)
    grad = bench.random(m, n, precision=case.precision)
    if case.pass_ == "dgrad":
        return lambda: torch.mm(grad, w)
    return lambda: torch.mm(grad.t(), x)


def _linear_8bit(bench: Bench, case: Case) -> Callable[[], object]:
    torch, m, n, k = bench.torch, case.dim("m"), case.dim("n"), case.dim("k")
    if bench.device != "cuda":
        raise UnsupportedCaseError(f"{case.precision} products are measured on GPUs only")
    if case.precision == "int8":
        a = torch.randint(-128, 127, (m, k), device=bench.device, dtype=torch.int8)
        b = torch.randint(-128, 127, (n, k), device=bench.device, dtype=torch.int8).t()
        return lambda: torch._int_mm(a, b)
    if not hasattr(torch, "float8_e4m3fn") or torch.cuda.get_device_capability() < (8, 9):
        raise UnsupportedCaseError("fp8 products need compute capability 8.9")
    a = torch.randn(m, k, device=bench.device).to(torch.float8_e4m3fn)
    b = torch.randn(n, k, device=bench.device).to(torch.float8_e4m3fn).t()
    one = torch.ones((), device=bench.device)
    return lambda: torch._scaled_mm(a, b, scale_a=one, scale_b=one, out_dtype=torch.bfloat16)


def _bmm(bench: Bench, case: Case) -> Callable[[], object]:
    x = bench.random(case.b, case.m, case.k, precision=case.precision)
    y = bench.random(case.b, case.k, case.n, precision=case.precision)
    return lambda: bench.torch.bmm(x, y)


def _conv2d(bench: Bench, case: Case) -> Callable[[], object]:
    torch, batch, cin, cout = bench.torch, case.dim("batch"), case.dim("cin"), case.dim("cout")
    size, window, groups = case.dim("size"), case.dim("window"), case.dim("groups")
    stride, padding = [case.dim("stride")] * 2, [case.dim("padding")] * 2
    x = bench.image(batch, cin, size, size, case=case)
    w = bench.image(cout, cin // groups, window, window, case=case)
    if case.pass_ == "fwd":
        return lambda: torch.nn.functional.conv2d(x, w, None, stride, padding, 1, groups)
    out = (size + 2 * padding[0] - window) // stride[0] + 1
    grad = bench.image(batch, cout, out, out, case=case)
    wanted = [case.pass_ == "dgrad", case.pass_ == "wgrad", False]
    backward = torch.ops.aten.convolution_backward
    return lambda: backward(grad, x, w, None, stride, padding, [1, 1], False, [0, 0], groups, wanted)


def _batch_norm(bench: Bench, case: Case) -> Callable[[], object]:
    batch, channels, size = case.dim("batch"), case.dim("channels"), case.dim("size")
    instance = case.op == "instance_norm"
    shape = (1, batch * channels, size, size) if instance else (batch, channels, size, size)
    x = bench.image(*shape, case=case)
    # Running statistics, weight and bias stay in fp32, as under autocast; instance normalisation has none.
    parameters = [None] * 4 if instance else [bench.random(shape[1], precision="fp32").abs() for _ in range(4)]
    weight, bias, mean, variance = parameters
    forward = bench.torch._batch_norm_impl_index
    enabled = bench.torch.backends.cudnn.enabled

    training = case.op != "batch_norm_eval"

    def run() -> Any:
        return forward(x, weight, bias, mean, variance, training, 0.1, 1e-5, enabled)

    if case.pass_ == "fwd":
        return run
    _, saved_mean, saved_deviation, reserve, index = run()
    grad = bench.image(*shape, case=case)
    backward = bench.torch.ops.aten._batch_norm_impl_index_backward
    mask = [True, not instance, not instance]
    return lambda: backward(
        index, x, grad, weight, mean, variance, saved_mean, saved_deviation, True, 1e-5, mask, reserve
    )


def _layer_norm(bench: Bench, case: Case) -> Callable[[], object]:
    aten = bench.torch.ops.aten
    x = bench.random(case.rows, case.cols, precision=case.precision)
    weight, bias = (bench.random(case.cols, precision=case.precision) for _ in range(2))
    if case.pass_ == "fwd":
        return lambda: aten.native_layer_norm(x, [case.cols], weight, bias, 1e-5)
    _, mean, deviation = aten.native_layer_norm(x, [case.cols], weight, bias, 1e-5)
    grad = bench.random(case.rows, case.cols, precision=case.precision)
    backward = aten.native_layer_norm_backward
    return lambda: backward(grad, x, [case.cols], mean, deviation, weight, bias, [True, True, True])


def _softmax(bench: Bench, case: Case) -> Callable[[], object]:
    aten = bench.torch.ops.aten
    x = bench.random(case.rows, case.cols, precision=case.precision)
    if case.pass_ == "fwd":
        return lambda: aten._softmax(x, -1, False)
    y = aten._softmax(x, -1, False)
    grad = bench.random(case.rows, case.cols, precision=case.precision)
    return lambda: aten._softmax_backward_data(grad, y, -1, x.dtype)


def _attention(bench: Bench, case: Case) -> Callable[[], object]:
    torch = bench.torch
    shape = (case.dim("batch"), case.dim("heads"), case.dim("seq"), case.dim("dim"))
    q, k, v = (bench.random(*shape, precision=case.precision) for _ in range(3))
    causal = bool(case.dim("causal"))
    from torch.nn.attention import SDPBackend, sdpa_kernel

    names = {"flash": "FLASH_ATTENTION", "efficient": "EFFICIENT_ATTENTION", "math": "MATH"}
    backend = getattr(SDPBackend, names[case.op.removeprefix("attention_")])
    backward = case.pass_ != "fwd"
    for tensor in (q, k, v):
        tensor.requires_grad_(backward)

    def forward() -> Any:
        with sdpa_kernel(backend):
            return torch.nn.functional.scaled_dot_product_attention(q, k, v, is_causal=causal)

    if not backward:
        return forward
    out = forward()
    grad = bench.random(*shape, precision=case.precision)
    return lambda: torch.autograd.grad(out, (q, k, v), grad, retain_graph=True)


def _elementwise(bench: Bench, case: Case) -> Callable[[], object]:
    torch, numel = bench.torch, case.dim("numel")
    x, y = (bench.random(numel, precision=case.precision) for _ in range(2))
    square = x[: math.isqrt(numel) ** 2].view(math.isqrt(numel), -1)
    positive = x.abs() if case.op == "sqrt" else x
    aten = torch.ops.aten
    functional = torch.nn.functional
    calls: dict[tuple[str, str], Callable[[], object]] = {
        ("add", "fwd"): lambda: x + y,
        ("mul", "fwd"): lambda: x * y,
        ("scale", "fwd"): lambda: x * 1.5,
        ("tanh", "fwd"): lambda: torch.tanh(x),
        ("sqrt", "fwd"): lambda: positive.sqrt(),
        ("relu", "fwd"): lambda: torch.relu(x),
        ("relu", "dgrad"): lambda: aten.threshold_backward(y, x, 0.0),
        ("gelu", "fwd"): lambda: functional.gelu(x),
        ("gelu", "dgrad"): lambda: aten.gelu_backward(y, x),
        ("sum", "fwd"): lambda: x.sum(),
        ("clone", "fwd"): lambda: x.clone(),
        ("transpose", "fwd"): lambda: square.t().contiguous(),
        ("to_fp16", "fwd"): lambda: x.half(),
        ("to_fp32", "fwd"): lambda: x.float(),
    }
    return calls[case.op, case.pass_]


def _image_move(bench: Bench, case: Case) -> Callable[[], object]:
    functional = bench.torch.nn.functional
    x = bench.image(case.dim("batch"), case.dim("channels"), case.dim("size"), case.dim("size"), case=case)
    if case.op == "reflection_pad":
        return lambda: functional.pad(x, (1, 1, 1, 1), mode="reflect")
    return lambda: functional.max_pool2d(x, 3, 2, 1)


def _embedding(bench: Bench, case: Case) -> Callable[[], object]:
    torch = bench.torch
    words = 30522
    index = torch.randint(words, (case.rows,), device=bench.device)
    if case.pass_ == "fwd":
        table = bench.random(words, case.cols, precision=case.precision)
        return lambda: torch.nn.functional.embedding(index, table)
    grad = bench.random(case.rows, case.cols, precision=case.precision)
    return lambda: torch.ops.aten.embedding_dense_backward(grad, index, words, -1, False)


def _optimizer(bench: Bench, case: Case) -> Callable[[], object]:
    torch = bench.torch
    parameters = []
    for _ in range(case.dim("tensors")):
        parameter = torch.nn.Parameter(bench.random(case.dim("numel"), precision="fp32"))
        parameter.grad = bench.random(case.dim("numel"), precision="fp32", scale=0.01)
        parameters.append(parameter)
    family, how = case.op.split("_")
    options = {"fused": {"fused": True}, "foreach": {"foreach": True}, "loop": {"foreach": False}}[how]
    if family == "adam":
        chosen = torch.optim.Adam(parameters, lr=1e-6, **options)
    else:
        chosen = torch.optim.SGD(parameters, lr=1e-6, momentum=0.9, **options)
    return lambda: chosen.step()


_MAKERS: dict[str, Make] = {
    "linear": _linear,
    "bmm": _bmm,
    "conv2d": _conv2d,
    "batch_norm": _batch_norm,
    "batch_norm_eval": _batch_norm,
    "instance_norm": _batch_norm,
    "layer_norm": _layer_norm,
    "softmax": _softmax,
    "attention_flash": _attention,
    "attention_efficient": _attention,
    "attention_math": _attention,
    "reflection_pad": _image_move,
    "max_pool": _image_move,
    "embedding": _embedding,
    "adam_fused": _optimizer,
    "adam_foreach": _optimizer,
    "adam_loop": _optimizer,
    "sgd_foreach": _optimizer,
    "sgd_loop": _optimizer,
    **dict.fromkeys(
        ("add", "mul", "scale", "tanh", "relu", "gelu", "sqrt", "sum", "clone", "transpose", "to_fp16", "to_fp32"),
        _elementwise,
    ),
}
