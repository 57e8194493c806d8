from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[2]
CARDS = {"p100": 240.0, "v100": 140.0, "t4": 410.0, "rtx3090": 95.0, "a100": 88.0}


def measured(path: Path) -> Path:
    """A table of made-up times of five cards."""
    rows = [f"{gpu},cyclegan,training,{b},fp32,{time * b}" for gpu, time in CARDS.items() for b in (1, 2, 4)]
    path.write_text("gpu,model,phase,batch,precision,latency_ms\n" + "\n".join(rows) + "\n")
    return path


@pytest.fixture
def document(perfmodel: Callable[..., Any], tmp_path: Path) -> Path:
    path = tmp_path / "answer.json"
    path.write_text(perfmodel("predict", "--gpu", "v100", "--json").out)
    return path


def test_a_page_is_written_and_its_answer_printed(
    perfmodel: Callable[..., Any], document: Path, tmp_path: Path
) -> None:
    found = perfmodel("report", str(document), "-o", str(tmp_path / "page.html"))
    assert found.status == 0
    assert found.out.startswith("On the Tesla V100")
    assert "\u00a0" not in found.out
    assert (tmp_path / "page.html").read_text(encoding="utf-8").startswith("<!DOCTYPE html>")


def test_the_page_has_a_name_by_default(
    perfmodel: Callable[..., Any], document: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert perfmodel("report", str(document), "--title", "For the boss").status == 0
    assert "<h1>For the boss</h1>" in (tmp_path / "report.html").read_text(encoding="utf-8")


def test_errors_are_one_line(perfmodel: Callable[..., Any], document: Path, tmp_path: Path) -> None:
    before = document.read_text()
    assert "is an input" in perfmodel("report", str(document), "-o", str(document)).error()
    assert document.read_text() == before
    assert "absent.json" in perfmodel("report", str(tmp_path / "absent.json")).error()
    broken = tmp_path / "broken.json"
    broken.write_text(json.dumps({**json.loads(before), "schema_version": 2}))
    assert "broken.json (predict) has schema_version 2" in perfmodel("report", str(broken)).error()
    assert perfmodel("report").status == 2


@pytest.mark.parametrize(
    "words",
    [
        ["compare", "--gpu", "v100,t4", "--json"],
        ["predict", "--explain", "--json"],
        ["gpus", "list", "--json"],
        ["gpus", "search", "ampere", "--json"],
        ["gpus", "show", "a100", "--json"],
        ["doctor", "--json"],
    ],
)
def test_every_document_of_a_verb_makes_a_page(words: list[str], perfmodel: Callable[..., Any], tmp_path: Path) -> None:
    path = tmp_path / "document.json"
    path.write_text(perfmodel(*words).out)
    found = perfmodel("report", str(path), "-o", str(tmp_path / "page.html"))
    assert found.status == 0, found.err
    assert found.out.strip()


def test_the_documents_of_tables_make_a_page(perfmodel: Callable[..., Any], tmp_path: Path) -> None:
    table = measured(tmp_path / "runs.csv")
    for verb in ("validate", "fit"):
        (tmp_path / f"{verb}.json").write_text(perfmodel(verb, str(table), "--json").out)
    inputs = [str(tmp_path / "validate.json"), str(tmp_path / "fit.json"), str(table)]
    found = perfmodel("report", *inputs, "-o", str(tmp_path / "page.html"))
    assert found.status == 0, found.err
    assert "measured rows" in found.out
    assert (
        perfmodel("report", f"{table}@source=here", "--set", "host_cores=8", "-o", str(tmp_path / "two.html")).status
        == 0
    )


def test_the_commands_of_the_document_give_what_it_shows(tmp_path: Path) -> None:
    text = (ROOT / "docs" / "report.md").read_text(encoding="utf-8")
    (commands,) = re.findall(r"```sh\n(.*?)```", text, re.DOTALL)
    (code,) = re.findall(r"```python\n(.*?)```", text, re.DOTALL)
    measured(tmp_path / "measured.csv")
    (tmp_path / "code.py").write_text(code)
    prepared = "perfmodel predict --gpu v100 --json > predict.json\n"
    script = f'set -e; perfmodel() {{ "{sys.executable}" -m perfmodel "$@"; }}\n{prepared}{commands}'
    script += f'"{sys.executable}" code.py\n'
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "PYTHONIOENCODING": "utf-8"}
    result = subprocess.run(
        ["bash", "-c", script], cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=300
    )
    assert result.returncode == 0, result.stderr
    quoted = " ".join(line.removeprefix("> ") for line in text.splitlines() if line.startswith("> "))
    assert result.stdout.startswith(quoted.removesuffix(" ..."))
    assert {"page.html", "fit.html"} <= {path.name for path in tmp_path.iterdir()}
