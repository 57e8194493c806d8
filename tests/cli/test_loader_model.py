"""`perfmodel loader predict`, `calibrate` and `bench`."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from perfmodel import cli
from perfmodel.hardware.cpu import processor_name
from perfmodel.hardware.host_profile import HostProfile, profile_path

Image = pytest.importorskip("PIL.Image")


@pytest.fixture(autouse=True)
def data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("PERFMODEL_DATA_DIR", str(tmp_path / "data"))
    return tmp_path / "data"


@pytest.fixture
def images(tmp_path: Path) -> Path:
    (tmp_path / "set").mkdir()
    for number in range(8):
        pixels = np.random.default_rng(number).integers(0, 255, (300, 400, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(tmp_path / "set" / f"{number}.jpg", quality=60)
    return tmp_path / "set"


def run(*words: object) -> int:
    with pytest.raises(SystemExit) as caught:
        cli.main(["loader", *map(str, words)])
    assert isinstance(caught.value.code, int)
    return caught.value.code


def test_predict_in_words(images: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("predict", images, "--batch", 8, "--workers", 1, "--step-ms", 20, "--host", "default") == 0
    text = capsys.readouterr().out
    for words in ("8 samples of", "100 % jpeg", "samples/s", "Step", "wait for input", "Workers", "native loader"):
        assert words in text
    assert "100 % from the page cache" in text


def test_predict_as_json(images: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("predict", images, "--workers", 2, "--json", "--cold", "--host", "colab") == 0
    cold = json.loads(capsys.readouterr().out)
    assert cold["cache_hit"] == 0.0
    assert cold["files"]["out"] == [256, 256]
    assert run("predict", images, "--workers", 2, "--json", "--pipeline", "native", "--cache-hit", 1) == 0
    native = json.loads(capsys.readouterr().out)
    assert native["samples_per_s"]["median"] > cold["samples_per_s"]["median"]


def test_predict_uses_the_profile_of_this_host(images: Path, capsys: pytest.CaptureFixture[str]) -> None:
    cost = {"kb": 0.0, "mpx": 0.0, "coded_mpx": 0.0, "out_mpx": 0.0, "fixed": 7.0}
    HostProfile(
        processor=processor_name(), figures={"decode_speed": 1.0}, pipelines={"pil": {"jpeg": cost}},
        residual_sd={"pil": 0.01}, provenance={"date": "2026-01-02"},
    ).save(profile_path())  # fmt: skip
    assert run("predict", images, "--workers", 1) == 0
    text = capsys.readouterr().out
    assert "measured by `perfmodel loader calibrate` on 2026-01-02" in text
    assert "7.00 ms of CPU a sample" in text


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("predict", "missing"), "does not exist"),
        (("predict", "SET", "--cold", "--cache-hit", "0.5"), "exclude each other"),
        (("predict", "SET", "--cache-hit", "2"), "cannot hit"),
        (("predict", "SET", "--pipeline", "other"), "unknown loader"),
        (("predict", "SET", "--transform", "other"), "unknown"),
        (("predict", "SET", "--step-ms", "-3"), "a step cannot take"),
        (("calibrate", "--budget", "1"), "too short"),
        (("bench", "SET", "--options", "other"), "unknown"),
    ],
)
def test_bad_input(images: Path, words: tuple[str, ...], message: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(*[images if word == "SET" else word for word in words]) == 2
    assert message in capsys.readouterr().err


def test_calibrate_and_bench(images: Path, data: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("calibrate", "--budget", 10, "--json") == 0
    captured = capsys.readouterr()
    assert json.loads(captured.out)["kind"] == "host"
    assert "written to" in captured.err
    assert (data / "hosts" / "local.json").is_file()
    assert run("predict", images) == 0
    assert "measured by" in capsys.readouterr().out
    assert run("bench", images, "--rounds", 1, "--options", "limit: Pillow decode", "--json") == 0
    document = json.loads(capsys.readouterr().out)
    assert set(document["rows"][0]) >= {
        "option", "set", "images_per_s", "cpu_ms_per_image", "ratio_to_pil", "share_of_decode_limit", "output",
    }  # fmt: skip
