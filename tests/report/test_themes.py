"""Contrast of texts and marks, and colours that stay apart for people with a colour vision deficiency."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

import perfmodel as pm
from perfmodel.report.themes import THEMES, Theme, applied, find_theme

Floats = npt.NDArray[np.float64]

#: Machado, Oliveira and Fernandes 2009, severity 1.0, on linear RGB.
DEFICIENCIES = {
    "none": np.eye(3),
    "protanopia": np.array([[0.152286, 1.052583, -0.204868], [0.114503, 0.786281, 0.099216],
                            [-0.003882, -0.048116, 1.051998]]),
    "deuteranopia": np.array([[0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413],
                              [-0.011820, 0.042940, 0.968881]]),
    "tritanopia": np.array([[1.255528, -0.076749, -0.178779], [-0.078411, 0.930809, 0.147602],
                            [0.004733, 0.691367, 0.303900]]),
}  # fmt: skip
#: sRGB to XYZ (IEC 61966-2-1).
XYZ = np.array(
    [[0.4124564, 0.3575761, 0.1804375], [0.2126729, 0.7151522, 0.0721750], [0.0193339, 0.1191920, 0.9503041]]
)


def linear(colour: str) -> Floats:
    parts = np.array([int(colour[at : at + 2], 16) for at in (1, 3, 5)]) / 255.0
    return np.asarray(np.where(parts <= 0.04045, parts / 12.92, ((parts + 0.055) / 1.055) ** 2.4))


def contrast(one: str, other: str) -> float:
    """Contrast ratio of WCAG 2.2."""
    dark, light = sorted(float(linear(colour) @ [0.2126, 0.7152, 0.0722]) for colour in (one, other))
    return (light + 0.05) / (dark + 0.05)


def lab(light: Floats) -> Floats:
    ratio = XYZ @ np.clip(light, 0.0, 1.0) / (XYZ @ np.ones(3))
    f = np.where(ratio > (6 / 29) ** 3, np.cbrt(ratio), ratio / (3 * (6 / 29) ** 2) + 4 / 29)
    return np.array([116 * f[1] - 16, 500 * (f[0] - f[1]), 200 * (f[1] - f[2])])


def test_the_measure_of_contrast_is_that_of_wcag() -> None:
    assert contrast("#000000", "#FFFFFF") == pytest.approx(21.0)
    assert contrast("#767676", "#FFFFFF") == pytest.approx(4.54, abs=0.01)


@pytest.mark.parametrize("theme", THEMES.values(), ids=list(THEMES))
def test_contrast(theme: Theme) -> None:
    assert contrast(theme.text, theme.page) >= 4.5
    assert contrast(theme.muted, theme.page) >= 4.5
    for colour in theme.palette:
        assert contrast(colour, theme.page) >= 3.0, colour


@pytest.mark.parametrize("deficiency", DEFICIENCIES)
@pytest.mark.parametrize("theme", THEMES.values(), ids=list(THEMES))
def test_colours_stay_apart(theme: Theme, deficiency: str) -> None:
    seen = [lab(DEFICIENCIES[deficiency] @ linear(colour)) for colour in theme.palette]
    for one, other in itertools.pairwise([*seen, seen[0]]):
        assert np.linalg.norm(one - other) >= 20.0
    for one, other in itertools.combinations(seen, 2):
        assert np.linalg.norm(one - other) >= 15.0


@pytest.mark.parametrize("theme", THEMES.values(), ids=list(THEMES))
def test_colour_is_never_the_only_difference(theme: Theme) -> None:
    looks = [theme.series(at) for at in range(35)]
    assert len({(one.colour, one.marker, str(one.line)) for one in looks}) == 35
    for one, other in itertools.pairwise(looks):
        assert one.marker != other.marker
        assert one.line != other.line


def test_a_theme_that_is_none() -> None:
    with pytest.raises(pm.InputError, match="there is no theme 'sepia'; give light or dark"):
        find_theme("sepia")


def test_settings_of_the_user_do_not_count(monkeypatch: pytest.MonkeyPatch) -> None:
    import matplotlib

    with applied("light"):
        usual: dict[str, Any] = dict(matplotlib.rcParams)
    with matplotlib.rc_context({"font.size": 30.0, "axes.grid": False, "lines.linewidth": 9.0}), applied("light"):
        assert {name: value for name, value in matplotlib.rcParams.items() if value != usual[name]} == {}
