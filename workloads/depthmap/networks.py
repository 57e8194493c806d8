"""Depth and mask networks at full resolution: DMNet as plain CNN (two forms) and with residual blocks."""

from __future__ import annotations

from itertools import pairwise

from torch import Tensor, nn
from torch.nn import functional as F

from perfmodel.errors import InputError

CHANNELS = 6
SIZE = 192
NETWORKS = ("dmnet_cnn", "dmnet_cnn_v1", "dmnet_resnet")
"""Names as the shipped graphs have them."""


def _conv(inner: int, outer: int, *, kernel: int = 3) -> nn.Conv2d:
    return nn.Conv2d(inner, outer, kernel, padding=kernel // 2, bias=False)


def _conv_norm_relu(widths: tuple[int, ...]) -> list[nn.Module]:
    layers: list[nn.Module] = []
    for inner, outer in pairwise(widths):
        layers += [_conv(inner, outer), nn.BatchNorm2d(outer), nn.ReLU(inplace=True)]
    return layers


class Residual(nn.Module):
    """Two convolutions with batch norm; the shortcut is a 1x1 convolution where channels change."""

    def __init__(self, inner: int, outer: int) -> None:
        """Build the layers."""
        super().__init__()
        self.first = nn.Sequential(*_conv_norm_relu((inner, outer)))
        self.second = nn.Sequential(_conv(outer, outer), nn.BatchNorm2d(outer))
        self.shortcut = (
            nn.Sequential(_conv(inner, outer, kernel=1), nn.BatchNorm2d(outer)) if inner != outer else nn.Identity()
        )

    def forward(self, x: Tensor) -> Tensor:
        """Apply the block."""
        return F.relu(self.second(self.first(x)) + self.shortcut(x))


class DepthMask(nn.Module):
    """A trunk and two heads: from background and scene [N, 6, H, W] to mask and depth, [N, 1, H, W] each."""

    def __init__(self, trunk: nn.Module, mask: nn.Module, depth: nn.Module) -> None:
        """Build the layers."""
        super().__init__()
        self.trunk, self.mask, self.depth = trunk, mask, depth

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Return mask logits and depth."""
        shared = self.trunk(x)
        return self.mask(shared), self.depth(shared)


def _trunk() -> nn.Sequential:
    return nn.Sequential(*_conv_norm_relu((CHANNELS, 16, 32, 48, 64)), _conv(64, 16, kernel=1))


def dmnet_cnn() -> DepthMask:
    """DMNet_CNN: 242,976 parameters."""

    def head() -> nn.Sequential:
        return nn.Sequential(*_conv_norm_relu((16, 32, 64, 128)), _conv(128, 1, kernel=1))

    return DepthMask(_trunk(), head(), head())


def dmnet_cnn_v1() -> DepthMask:
    """DMNet_CNN_V1: 427,168 parameters."""

    def head() -> nn.Sequential:
        return nn.Sequential(*_conv_norm_relu((16, 32, 64, 96)), _conv(96, 128), _conv(128, 1, kernel=1))

    return DepthMask(_trunk(), head(), head())


def dmnet_resnet() -> DepthMask:
    """DMNet_Resnet: 385,376 parameters."""

    def head() -> nn.Sequential:
        return nn.Sequential(Residual(32, 64), Residual(64, 64), _conv(64, 1, kernel=1))

    trunk = nn.Sequential(
        *_conv_norm_relu((CHANNELS, 16)), Residual(16, 32), Residual(32, 48), Residual(48, 64), _conv(64, 32, kernel=1)
    )
    return DepthMask(trunk, head(), head())


def loss(output: tuple[Tensor, Tensor], mask: Tensor, depth: Tensor) -> Tensor:
    """Binary cross entropy of the mask and smooth L1 of the depth."""
    return F.binary_cross_entropy_with_logits(output[0], mask) + F.smooth_l1_loss(output[1], depth)


def find_network(name: str) -> str:
    """Return the shipped name of a network, given in any case.

    Raises
    ------
    InputError
        For another name.
    """
    known = name.lower().replace("-", "_")
    if known not in NETWORKS:
        raise InputError(f"no depth and mask network {name!r}", f"there are {', '.join(NETWORKS)}")
    return known


def build(name: str) -> DepthMask:
    """Return a network with new weights."""
    makers = dict(zip(NETWORKS, (dmnet_cnn, dmnet_cnn_v1, dmnet_resnet), strict=True))
    return makers[find_network(name)]()
