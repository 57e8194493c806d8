"""Figures as markup for the page: colours follow the page, and nothing in them needs a style of its own.

The page's Content-Security-Policy lets no ``style`` attribute count, so that what stands in one becomes attributes.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Set
from importlib import import_module
from typing import TYPE_CHECKING, Any
from xml.etree import ElementTree

from perfmodel.report.content import Html, figure, tag

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_SVG, _XLINK = "http://www.w3.org/2000/svg", "http://www.w3.org/1999/xlink"
#: What figures consist of; anything else is left out.
_ELEMENTS = frozenset(
    (
        "svg", "g", "path", "use", "defs", "clipPath", "rect", "line", "circle", "polygon", "polyline", "text", "tspan",
        "title", "desc", "pattern",
    )
)  # fmt: skip
#: Properties that SVG has as attributes.
_PROPERTIES = frozenset(
    (
        "fill", "fill-opacity", "fill-rule", "stroke", "stroke-width", "stroke-opacity", "stroke-dasharray",
        "stroke-dashoffset", "stroke-linecap", "stroke-linejoin", "stroke-miterlimit", "opacity", "font-size",
        "font-family", "font-weight", "font-style", "text-anchor", "clip-path",
    )
)  # fmt: skip
#: CSS pixels of the smallest print on the page.
_SMALLEST = 14.0
#: CSS pixels to a unit of a figure: as printed, and the most that small print may ask for.
_LEAST, _MOST = 96 / 72, 2.2
_REFERENCE = re.compile(r"""#([^"')\s]+)""")


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
    """Turn a figure's SVG into markup that a page with a strict policy shows as it is.

    It is made so large that its smallest print is as large as the page's. Of its ids, those that something refers to
    are kept.
    """
    root = ElementTree.fromstring(text)
    described = (root.get("aria-labelledby") or "").split()
    used = {
        *described,
        *(found for one in root.iter() for value in one.attrib.values() for found in _REFERENCE.findall(value)),
    }
    width, height = (float(number) * _scale(root) for number in root.attrib["viewBox"].split()[2:])
    root.attrib.update(width=f"{width:.0f}", height=f"{height:.0f}")
    return _markup(root, used)


def _scale(root: ElementTree.Element) -> float:
    found = [_attributes(one.attrib).get("font-size", "") for one in root.iter()]
    sizes = [float(size.removesuffix("px")) for size in found if size.removesuffix("px").replace(".", "", 1).isdigit()]
    return min(max(_SMALLEST / min(sizes, default=_SMALLEST), _LEAST), _MOST)


def _markup(element: ElementTree.Element, used: Set[str]) -> Html:
    name = element.tag.removeprefix(f"{{{_SVG}}}") if isinstance(element.tag, str) else ""
    if name not in _ELEMENTS:
        return Html("")
    holds_text = name in ("text", "tspan", "title", "desc")
    children: list[Html | str] = [element.text] if element.text and holds_text else []
    for child in element:
        children.append(_markup(child, used))
        if child.tail and holds_text:
            children.append(child.tail)
    attributes = _attributes(element.attrib)
    if attributes.get("id") not in used:
        attributes.pop("id", None)
    return tag(name, *children, **attributes)


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
    return (
        found
        | ({"font-weight": weight} if weight else {})
        | ({"font-style": "italic"} if "italic" in words[:at] else {})
    )
