"""Markup in which text cannot turn into markup: what is not `Html` is escaped wherever it is put."""

from __future__ import annotations

import html
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any

_VOID = frozenset({"br", "hr", "img", "input", "link", "meta"})


class Html(str):
    """Text that is markup already; only this module and the SVG reader make it."""

    __slots__ = ()


Child = Html | str | None
Value = str | int | float | bool | None


def escape(text: object) -> Html:
    """Markup that shows a text as it is; markup is left alone."""
    return text if isinstance(text, Html) else Html(html.escape(str(text), quote=True))


def join(*parts: Child) -> Html:
    """Put parts one after another; None leaves nothing."""
    return Html("".join(escape(part) for part in parts if part is not None))


def tag(element: str, *children: Child, **attributes: Value) -> Html:
    """Make one element.

    Parameters
    ----------
    element : str
    *children : Html, str or None
        Text is escaped.
    **attributes : str, number, bool or None
        ``class_`` and ``for_`` stand for the reserved words, ``_`` for a hyphen; True writes the bare name, False and
        None nothing.
    """
    written = [
        f" {_attribute(name, value)}" for name, value in attributes.items() if value is not None and value is not False
    ]
    opening = f"<{element}{''.join(written)}>"
    return Html(opening) if element in _VOID else Html(f"{opening}{join(*children)}</{element}>")


def _attribute(name: str, value: Value) -> str:
    plain = name.rstrip("_").replace("_", "-")
    return plain if value is True else f'{plain}="{escape(value)}"'


def paragraphs(texts: Iterable[Child]) -> Html:
    """Make a paragraph of each text."""
    return join(*(tag("p", text) for text in texts))


def listing(texts: Iterable[Child], *, class_: str | None = None) -> Html:
    """Make an unordered list; nothing where there are no texts."""
    items = [tag("li", text) for text in texts]
    return tag("ul", *items, class_=class_) if items else Html("")


def pairs(rows: Iterable[tuple[str, Child]], *, class_: str = "facts") -> Html:
    """Make a description list of names and values."""
    return tag("dl", *(tag("div", tag("dt", name), tag("dd", value)) for name, value in rows), class_=class_)


def details(title: str, *children: Child) -> Html:
    """Make a part that is shut until it is asked for."""
    return tag("details", tag("summary", title), *children)


@dataclass(frozen=True, kw_only=True)
class Column:
    """A column of a table: its title, whether its cells are numbers, and whether they are long texts that wrap."""

    title: str
    number: bool = True
    long: bool = False

    @property
    def class_(self) -> str | None:
        """Of its cells."""
        return "number" if self.number else "text" if self.long else None


def table(
    name: str, caption: str, columns: Sequence[Column], rows: Iterable[Sequence[Child]], *, keys: Sequence[str] = ()
) -> Html:
    """Make a table whose first column names the rows, in a region of its own that scrolls where it is too wide.

    Parameters
    ----------
    name : str
        Its id; one of a kind on the page.
    caption : str
    columns : sequence of Column
    rows : iterable of sequences
        Cells, one a column.
    keys : sequence of str
        What the script knows the rows by.
    """
    head = [tag("th", one.title, scope="col", class_=one.class_) for one in columns]
    body = [_row(cells, columns, keys[at] if keys else None) for at, cells in enumerate(rows)]
    inner = tag(
        "table",
        tag("caption", caption, id=f"{name}-caption"),
        tag("thead", tag("tr", *head)),
        tag("tbody", *body),
        id=name,
    )
    return tag("div", inner, class_="scroll", role="region", aria_labelledby=f"{name}-caption", tabindex=0)


def _row(cells: Sequence[Child], columns: Sequence[Column], key: str | None) -> Html:
    first = tag("th", cells[0], scope="row", class_=columns[0].class_)
    others = [tag("td", cell, class_=column.class_) for cell, column in zip(cells[1:], columns[1:], strict=True)]
    return tag("tr", first, *others, data_key=key)


def figure(name: str, drawing: Html, caption: Child) -> Html:
    """Make a figure with its caption; a drawing too wide for the page scrolls in its own region."""
    scroll = tag("div", drawing, class_="drawing", role="group", aria_label="Drawing, scrolls sideways", tabindex=0)
    legend = tag("figcaption", caption, id=f"{name}-caption")
    return tag("figure", scroll, legend, id=name, aria_labelledby=f"{name}-caption")


def block(name: str, title: str, *children: Child, level: int = 3) -> Html:
    """Make a titled part of a section."""
    heading = tag(f"h{level}", title, id=f"{name}-title")
    return tag("section", heading, *children, aria_labelledby=f"{name}-title", id=name)


@dataclass(frozen=True, kw_only=True)
class Section:
    """What one part puts on the page.

    Attributes
    ----------
    title : str
    summary : tuple of tuples of str
        The answers in plain words, one a document: sentences, the first of which is the answer. The page begins with
        them.
    body : Html
    data : tuple
        What is kept of each document as JSON, in the order of the documents.
    left_out : tuple of str
        What the page leaves out to stay small.
    """

    title: str
    summary: tuple[tuple[str, ...], ...]
    body: Html
    data: tuple[Any, ...]
    left_out: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Limits:
    """How much a section may put on the page.

    Attributes
    ----------
    points : int
        Points of all comparisons, or rows of a fit, kept as data.
    rows : int
        Rows of a table.
    figures : bool
        Whether figures are drawn.
    """

    points: int = 12000
    rows: int = 300
    figures: bool = True

    def smaller(self, share: float) -> Limits:
        """Limits for a page of that share of the size; without figures where nothing else can get smaller."""
        if self.points <= _FEW:
            return replace(self, figures=False)
        return replace(self, points=max(_FEW, int(self.points * share)), rows=max(_FEW, int(self.rows * share)))


#: Fewer points or rows than this save nothing.
_FEW = 20
