"""The gallery shows what its commands draw."""

from __future__ import annotations

import importlib.util
import shlex
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest

from perfmodel import cli

ROOT = Path(__file__).resolve().parents[2]


def _gallery() -> Any:
    spec = importlib.util.spec_from_file_location("gallery", ROOT / "benchmarks" / "gallery.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


GALLERY = _gallery()
PAGE = (ROOT / "docs" / "gallery.md").read_text(encoding="utf-8")
COMMANDS = list(GALLERY.commands(PAGE))


def title(path: Path) -> str:
    found = ElementTree.parse(path).getroot().find("{http://www.w3.org/2000/svg}title")
    assert found is not None
    return str(found.text)


@pytest.mark.parametrize("words", COMMANDS, ids=lambda words: GALLERY.figure_of(words).stem)
def test_figures_are_small_and_shown(words: list[str]) -> None:
    path = ROOT / GALLERY.figure_of(words)
    assert path.stat().st_size <= GALLERY.MOST
    assert f"](figures/gallery/{path.name})" in PAGE
    assert title(path)


def test_each_kind_of_figure_is_there() -> None:
    text = " ".join(map(shlex.join, COMMANDS))
    for kind in ("roofline", "scaling", "residuals", "coverage", "box"):
        assert f"--plot-kind {kind}" in text
    for verb in ("predict", "compare", "fit", "validate", "gpus"):
        assert any(words[0] == verb for words in COMMANDS)


@pytest.mark.parametrize(
    "words", [words for words in COMMANDS if words[0] in ("predict", "compare", "gpus")],
    ids=lambda words: GALLERY.figure_of(words).stem,
)  # fmt: skip
def test_commands_draw_what_is_shown(words: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    shown = ROOT / GALLERY.figure_of(words)
    drawn = tmp_path / shown.name
    with pytest.raises(SystemExit) as caught:
        cli.main([str(drawn) if word == str(GALLERY.figure_of(words)) else word for word in words])
    assert caught.value.code == 0, capsys.readouterr().err
    assert title(drawn) == title(shown)


def test_a_figure_of_measured_rows_is_what_is_shown(
    shared_data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    words = next(words for words in COMMANDS if words[0] == "fit")
    if GALLERY.lacks(words):
        pytest.skip(f"there is no {GALLERY.lacks(words)}")
    drawn = tmp_path / "figure.svg"
    monkeypatch.chdir(ROOT)
    with pytest.raises(SystemExit) as caught:
        cli.main([str(drawn) if word == str(GALLERY.figure_of(words)) else word for word in words])
    assert caught.value.code == 0, capsys.readouterr().err
    assert title(drawn) == title(ROOT / GALLERY.figure_of(words))
