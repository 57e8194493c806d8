"""Automatic mixed precision and fused operators on the meta device.

PyTorch's own autocast casts nothing on the meta device. The same is done here one level lower: Python kernels for the
casting operators are registered at a dispatch key that no device uses (``AutocastIPU``), above autograd, and the key is
switched on while a module runs. Casts are so recorded by autograd as they are on a GPU, nested composite operators
included. The same key keeps dropout, attention and recurrent layers in one piece, as GPU kernels are.

Cast lists: PyTorch 2.x, ``aten/src/ATen/autocast_mode.h``.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cache
from typing import Any

KEY = "AutocastIPU"

TO_HALF = [
    "_convolution",
    "conv1d",
    "conv2d",
    "conv3d",
    "conv1d.padding",
    "conv2d.padding",
    "conv3d.padding",
    "conv_tbc",
    "conv_transpose1d",
    "conv_transpose2d.input",
    "conv_transpose3d.input",
    "convolution",
    "prelu",
    "addmm",
    "addmv",
    "addr",
    "matmul",
    "einsum",
    "mm",
    "mv",
    "linalg_vecdot",
    "linear",
    "addbmm",
    "baddbmm",
    "bmm",
    "chain_matmul",
    "linalg_multi_dot",
    "lstm_cell",
    "gru_cell",
    "rnn_tanh_cell",
    "rnn_relu_cell",
]
TO_SINGLE = [
    "acos",
    "asin",
    "cosh",
    "erfinv",
    "exp",
    "expm1",
    "log",
    "log10",
    "log2",
    "log1p",
    "reciprocal",
    "rsqrt",
    "sinh",
    "tan",
    "pow.Tensor_Scalar",
    "pow.Tensor_Tensor",
    "pow.Scalar",
    "softplus",
    "layer_norm",
    "native_layer_norm",
    "group_norm",
    "frobenius_norm.dim",
    "nuclear_norm",
    "cosine_similarity",
    "poisson_nll_loss",
    "cosine_embedding_loss",
    "nll_loss",
    "nll_loss2d",
    "hinge_embedding_loss",
    "kl_div",
    "l1_loss",
    "smooth_l1_loss",
    "huber_loss",
    "mse_loss",
    "margin_ranking_loss",
    "multilabel_margin_loss",
    "soft_margin_loss",
    "triplet_margin_loss",
    "multi_margin_loss",
    "binary_cross_entropy_with_logits",
    "dist",
    "pdist",
    "cdist",
    "renorm",
    "logsumexp",
    "upsample_nearest2d",
    "upsample_bilinear2d",
    "upsample_bicubic2d",
    "upsample_nearest3d",
    "upsample_trilinear3d",
]
SINGLE_RESULT = ("prod", "cumprod", "cumsum", "sum", "sum.dim_IntList")
SOFTMAXES = {"softmax.int": "_softmax", "log_softmax.int": "_log_softmax"}


@dataclass
class _State:
    """What the registered kernels do while the key is on."""

    amp: bool = False
    fused_attention: bool = True
    cache: dict[int, tuple[Any, Any]] = field(default_factory=dict)


_state = _State()


@contextmanager
def device_rules(*, amp: bool, fused_attention: bool) -> Iterator[None]:
    """Run a module as a GPU would: with casts when ``amp``, with fused dropout, attention and recurrent layers."""
    import torch

    _register()
    key = torch._C.DispatchKeySet(getattr(torch._C.DispatchKey, KEY))
    include = torch._C._dispatch_tls_local_include_set() | key
    exclude = torch._C._dispatch_tls_local_exclude_set() - key
    before = (_state.amp, _state.fused_attention, _state.cache)
    _state.amp, _state.fused_attention, _state.cache = amp, fused_attention, {}
    try:
        with torch._C._ForceDispatchKeyGuard(include, exclude):
            yield
    finally:
        _state.amp, _state.fused_attention, _state.cache = before


@contextmanager
def _below() -> Iterator[None]:
    """Switch the key off inside a kernel."""
    import torch

    with torch._C._ExcludeDispatchKeyGuard(torch._C.DispatchKeySet(getattr(torch._C.DispatchKey, KEY))):
        yield


def _overload(name: str) -> Any:
    import torch

    packet, _, overload = name.partition(".")
    return getattr(getattr(torch.ops.aten, packet), overload or "default")


@cache
def _register() -> list[Any]:
    """Register the kernels once; the libraries must stay alive."""
    import torch

    make: Any = torch.library.Library
    fallback = make("_", "IMPL")
    fallback.fallback(torch.library.fallthrough_kernel, KEY)
    library = make("aten", "IMPL")

    def bind(name: str, kernel: Callable[..., Any]) -> None:
        try:
            library.impl(_overload(name), kernel, KEY)
        except (AttributeError, RuntimeError):  # the operator does not exist in this PyTorch
            return

    for name in TO_HALF:
        bind(name, _casting(name, to_half))
    for name in TO_SINGLE:
        bind(name, _casting(name, to_single))
    for name in SINGLE_RESULT:
        bind(name, _single_result(name))
    for name, inner in SOFTMAXES.items():
        bind(name, _softmax(name, inner))
    bind("dropout", _dropout)
    bind("scaled_dot_product_attention", _attention)
    for name, (mode, _) in RECURRENT.items():
        bind(name, _recurrent(mode))
    return [fallback, library]


def _map(value: Any, change: Callable[[Any], Any]) -> Any:
    import torch

    if isinstance(value, torch.Tensor):
        return change(value)
    if isinstance(value, (list, tuple)):
        return type(value)(_map(item, change) for item in value)
    return value


def to_half(tensor: Any) -> Any:
    """Cast a float32 tensor to 16 bit; a parameter once per step."""
    import torch

    if not _state.amp or tensor.dtype != torch.float32:
        return tensor
    if not (tensor.is_leaf and tensor.requires_grad):
        return tensor.to(torch.float16)
    known = _state.cache.get(id(tensor))
    if known is None:
        known = (tensor, tensor.to(torch.float16))
        _state.cache[id(tensor)] = known
    return known[1]


def to_single(tensor: Any) -> Any:
    """Cast a 16-bit tensor to float32."""
    import torch

    return tensor.to(torch.float32) if _state.amp and tensor.dtype in (torch.float16, torch.bfloat16) else tensor


def _casting(name: str, cast: Callable[[Any], Any]) -> Callable[..., Any]:
    operator = _overload_or_none(name)

    def kernel(*args: Any, **kwargs: Any) -> Any:
        with _below():
            args = tuple(_map(value, cast) for value in args)
            kwargs = {key: _map(value, cast) for key, value in kwargs.items()}
            return operator(*args, **kwargs)

    return kernel


def _overload_or_none(name: str) -> Any:
    try:
        return _overload(name)
    except AttributeError:
        return None


def _single_result(name: str) -> Callable[..., Any]:
    operator = _overload(name)

    def kernel(*args: Any, **kwargs: Any) -> Any:
        import torch

        if _state.amp and kwargs.get("dtype") is None and args[0].dtype == torch.float16:
            kwargs["dtype"] = torch.float32
        with _below():
            return operator(*args, **kwargs)

    return kernel


def _softmax(name: str, inner: str) -> Callable[..., Any]:
    operator, fused = _overload(name), _overload(inner)

    def kernel(tensor: Any, dim: int, dtype: Any = None) -> Any:
        import torch

        wants_single = dtype == torch.float32 or (_state.amp and dtype is None)
        with _below():
            if wants_single and tensor.dtype == torch.float16:
                return fused(tensor, dim, True)  # GPU kernels read 16 bit and write float32
            return operator(tensor, dim, dtype)

    return kernel


def _dropout(tensor: Any, p: float, train: bool) -> Any:
    import torch

    with _below():
        return torch.ops.aten.native_dropout(tensor, p, train)[0] if train and p > 0 else tensor


def _attention(
    query: Any,
    key: Any,
    value: Any,
    attn_mask: Any = None,
    dropout_p: float = 0.0,
    is_causal: bool = False,
    *,
    scale: float | None = None,
    enable_gqa: bool = False,
) -> Any:
    with _below():
        query, key, value = to_half(query), to_half(key), to_half(value)
        if enable_gqa and key.shape[-3] != query.shape[-3]:
            key = key.repeat_interleave(query.shape[-3] // key.shape[-3], -3)
            value = value.repeat_interleave(query.shape[-3] // value.shape[-3], -3)
        if attn_mask is not None and not attn_mask.is_floating_point():
            attn_mask = attn_mask.to(query.dtype)
        if attn_mask is not None:
            attn_mask = attn_mask.to(query.dtype)
        if not _state.fused_attention:
            return _plain_attention(query, key, value, attn_mask, dropout_p, is_causal, scale)
        return _fused_attention(query, key, value, attn_mask, dropout_p, is_causal, scale)


def _fused_attention(query: Any, key: Any, value: Any, mask: Any, p: float, causal: bool, scale: float | None) -> Any:
    import torch

    lead = query.shape[:-3]
    if query.dim() == 3:
        query, key, value = (tensor.unsqueeze(1) for tensor in (query, key, value))
    elif query.dim() > 4:
        query, key, value = (tensor.flatten(0, -4) for tensor in (query, key, value))
    if mask is not None:
        mask = mask.expand(query.shape[0], query.shape[1], query.shape[2], key.shape[2])
    out = torch.ops.aten._scaled_dot_product_efficient_attention(
        query, key, value, mask, query.requires_grad, p, causal, scale=scale
    )[0]
    if len(lead) == 0:
        return out.squeeze(1)
    return out.reshape(*lead, *out.shape[1:]) if len(lead) > 1 else out


def _plain_attention(query: Any, key: Any, value: Any, mask: Any, p: float, causal: bool, scale: float | None) -> Any:
    """Attention as separate operators, as stacks before fused kernels ran it.

    Vision libraries scaled the queries, language libraries (whose attention is masked) the scores.
    """
    import torch

    factor = scale or 1 / math.sqrt(query.shape[-1])
    if causal or mask is not None:
        scores = torch.matmul(query, key.transpose(-2, -1)) * factor
    else:
        scores = torch.matmul(query * factor, key.transpose(-2, -1))
    if causal:
        length = (query.shape[-2], key.shape[-2])
        allowed = torch.ones(length, dtype=torch.bool, device=query.device).tril()
        scores = torch.where(allowed, scores, torch.finfo(scores.dtype).min)
    if mask is not None:
        scores = scores + mask
    half = scores.dtype == torch.float16
    weights = torch.ops.aten._softmax(scores, -1, half)
    weights = to_half(_dropout(weights, p, True))
    return torch.matmul(weights, value)


RECURRENT = {"rnn_relu.input": (0, 1), "rnn_tanh.input": (1, 1), "lstm.input": (2, 4), "gru.input": (3, 3)}
"""Operator to (cuDNN mode, gates)."""


def _recurrent(mode: int) -> Callable[..., Any]:
    def kernel(
        tensor: Any,
        state: Any,
        weights: Any,
        biases: bool,
        layers: int,
        dropout: float,
        train: bool,
        bidirectional: bool,
        batch_first: bool,
    ) -> Any:
        import torch

        with _below():
            hidden, cell = (state[0], state[1]) if mode == 2 else (state, None)
            tensor, hidden = to_half(tensor), to_half(hidden)
            cell = to_half(cell) if cell is not None else None
            weights = [to_half(weight) for weight in weights]
            joined = weights[0].new_empty(sum(weight.numel() for weight in weights))
            out = torch.ops.aten._cudnn_rnn(
                tensor, weights, 4 if biases else 2, joined, hidden, cell, mode, hidden.shape[-1], 0, layers,
                batch_first, dropout, train, bidirectional, [], None,
            )  # fmt: skip
        return (out[0], out[1], out[2]) if mode == 2 else (out[0], out[1])

    return kernel


def fused() -> bool:
    """Whether the running capture is of a stack with fused kernels (definitions may ask)."""
    return _state.fused_attention
