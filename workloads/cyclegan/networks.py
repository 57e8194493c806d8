"""CycleGAN between two image domains: networks and the whole training step.

Sizes follow Zhu et al. 2017 (arXiv:1703.10593): generator with ``n`` residual blocks, 70x70 PatchGAN discriminator,
instance norm, least-squares GAN loss, cycle weight 10, identity weight 0.5.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

CYCLE_WEIGHT = 10.0
IDENTITY_WEIGHT = 0.5


def _norm_relu(width: int) -> list[nn.Module]:
    return [nn.InstanceNorm2d(width), nn.ReLU(inplace=True)]


class ResidualBlock(nn.Module):
    """Two reflected 3x3 convolutions around a shortcut."""

    def __init__(self, width: int) -> None:
        """Build the layers."""
        super().__init__()
        self.layers = nn.Sequential(
            nn.ReflectionPad2d(1), nn.Conv2d(width, width, 3), *_norm_relu(width),
            nn.ReflectionPad2d(1), nn.Conv2d(width, width, 3), nn.InstanceNorm2d(width),
        )  # fmt: skip

    def forward(self, x: Tensor) -> Tensor:
        """Apply the block."""
        result: Tensor = x + self.layers(x)
        return result


class Generator(nn.Sequential):
    """Image to image, same size (a multiple of 4).

    Parameters
    ----------
    blocks : int
        Residual blocks.
    width : int
        Channels after the first convolution.
    """

    def __init__(self, blocks: int = 9, width: int = 64) -> None:
        """Build the layers."""
        layers: list[nn.Module] = [nn.ReflectionPad2d(3), nn.Conv2d(3, width, 7), *_norm_relu(width)]
        for factor in (1, 2):
            layers += [
                nn.Conv2d(width * factor, width * factor * 2, 3, stride=2, padding=1),
                *_norm_relu(width * factor * 2),
            ]
        layers += [ResidualBlock(width * 4) for _ in range(blocks)]
        for factor in (4, 2):
            layers += [
                nn.ConvTranspose2d(width * factor, width * factor // 2, 3, stride=2, padding=1, output_padding=1),
                *_norm_relu(width * factor // 2),
            ]
        layers += [nn.ReflectionPad2d(3), nn.Conv2d(width, 3, 7), nn.Tanh()]
        super().__init__(*layers)


class Discriminator(nn.Sequential):
    """PatchGAN: one score for each overlapping 70x70 patch."""

    def __init__(self, width: int = 64) -> None:
        """Build the layers."""
        layers: list[nn.Module] = [nn.Conv2d(3, width, 4, stride=2, padding=1), nn.LeakyReLU(0.2, inplace=True)]
        for inner, outer, stride in ((1, 2, 2), (2, 4, 2), (4, 8, 1)):
            layers += [
                nn.Conv2d(width * inner, width * outer, 4, stride=stride, padding=1),
                nn.InstanceNorm2d(width * outer),
                nn.LeakyReLU(0.2, inplace=True),
            ]
        layers.append(nn.Conv2d(width * 8, 1, 4, padding=1))
        super().__init__(*layers)


def build(blocks: int = 9) -> tuple[Generator, Generator, Discriminator, Discriminator]:
    """Return generators A to B and B to A, and discriminators of B and of A."""
    return Generator(blocks), Generator(blocks), Discriminator(), Discriminator()


def adversarial_loss(scores: Tensor, target: float) -> Tensor:
    """Least-squares GAN loss."""
    return F.mse_loss(scores, torch.tensor(target, device=scores.device).expand_as(scores))


def generator_loss(real_a: Tensor, real_b: Tensor, produced: Sequence[Tensor], scores: Sequence[Tensor]) -> Tensor:
    """Total loss of both generators.

    Parameters
    ----------
    real_a, real_b : Tensor
    produced : sequence of Tensor
        Reconstructions of A and B, and the identity images of B and A.
    scores : sequence of Tensor
        Discriminators' scores of the two fakes.
    """
    again_a, again_b, same_b, same_a = produced
    identity = (F.l1_loss(same_b, real_b) + F.l1_loss(same_a, real_a)) * CYCLE_WEIGHT * IDENTITY_WEIGHT
    cycle = (F.l1_loss(again_a, real_a) + F.l1_loss(again_b, real_b)) * CYCLE_WEIGHT
    return adversarial_loss(scores[0], 1.0) + adversarial_loss(scores[1], 1.0) + cycle + identity


def training_step(session: Any, networks: Sequence[nn.Module], real_a: Tensor, real_b: Tensor) -> None:
    """Run forward, loss and backward of one step: generators, then both discriminators.

    Parameters
    ----------
    session : object
        Has context managers ``forward()`` and ``loss()`` around those parts (see `perfmodel.graph.capturing.Session`).
    networks : sequence of nn.Module
        As `build` returns them.
    real_a, real_b : Tensor
        One batch of each domain.
    """
    to_b, to_a, judge_b, judge_a = networks
    with session.forward():
        fake_b, fake_a = to_b(real_a), to_a(real_b)
        again_a, again_b = to_a(fake_b), to_b(fake_a)
    for judge in (judge_b, judge_a):
        judge.requires_grad_(False)
    with session.forward():
        same_b, same_a = to_b(real_b), to_a(real_a)
        scores = judge_b(fake_b), judge_a(fake_a)
    with session.loss():
        loss = generator_loss(real_a, real_b, (again_a, again_b, same_b, same_a), scores)
    torch.autograd.backward(loss)
    for judge in (judge_b, judge_a):
        judge.requires_grad_(True)
    for judge, real, fake in ((judge_b, real_b, fake_b), (judge_a, real_a, fake_a)):
        with session.forward():
            seen = fake.detach().clone()  # what the image pool hands back
            right, wrong = judge(real), judge(seen)
        with session.loss():
            loss = (adversarial_loss(right, 1.0) + adversarial_loss(wrong, 0.0)) * 0.5
        torch.autograd.backward(loss)


def step_gmacs(generator: float, discriminator: float) -> float:
    """Multiply-adds of a step by the usual convention: a backward pass costs two forward passes.

    Six generator forwards with backward; the discriminator twice for the data's gradient alone and four times with
    backward. A capture is a little lower: the first layer of a network needs no gradient of real images.

    Parameters
    ----------
    generator, discriminator : float
        GMAC of one forward pass.
    """
    return 6 * 3 * generator + (2 * 2 + 4 * 3) * discriminator
