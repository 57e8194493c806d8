"""Put sections together into one page that needs nothing but itself."""

from __future__ import annotations

import base64
import hashlib
import json
import os
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from importlib.resources import files
from itertools import groupby
from pathlib import Path
from typing import Any

from perfmodel import __version__
from perfmodel.errors import FailureError, InputError
from perfmodel.report.content import Child, Html, Limits, Section, join, listing, tag
from perfmodel.report.documents import Document, path_of, read_documents
from perfmodel.report.provenance import provenance
from perfmodel.report.sections import PARTS
from perfmodel.report.themes import THEMES

SCHEMA_VERSION = 1
#: Most bytes of a page.
LIMIT = 2_000_000
#: A page is made smaller so often at most; what is left then is as small as sections can be.
_TRIES = 10


@dataclass(frozen=True, kw_only=True)
class Page:
    """A page.

    Attributes
    ----------
    title : str
    summary : tuple of str
        Its first sentences.
    html : str
    inputs : tuple of str or Path
        What it was made from; `save` writes over none of them.
    """

    title: str
    summary: tuple[str, ...]
    html: str
    inputs: tuple[str | Path, ...] = ()

    def save(self, path: str | Path) -> Path:
        """Write the page whole or not at all.

        Raises
        ------
        InputError
            When the path is one of the inputs.
        FailureError
            When it cannot be written.
        """
        target = Path(path)
        for one in self.inputs:
            if str(one) != "-" and _same(target, path_of(one)):
                raise InputError(f"{path} is an input of this report", "write the page to another file with -o")
        try:
            write_whole(target, self.html.encode())
        except OSError as error:
            raise FailureError(
                f"cannot write {path}: {error.strerror}", "give a file in a folder that exists"
            ) from None
        return target


def _same(one: Path, other: Path) -> bool:
    try:
        return one.samefile(other)
    except OSError:
        return one.absolute() == other.absolute()


def write_whole(target: Path, raw: bytes) -> None:
    """Write a file beside its place and then move it there, so that nobody sees half of it."""
    real = target.resolve()
    if real.exists() and not real.is_file():
        real.write_bytes(raw)  # a device or a pipe has no half
        return
    handle, name = tempfile.mkstemp(dir=real.parent, prefix=f".{real.name}.", suffix=".part")
    try:
        with os.fdopen(handle, "wb") as stream:
            stream.write(raw)
        mask = os.umask(0)
        os.umask(mask)
        os.chmod(name, 0o666 & ~mask)
        os.replace(name, real)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise


def build(
    inputs: Sequence[str | Path] | str | Path,
    *,
    title: str | None = None,
    known: Mapping[str, object] | None = None,
    salvage: bool = False,
    limit: int = LIMIT,
) -> Page:
    """Make one page of documents and tables.

    Parameters
    ----------
    inputs : path or sequence of paths
        Documents that a verb's ``--json`` printed, and tables of runs; ``-`` is standard input.
    title : str, optional
        The heading; by default it says what the page is about.
    known, salvage
        For tables of runs; see `perfmodel.runs.gather.gather_runs`.
    limit : int
        Most bytes; tables and data get shorter until the page fits, and the page says what it leaves out.

    Raises
    ------
    InputError
        When an input is not understood.
    """
    sources = (inputs,) if isinstance(inputs, str | Path) else tuple(inputs)
    documents = read_documents(sources, known=known, salvage=salvage)
    return replace(_fitting(documents, title, limit), inputs=sources)


def _fitting(documents: Sequence[Document], title: str | None, limit: int) -> Page:
    """The fullest page of at most so many bytes."""
    limits = Limits()
    for _ in range(_TRIES):
        page = _assembled(documents, limits, title)
        size = len(page.html.encode())
        if size <= limit:
            return page
        if not limits.figures:
            break
        limits = limits.smaller(min(0.8, 0.9 * limit / size))
    raise InputError(f"these inputs make a page of more than {limit / 1e6:g} MB", "make several pages of fewer inputs")


def _assembled(documents: Sequence[Document], limits: Limits, title: str | None) -> Page:
    order = {part.module: at for at, part in reversed(list(enumerate(PARTS)))}
    ordered = sorted(documents, key=lambda one: order[one.part.module])
    groups = [list(group) for _, group in groupby(ordered, key=lambda one: one.part.module)]
    sections = [group[0].part.section(group, limits) for group in groups]
    summary = tuple(" ".join(filter(None, said)) for section in sections for said in section.summary)
    heading = title or sections[0].title + (" and more" if len(sections) > 1 else "")
    data = _data(groups, sections)
    main = [_lead(sections, heading), *_bodies(sections), _left_out(sections, limits), provenance(ordered)]
    return Page(title=heading, summary=summary, html=_document(heading, summary, main, sections, data))


