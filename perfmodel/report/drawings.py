"""Figures as markup for the page: colours follow the page, and nothing in them needs a style of its own.

The page's Content-Security-Policy lets no ``style`` attribute count, so that what stands in one becomes attributes.
"""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module
from typing import TYPE_CHECKING, Any
from xml.etree import ElementTree

from perfmodel.report.content import Html, figure, tag

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_SVG, _XLINK = "http://www.w3.org/2000/svg", "http://www.w3.org/1999/xlink"
#: What figures consist of; anything else is left out.
_ELEMENTS = frozenset(
    "svg g path use defs clipPath rect line circle polygon polyline text tspan title desc pattern".split()
)
#: Properties that SVG has as attributes.
_PROPERTIES = frozenset(
    "fill fill-opacity fill-rule stroke stroke-width stroke-opacity stroke-dasharray stroke-dashoffset stroke-linecap "
    "stroke-linejoin stroke-miterlimit opacity font-size font-family font-weight font-style text-anchor clip-path".split()
)
#: CSS pixels of the page to a point of the figure: with it the smallest print of a figure is as large as the page's.
_SCALE = 1.4 * 96 / 72


def drawn(name: str, module: str, function: str, *arguments: Any, **options: Any) -> Html:
    """Draw a figure of `perfmodel.report.plots` and return it with its caption.

    Parameters
    ----------
    name : str
        Its id; one of a kind on the page.
    module, function : str
        In ``perfmodel.report.plots``.
    *arguments, **options
        Of the function.
    """
    made: Figure = getattr(import_module(f"perfmodel.report.plots.{module}"), function)(*arguments, **options)
    from perfmodel.report.style import described, svg

    return figure(name, inline(svg(made, adaptive=True, prefix=f"{name}-")), described(made))


def inline(text: str) -> Html:
    """Turn a figure's SVG into markup that a page with a strict policy shows as it is."""
    root = ElementTree.fromstring(text)
    width, height = (float(number) * _SCALE for number in root.attrib["viewBox"].split()[2:])
    root.attrib.update(width=f"{width:.0f}", height=f"{height:.0f}")
    return _markup(root)


def _markup(element: ElementTree.Element) -> Html:
    name = element.tag.removeprefix(f"{{{_SVG}}}") if isinstance(element.tag, str) else ""
    if name not in _ELEMENTS:
        return Html("")
    children: list[Html | str] = [element.text.strip() if name not in ("text", "tspan") else element.text] if element.text else []
    for child in element:
        children.append(_markup(child))
        if child.tail and name in ("text", "tspan"):
            children.append(child.tail)
    return tag(name, *children, **_attributes(element.attrib))


def _attributes(attributes: Mapping[str, str]) -> dict[str, str]:
    found: dict[str, str] = {}
    for name, value in attributes.items():
        plain = name.replace(f"{{{_XLINK}}}", "")
        if plain == "style":
            found |= _properties(value)
        elif not plain.startswith(("{", "on", "xmlns")) and not (plain == "href" and not value.startswith("#")):
            found[plain] = value
    return found


def _properties(style: str) -> dict[str, str]:
    """Presentation attributes for the properties of a style."""
    found: dict[str, str] = {}
    for part in style.split(";"):
        name, _, value = (word.strip() for word in part.partition(":"))
        if name == "font":
            found |= _font(value)
        elif name in _PROPERTIES and value:
            found[name] = value
    return found


def _font(value: str) -> dict[str, str]:
    """``700 9px 'DejaVu Sans', sans-serif`` in its parts."""
    words = value.split()
    at = next((at for at, word in enumerate(words) if word[0].isdigit() and word.endswith("px")), None)
    if at is None:
        return {}
    weight = next((word for word in words[:at] if word in ("bold", "bolder") or word.isdigit()), None)
    found = {"font-size": words[at], "font-family": " ".join(words[at + 1 :])}
    return found | ({"font-weight": weight} if weight else {}) | ({"font-style": "italic"} if "italic" in words[:at] else {})
