"""CycleGAN between two image domains: networks, the step that is captured, data, training."""

from __future__ import annotations

from perfmodel.workloads.cyclegan.networks import (
    CYCLE_WEIGHT,
    IDENTITY_WEIGHT,
    Discriminator,
    Generator,
    ResidualBlock,
    adversarial_loss,
    build,
    generator_loss,
    step_gmacs,
    training_step,
)

__all__ = [
    "CYCLE_WEIGHT",
    "IDENTITY_WEIGHT",
    "Discriminator",
    "Generator",
    "ResidualBlock",
    "adversarial_loss",
    "build",
    "generator_loss",
    "step_gmacs",
    "training_step",
]
