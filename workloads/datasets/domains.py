"""What sets one driving domain apart from another: palette, weather, light, texture and camera.

The four named domains look a little like the data sets they are called after; every figure here was chosen by eye and
none was measured on those sets. Images made with them are generated, and say so.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields, replace
from typing import Any

from perfmodel.errors import InputError

Colour = tuple[float, float, float]


@dataclass(frozen=True, kw_only=True)
class Domain:
    """Factors of a domain. Colours are RGB in [0, 1]; shares and amounts in [0, 1] unless said otherwise.

    Attributes
    ----------
    name : str
    sky_top, sky_horizon, road, grass, walls, marking : Colour
    wall_spread : float
        How much the colours of buildings differ.
    light : float
        Brightness, 1 is full day.
    contrast, saturation : float
        1 changes nothing.
    fog : float
        Share of light lost to fog at 100 m.
    rain : float
        Density of streaks.
    texture : float
        Amplitude of the noise of surfaces.
    noise : float
        Amplitude of the sensor's noise.
    blur : int
        Width of the lens blur in pixels at 256 px height; 0 for none.
    vignette : float
        Darkening of the corners.
    camera_height_m, focal : float
        Height above the road; focal length over image width.
    horizon : float
        Height of the horizon from the top, share of the image.
    road_width_m, building_density, traffic : float
        Width of the road; share of the roadside built on; mean number of vehicles in sight.
    """

    name: str = "custom"
    sky_top: Colour = (0.35, 0.55, 0.85)
    sky_horizon: Colour = (0.75, 0.85, 0.95)
    road: Colour = (0.36, 0.36, 0.38)
    grass: Colour = (0.30, 0.45, 0.20)
    walls: Colour = (0.60, 0.52, 0.45)
    marking: Colour = (0.92, 0.92, 0.90)
    wall_spread: float = 0.12
    light: float = 1.0
    contrast: float = 1.0
    saturation: float = 1.0
    fog: float = 0.15
    rain: float = 0.0
    texture: float = 0.05
    noise: float = 0.01
    blur: int = 0
    vignette: float = 0.0
    camera_height_m: float = 1.65
    focal: float = 0.9
    horizon: float = 0.45
    road_width_m: float = 8.0
    building_density: float = 0.6
    traffic: float = 3.0

    def with_weather(self, weather: str) -> Domain:
        """Return the domain under ``clear``, ``fog``, ``rain``, ``overcast``, ``sunset`` or ``morning``."""
        if weather not in WEATHER:
            raise InputError(f"no weather {weather!r}", f"there are {', '.join(WEATHER)}")
        changes = WEATHER[weather]
        return replace(self, **{key: value(getattr(self, key)) for key, value in changes.items()})

    def to_dict(self) -> dict[str, Any]:
        """Return the factors as they go into the folder's description."""
        return asdict(self)


WEATHER: Mapping[str, Mapping[str, Any]] = {
    "clear": {},
    "fog": {"fog": lambda v: max(v, 0.75), "contrast": lambda v: 0.8 * v, "saturation": lambda v: 0.7 * v},
    "rain": {"rain": lambda v: max(v, 0.6), "light": lambda v: 0.7 * v, "saturation": lambda v: 0.75 * v},
    "overcast": {
        "sky_top": lambda v: (0.65, 0.68, 0.72),
        "light": lambda v: 0.85 * v,
        "saturation": lambda v: 0.8 * v,
    },
    "sunset": {"sky_top": lambda v: (0.45, 0.40, 0.60), "sky_horizon": lambda v: (0.98, 0.65, 0.40)},
    "morning": {"light": lambda v: 0.8 * v, "sky_horizon": lambda v: (0.95, 0.85, 0.70)},
}

DOMAINS: Mapping[str, Domain] = {
    one.name: one
    for one in (
        Domain(
            name="VKITTI", sky_top=(0.30, 0.52, 0.90), grass=(0.22, 0.50, 0.15), saturation=1.25, texture=0.025,
            noise=0.0, fog=0.08, building_density=0.35, camera_height_m=1.65, focal=0.58,
        ),
        Domain(
            name="KITTI", sky_top=(0.72, 0.80, 0.90), sky_horizon=(0.92, 0.94, 0.96), road=(0.42, 0.42, 0.42),
            grass=(0.33, 0.40, 0.22), saturation=0.8, contrast=1.15, texture=0.10, noise=0.02, blur=3, vignette=0.1,
            building_density=0.5, camera_height_m=1.65, focal=0.58,
        ),
        Domain(
            name="Cityscapes", sky_top=(0.78, 0.82, 0.84), sky_horizon=(0.88, 0.90, 0.90), road=(0.33, 0.36, 0.36),
            walls=(0.45, 0.47, 0.45), saturation=0.65, contrast=0.9, texture=0.08, noise=0.015, blur=3, vignette=0.25,
            building_density=0.95, traffic=5.0, camera_height_m=1.22, focal=1.1, road_width_m=11.0,
        ),
        Domain(
            name="Synthia", sky_top=(0.40, 0.60, 0.95), road=(0.28, 0.28, 0.33), walls=(0.70, 0.55, 0.42),
            wall_spread=0.2, saturation=1.1, texture=0.04, noise=0.0, fog=0.05, building_density=0.9, traffic=4.0,
            camera_height_m=2.2, focal=0.55, road_width_m=13.0,
        ),
    )
}  # fmt: skip
"""Domains by name."""


def find_domain(name: str) -> Domain:
    """Return a domain by its name in any case, with the weather behind a slash: ``VKITTI/fog``.

    Raises
    ------
    InputError
        For an unknown domain or weather.
    """
    base, _, weather = name.partition("/")
    known = {key.lower(): one for key, one in DOMAINS.items()}
    if base.lower() not in known:
        raise InputError(f"no domain {base!r} to generate", f"there are {', '.join(DOMAINS)} (with /fog, /rain, ...)")
    found = known[base.lower()]
    return replace(found.with_weather(weather), name=name) if weather else found


def custom_domain(factors: Mapping[str, Any], base: str = "") -> Domain:
    """Return a domain with some factors of its own.

    Raises
    ------
    InputError
        When a factor is unknown.
    """
    known = {one.name for one in fields(Domain)}
    unknown = sorted(set(factors) - known)
    if unknown:
        raise InputError(f"a domain has no factor {unknown[0]!r}", f"it has {', '.join(sorted(known))}")
    return replace(find_domain(base) if base else Domain(), **factors)
