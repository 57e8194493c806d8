"""`perfmodel gpus`."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from perfmodel.cli.gpus import command
from perfmodel.errors import InputError, UnknownGpuError

CARD = """
key = "my-card"
name = "My Card"
compute_capability = 8.6
sm = 10
base_mhz = 1000
boost_mhz = 1500
memory_gb = 8
bandwidth_gbs = 200
l2_mb = 2
tdp_w = 100
"""


@pytest.fixture(autouse=True)
def data_dir(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("PERFMODEL_DATA_DIR", str(tmp_path / "data"))
    return tmp_path / "data"


def run(*arguments: str) -> Result:
    return CliRunner().invoke(command, list(arguments))


def document(*arguments: str) -> dict[str, object]:
    result = run(*arguments, "--json")
    assert result.exit_code == 0, result.output
    return dict(json.loads(result.stdout))


def test_list() -> None:
    lines = run("list").output.splitlines()
    assert len(lines) == 91
    assert lines[0].split() == ["key", "name", "arch", "SMs", "fp32", "fp16", "GB", "GB/s", "W"]
    cards = document("list")["gpus"]
    assert isinstance(cards, list)
    assert len(cards) == 90


def test_search() -> None:
    keys = [line.split()[0] for line in run("search", "3060").output.splitlines()[1:]]
    assert keys == ["rtx3060", "rtx3060-mobile", "rtx3060-maxq", "rtx3060ti"]
    nothing = run("search", "no such thing")
    assert nothing.exit_code == 0
    assert "no GPU matches" in nothing.stderr
    assert document("search", "no such thing")["gpus"] == []


def test_show() -> None:
    output = run("show", "Tesla P100-PCIE-16GB").output
    for words in ("p100-pcie-16", "56 SMs", "732.2 GB/s", "TechPowerUp", "sustained about"):
        assert words in output
    card = document("show", "k80-board")["gpu"]
    assert isinstance(card, dict)
    assert (card["dies"], card["tdp_w"], card["half_compute"]) == (2, 300, "fp32")
    assert document("show", "k80-board")["schema_version"] == 1


def test_unknown_card() -> None:
    result = run("show", "rtx 3070 mobile")
    assert isinstance(result.exception, UnknownGpuError)
    assert result.exception.exit_code == 2


def test_add_then_find(tmp_path: Path, data_dir: Path) -> None:
    path = tmp_path / "card.toml"
    path.write_text(CARD)
    assert "added my-card" in run("add", str(path)).output
    assert (data_dir / "gpus" / "my-card.toml").is_file()
    assert "my-card" in run("show", "my card").output
    assert document("add", str(path))["path"] == str(data_dir / "gpus" / "my-card.toml")


@pytest.mark.parametrize(
    ("change", "words"), [(("sm = 10", ""), "lacks sm"), (("= 1000", "= 1600"), "contradicts itself")]
)
def test_wrong_cards_are_not_added(tmp_path: Path, data_dir: Path, change: tuple[str, str], words: str) -> None:
    path = tmp_path / "card.toml"
    path.write_text(CARD.replace(*change))
    result = run("add", str(path))
    assert isinstance(result.exception, InputError)
    assert words in str(result.exception)
    assert not data_dir.exists()


def test_check_is_clean() -> None:
    result = run("check")
    assert result.exit_code == 0
    assert result.output.splitlines()[-1].startswith("90 GPUs, 0 contradictions")
    assert document("check")["contradictions"] == 0


def test_check_reports_contradictions(monkeypatch: pytest.MonkeyPatch) -> None:
    from dataclasses import replace

    from perfmodel.hardware import gpu

    wrong = replace(gpu.find_gpu("k80"), tdp_w=300.0)
    monkeypatch.setattr(gpu, "gpus", lambda: (wrong,))
    result = run("check")
    assert result.exit_code == 1
    assert "k80: 300 W for 1 of 2 dies against 300 W for the board" in result.output


def test_a_broken_user_card_names_its_file(data_dir: Path) -> None:
    (data_dir / "gpus").mkdir(parents=True)
    (data_dir / "gpus" / "broken.toml").write_text("key =")
    result = run("list")
    assert isinstance(result.exception, InputError)
    assert "broken.toml" in str(result.exception)
    assert run("show", "p100").exit_code == 0


def test_every_subcommand_has_help() -> None:
    for name, sub in command.commands.items():
        assert sub.help, name
        assert run(name, "--help").exit_code == 0


def test_the_verb_imports_nothing_heavy() -> None:
    code = "import sys, perfmodel.cli.gpus; print(sorted({'rich', 'pandas', 'numpy', 'torch'} & set(sys.modules)))"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "[]\n"