def _data(groups: Sequence[Sequence[Document]], sections: Sequence[Section]) -> str:
    """The data of the page as JSON that may stand in a script element: no sign in it can end one."""
    inputs = [
        {"sources": [vars(source) for source in one.sources], "kind": one.part.kind, "document": kept}
        for group, section in zip(groups, sections, strict=True)
        for one, kept in zip(group, section.data, strict=True)
    ]
    document = {"schema_version": SCHEMA_VERSION, "kind": "report", "version": __version__, "inputs": inputs}
    text = json.dumps(document, separators=(",", ":"), allow_nan=False)  # ASCII only: U+2028 and the like are escaped
    return text.replace("&", "\\u0026").replace("<", "\\u003c").replace(">", "\\u003e")


def _lead(sections: Sequence[Section], heading: str) -> Html:
    """The answers: the first sentence of each stands out, the very first most of all."""
    answers = [said for section in sections for said in section.summary]
    parts = []
    for at, (first, *others) in enumerate(answers):
        more = " ".join(filter(None, others))
        parts.append(tag("p", first, class_="answer" if at == 0 else "further"))
        parts.append(tag("p", more) if more else Html(""))
    return tag("header", tag("h1", heading), *parts, id="answer", tabindex=-1)


def _bodies(sections: Sequence[Section]) -> list[Html]:
    """The sections under their titles; a section that is alone has its title in the heading of the page."""
    found = []
    for at, section in enumerate(sections, start=1):
        title = section.title if len(sections) > 1 else "The numbers"
        heading = tag("h2", title, id=f"section-{at}-title")
        found.append(tag("section", heading, section.body, id=f"section-{at}", aria_labelledby=f"section-{at}-title"))
    return found


def _left_out(sections: Sequence[Section], limits: Limits) -> Html | None:
    texts = [text for section in sections for text in section.left_out]
    texts += [] if limits.figures else ["all figures"]
    if not texts:
        return None
    why = tag("p", "To stay small enough to send, this page leaves out:")
    title = tag("h2", "Left out", id="left-out-title")
    return tag("section", title, why, listing(texts), id="left-out", aria_labelledby="left-out-title")


def _document(title: str, summary: Sequence[str], main: Sequence[Child], sections: Sequence[Section], data: str) -> str:
    style, script = f"{theme_rules()}\n{resource('page.css')}", resource("page.js")
    rules = (
        f"default-src 'none'; style-src {_hash(style)}; script-src {_hash(script)}; img-src data:; "
        "base-uri 'none'; form-action 'none'"
    )
    head = join(
        tag("meta", charset="utf-8"),
        tag("meta", http_equiv="Content-Security-Policy", content=rules),
        tag("meta", name="viewport", content="width=device-width, initial-scale=1"),
        tag("meta", name="color-scheme", content="light dark"),
        tag("meta", name="generator", content=f"perfmodel {__version__}"),
        tag("meta", name="description", content=" ".join(summary[:1])),
        tag("link", rel="icon", href="data:,"),
        tag("title", title),
        tag("style", Html(style)),
    )
    body = join(
        tag("a", "Skip to the answer", href="#answer", class_="skip"),
        _contents(sections) if len(sections) > 1 else None,
        tag("main", *main, id="main"),
        _footer(),
        tag("script", Html(data), type="application/json", id="data"),
        tag("script", Html(script)),
    )
    return f"<!DOCTYPE html>\n{tag('html', tag('head', head), tag('body', body), lang='en')}\n"


def _contents(sections: Sequence[Section]) -> Html:
    links = [tag("a", one.title, href=f"#section-{at + 1}") for at, one in enumerate(sections)]
    return tag("nav", listing([*links, tag("a", "Where this comes from", href="#provenance")]), aria_label="Sections")


def _footer() -> Html:
    made = datetime.now(UTC).date().isoformat()
    return tag(
        "footer", tag("p", f"Made by perfmodel {__version__} on {made}. This page loads nothing and sends nothing.")
    )


def theme_rules() -> str:
    """Colours of the figures' themes as custom properties of the page."""
    light, dark = (
        "".join(f"{name}:{colour};" for name, colour in THEMES[name_of].variables().items())
        for name_of in ("light", "dark")
    )
    return f":root{{{light}}}\n@media screen and (prefers-color-scheme:dark){{:root{{{dark}}}}}"


def _hash(text: str) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"


def resource(name: str) -> str:
    """Text of a file of this package."""
    return files("perfmodel.report").joinpath(name).read_text(encoding="utf-8")


def read_data(page: str) -> Any:
    """The data in a page, as it was put there.

    Raises
    ------
    ValueError
        When the text is no page of this module.
    """
    _, found, rest = page.partition('<script type="application/json" id="data">')
    if not found:
        raise ValueError("the text holds no data of a report")
    return json.loads(rest.partition("</script>")[0])
