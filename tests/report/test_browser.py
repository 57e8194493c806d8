"""The page in a real browser: it renders, keeps quiet, and can be read, reached and operated."""

from __future__ import annotations

import json
import time
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from perfmodel.report.page import build, read_data
from perfmodel.report.words import card_name, duration, number, span

HOSTILE = "</script><img src=x onerror=\"document.title='owned'\">"
SIZES = (400, 1600)
SCHEMES = ("light", "dark")


@pytest.fixture(scope="module")
def page(
    compare_document: dict[str, Any],
    predict_document: dict[str, Any],
    card_document: dict[str, Any],
    tmp_path_factory: pytest.TempPathFactory,
) -> Path:
    """A page of several sections."""
    folder = tmp_path_factory.mktemp("page")
    runs = folder / "runs.csv"
    lines = [f"{gpu},cyclegan,training,{b},fp32,{time * b},cyclegan" for gpu, time in TIMES for b in (1, 2, 4)]
    runs.write_text("gpu,model,phase,batch,precision,latency_ms,source\n" + "\n".join(lines) + "\n")
    inputs = [runs]
    for name, document in (("compare", compare_document), ("predict", predict_document), ("card", card_document)):
        path = folder / f"{name}.json"
        path.write_text(json.dumps(document))
        inputs.append(path)
    return build(inputs).save(folder / "page.html")


TIMES = (("p100", 240.0), ("v100", 140.0), ("t4", 410.0), ("rtx3090", 95.0), ("a100", 88.0))


@pytest.fixture
def shown(browser: Any, page: Path) -> Any:
    """The page, opened anew at 1600 pixels in light colours."""
    browser.size(1600)
    browser.media(prefers_color_scheme="light")
    browser.open(page)
    return browser


@pytest.mark.parametrize("width", SIZES)
@pytest.mark.parametrize("scheme", SCHEMES)
def test_it_renders_quietly_and_readably(browser: Any, page: Path, width: int, scheme: str) -> None:
    browser.size(width)
    browser.media(prefers_color_scheme=scheme)
    browser.open(page)
    assert browser.complaints() == []
    assert browser.requests() == [page.as_uri()]
    assert browser.run("document.documentElement.scrollWidth") <= width
    assert browser.run("document.body.scrollWidth") <= width
    assert browser.run(SMALLEST_TEXT) >= 13.99
    assert browser.run(LONGEST_LINE) <= 90
    assert browser.run("document.querySelector('form').hidden") is False
    assert browser.run("document.querySelectorAll('figure svg path').length") > 50


SMALLEST_TEXT = """Math.min(...[...document.querySelectorAll('body *')].filter((one) =>
  !['SCRIPT', 'NOSCRIPT', 'STYLE', 'title', 'desc'].includes(one.nodeName) && one.getClientRects().length &&
  [...one.childNodes].some((child) => child.nodeType === 3 && child.data.trim())).map((one) =>
  parseFloat(getComputedStyle(one).fontSize) *
  (one.getScreenCTM ? Math.hypot(one.getScreenCTM().a, one.getScreenCTM().b) : 1)))"""
# Letters on the longest line of running text, half an em a letter.
LONGEST_LINE = """Math.max(...[...document.querySelectorAll('p, li, figcaption')].map((one) =>
  one.getBoundingClientRect().width / parseFloat(getComputedStyle(one).fontSize) * 2))"""


@pytest.mark.parametrize("scheme", SCHEMES)
def test_contrast(browser: Any, page: Path, scheme: str) -> None:
    browser.size(1600)
    browser.media(prefers_color_scheme=scheme)
    browser.open(page)
    browser.run("document.querySelectorAll('details').forEach((one) => { one.open = true; })")
    found = browser.run(CONTRASTS)
    assert len(found) > 300
    poor = [one for one in found if one["contrast"] < 4.5]
    assert poor == []
    lightness = browser.run("getComputedStyle(document.body).backgroundColor")
    assert lightness == ("rgb(255, 255, 255)" if scheme == "light" else "rgb(20, 23, 28)")


