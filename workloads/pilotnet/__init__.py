"""End-to-end driving: networks from a camera frame to speed and turn rate, their data, training, evaluation, export."""

from __future__ import annotations

from perfmodel.workloads.pilotnet.networks import (
    HEIGHT,
    NETWORKS,
    TINY_HEIGHT,
    TINY_WIDTH,
    WIDTH,
    ConvLstm2d,
    DeepestLSTMTinyPilotNet,
    PilotNet,
    SameConv2d,
    build,
    find_network,
    input_size,
)

__all__ = [
    "HEIGHT",
    "NETWORKS",
    "TINY_HEIGHT",
    "TINY_WIDTH",
    "WIDTH",
    "ConvLstm2d",
    "DeepestLSTMTinyPilotNet",
    "PilotNet",
    "SameConv2d",
    "build",
    "find_network",
    "input_size",
]
