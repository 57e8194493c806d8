"""Colours, markers and line styles of the figures, for light and dark pages.

The hues follow Okabe and Ito (Color Universal Design, 2008); their lightness was moved until every mark has a contrast
of at least 3 with the page (WCAG 2.2, 1.4.11), every text at least 4.5 (1.4.3), and the colours stay apart for
protanopes, deuteranopes and tritanopes (simulated after Machado, Oliveira and Fernandes 2009). Tests hold all of that.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from perfmodel.errors import InputError

MARKERS = ("o", "s", "^", "D", "v", "P", "X")
LINES = ("-", "--", "-.", ":", (0, (6, 1, 1, 1, 1, 1)))
HATCHES = ("", "///", "\\\\\\", "---", "|||", "xxx", "+++")


@dataclass(frozen=True, kw_only=True)
class Series:
    """How one series is drawn: no two of the first 35 share both marker and line style."""

    colour: str
    marker: str
    line: Any
    hatch: str


@dataclass(frozen=True, kw_only=True)
class Theme:
    """Colours of a page, as ``#RRGGBB``.

    Attributes
    ----------
    name : str
    page, text, muted, grid : str
        Background, text, text of less weight, grid lines.
    palette : tuple of str
        Series, in the order they are used.
    """

    name: str
    page: str
    text: str
    muted: str
    grid: str
    palette: tuple[str, ...]

    def series(self, at: int) -> Series:
        """Colour, marker, line style and hatch of the series number `at` (from 0)."""
        turn, colour = divmod(at, len(self.palette))
        return Series(
            colour=self.palette[colour],
            marker=MARKERS[(colour + turn) % len(MARKERS)],
            line=LINES[at % len(LINES)],
            hatch=HATCHES[(colour + turn) % len(HATCHES)],
        )

    def variables(self) -> dict[str, str]:
        """CSS custom property -> colour, for figures that follow the page they stand in (see `style.svg`)."""
        named = {"--pm-page": self.page, "--pm-text": self.text, "--pm-muted": self.muted, "--pm-grid": self.grid}
        return named | {f"--pm-{number}": colour for number, colour in enumerate(self.palette, start=1)}


THEMES: Mapping[str, Theme] = {
    "light": Theme(
        name="light", page="#FFFFFF", text="#1B1E23", muted="#565C66", grid="#DDE0E5",
        palette=("#0B4FA3", "#CF6A00", "#0A4A38", "#A34A8F", "#2E8BE6", "#6B4A0A", "#8C8F94"),
    ),
    "dark": Theme(
        name="dark", page="#14171C", text="#ECEEF1", muted="#A9B0BA", grid="#343A43",
        palette=("#3D8FD1", "#DB6A1F", "#3FE0A0", "#C96F92", "#93C7FF", "#EDC034", "#D5DADF"),
    ),
}  # fmt: skip


def find_theme(theme: str | Theme) -> Theme:
    """Return the theme of that name.

    Raises
    ------
    InputError
        When there is none.
    """
    if isinstance(theme, Theme):
        return theme
    if theme not in THEMES:
        raise InputError(f"there is no theme {theme!r}", f"give {' or '.join(THEMES)}")
    return THEMES[theme]


@contextmanager
def applied(theme: str | Theme) -> Iterator[Theme]:
    """Draw with a theme inside the block; the settings of matplotlib are as before after it."""
    import warnings

    import matplotlib

    found = find_theme(theme)
    # What a user's own matplotlibrc sets must not change the figures.
    with matplotlib.rc_context(), warnings.catch_warnings():
        # A name in a script that the measuring font lacks: viewers of SVG have fonts of their own.
        warnings.filterwarnings("ignore", message="Glyph .* missing from")
        settings: Any = {**_defaults(), **_settings(found)}
        matplotlib.rcParams.update(settings)
        yield found


def _defaults() -> dict[str, Any]:
    import matplotlib

    return {name: value for name, value in matplotlib.rcParamsDefault.items() if not name.startswith(_KEPT)}


#: Settings of the process, not of a figure.
_KEPT = ("backend", "interactive", "toolbar", "tk.", "webagg.", "macosx.", "date.", "animation.", "savefig.directory")


def _settings(theme: Theme) -> dict[str, Any]:
    colours = dict.fromkeys(("text.color", "axes.labelcolor", "axes.titlecolor", "legend.labelcolor"), theme.text)
    muted = dict.fromkeys(("xtick.color", "ytick.color", "axes.edgecolor"), theme.muted)
    pages = ("figure.facecolor", "axes.facecolor", "savefig.facecolor", "legend.facecolor", "boxplot.flierprops.color")
    return colours | muted | dict.fromkeys(pages, theme.page) | {
        "axes.prop_cycle": _cycle(theme), "grid.color": theme.grid, "legend.edgecolor": theme.grid,
        "hatch.color": theme.text, "hatch.linewidth": 0.6, "patch.linewidth": 0.8,
        "font.family": "sans-serif", "font.sans-serif": ["DejaVu Sans", "Verdana", "Arial"], "font.size": 9.0,
        "axes.titlesize": 9.5, "axes.labelsize": 9.0, "xtick.labelsize": 8.0, "ytick.labelsize": 8.0,
        "legend.fontsize": 8.0, "legend.framealpha": 0.9, "axes.axisbelow": True, "axes.grid": True,
        "grid.linewidth": 0.6, "axes.spines.top": False, "axes.spines.right": False, "axes.linewidth": 0.8,
        "axes.unicode_minus": True, "text.parse_math": False, "axes.formatter.use_mathtext": False,
        "svg.fonttype": "none", "svg.hashsalt": "perfmodel", "path.simplify": True,
    }  # fmt: skip


def _cycle(theme: Theme) -> Any:
    from matplotlib.rcsetup import cycler

    return cycler(color=list(theme.palette))
