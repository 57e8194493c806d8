"""ResNet-50 in plain torch, for whole-step measurements where torchvision is not installed."""

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
