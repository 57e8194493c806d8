"""Rendering a scene: a pinhole camera over a flat road, everything per pixel, with the depth of each and a mask.

What never changes for a camera (distance and lateral position of the ground under each pixel) is computed once. The
depth is that of the surface seen: ground, building, vehicle, or `FAR_M` for the sky.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import numpy.typing as npt

from perfmodel.workloads.datasets.domains import Domain
from perfmodel.workloads.datasets.scene import BLOCK_M, BLOCKS, Scene, Vehicle

Floats = npt.NDArray[np.float32]
Bytes = npt.NDArray[np.uint8]
FAR_M = 200.0
_EDGE_M, _DASH_M = 0.15, 6.0
_LUMA = np.array((0.299, 0.587, 0.114), np.float32)


@dataclass(frozen=True, kw_only=True)
class Frame:
    """A rendered scene of height H and width W.

    Attributes
    ----------
    image : uint8 array (H, W, 3)
        RGB with all vehicles.
    background : uint8 array (H, W, 3) or None
        The same without vehicles, where it was asked for.
    mask : uint8 array (H, W)
        255 where a vehicle is seen.
    depth_m : float32 array (H, W)
        Distance along the camera's axis, m; `FAR_M` for the sky.
    """

    image: Bytes
    background: Bytes | None
    mask: Bytes
    depth_m: Floats


@dataclass(frozen=True)
class _Camera:
    """Per-pixel geometry of a camera, and buffers of noise that are drawn once."""

    horizon: float
    focal: float
    rows: Floats  # (H, 1) pixels below the horizon
    columns: Floats  # (1, W) pixels right of the middle
    ground_z: Floats  # (H, 1) distance of the ground, FAR_M above the horizon
    ground_x: Floats  # (H, W)
    first_ground: int
    vignette: Floats  # (H, W, 1)
    noise: Floats  # (2 H, 2 W) standard normal


@lru_cache(maxsize=16)
def _camera(height: int, width: int, domain: Domain) -> _Camera:
    focal, horizon = domain.focal * width, domain.horizon * height
    rows = (np.arange(height, dtype=np.float32) + 0.5 - horizon)[:, None]
    columns = (np.arange(width, dtype=np.float32) + 0.5 - width / 2)[None]
    ground_z = np.where(rows > 0, domain.camera_height_m * focal / np.maximum(rows, 1e-3), FAR_M)
    ground_z = np.minimum(ground_z, FAR_M).astype(np.float32)
    radius = (rows / height + domain.horizon - 0.5) ** 2 + (columns / width) ** 2
    draw = np.random.Generator(np.random.Philox(key=[height, width]))
    return _Camera(
        horizon, focal, rows, columns, ground_z, (columns * ground_z / focal).astype(np.float32),
        int(np.searchsorted(rows[:, 0], 0.0)), (1.0 - domain.vignette * 2.0 * radius).astype(np.float32)[..., None],
        draw.standard_normal((2 * height, 2 * width), dtype=np.float32),
    )  # fmt: skip


def render(
    scene: Scene, domain: Domain, *, height: int = 256, width: int = 256, index: int = 0, background: bool = False
) -> Frame:
    """Render a scene.

    Parameters
    ----------
    scene : Scene
    domain : Domain
    height, width : int
        Pixels, 16 or more.
    index : int
        Number of the image: picks its noise.
    background : bool
        Also render the scene without vehicles.
    """
    camera = _camera(height, width, domain)
    colour, depth = _ground_and_sky(scene, domain, camera)
    _buildings(scene, domain, camera, colour, depth)
    noise = _crop(camera.noise, height, width, index)
    empty = _developed(colour.copy(), depth, scene, domain, camera, noise) if background else None
    mask = np.zeros((height, width), np.uint8)
    for car in scene.vehicles:
        _vehicle(car, domain, camera, colour, depth, mask)
    image = _developed(colour, depth, scene, domain, camera, noise)
    return Frame(image=image, background=empty, mask=mask, depth_m=depth)


def _crop(noise: Floats, height: int, width: int, index: int) -> Floats:
    """A window of the noise, another one for each image."""
    top, left = (index * 2_654_435_761) % height, (index * 40_503) % width
    return noise[top : top + height, left : left + width]


def _ground_and_sky(scene: Scene, domain: Domain, camera: _Camera) -> tuple[Floats, Floats]:
    height, width = camera.ground_x.shape
    colour = np.empty((height, width, 3), np.float32)
    first = camera.first_ground
    share = np.linspace(0.0, 1.0, max(first, 1), dtype=np.float32)[:first, None, None]
    colour[:first] = np.float32(domain.sky_top) * (1 - share) + np.float32(domain.sky_horizon) * share
    z = camera.ground_z[first:]
    aside = np.abs(camera.ground_x[first:] - scene.middle(z).astype(np.float32))
    ground = colour[first:]
    ground[:] = np.float32(domain.grass)
    half = domain.road_width_m / 2
    ground[aside < half] = np.float32(domain.road)
    dashed = (z + scene.phase) % _DASH_M < _DASH_M / 2
    lines = (np.abs(aside - (half - 0.3)) < _EDGE_M) | ((aside < _EDGE_M / 2 + z * 0.002) & dashed)
    ground[lines] = np.float32(domain.marking)
    depth = np.broadcast_to(camera.ground_z, (height, width)).copy()
    return colour, depth


def _buildings(scene: Scene, domain: Domain, camera: _Camera, colour: Floats, depth: Floats) -> None:
    """Walls along both roadsides: a plane each, one column of pixels at a time seen at one distance."""
    width = colour.shape[1]
    for side, columns in ((0, slice(0, width // 2)), (1, slice(width // 2, width))):
        plane = domain.road_width_m / 2 + scene.setback + (scene.offset if side else -scene.offset)
        u = np.abs(camera.columns[0, columns])
        z = np.minimum(plane * camera.focal / np.maximum(u, 1e-3), FAR_M - 1.0).astype(np.float32)
        block = np.minimum((z / BLOCK_M).astype(np.intp), BLOCKS - 1)
        tall = np.where(z < BLOCK_M * BLOCKS, scene.heights[side][block], 0.0)
        above = -camera.rows * z / camera.focal + domain.camera_height_m  # height of what each pixel sees there, m
        seen = (above > 0) & (above < tall)
        if not seen.any():
            continue
        windows = ((z % 3.0 > 1.0) & (z % 3.0 < 2.2)) & ((above % 3.0 > 1.0) & (above % 3.0 < 2.3))
        wall = np.float32(domain.walls) + scene.tints[side][block]
        shade = np.where(windows, np.float32(0.45), np.float32(1.0))[..., None]
        part, part_depth = colour[:, columns], depth[:, columns]
        np.copyto(part, wall * shade, where=seen[..., None])
        np.copyto(part_depth, np.broadcast_to(z, seen.shape), where=seen)


def _vehicle(car: Vehicle, domain: Domain, camera: _Camera, colour: Floats, depth: Floats, mask: Bytes) -> None:
    """A vehicle's face: body, window, lights, wheels, shadow."""
    scale = camera.focal / car.z
    middle = car.x * scale + colour.shape[1] / 2
    foot = camera.horizon + domain.camera_height_m * scale
    left, right = round(middle - car.width * scale / 2), round(middle + car.width * scale / 2)
    top, bottom = round(foot - car.height * scale), round(foot)
    box = _clipped(colour.shape, top, bottom, left, right)
    if box is None:
        return
    rows, columns = box
    visible = depth[rows, columns] > car.z
    body = np.empty((*visible.shape, 3), np.float32)
    body[:] = np.float32(car.colour)
    v = (np.arange(rows.start, rows.stop) - top)[:, None] / max(bottom - top, 1)
    u = (np.arange(columns.start, columns.stop) - left)[None] / max(right - left, 1)
    body[(v > 0.12) & (v < 0.45) & (u > 0.12) & (u < 0.88)] = (0.10, 0.13, 0.16)
    body[(v > 0.50) & (v < 0.62) & ((u < 0.16) | (u > 0.84))] = (0.75, 0.10, 0.08)
    body[(v > 0.85) & ((u < 0.22) | (u > 0.78))] = (0.05, 0.05, 0.05)
    np.copyto(colour[rows, columns], body, where=visible[..., None])
    depth[rows, columns][visible] = car.z
    mask[rows, columns][visible] = 255


