"""What all figures share: a blank one in a theme, its title and note, its text alternative, and how it is saved.

Figures are made with matplotlib's objects, never with pyplot, so that drawing leaves no state behind. The same input
gives the same bytes.
"""

from __future__ import annotations

import re
import textwrap
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING, Any

from perfmodel.errors import InputError
from perfmodel.report.themes import Theme, applied, find_theme

if TYPE_CHECKING:
    from matplotlib.figure import Figure

#: Width of a figure, inches.
WIDTH = 7.2
SUFFIXES = (".svg", ".png")
#: Dots an inch of PNG files.
DPI = 160


def blank(
    theme: str | Theme, *, width: float = WIDTH, height: float = 4.5, rows: int = 1, columns: int = 1, **options: Any
) -> tuple[Figure, Any]:
    """Return an empty figure and its axes (one, or an array of them); call inside `themes.applied`.

    Parameters
    ----------
    theme : str or Theme
    width, height : float
        Inches.
    rows, columns : int
    **options
        Of `matplotlib.figure.Figure.subplots`.
    """
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width, height), layout="constrained")
    engine: Any = figure.get_layout_engine()
    engine.set(w_pad=0.06, h_pad=0.06, wspace=0.04, hspace=0.04)
    setattr(figure, _ABOUT, {"theme": find_theme(theme), "title": "", "text": ""})
    return figure, figure.subplots(rows, columns, **options)


#: Attribute of a figure that holds its theme, title and text alternative.
_ABOUT = "_perfmodel"


def describe(figure: Figure, *, title: str, text: str, note: str = "") -> None:
    """Give a figure its title, its text alternative, and a note in small print under it.

    Parameters
    ----------
    figure : Figure
        From `blank`.
    title : str
    text : str
        What the figure shows, in one or two sentences with its main numbers, for who cannot see it.
    note : str
        How many rows it shows, what was left out, what the bands mean.
    """
    about = getattr(figure, _ABOUT)
    about["title"], about["text"] = clean(title), clean(text)
    theme, width = about["theme"], figure.get_figwidth()
    figure.suptitle(
        wrapped(title, width, 10.5 * _BOLD),
        x=_MARGIN / width,
        ha="left",
        fontsize=10.5,
        fontweight="bold",
        color=theme.text,
    )
    if note:
        figure.supxlabel(wrapped(note, width, 7.5), x=_MARGIN / width, ha="left", fontsize=7.5, color=theme.muted)


#: Width of bold letters, relative to plain ones.
_BOLD = 1.15
#: Inches left of title and note.
_MARGIN = 0.08


def described(figure: Figure) -> str:
    """Text alternative of a figure: what it shows, in a sentence or two."""
    return str(getattr(figure, _ABOUT, {}).get("text", ""))


def title_of(figure: Figure) -> str:
    """Title of a figure."""
    return str(getattr(figure, _ABOUT, {}).get("title", ""))


def theme_of(figure: Figure) -> Theme:
    """Theme that a figure was drawn in."""
    return find_theme(getattr(figure, _ABOUT, {}).get("theme", "light"))


def wrapped(text: str, width: float, size: float) -> str:
    """Break a text into lines that fit a width in inches at a font size in points."""
    letters = max(12, int((width - 2 * _MARGIN) * 72.0 / (size * 0.60)))
    lines = clean(text).split("\n")
    return "\n".join(textwrap.fill(line, letters, break_long_words=True, break_on_hyphens=False) for line in lines)


def clean(text: str) -> str:
    """Text without control characters, which SVG cannot hold."""
    return "".join(letter for letter in str(text) if letter == "\n" or (ord(letter) >= 32 and letter not in _BARRED))


_BARRED = {"\x7f", "\ufffe", "\uffff"}


def shortened(text: str, most: int = 30) -> str:
    """A name of at most some letters: the middle of a longer one is left out."""
    plain = " ".join(clean(text).split()).lstrip("_") or "-"
    if len(plain) <= most:
        return plain
    tail = most // 3
    return f"{plain[: most - tail - 1]}…{plain[-tail:]}"


