"""Depth and mask of what stands before a known background: networks, data, losses, training, evaluation."""

from __future__ import annotations

from perfmodel.workloads.depthmap.networks import (
    CHANNELS,
    NETWORKS,
    SIZE,
    DepthMask,
    Residual,
    build,
    dmnet_cnn,
    dmnet_cnn_v1,
    dmnet_resnet,
    find_network,
    loss,
)

__all__ = [
    "CHANNELS",
    "NETWORKS",
    "SIZE",
    "DepthMask",
    "Residual",
    "build",
    "dmnet_cnn",
    "dmnet_cnn_v1",
    "dmnet_resnet",
    "find_network",
    "loss",
]