CONTRASTS = """(() => {
  const parse = (text) => { const found = text.match(/[\\d.]+/g); return found ? found.map(Number) : [0, 0, 0, 0]; };
  const light = (colour) => colour.slice(0, 3).map((value) => value / 255)
    .map((value) => value <= 0.04045 ? value / 12.92 : ((value + 0.055) / 1.055) ** 2.4)
    .reduce((sum, value, at) => sum + value * [0.2126, 0.7152, 0.0722][at], 0);
  const ground = (one) => {
    for (; one; one = one.parentElement) {
      const colour = parse(getComputedStyle(one).backgroundColor);
      if (colour.length < 4 || colour[3] === 1) return colour;
    }
    return [255, 255, 255];
  };
  return [...document.querySelectorAll('body *')].filter((one) =>
    !['SCRIPT', 'NOSCRIPT', 'STYLE', 'title', 'desc'].includes(one.nodeName) && one.getClientRects().length &&
    [...one.childNodes].some((child) => child.nodeType === 3 && child.data.trim())).map((one) => {
      const style = getComputedStyle(one);
      const [a, b] = [light(parse(one.namespaceURI.endsWith('svg') ? style.fill : style.color)), light(ground(one))];
      return { text: one.textContent.slice(0, 40), contrast: (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05) };
    });
})()"""


def test_tab_reaches_every_control_in_order_and_shows_where_it_is(shown: Any) -> None:
    wanted = shown.run(f"[...document.querySelectorAll({REACHABLE!r})].filter((one) => one.checkVisibility()).length")
    shown.run("window.seen = []; document.activeElement.blur()")
    for _ in range(wanted):
        shown.press("Tab")
        shown.run("window.seen.push(document.activeElement)")
    assert shown.run(f"window.seen.every((one) => one.matches({REACHABLE!r}))")
    assert shown.run("new Set(window.seen).size") == wanted
    in_order = "one.compareDocumentPosition(window.seen[at + 1]) & Node.DOCUMENT_POSITION_FOLLOWING"
    assert shown.run(f"window.seen.slice(0, -1).every((one, at) => {in_order})")
    for name in ("GPU", "Precision", "Batch", "Residual blocks", "Price"):
        assert shown.run(f"window.seen.some((one) => one.labels?.[0]?.textContent.startsWith({name!r}))"), name
    outlines = shown.run(
        """window.seen.map((one) => { one.focus({ focusVisible: true }); const style = getComputedStyle(one);
        return [style.outlineStyle, parseFloat(style.outlineWidth)]; })"""
    )
    assert all(style == "solid" and width >= 2 for style, width in outlines)


REACHABLE = "a[href], select, input, button, summary, [tabindex='0']"


def test_the_skip_link_is_first_and_leads_to_the_answer(shown: Any) -> None:
    shown.press("Tab")
    assert shown.run("document.activeElement.textContent") == "Skip to the answer"
    assert shown.run("document.activeElement.getBoundingClientRect().left") >= 0
    shown.press("Enter", text="\r")
    assert shown.run("document.activeElement.id") == "answer"


def test_choices_by_keyboard_show_the_values_of_the_data(shown: Any, page: Path) -> None:
    (data,) = [one["document"] for one in read_data(page.read_text())["inputs"] if one["kind"] == "compare"]
    assert data["start"] == [0, 0, 2]
    for axis, key in (
        ("gpu", "End"),
        ("blocks", "Home"),
        ("batch", "ArrowDown"),
        ("precision", "ArrowDown"),
        ("gpu", "Home"),
    ):
        shown.run(f"document.querySelector('select[name={axis}]').focus()")
        shown.press(key)
        _compare_with_data(shown, data)
    assert "lacks that precision" in shown.run("document.querySelector('output').textContent")


