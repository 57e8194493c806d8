"""Definitions of the shipped workloads: CycleGAN, PilotNet, depth and mask networks."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import Any

import torch

from perfmodel.graph.capturing import Session
from perfmodel.graph.definition import Definition
from perfmodel.workloads import cyclegan, depthmap, pilotnet


def _cyclegan_step(networks: Sequence[Any], inputs: Sequence[Any], mode: str) -> Callable[[Session], None]:
    def step(session: Session) -> None:
        if mode == "train":
            cyclegan.training_step(session, networks, *inputs)
            return
        with torch.no_grad(), session.forward():
            networks[0](inputs[0])

    return step


def _cyclegan_inputs(batch: int, size: int) -> Sequence[Any]:
    return [torch.empty(batch, 3, size, size) for _ in range(2)]


def _depth_loss(output: Any) -> Any:
    return depthmap.loss(output, torch.empty_like(output[0]), torch.empty_like(output[1]))


def _regression_loss(output: Any) -> Any:
    return torch.nn.functional.mse_loss(output, torch.empty_like(output))


def _pilotnet(same: bool, size: int, blocks: int) -> torch.nn.Module:
    network: torch.nn.Module = pilotnet.PilotNet(same=same)
    return network


def _depthmap(make: Callable[[], torch.nn.Module], size: int, blocks: int) -> torch.nn.Module:
    return make()


def definitions() -> Iterator[Definition]:
    """Yield the definitions of this module."""
    yield Definition(
        name="cyclegan",
        family="cyclegan",
        build=lambda size, blocks: cyclegan.build(blocks),
        inputs=_cyclegan_inputs,
        default_size=256,
        blocks=(3, 4, 6),
        default_blocks=9,
        step=_cyclegan_step,
        optimizer="adam",
    )
    for name, same in (("pilotnet", False), ("pilotnet_same", True)):
        yield Definition(
            name=name,
            family="pilotnet",
            build=partial(_pilotnet, same),
            inputs=lambda batch, size: [torch.empty(batch, 3, pilotnet.HEIGHT, pilotnet.WIDTH)],
            size_name=None,
            default_size=0,
            loss=_regression_loss,
            optimizer="adam",
        )
    yield Definition(
        name="deepest_lstm_tiny_pilotnet",
        family="pilotnet",
        build=lambda size, blocks: pilotnet.DeepestLSTMTinyPilotNet(),
        inputs=lambda batch, size: [torch.empty(batch, 3, pilotnet.TINY_HEIGHT, pilotnet.TINY_WIDTH)],
        size_name=None,
        default_size=0,
        loss=_regression_loss,
        optimizer="adam",
    )
    for name, build in (
        ("dmnet_cnn", depthmap.dmnet_cnn),
        ("dmnet_cnn_v1", depthmap.dmnet_cnn_v1),
        ("dmnet_resnet", depthmap.dmnet_resnet),
    ):
        yield Definition(
            name=name,
            family="depthmap",
            build=partial(_depthmap, build),
            inputs=lambda batch, size: [torch.empty(batch, depthmap.CHANNELS, size, size)],
            default_size=depthmap.SIZE,
            loss=_depth_loss,
            optimizer="adam",
        )
