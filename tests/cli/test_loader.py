"""`perfmodel loader pack`."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from perfmodel import cli

Image = pytest.importorskip("PIL.Image")


@pytest.fixture
def images(tmp_path: Path) -> Path:
    (tmp_path / "set").mkdir()
    for number in range(5):
        pixels = np.random.default_rng(number).integers(0, 255, (20, 30, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(tmp_path / "set" / f"{number}.png")
    return tmp_path / "set"


def run(*words: object) -> int:
    with pytest.raises(SystemExit) as caught:
        cli.main(["loader", "pack", *map(str, words)])
    assert isinstance(caught.value.code, int)
    return caught.value.code


def test_pack(images: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(images, tmp_path / "out", "--shard-size", "4KB", "--verify") == 0
    first = capsys.readouterr()
    assert first.out.startswith("5 images")
    assert "(0 kept), checksums hold" in first.out
    assert "packed shard-00000.pmshard (1 of" in first.err
    assert run(images, tmp_path / "out", "--shard-size", "4KB", "--json") == 0
    document = json.loads(capsys.readouterr().out)
    assert document["schema_version"] == 1
    assert document["images"] == 5
    assert document["kept"] == document["shards"] > 1


def test_resizing_and_bad_files(images: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (images / "bad.jpg").write_bytes(b"nothing")
    assert run(images, tmp_path / "out", "--resize-shorter", 10, "--quality", 70) == 2
    assert "bad.jpg: not a readable" in capsys.readouterr().err
    assert run(images, tmp_path / "out", "--resize-shorter", 10, "--quality", 70, "--skip-bad") == 0
    assert "left out bad.jpg" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("options", "says"),
    [
        (["--shard-size", "big"], "'big' is not a size"),
        (["--shard-size", "1.2.3MB"], "is not a size"),
        (["--shard-size", "0"], "cannot hold 0 bytes"),
        (["--resize-shorter", "0"], "resized to 0"),
        (["--quality", "70"], "no effect without --resize-shorter"),
    ],
)
def test_nonsense_is_one_line(
    images: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], options: list[str], says: str
) -> None:
    assert run(images, tmp_path / "out", *options) == 2
    said = capsys.readouterr().err
    assert says in said
    assert said.count("\n") == 1


def test_a_missing_source(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(tmp_path / "nosuch", tmp_path / "out") == 2
    assert "nosuch does not exist" in capsys.readouterr().err