def _compare_with_data(shown: Any, data: dict[str, Any]) -> None:
    chosen = {axis: int(shown.run(f"document.querySelector('select[name={axis}]').value")) for axis in data["order"]}
    places = {}
    for gpu in range(len(data["axes"]["gpu"])):
        place = 0
        for axis in data["order"]:
            place = place * len(data["axes"][axis]) + (gpu if axis == "gpu" else chosen[axis])
        places[data["axes"]["gpu"][gpu]] = {name: values[place] for name, values in data["columns"].items()}
    own = places[data["axes"]["gpu"][chosen["gpu"]]]
    said = shown.run("document.querySelector('output').textContent")
    if own["step_ms"] is not None:
        scale = own["unit_s"] / own["step_ms"]
        assert f"an epoch takes {duration(own['unit_s'])} and costs {number(own['cost'])}." in said
        assert f"interval: {span(own['low_ms'] * scale, own['high_ms'] * scale)}." in said
        assert f"Memory: {number(own['memory_gb'])} GB, which {'fits' if own['fits'] else 'does NOT fit'}." in said
    rows = shown.run(
        "[...document.querySelectorAll('#compare-1-cards tbody tr')].map((one) => one.innerText.split('\\t'))"
    )
    table = {row[0].strip(): [cell.strip() for cell in row] for row in rows}
    known = {card_name(key): point for key, point in places.items() if point["step_ms"] is not None}
    assert set(table) == set(known)
    for name, point in known.items():
        assert table[name][3] == number(point["cost"])
        assert table[name][5] == duration(point["step_ms"] / 1e3)
        assert table[name][7] == ("yes" if point["fits"] else "NO")


def test_the_first_table_is_the_same_with_and_without_the_script(browser: Any, shown: Any, page: Path) -> None:
    with_script = shown.run("document.querySelector('#compare-1-cards').innerText")
    browser.call("Emulation.setScriptExecutionDisabled", value=True)
    try:
        browser.open(page)
        assert browser.complaints() == []
        text = _text(browser)
        assert "Without JavaScript this page shows one setting" in text
        assert "Choose, and read the answer" not in text
        for cell in with_script.replace("\n", "\t").split("\t"):
            assert " ".join(cell.split()) in text
        assert "Rent the" in text
    finally:
        browser.call("Emulation.setScriptExecutionDisabled", value=False)


def _text(browser: Any) -> str:
    """Text that the page shows, by its accessibility tree: evaluating needs no script there."""
    nodes = browser.call("Accessibility.getFullAXTree")["nodes"]
    return " ".join(" ".join(one["name"]["value"].split()) for one in nodes if one.get("name", {}).get("value"))


def test_a_typed_price_changes_costs(shown: Any, page: Path) -> None:
    (data,) = [one["document"] for one in read_data(page.read_text())["inputs"] if one["kind"] == "compare"]
    shown.run(
        "document.querySelector('input[name=price]').focus(); document.querySelector('input[name=price]').select()"
    )
    shown.type("3.25")
    gpu = int(shown.run("document.querySelector('select[name=gpu]').value"))
    place = gpu
    for axis, at in zip(data["order"][1:], data["start"], strict=True):
        place = place * len(data["axes"][axis]) + at
    cost = data["columns"]["unit_s"][place] * 3.25 / 3600
    assert f"costs {number(cost)}." in shown.run("document.querySelector('output').textContent")
    assert "prices that you typed" in shown.run("document.querySelector('output').textContent")


def test_the_accessibility_tree_names_everything(shown: Any) -> None:
    nodes = [one for one in shown.call("Accessibility.getFullAXTree")["nodes"] if not one.get("ignored")]
    roles: dict[str, list[str]] = {}
    for one in nodes:
        roles.setdefault(one["role"]["value"], []).append(one.get("name", {}).get("value", ""))
    for role in ("combobox", "spinbutton", "button", "link", "table", "figure", "region", "navigation", "group"):
        assert roles.get(role), f"no {role}"
    named = (
        "combobox",
        "spinbutton",
        "button",
        "link",
        "table",
        "figure",
        "region",
        "navigation",
        "heading",
        "columnheader",
        "rowheader",
    )
    for role in named:
        assert all(name.strip() for name in roles[role]), (role, roles[role])
    pictures = roles.get("image", []) + roles.get("img", []) + roles.get("graphics-document", [])
    assert len(pictures) == shown.run("document.querySelectorAll('figure svg').length")
    assert all(name.strip() for name in pictures)
    assert len(roles["main"]) == 1
    assert roles["status"]


