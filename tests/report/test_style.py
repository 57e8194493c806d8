"""Files, text alternatives, and sameness of figures."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest

import perfmodel as pm
from perfmodel.report.plots.timeline import timeline_figure
from perfmodel.report.style import check_path, described, png, save, shortened, svg, wrapped
from perfmodel.report.themes import THEMES


def test_svg_is_the_same_each_time(prediction: dict[str, Any]) -> None:
    first, second = (svg(timeline_figure(prediction)) for _ in range(2))
    assert first == second
    assert not re.search(r"20\d\d-\d\d-\d\d", first)
    assert png(timeline_figure(prediction)) == png(timeline_figure(prediction))


def test_saving_twice_gives_the_same_bytes(prediction: dict[str, Any], tmp_path: Path) -> None:
    figure = timeline_figure(prediction)
    first = save(figure, tmp_path / "a.svg").read_bytes()
    assert save(figure, tmp_path / "b.svg").read_bytes() == first


def test_text_stays_text_and_has_an_alternative(prediction: dict[str, Any]) -> None:
    figure = timeline_figure(prediction)
    root = ElementTree.fromstring(svg(figure))
    space = "{http://www.w3.org/2000/svg}"
    assert root.get("role") == "img"
    title, text = root.find(f"{space}title"), root.find(f"{space}desc")
    assert title is not None
    assert text is not None
    assert root.get("aria-labelledby") == f"{title.get('id')} {text.get('id')}"
    assert text.text == described(figure)
    assert "A step takes" in described(figure)
    assert any("forward" in "".join(node.itertext()) for node in root.iter(f"{space}text"))


def test_png_holds_its_alternative(prediction: dict[str, Any], tmp_path: Path) -> None:
    image = pytest.importorskip("PIL.Image")
    figure = timeline_figure(prediction, theme="dark")
    with image.open(save(figure, tmp_path / "step.PNG")) as found:
        assert found.format == "PNG"
        assert found.text["Description"] == described(figure)
        # Nothing is drawn on the outermost pixels: nothing is cut off.
        pixels = found.convert("RGB")
        width, height = pixels.size
        edge = {pixels.getpixel((x, y)) for x in range(width) for y in (0, height - 1)}
        edge |= {pixels.getpixel((x, y)) for x in (0, width - 1) for y in range(height)}
        assert edge == {tuple(bytes.fromhex(THEMES["dark"].page[1:]))}


def test_a_figure_for_a_page_follows_its_colours(prediction: dict[str, Any]) -> None:
    text = svg(timeline_figure(prediction), adaptive=True, prefix="p1-")
    assert text.startswith("<svg ")
    assert "var(--pm-text, #1b1e23)" in text
    assert not re.search(r": #(?!ffffff\b)[0-9a-f]{6}\b", text), "a colour that does not follow the page"
    ids = re.findall(r'\bid="([^"]+)"', text)
    assert all(one.startswith("p1-") for one in ids)
    targets = re.findall(r'url\(#([^)]+)\)|href="#([^"]+)"', text)
    assert {a or b for a, b in targets} <= set(ids)
    assert set(THEMES["light"].variables()) == set(THEMES["dark"].variables())


@pytest.mark.parametrize("name", ["figure.pdf", "figure", "figure.svgz"])
def test_an_unknown_suffix(name: str, tmp_path: Path) -> None:
    with pytest.raises(pm.InputError, match=r"end it in \.svg or \.png"):
        check_path(tmp_path / name)


def test_folders(tmp_path: Path, prediction: dict[str, Any]) -> None:
    with pytest.raises(pm.InputError, match="there is no folder"):
        check_path(tmp_path / "no" / "figure.svg")
    (tmp_path / "folder.svg").mkdir()
    with pytest.raises(pm.InputError, match="it is a folder"):
        save(timeline_figure(prediction), tmp_path / "folder.svg")


def test_names() -> None:
    assert shortened("a" * 100, 20) == "a" * 13 + "…" + "a" * 6
    assert shortened("_hidden\x00 name", 40) == "hidden name"
    assert shortened("") == "-"
    assert max(map(len, wrapped("word " * 200, 7.2, 8.0).split("\n"))) < 120


def test_no_figure_goes_through_pyplot() -> None:
    folder = Path(str(pm.__file__)).parent / "report"
    assert not [
        path for path in folder.rglob("*.py") if re.search(r"import pyplot|matplotlib\.pyplot", path.read_text())
    ]
