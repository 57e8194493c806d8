"""What the documents show is what happens."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from perfmodel import cli

ROOT = Path(__file__).resolve().parents[1]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]


def commands() -> Iterator[str]:
    """Commands of predict and compare in shell blocks that need no file of the user's and write none."""
    for page in PAGES:
        for block in re.findall(r"```sh\n(.*?)```", page.read_text(encoding="utf-8"), re.DOTALL):
            for line in block.splitlines():
                words = line.partition("#")[0].partition(" > ")[0].strip().removeprefix("python -m ")
                if re.match(r"perfmodel (predict|compare)\b", words) and not re.search(
                    "my_package|--plot|--profile", words
                ):
                    yield words.removeprefix("perfmodel ")


def python_blocks() -> Iterator[tuple[str, str]]:
    for page in (ROOT / "README.md", ROOT / "docs" / "predict.md"):
        for at, code in enumerate(re.findall(r"```python\n(.*?)```", page.read_text(encoding="utf-8"), re.DOTALL)):
            yield f"{page.name} {at}", code


def test_the_readme_shows_the_real_output() -> None:
    result = subprocess.run(
        [sys.executable, ROOT / ".ci" / "readme", "--check"], capture_output=True, text=True, timeout=120, cwd=ROOT
    )
    assert result.returncode == 0, result.stderr


@pytest.mark.parametrize("words", sorted(set(commands())))
def test_commands_run(words: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        cli.main(words.split())
    assert caught.value.code == 0, capsys.readouterr().err
    assert capsys.readouterr().out


@pytest.mark.parametrize(("name", "code"), list(python_blocks()), ids=lambda value: value if len(value) < 40 else "")
def test_python_examples_run(name: str, code: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("pandas")
    (tmp_path / "measured.csv").write_text("gpu,model,phase,batch,latency_ms\nv100,resnet50,training,32,100\n")
    monkeypatch.chdir(tmp_path)
    exec(compile(code, name, "exec"), {})


@pytest.mark.parametrize("page", [*PAGES, ROOT / "CHANGELOG.md"], ids=lambda page: page.name)
def test_links_lead_somewhere(page: Path) -> None:
    for target in re.findall(r"\]\((?!https?://)([^)#]+)[^)]*\)", page.read_text(encoding="utf-8")):
        assert (page.parent / target).exists(), target