def check_path(path: str | Path) -> Path:
    """Return the path of a figure to be written.

    Raises
    ------
    InputError
        When its suffix is not one of `SUFFIXES`, or its folder does not exist.
    """
    found = Path(path)
    if found.suffix.lower() not in SUFFIXES:
        raise InputError(f"cannot draw {found}: its suffix is no kind of figure", f"end it in {' or '.join(SUFFIXES)}")
    if not found.parent.is_dir():
        raise InputError(f"cannot draw {found}: there is no folder {found.parent}", "make it, or name another")
    if found.is_dir():
        raise InputError(f"cannot draw {found}: it is a folder", "name a file")
    return found


def save(figure: Figure, path: str | Path) -> Path:
    """Write a figure as SVG or PNG, by the suffix.

    Raises
    ------
    InputError
        When the suffix is unknown or the file cannot be written.
    """
    target = check_path(path)
    data = svg(figure).encode() if target.suffix.lower() == ".svg" else png(figure)
    try:
        target.write_bytes(data)
    except OSError as error:
        raise InputError(f"cannot write {target}: {error.strerror}", "name a file that can be written") from None
    return target


def png(figure: Figure, *, dpi: float = DPI) -> bytes:
    """Return a figure as a PNG file; its text alternative stands in the file's description."""
    from io import BytesIO

    from matplotlib.backends.backend_agg import FigureCanvasAgg

    stream = BytesIO()
    about = {"Title": title_of(figure), "Description": described(figure), "Software": None}
    with applied(theme_of(figure)):
        FigureCanvasAgg(figure)
        figure.savefig(stream, format="png", dpi=dpi, metadata=about)
    return stream.getvalue()


def svg(figure: Figure, *, adaptive: bool = False, prefix: str = "") -> str:
    """Return a figure as SVG text with its title and text alternative.

    Parameters
    ----------
    figure : Figure
    adaptive : bool
        For use inside an HTML page: no XML header, and colours that follow the page's custom properties
        (`Theme.variables`), with the figure's own where the page sets none.
    prefix : str
        Put before every id, so that several figures can stand in one page.
    """
    from io import StringIO

    from matplotlib.backends.backend_svg import FigureCanvasSVG

    stream = StringIO()
    with applied(theme_of(figure)):
        FigureCanvasSVG(figure)
        figure.savefig(stream, format="svg", metadata={"Date": None, "Creator": None})
    text = _with_description(stream.getvalue(), title_of(figure), described(figure), adaptive=adaptive)
    if adaptive:
        text = _adaptive(text, theme_of(figure))
    return _prefixed(text, prefix) if prefix else text


_METADATA = re.compile(r"\s*<metadata>.*?</metadata>", re.DOTALL)
_ROOT = re.compile(r"<svg ([^>]*)>")


def _with_description(text: str, title: str, alternative: str, *, adaptive: bool) -> str:
    body = _METADATA.sub("", text, count=1)
    if adaptive:
        body = body[body.index("<svg") :]
    names = 'role="img" aria-labelledby="title desc"'
    about = f'\n <title id="title">{escape(title)}</title>\n <desc id="desc">{escape(alternative)}</desc>'
    return _ROOT.sub(lambda found: f"<svg {found[1]} {names}>{about}", body, count=1)


def _adaptive(text: str, theme: Theme) -> str:
    for name, colour in theme.variables().items():
        text = text.replace(f": {colour.lower()}", f": var({name}, {colour.lower()})")
    return text


_IDS = re.compile(r'(\bid="|url\(#|href="#)')


def _prefixed(text: str, prefix: str) -> str:
    marked = _IDS.sub(lambda found: found[1] + prefix, text)
    return marked.replace('aria-labelledby="title desc"', f'aria-labelledby="{prefix}title {prefix}desc"')
