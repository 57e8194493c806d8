"""Structural similarity of images (Wang, Bovik, Sheikh and Simoncelli 2004, IEEE TIP 13(4))."""

from __future__ import annotations

from functools import lru_cache

import torch
from torch import Tensor
from torch.nn import functional as F

from perfmodel.errors import InputError

WINDOW = 11
SIGMA = 1.5
"""The paper's window: 11 x 11, circular-symmetric Gaussian, of unit sum."""
C1, C2 = 0.01**2, 0.03**2
"""(K1 L)^2 and (K2 L)^2 with K1 = 0.01, K2 = 0.03, and L = 1 for images in [0, 1]."""


@lru_cache(maxsize=16)
def _taps(device: torch.device) -> Tensor:
    distance = torch.arange(WINDOW, dtype=torch.float64) - WINDOW // 2
    weights = torch.exp(-(distance**2) / (2 * SIGMA**2))
    return (weights / weights.sum()).float().to(device)


def _local_means(images: Tensor) -> Tensor:
    """Weighted mean of every window that lies inside; the Gaussian is a product of its rows and columns."""
    taps = _taps(images.device)
    return F.conv2d(F.conv2d(images, taps.view(1, 1, WINDOW, 1)), taps.view(1, 1, 1, WINDOW))


def ssim(first: Tensor, second: Tensor) -> Tensor:
    """Mean structural similarity of each pair of images.

    Parameters
    ----------
    first, second : Tensor
        float, [N, 1, H, W] in [0, 1], H and W at least 11.

    Returns
    -------
    Tensor
        float32 [N], at most 1; 1 for equal images.

    Raises
    ------
    InputError
        When the images are smaller than the window.
    """
    height, width = first.shape[-2:]
    if min(height, width) < WINDOW:
        raise InputError(f"images of {height} x {width} pixels have no SSIM", f"it needs {WINDOW} x {WINDOW} at least")
    a, b = first.float(), second.float()
    moments = _local_means(torch.cat((a, b, a * a, b * b, a * b)))
    mean_a, mean_b, square_a, square_b, product = moments.chunk(5)
    both, powers = mean_a * mean_b, mean_a**2 + mean_b**2
    covariance, variances = product - both, square_a + square_b - powers
    local = (2 * both + C1) * (2 * covariance + C2) / ((powers + C1) * (variances + C2))
    mean: Tensor = local.mean(dim=(1, 2, 3))
    return mean