def test_structure(shown: Any) -> None:
    levels = shown.run("[...document.querySelectorAll('h1,h2,h3,h4,h5,h6')].map((one) => Number(one.tagName[1]))")
    assert levels.count(1) == 1
    assert levels[0] == 1
    assert all(after <= before + 1 for before, after in pairwise(levels))
    assert shown.run("document.documentElement.lang") == "en"
    assert shown.run(
        "document.querySelectorAll('table').length === document.querySelectorAll('table > caption').length"
    )
    assert shown.run("[...document.querySelectorAll('th')].every((one) => one.scope)")
    assert shown.run(
        "[...document.querySelectorAll('figure')].every((one) => one.querySelector('figcaption').textContent)"
    )
    assert shown.run("[...document.querySelectorAll('figure svg')].every((one) => one.getAttribute('role') === 'img')")
    ids = shown.run("[...document.querySelectorAll('[id]')].map((one) => one.id)")
    assert len(ids) == len(set(ids))
    missing = """[...document.querySelectorAll('[aria-labelledby]')].flatMap((one) =>
      one.getAttribute('aria-labelledby').split(' ')).filter((id) => !document.getElementById(id))"""
    assert shown.run(missing) == []


def test_print_and_reduced_motion(browser: Any, shown: Any) -> None:
    shown.media(prefers_color_scheme="dark", prefers_reduced_motion="reduce")
    assert shown.run("getComputedStyle(document.documentElement).scrollBehavior") == "auto"
    browser.call(
        "Emulation.setEmulatedMedia", media="print", features=[{"name": "prefers-color-scheme", "value": "dark"}]
    )
    try:
        assert shown.run("getComputedStyle(document.querySelector('form')).display") == "none"
        assert shown.run("getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"
        assert shown.run("getComputedStyle(document.querySelector('.scroll')).overflowX") == "visible"
    finally:
        browser.call("Emulation.setEmulatedMedia", media="", features=[])


def test_the_data_downloads(browser: Any, shown: Any, page: Path, tmp_path: Path) -> None:
    browser.call("Browser.setDownloadBehavior", behavior="allow", downloadPath=str(tmp_path))
    shown.run("document.getElementById('download').click()")
    end = time.monotonic() + 20
    while not (tmp_path / "report.json").exists() and time.monotonic() < end:
        shown.run("new Promise((done) => setTimeout(done, 50))")
    assert json.loads((tmp_path / "report.json").read_text()) == read_data(page.read_text())
    assert shown.complaints() == []


def test_hostile_names_stay_text(
    browser: Any, compare_document: dict[str, Any], predict_document: dict[str, Any], tmp_path: Path
) -> None:
    hostile_comparison = json.loads(
        json.dumps(compare_document)
        .replace('"cyclegan"', json.dumps(HOSTILE))
        .replace('"p100-pcie-16"', json.dumps(HOSTILE + "2"))
    )
    hostile_prediction = json.loads(
        json.dumps(predict_document).replace("Tesla P100 PCIe 16 GB", HOSTILE.replace('"', '\\"'))
    )
    hostile_prediction["notes"] = [HOSTILE, "<!--", "]]>", "\u2028", "<script>document.title='owned'</script>"]
    inputs = []
    for name, document in (
        ("<img src=x onerror=document.title='owned'>.json", hostile_comparison),
        ("b&amp;\"'.json", hostile_prediction),
    ):
        (tmp_path / name).write_text(json.dumps(document))
        inputs.append(tmp_path / name)
    path = build(inputs, title=HOSTILE).save(tmp_path / "page.html")
    browser.open(path)
    assert browser.complaints() == []
    assert browser.requests() == [path.as_uri()]
    assert browser.run("document.title") == HOSTILE
    assert browser.run("document.querySelectorAll('img, iframe, object, embed').length") == 0
    assert browser.run("document.scripts.length") == 2
    assert browser.run("document.querySelector('h1').textContent") == HOSTILE
    assert HOSTILE in browser.run("document.getElementById('compare-1').textContent")
    assert browser.run("document.querySelector('form').hidden") is False
