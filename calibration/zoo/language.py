"""Language models: BERT, GPT-2, GPT-3, OPT, Switch and Llama-sized decoders at their published sizes."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from perfmodel.calibration.zoo.transformers import Bert, Decoder, GeluNew, Llama, Sizes, Switch
from perfmodel.graph.definition import Definition


def tokens(batch: int, size: int) -> Sequence[Any]:
    """One batch of token sequences."""
    return [torch.empty(batch, size, dtype=torch.long)]


def language_model_loss(logits: Tensor) -> Tensor:
    """Cross entropy of the next token."""
    target = torch.empty(logits.shape[:-1], dtype=torch.long, device=logits.device)
    return F.cross_entropy(logits.flatten(0, -2), target.flatten())


def _bert_inputs(batch: int, size: int) -> Sequence[Any]:
    return [torch.empty(batch, size, dtype=torch.long) for _ in range(3)]


def _span_loss(logits: Tensor) -> Tensor:
    target = torch.empty(logits.shape[0], dtype=torch.long, device=logits.device)
    start, end = logits.unbind(-1)
    return (F.cross_entropy(start, target) + F.cross_entropy(end, target)) / 2


def _gpt(layers: int, width: int, heads: int, positions: int) -> Sizes:
    return Sizes(layers, width, heads, width, 4 * width, 50257, positions)


BERT = {"bert_base": (12, 768, 12), "bert_large": (24, 1024, 16)}
GPT2 = {
    "gpt2": (12, 768, 12),
    "gpt2_medium": (24, 1024, 16),
    "gpt2_large": (36, 1280, 20),
    "gpt2_xl": (48, 1600, 25),
}
# Brown et al. 2020 (arXiv:2005.14165), table 2.1. For XL the table gives width 2048 and 24 heads of 128, which do not
# agree: gpt3_xl here has 24 x 128 = 3072, as its published measured times demand; gpt3_1.3b has width 2048.
GPT3 = {
    "gpt3_small": (12, 768, 12),
    "gpt3_medium": (24, 1024, 16),
    "gpt3_large": (24, 1536, 16),
    "gpt3_1.3b": (24, 2048, 16),
    "gpt3_xl": (24, 3072, 24),
    "gpt3_2.7b": (32, 2560, 32),
    "gpt3_6.7b": (32, 4096, 32),
    "gpt3_13b": (40, 5120, 40),
    "gpt3_175b": (96, 12288, 96),
}
# Zhang et al. 2022 (arXiv:2205.01068), table 1.
OPT = {
    "opt_125m": (12, 768, 12),
    "opt_350m": (24, 1024, 16),
    "opt_1.3b": (24, 2048, 32),
    "opt_2.7b": (32, 2560, 32),
    "opt_6.7b": (32, 4096, 32),
    "opt_13b": (40, 5120, 40),
    "opt_30b": (48, 7168, 56),
    "opt_66b": (64, 9216, 72),
    "opt_175b": (96, 12288, 96),
}
# T5 sizes (Raffel et al. 2020) with a mixture of experts in every layer, as in Switch (Fedus et al. 2021).
SWITCH = {"base": (12, 768, 12, 3072), "large": (24, 1024, 16, 4096), "xl": (24, 2048, 32, 5120)}
EXPERTS = (4, 8, 16, 32)
LLAMA = {
    "llama_7b": Sizes(32, 4096, 32, 4096, 11008, 32000, 0, 32),
    "llama_13b": Sizes(40, 5120, 40, 5120, 13824, 32000, 0, 40),
    "llama_70b": Sizes(80, 8192, 64, 8192, 28672, 32000, 0, 8),
    "llama3_8b": Sizes(32, 4096, 32, 4096, 14336, 128256, 0, 8),
    "llama3_70b": Sizes(80, 8192, 64, 8192, 28672, 128256, 0, 8),
    "llama3_1b": Sizes(16, 2048, 32, 2048, 8192, 128256, 0, 8),
}


def _text(name: str, family: str, build: Any, *, size: int, **options: Any) -> Definition:
    settings: dict[str, Any] = {
        "unit": "sequence",
        "size_name": "seq_len",
        "default_size": size,
        "size_step": 64,
        "blocks": (2, 3, 4),
        "points": (0, -1, -2, 1),
        "attentions": ("fused", "unfused"),
        "loss": language_model_loss,
        "inputs": tokens,
        "optimizer": "adamw",
    }
    return Definition(name=name, family=family, build=build, **{**settings, **options})


def _made(make: Callable[..., nn.Module], sizes: Sizes, size: int, blocks: int, **options: Any) -> nn.Module:
    """Build a network with as many layers as there are blocks."""
    return make(replace(sizes, layers=blocks), **options)


def definitions() -> Iterator[Definition]:
    """Yield the definitions of this module."""
    for name, (layers, width, heads) in BERT.items():
        sizes = Sizes(layers, width, heads, width, 4 * width, 30522, 512)
        options: dict[str, Any] = {"inputs": _bert_inputs, "loss": _span_loss, "points": (0, 1, 2, -1)}
        yield _text(name, "bert", partial(_made, Bert, sizes), size=384, default_blocks=layers, **options)
    for family, table, positions in (("gpt2", GPT2, 1024), ("gpt3", GPT3, 2048)):
        for name, (layers, width, heads) in table.items():
            sizes = _gpt(layers, width, heads, positions)
            build = partial(_made, Decoder, sizes, joint=True, activation=GeluNew)
            yield _text(name, family, build, size=positions, points=(0, -1, -2, -3), default_blocks=layers)
    for name, (layers, width, heads) in OPT.items():
        sizes = Sizes(layers, width, heads, width, 4 * width, 50272, 2050)
        build = partial(_made, Decoder, sizes, joint=False, activation=nn.ReLU)
        yield _text(name, "opt", build, size=2048, points=(0, -1, -2, -3), default_blocks=layers)
    for label, (layers, width, heads, feed) in SWITCH.items():
        sizes = Sizes(layers, width, heads, width, feed, 32128, 0)
        for experts in EXPERTS:
            build = partial(_made, Switch, sizes, experts=experts)
            yield _text(f"switch_{label}_{experts}", "switch", build, size=512, default_blocks=layers)
    for name, sizes in LLAMA.items():
        yield _text(name, "llama", partial(_made, Llama, sizes), size=2048, default_blocks=sizes.layers)