def _clipped(shape: tuple[int, ...], top: int, bottom: int, left: int, right: int) -> tuple[slice, slice] | None:
    top, left = max(top, 0), max(left, 0)
    bottom, right = min(bottom, shape[0]), min(right, shape[1])
    return None if bottom <= top or right <= left else (slice(top, bottom), slice(left, right))


def _developed(picture: Floats, depth: Floats, scene: Scene, domain: Domain, camera: _Camera, noise: Floats) -> Bytes:
    """Surface texture, fog, rain, lens and sensor; works in place on `picture`."""
    picture *= (1.0 + domain.texture * noise)[..., None]
    if domain.fog > 0:
        lost = 1.0 - np.exp(np.float32(np.log1p(-min(domain.fog, 0.999)) / 100.0) * depth)
        lost[depth >= FAR_M] = 0.0
        picture += (np.float32(domain.sky_horizon) - picture) * lost[..., None]
    if domain.rain > 0:
        picture[noise[::-1] > 3.0 - domain.rain] += 0.25
    if domain.blur > 1:
        picture = _blurred(picture, round(domain.blur * picture.shape[0] / 256))
    gain = domain.light * scene.sun * domain.contrast * 255.0
    if domain.saturation != 1.0:
        grey = picture @ _LUMA
        picture *= domain.saturation * gain
        picture += (grey * np.float32((1.0 - domain.saturation) * gain))[..., None]
    else:
        picture *= gain
    if domain.contrast != 1.0:
        picture += 0.5 * domain.light * (1.0 - domain.contrast) * 255.0
    if domain.vignette:
        picture *= camera.vignette
    if domain.noise:
        picture += (np.float32(255.0 * domain.noise) * noise[:, ::-1])[..., None]
    np.clip(picture, 0.0, 255.0, out=picture)
    return picture.astype(np.uint8)


def _blurred(picture: Floats, width: int) -> Floats:
    """Mean over a small window, along rows and columns."""
    if width < 2:
        return picture
    from scipy.ndimage import uniform_filter1d

    once = uniform_filter1d(picture, width, axis=0, mode="nearest")
    found: Floats = uniform_filter1d(once, width, axis=1, mode="nearest")
    return found
