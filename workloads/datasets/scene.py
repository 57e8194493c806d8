"""What is in a driving scene: the road ahead, the roadside, vehicles; drawn by chance, the same for a seed.

Coordinates in metres from the camera's foot: x to the right, y up, z ahead.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from perfmodel.workloads.datasets.domains import Domain

BLOCK_M = 12.0
BLOCKS = 16
SPEED_RANGE = (6.5, 24.0)
TURN_RANGE = (-7.1, 7.1)
_LATERAL_ACCELERATION = 3.0
"""Comfortable, m/s^2."""
_PREVIEW_M = 25.0
"""Distance at which the driver looks when steering back to the middle."""


@dataclass(frozen=True, kw_only=True)
class Vehicle:
    """A vehicle seen from behind or from the front: middle x, distance z, width, height (m), RGB colour."""

    x: float
    z: float
    width: float
    height: float
    colour: tuple[float, float, float]


@dataclass(frozen=True, kw_only=True)
class Scene:
    """One scene.

    Attributes
    ----------
    curvature : float
        Of the road, 1/m; positive turns right.
    offset, heading : float
        Road's middle right of the camera, m, and the road's direction right of the camera's axis, rad.
    vehicles : tuple of Vehicle
        Farthest first.
    heights : array (2, BLOCKS)
        Height of the buildings along the left and the right roadside, m, one a block of 12 m; 0 where there is none.
    tints : array (2, BLOCKS, 3)
        What their colours differ by.
    setback : float
        From the road's edge to the buildings, m.
    phase : float
        Where the dashes of the middle line begin, m.
    sun : float
        Brightness of this moment, about 1.
    """

    curvature: float
    offset: float
    heading: float
    vehicles: tuple[Vehicle, ...]
    heights: npt.NDArray[np.float32]
    tints: npt.NDArray[np.float32]
    setback: float
    phase: float
    sun: float

    def middle(self, z: Any) -> Any:
        """Road's middle at distance z, m right of the camera's axis."""
        return self.offset + self.heading * z + 0.5 * self.curvature * z * z

    @property
    def label(self) -> tuple[float, float]:
        """Speed (m/s) and turn rate (deg/s, positive to the right) of a careful driver.

        Speed: what lateral acceleration and the vehicle ahead in the lane allow. Turn rate: along the curve, and back
        to the middle of the road by a point ahead (pure pursuit, Coulter 1992).
        """
        by_curve = math.sqrt(_LATERAL_ACCELERATION / max(abs(self.curvature), 1e-6))
        ahead = [car.z for car in self.vehicles if abs(car.x - self.middle(car.z)) < 2.0]
        by_gap = 0.55 * min(ahead) if ahead else math.inf
        speed = float(np.clip(min(by_curve, by_gap, SPEED_RANGE[1]), *SPEED_RANGE))
        steer = 2.0 * float(self.middle(_PREVIEW_M)) / _PREVIEW_M**2
        return speed, float(np.clip(math.degrees(speed * steer), *TURN_RANGE))


def scene_of(domain: Domain, *, seed: int, index: int) -> Scene:
    """Draw a scene of a domain; the same for the same seed, index and domain's traffic and buildings."""
    draw = np.random.Generator(np.random.Philox(key=[seed & (2**64 - 1), index]))
    curvature = float(draw.normal(0.0, 0.004))
    offset, heading = float(draw.normal(0.0, 0.5)), float(draw.normal(0.0, 0.02))
    built = draw.random((2, BLOCKS)) < domain.building_density
    heights = np.where(built, draw.uniform(4.0, 16.0, (2, BLOCKS)), 0.0).astype(np.float32)
    tint = draw.normal(0.0, 1.0, (2, BLOCKS, 1)) + 0.35 * draw.normal(0.0, 1.0, (2, BLOCKS, 3))
    tints = (domain.wall_spread * tint).astype(np.float32)
    scene = Scene(
        curvature=curvature, offset=offset, heading=heading, vehicles=(), heights=heights, tints=tints,
        setback=float(draw.uniform(2.0, 5.0)), phase=float(draw.uniform(0.0, 6.0)), sun=float(draw.uniform(0.9, 1.1)),
    )  # fmt: skip
    return Scene(**{**scene.__dict__, "vehicles": _vehicles(draw, domain, scene)})


def _vehicles(draw: np.random.Generator, domain: Domain, scene: Scene) -> tuple[Vehicle, ...]:
    found = []
    for _ in range(min(int(draw.poisson(domain.traffic)), 12)):
        z = float(np.exp(draw.uniform(math.log(7.0), math.log(70.0))))
        lane = float(draw.choice((-0.25, 0.25, 0.42))) * domain.road_width_m
        tall = draw.random() < 0.2
        size = (2.3, 2.9) if tall else (1.8, 1.5)
        colour = tuple(float(v) for v in draw.choice(_PAINTS) + draw.normal(0.0, 0.04, 3))
        found.append(
            Vehicle(
                x=float(scene.middle(z)) + lane,
                z=z,
                width=size[0],
                height=size[1],
                colour=(colour[0], colour[1], colour[2]),
            )
        )
    return tuple(sorted(found, key=lambda car: -car.z))


_PAINTS = np.array(
    [[0.85, 0.85, 0.87], [0.12, 0.12, 0.14], [0.55, 0.57, 0.60], [0.62, 0.10, 0.10], [0.12, 0.22, 0.48],
     [0.30, 0.36, 0.30], [0.80, 0.72, 0.35]]
)  # fmt: skip
