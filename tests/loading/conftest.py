"""Images as cameras make them: smooth shading, edges, texture and noise, from a seed."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest


def make_scene(seed: int, height: int = 96, width: int = 128) -> npt.NDArray[np.uint8]:
    """A road scene of sorts, (height, width, 3): sky, ground, boxes with texture, some noise."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[0:height, 0:width]
    horizon = height * rng.uniform(0.3, 0.6)
    sky = np.stack([120 + 60 * y / height, 150 + 40 * y / height, 220 - 30 * x / width], axis=-1)
    ground = np.stack([90 + 30 * np.sin(x / 9), 85 + 25 * np.cos(y / 5), 80 + 20 * np.sin((x + y) / 13)], axis=-1)
    picture = np.where((y < horizon)[..., None], sky, ground)
    for _ in range(6):
        top, left = rng.integers(0, height), rng.integers(0, width)
        bottom, right = top + rng.integers(4, height // 2), left + rng.integers(4, width // 2)
        stripes = 30 * np.sin(x[top:bottom, left:right] / rng.uniform(1, 6))[..., None]
        picture[top:bottom, left:right] = rng.uniform(20, 230, 3) + stripes
    picture += rng.normal(0, 4, picture.shape)
    return np.clip(picture, 0, 255).astype(np.uint8)


def save_scene(path: Path, seed: int, *, height: int = 96, width: int = 128, **options: Any) -> Path:
    """Write a scene; the name's extension decides the format."""
    from PIL import Image

    path.parent.mkdir(parents=True, exist_ok=True)
    image = Image.fromarray(make_scene(seed, height, width))
    image.convert(options.pop("mode", "RGB")).save(path, **options)
    return path


def fill_folder(folder: Path, count: int, *, seed: int = 0, suffix: str = ".jpg", **options: Any) -> list[Path]:
    """Write scenes 0000, 0001, ... into a folder."""
    return [save_scene(folder / f"{i:04d}{suffix}", seed + i, **options) for i in range(count)]


@pytest.fixture(autouse=True)
def pillow() -> None:
    """Every test here needs Pillow for its images."""
    pytest.importorskip("PIL")


@pytest.fixture(scope="session")
def scene() -> Callable[..., npt.NDArray[np.uint8]]:
    """`make_scene`."""
    return make_scene


@pytest.fixture(scope="session")
def save() -> Callable[..., Path]:
    """`save_scene`."""
    return save_scene


@pytest.fixture(scope="session")
def fill() -> Callable[..., list[Path]]:
    """`fill_folder`."""
    return fill_folder


@pytest.fixture(scope="session")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Ten JPEGs of one size."""
    pytest.importorskip("PIL")
    root = tmp_path_factory.mktemp("flat")
    fill_folder(root, 10)
    return root
