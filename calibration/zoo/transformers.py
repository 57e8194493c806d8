"""Transformer networks with the operators their libraries run: BERT, GPT and OPT, Switch, Llama."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from perfmodel.graph.autocast import fused


class GeluNew(nn.Module):
    """The tanh form of GELU; without fused kernels it is eight elementwise operators."""

    def forward(self, x: Tensor) -> Tensor:
        """Apply it."""
        if fused():
            return F.gelu(x, approximate="tanh")
        return 0.5 * x * (1.0 + torch.tanh(0.7978845608 * (x + 0.044715 * torch.pow(x, 3.0))))


class Attention(nn.Module):
    """Multi-head attention with separate or joint projections."""

    def __init__(self, width: int, heads: int, *, inner: int, joint: bool, bias: bool, causal: bool, p: float) -> None:
        """Build the layers."""
        super().__init__()
        self.heads, self.inner, self.causal, self.p = heads, inner, causal, p
        self.joint = nn.Linear(width, 3 * inner, bias=bias) if joint else None
        if not joint:
            self.q, self.k, self.v = (nn.Linear(width, inner, bias=bias) for _ in range(3))
        self.out = nn.Linear(inner, width, bias=bias)

    def _split(self, x: Tensor) -> Tensor:
        return x.view(x.shape[0], x.shape[1], self.heads, self.inner // self.heads).transpose(1, 2)

    def forward(self, x: Tensor, memory: Tensor | None = None, bias: Tensor | None = None) -> Tensor:
        """Attend to ``memory`` or to itself."""
        if self.joint is not None:
            query, key, value = self.joint(x).split(self.inner, dim=2)
        else:
            source = x if memory is None else memory
            query, key, value = self.q(x), self.k(source), self.v(source)
        causal = self.causal and bias is None
        mixed = F.scaled_dot_product_attention(
            self._split(query), self._split(key), self._split(value), bias, self.p if self.training else 0.0, causal
        )
        result: Tensor = self.out(mixed.transpose(1, 2).reshape(x.shape[0], x.shape[1], self.inner))
        return result


@dataclass(frozen=True)
class Sizes:
    """Sizes of a transformer."""

    layers: int
    width: int
    heads: int
    inner: int
    feed: int
    vocabulary: int
    positions: int
    key_heads: int = 0


class BertLayer(nn.Module):
    """Post-norm encoder layer."""

    def __init__(self, s: Sizes) -> None:
        """Build the layers."""
        super().__init__()
        self.attention = Attention(s.width, s.heads, inner=s.inner, joint=False, bias=True, causal=False, p=0.1)
        self.norm1, self.norm2 = nn.LayerNorm(s.width), nn.LayerNorm(s.width)
        self.up, self.down = nn.Linear(s.width, s.feed), nn.Linear(s.feed, s.width)
        self.dropout1, self.dropout2 = nn.Dropout(0.1), nn.Dropout(0.1)

    def forward(self, x: Tensor, bias: Tensor | None) -> Tensor:
        """Apply the layer."""
        x = self.norm1(x + self.dropout1(self.attention(x, bias=bias)))
        result: Tensor = self.norm2(x + self.dropout2(self.down(F.gelu(self.up(x)))))
        return result


class Bert(nn.Module):
    """BERT with the two outputs of question answering."""

    def __init__(self, s: Sizes) -> None:
        """Build the layers."""
        super().__init__()
        self.words, self.types = nn.Embedding(s.vocabulary, s.width), nn.Embedding(2, s.width)
        self.positions = nn.Embedding(s.positions, s.width)
        self.norm, self.dropout = nn.LayerNorm(s.width), nn.Dropout(0.1)
        self.layers = nn.ModuleList(BertLayer(s) for _ in range(s.layers))
        self.head = nn.Linear(s.width, 2)

    def forward(self, ids: Tensor, mask: Tensor, kinds: Tensor) -> Tensor:
        """Return start and end scores."""
        place = torch.arange(ids.shape[1], device=ids.device)
        x = self.dropout(self.norm(self.words(ids) + self.positions(place) + self.types(kinds)))
        bias = (1.0 - mask[:, None, None, :].to(x.dtype)) * -10000.0
        for layer in self.layers:
            x = layer(x, bias)
        result: Tensor = self.head(x)
        return result


class DecoderLayer(nn.Module):
    """Pre-norm decoder layer of GPT and OPT."""

    def __init__(self, s: Sizes, *, joint: bool, activation: nn.Module) -> None:
        """Build the layers."""
        super().__init__()
        self.attention = Attention(s.width, s.heads, inner=s.inner, joint=joint, bias=True, causal=True, p=0.1)
        self.norm1, self.norm2 = nn.LayerNorm(s.width), nn.LayerNorm(s.width)
        self.up, self.down = nn.Linear(s.width, s.feed), nn.Linear(s.feed, s.width)
        self.dropout1, self.dropout2, self.activation = nn.Dropout(0.1), nn.Dropout(0.1), activation

    def forward(self, x: Tensor) -> Tensor:
        """Apply the layer."""
        x = x + self.dropout1(self.attention(self.norm1(x)))
        result: Tensor = x + self.dropout2(self.down(self.activation(self.up(self.norm2(x)))))
        return result


class Decoder(nn.Module):
    """GPT-2/3 or OPT with tied word embeddings."""

    def __init__(self, s: Sizes, *, joint: bool, activation: type[nn.Module]) -> None:
        """Build the layers."""
        super().__init__()
        self.words, self.positions = nn.Embedding(s.vocabulary, s.width), nn.Embedding(s.positions, s.width)
        self.dropout = nn.Dropout(0.1)
        self.layers = nn.ModuleList(DecoderLayer(s, joint=joint, activation=activation()) for _ in range(s.layers))
        self.norm = nn.LayerNorm(s.width)

    def forward(self, ids: Tensor) -> Tensor:
        """Return next-token scores."""
        x = self.dropout(self.words(ids) + self.positions(torch.arange(ids.shape[1], device=ids.device)))
        for layer in self.layers:
            x = layer(x)
        return F.linear(self.norm(x), self.words.weight)


class RmsNorm(nn.Module):
    """Root-mean-square norm in float32, as T5 and Llama compute it."""

    def __init__(self, width: int) -> None:
        """Build the layers."""
        super().__init__()
        self.weight = nn.Parameter(torch.ones(width))

    def forward(self, x: Tensor) -> Tensor:
        """Normalise the last dimension."""
        variance = x.to(torch.float32).pow(2).mean(-1, keepdim=True)
        return self.weight * (x * torch.rsqrt(variance + 1e-6)).to(x.dtype)


class Experts(nn.Module):
    """Top-1 mixture of experts with a balanced load: each expert takes an equal share of every sequence."""

    def __init__(self, s: Sizes, *, experts: int) -> None:
        """Build the layers."""
        super().__init__()
        self.router = nn.Linear(s.width, experts, bias=False)
        self.up = nn.ModuleList(nn.Linear(s.width, s.feed, bias=False) for _ in range(experts))
        self.down = nn.ModuleList(nn.Linear(s.feed, s.width, bias=False) for _ in range(experts))

    def forward(self, x: Tensor) -> Tensor:
        """Send tokens to their experts."""
        weights = torch.softmax(self.router(x.float()).float(), dim=-1)
        chosen, _ = weights.max(dim=-1, keepdim=True)
        count = -(-x.shape[1] // len(self.up))
        mask = F.one_hot(weights.argmax(dim=-1), len(self.up)).cumsum(dim=-2) <= count
        result = x.clone()
        for at, (up, down) in enumerate(zip(self.up, self.down, strict=True)):
            where = mask[:, :count, at].long()[..., None].expand(-1, -1, x.shape[2])
            taken = torch.gather(x, 1, where)
            result = result.scatter(1, where, down(F.relu(up(taken))).to(result.dtype))
        return chosen * result


class SwitchLayer(nn.Module):
    """Encoder or decoder layer of a Switch transformer."""

    def __init__(self, s: Sizes, *, experts: int, cross: bool) -> None:
        """Build the layers."""
        super().__init__()
        options: dict[str, Any] = {"inner": s.inner, "joint": False, "bias": False, "p": 0.1}
        self.attention = Attention(s.width, s.heads, causal=cross, **options)
        self.cross = Attention(s.width, s.heads, causal=False, **options) if cross else None
        self.norms = nn.ModuleList(RmsNorm(s.width) for _ in range(3 if cross else 2))
        self.feed = Experts(s, experts=experts)
        self.dropout = nn.Dropout(0.1)

    def forward(self, x: Tensor, bias: Tensor, memory: Tensor | None = None) -> Tensor:
        """Apply the layer."""
        x = x + self.dropout(self.attention(self.norms[0](x), bias=bias))
        if self.cross is not None:
            x = x + self.dropout(self.cross(self.norms[1](x), memory=memory))
        result: Tensor = x + self.dropout(self.feed(self.norms[-1](x)))
        return result


class Switch(nn.Module):
    """Encoder-decoder with a mixture of experts in every layer."""

    def __init__(self, s: Sizes, *, experts: int) -> None:
        """Build the layers."""
        super().__init__()
        self.words = nn.Embedding(s.vocabulary, s.width)
        self.encoder_bias, self.decoder_bias = nn.Embedding(32, s.heads), nn.Embedding(32, s.heads)
        make = [SwitchLayer(s, experts=experts, cross=i >= s.layers) for i in range(2 * s.layers)]
        self.encoder, self.decoder = nn.ModuleList(make[: s.layers]), nn.ModuleList(make[s.layers :])
        self.norm1, self.norm2 = RmsNorm(s.width), RmsNorm(s.width)
        self.head = nn.Linear(s.width, s.vocabulary, bias=False)

    def _bias(self, table: nn.Embedding, length: int) -> Tensor:
        place = torch.arange(length, device=table.weight.device)
        result: Tensor = table((place[None, :] - place[:, None]).abs().clamp(max=31)).permute(2, 0, 1)[None]
        return result

    def forward(self, ids: Tensor) -> Tensor:
        """Return next-token scores; the decoder sees a sequence of the same length."""
        x = y = self.words(ids)
        bias = self._bias(self.encoder_bias, ids.shape[1])
        for layer in self.encoder:
            x = layer(x, bias)
        memory, bias = self.norm1(x), self._bias(self.decoder_bias, ids.shape[1])
        for layer in self.decoder:
            y = layer(y, bias, memory)
        result: Tensor = self.head(self.norm2(y))
        return result


class LlamaLayer(nn.Module):
    """Decoder layer with rotary positions, grouped key heads and a gated feed-forward part."""

    def __init__(self, s: Sizes) -> None:
        """Build the layers."""
        super().__init__()
        self.heads, self.key_heads = s.heads, s.key_heads
        keys = s.width // s.heads * s.key_heads
        self.q, self.out = nn.Linear(s.width, s.width, bias=False), nn.Linear(s.width, s.width, bias=False)
        self.k, self.v = nn.Linear(s.width, keys, bias=False), nn.Linear(s.width, keys, bias=False)
        self.norm1, self.norm2 = RmsNorm(s.width), RmsNorm(s.width)
        self.gate, self.up = nn.Linear(s.width, s.feed, bias=False), nn.Linear(s.width, s.feed, bias=False)
        self.down = nn.Linear(s.feed, s.width, bias=False)

    @staticmethod
    def _rotate(x: Tensor, cos: Tensor, sin: Tensor) -> Tensor:
        low, high = x.chunk(2, dim=-1)
        return x * cos + torch.cat((-high, low), dim=-1) * sin

    def forward(self, x: Tensor, cos: Tensor, sin: Tensor) -> Tensor:
        """Apply the layer."""
        y = self.norm1(x)
        shape = (x.shape[0], x.shape[1], -1, x.shape[2] // self.heads)
        query, key, value = (part(y).view(shape).transpose(1, 2) for part in (self.q, self.k, self.v))
        query, key = self._rotate(query, cos, sin), self._rotate(key, cos, sin)
        grouped = self.heads != self.key_heads
        y = F.scaled_dot_product_attention(query, key, value, is_causal=True, enable_gqa=grouped)
        x = x + self.out(y.transpose(1, 2).reshape(x.shape))
        y = self.norm2(x)
        result: Tensor = x + self.down(F.silu(self.gate(y)) * self.up(y))
        return result


class Llama(nn.Module):
    """A Llama-sized decoder."""

    def __init__(self, s: Sizes) -> None:
        """Build the layers."""
        super().__init__()
        self.words, self.norm = nn.Embedding(s.vocabulary, s.width), RmsNorm(s.width)
        self.layers = nn.ModuleList(LlamaLayer(s) for _ in range(s.layers))
        self.head = nn.Linear(s.width, s.vocabulary, bias=False)
        self.depth = s.width // s.heads

    def forward(self, ids: Tensor) -> Tensor:
        """Return next-token scores."""
        x = self.words(ids)
        angles = torch.empty(ids.shape[1], self.depth, device=ids.device, dtype=x.dtype)
        cos, sin = angles.cos(), angles.sin()
        for layer in self.layers:
            x = layer(x, cos, sin)
        result: Tensor = self.head(self.norm(x))
        return result
