"""Two reference networks for whole-step measurements, in plain torch: a ResNet-50 and a GPT-2 of the small size."""

from __future__ import annotations

from typing import Any

from .measure import import_torch


def resnet50(*, classes: int = 1000, width: int = 64, depths: tuple[int, ...] = (3, 4, 6, 3)) -> Any:
    """ResNet-50 v1.5 (He et al. 2015, stride in the 3x3 convolution): 25,557,032 parameters at the defaults.

    Parameters
    ----------
    classes, width : int
        Outputs, and channels of the first stage.
    depths : tuple of int
        Bottleneck blocks of each stage.
    """
    nn = import_torch().nn

    def unit(cin: int, cout: int, window: int, stride: int = 1) -> list[Any]:
        convolution = nn.Conv2d(cin, cout, window, stride, window // 2, bias=False)
        return [convolution, nn.BatchNorm2d(cout)]

    class Bottleneck(nn.Module):  # type: ignore[misc, name-defined, unused-ignore]
        """1x1, 3x3 and 1x1 convolutions with a shortcut."""

        def __init__(self, cin: int, middle: int, stride: int) -> None:
            super().__init__()
            out = 4 * middle
            layers = [
                *unit(cin, middle, 1),
                nn.ReLU(inplace=True),
                *unit(middle, middle, 3, stride),
                nn.ReLU(inplace=True),
            ]
            self.body = nn.Sequential(*layers, *unit(middle, out, 1))
            same = cin == out and stride == 1
            self.shortcut = nn.Identity() if same else nn.Sequential(*unit(cin, out, 1, stride))
            self.relu = nn.ReLU(inplace=True)

        def forward(self, x: Any) -> Any:
            """Body plus shortcut."""
            return self.relu(self.body(x) + self.shortcut(x))

    layers = [*unit(3, width, 7, 2), nn.ReLU(inplace=True), nn.MaxPool2d(3, 2, 1)]
    channels = width
    for stage, depth in enumerate(depths):
        for block in range(depth):
            middle = width << stage
            layers.append(Bottleneck(channels, middle, 2 if stage > 0 and block == 0 else 1))
            channels = 4 * middle
    return nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(channels, classes))


def gpt2(*, words: int = 50257, positions: int = 1024, width: int = 768, heads: int = 12, layers: int = 12) -> Any:
    """GPT-2 small (Radford et al. 2019) with fused attention and tied embedding: 124,439,808 parameters at the
    defaults.

    Parameters
    ----------
    words, positions : int
        Size of the vocabulary, and longest sequence.
    width, heads, layers : int
        Features, attention heads, blocks.
    """
    torch = import_torch()
    nn, functional = torch.nn, torch.nn.functional

    class Block(nn.Module):  # type: ignore[misc, name-defined, unused-ignore]
        """Causal attention and a feed-forward part, each after a layer norm and with a shortcut."""

        def __init__(self) -> None:
            super().__init__()
            self.norm1, self.norm2 = nn.LayerNorm(width), nn.LayerNorm(width)
            self.qkv, self.out = nn.Linear(width, 3 * width), nn.Linear(width, width)
            self.up, self.down = nn.Linear(width, 4 * width), nn.Linear(4 * width, width)

        def forward(self, x: Any) -> Any:
            """x of shape (batch, sequence, width)."""
            batch, sequence, _ = x.shape
            qkv = self.qkv(self.norm1(x)).view(batch, sequence, 3, heads, width // heads).permute(2, 0, 3, 1, 4)
            mixed = functional.scaled_dot_product_attention(qkv[0], qkv[1], qkv[2], is_causal=True)
            x = x + self.out(mixed.transpose(1, 2).reshape(batch, sequence, width))
            return x + self.down(functional.gelu(self.up(self.norm2(x)), approximate="tanh"))

    class Gpt2(nn.Module):  # type: ignore[misc, name-defined, unused-ignore]
        """Token and position embedding, blocks, and the tied output layer."""

        def __init__(self) -> None:
            super().__init__()
            self.tokens, self.places = nn.Embedding(words, width), nn.Embedding(positions, width)
            self.blocks = nn.Sequential(*(Block() for _ in range(layers)))
            self.norm = nn.LayerNorm(width)

        def forward(self, index: Any) -> Any:
            """Logits of every token of (batch, sequence) indices."""
            place = torch.arange(index.shape[1], device=index.device)
            x = self.norm(self.blocks(self.tokens(index) + self.places(place)))
            return functional.linear(x, self.tokens.weight)

    return Gpt2()
