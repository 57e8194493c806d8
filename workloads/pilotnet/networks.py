"""End-to-end driving networks: PilotNet with valid or same padding, and DeepestLSTMTinyPilotNet."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from perfmodel.errors import InputError

NETWORKS = ("pilotnet", "pilotnet_same", "deepest_lstm_tiny_pilotnet")
"""Names as the shipped graphs have them."""
HEIGHT, WIDTH = 200, 66
TINY_HEIGHT, TINY_WIDTH = 100, 50


class SameConv2d(nn.Conv2d):
    """Convolution whose output is the input size divided by the stride, rounded up (asymmetric padding)."""

    def forward(self, x: Tensor) -> Tensor:
        """Pad, then convolve."""
        pads: list[int] = []
        for size, kernel, stride in zip(x.shape[:1:-1], self.kernel_size[::-1], self.stride[::-1], strict=True):
            total = max((-(-size // stride) - 1) * stride + kernel - size, 0)
            pads += [total // 2, total - total // 2]
        return super().forward(F.pad(x, pads))


class PilotNet(nn.Module):
    """Batch norm, five convolutions and five linear layers, from a 3 x 200 x 66 image to speed and turn.

    Parameters
    ----------
    same : bool
        Same padding (17,016,200 parameters) instead of valid (1,595,528).
    outputs : int
    """

    def __init__(self, *, same: bool = False, outputs: int = 2) -> None:
        """Build the layers."""
        super().__init__()
        convolution = SameConv2d if same else nn.Conv2d
        self.norm = nn.BatchNorm2d(3, eps=1e-3)
        self.convolutions = nn.Sequential(
            convolution(3, 24, 5, stride=2), nn.ReLU(),
            convolution(24, 36, 5, stride=2), nn.ReLU(),
            convolution(36, 48, 5, stride=2), nn.ReLU(),
            convolution(48, 64, 3), nn.ReLU(),
            convolution(64, 64, 3), nn.ReLU(),
        )  # fmt: skip
        flat = 64 * (25 * 9 if same else 18 * 1)
        self.head = nn.Sequential(
            nn.Linear(flat, 1164), nn.ReLU(), nn.Linear(1164, 100), nn.ReLU(),
            nn.Linear(100, 50), nn.ReLU(), nn.Linear(50, 10), nn.ReLU(), nn.Linear(10, outputs),
        )  # fmt: skip

    def forward(self, x: Tensor) -> Tensor:
        """Map images [N, 3, 200, 66] to [N, outputs]."""
        result: Tensor = self.head(self.convolutions(self.norm(x)).flatten(1))
        return result


class ConvLstm2d(nn.Module):
    """Convolutional LSTM with same padding; hard sigmoid gates.

    Parameters
    ----------
    inner, outer : int
        Channels in and out.
    kernel : int
        Odd.
    """

    def __init__(self, inner: int, outer: int, kernel: int) -> None:
        """Build the layers."""
        super().__init__()
        self.outer = outer
        self.input = nn.Conv2d(inner, 4 * outer, kernel, padding=kernel // 2)
        self.recurrent = nn.Conv2d(outer, 4 * outer, kernel, padding=kernel // 2, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        """Map sequences [N, T, C, H, W] to hidden states [N, T, outer, H, W]."""
        hidden = x.new_zeros(x.shape[0], self.outer, *x.shape[3:])
        cell, states = torch.zeros_like(hidden), []
        for step in range(x.shape[1]):
            gates = self.input(x[:, step]) + self.recurrent(hidden)
            enter, forget, update, leave = gates.chunk(4, dim=1)
            cell = F.hardsigmoid(forget) * cell + F.hardsigmoid(enter) * torch.tanh(update)
            hidden = F.hardsigmoid(leave) * torch.tanh(cell)
            states.append(hidden)
        return torch.stack(states, dim=1)


class DeepestLSTMTinyPilotNet(nn.Module):
    """Three convolutions, three convolutional LSTMs and three linear layers (62,470 parameters).

    Parameters
    ----------
    outputs : int
    """

    def __init__(self, *, outputs: int = 2) -> None:
        """Build the layers."""
        super().__init__()
        self.convolutions = nn.Sequential(
            nn.Conv2d(3, 8, 3, stride=2), nn.ReLU(), nn.Conv2d(8, 8, 3, stride=2), nn.ReLU(),
            nn.Conv2d(8, 8, 3, stride=2), nn.ReLU(), nn.Dropout(0.2),
        )  # fmt: skip
        self.memory = nn.Sequential(*(ConvLstm2d(8, 8, 5) for _ in range(3)))
        self.head = nn.Sequential(
            nn.Linear(8 * 11 * 5, 50), nn.ReLU(), nn.Linear(50, 10), nn.ReLU(), nn.Linear(10, outputs)
        )

    def forward(self, x: Tensor) -> Tensor:
        """Map images [N, 3, 100, 50], or sequences [N, T, 3, 100, 50], to [N, outputs] of the last one."""
        if x.dim() == 4:
            x = x[:, None]
        features = self.convolutions(x.flatten(0, 1)).unflatten(0, x.shape[:2])
        result: Tensor = self.head(self.memory(features)[:, -1].flatten(1))
        return result


def find_network(name: str) -> str:
    """Return the shipped name of a network; ``DeepestLSTMTinyPilotNet`` and other cases are understood.

    Raises
    ------
    InputError
        For another name.
    """
    wanted = name.lower().replace("_", "").replace("-", "")
    for known in NETWORKS:
        if known.replace("_", "") == wanted:
            return known
    raise InputError(f"no driving network {name!r}", f"there are {', '.join(NETWORKS)}")


def build(name: str) -> nn.Module:
    """Return a network with new weights."""
    known = find_network(name)
    return DeepestLSTMTinyPilotNet() if known == NETWORKS[2] else PilotNet(same=known == NETWORKS[1])


def input_size(name: str) -> tuple[int, int]:
    """Height and width of a network's input, pixels."""
    return (TINY_HEIGHT, TINY_WIDTH) if find_network(name) == NETWORKS[2] else (HEIGHT, WIDTH)
