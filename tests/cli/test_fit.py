"""``perfmodel fit``: the text, the document, one line for what is wrong."""

from __future__ import annotations

import gzip
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import perfmodel as pm

pandas = pytest.importorskip("pandas")


@pytest.fixture
def table(tmp_path: Path) -> Path:
    rows = ["gpu,model,phase,blocks,batch,data_pair,workers,step_ms,data_ms"]
    for at, (gpu, speed) in enumerate([("v100", 900), ("p100", 732), ("k80", 240), ("t4", 320), ("a100", 2039)]):
        for blocks in (3, 6, 9):
            for batch in (1, 4):
                noise = 1 + 0.01 * ((7 * at + 3 * blocks + batch) % 5)
                step = noise * batch * (500 + 174 * blocks) * 100 / speed
                pair = "VKITTI-KITTI" if (at + blocks) % 2 else "Synthia-Cityscapes"
                rows.append(f"{gpu},cyclegan,train,{blocks},{batch},{pair},{1 + at % 2},{step:.3f},{step / 10:.3f}")
    path = tmp_path / "rows.csv"
    path.write_text("\n".join(rows) + "\n")
    return path


def test_without_a_formula(perfmodel: Callable[..., Any], table: Path) -> None:
    found = perfmodel("fit", str(table))
    assert found.status == 0, found.err
    assert found.err == ""
    for words in ("log(step_ms) ~ ", "30 rows of 5 cards", "Left out", "host_cores", "no row states it", "less time"):
        assert words in found.out


def test_the_document_is_a_fit(perfmodel: Callable[..., Any], table: Path, tmp_path: Path) -> None:
    words = ["fit", str(table), "--formula", "log(step_ms) ~ log(bandwidth) + blocks + log(batch)"]
    document = perfmodel(*words, "--save", str(tmp_path / "saved.json"), "--json").document()
    assert document["kind"] == "fit"
    assert document["source"] == {"files": [str(table)]}
    assert json.loads((tmp_path / "saved.json").read_text()) == document
    loaded = pm.load_fit(tmp_path / "saved.json")
    assert loaded.to_dict() == document


def test_predictions(perfmodel: Callable[..., Any], table: Path) -> None:
    words = ["fit", str(table), "--formula", "log(step_ms) ~ log(bandwidth) + blocks + log(batch)"]
    asked = ["--predict", "gpu=h100,blocks=9,batch=1", "--predict", "gpu=v100,blocks=6,batch=4"]
    first, second = perfmodel(*words, *asked, "--json").document()["predictions"]
    assert first["asked"] == {"gpu": "h100", "blocks": "9", "batch": "1"}
    assert first["low"] < first["mean_low"] < first["mean"] < first["mean_high"] < first["high"]
    assert any(one["guard"] == "extrapolation" for one in first["findings"])
    assert not second["findings"]
    text = perfmodel(*words, *asked).out
    assert "gpu h100, blocks 9, batch 1: step_ms" in text
    assert "the fitted value lies in" in text
    assert "outside the fitted" in text


def test_cross_validation(perfmodel: Callable[..., Any], table: Path) -> None:
    words = ["fit", str(table), "--formula", "log(step_ms) ~ log(bandwidth) + blocks + log(batch)", "--cv", "gpu"]
    found = perfmodel(*words, "--json").document()["cross_validation"]
    assert found["by"] == "gpu"
    assert len(found["groups"]) == 5
    assert found["median_ape"] < found["baselines"]["constant"]
    assert found["sentence"] in " ".join(perfmodel(*words).out.split())


def test_formats_agree(perfmodel: Callable[..., Any], table: Path, tmp_path: Path) -> None:
    pytest.importorskip("pyarrow")
    packed, parquet = tmp_path / "rows.csv.gz", tmp_path / "rows.parquet"
    packed.write_bytes(gzip.compress(table.read_bytes()))
    pandas.read_csv(table).to_parquet(parquet)
    found = [perfmodel("fit", str(path), "--json").document()["coefficients"] for path in (table, packed, parquet)]
    assert found[0] == found[1]
    assert [one["value"] for one in found[2]] == pytest.approx([one["value"] for one in found[0]], rel=1e-9)


def test_options_reach_the_library(perfmodel: Callable[..., Any], table: Path) -> None:
    def fit(*words: str) -> Any:
        return perfmodel("fit", str(table), *words, "--json").document()

    assert fit("--preset", "data-loading-time")["response"] == "log(data_ms)"
    assert fit("--response", "image_ms")["response"] == "log(image_ms)"
    assert fit("--where", "gpu=v100,gpu=k80,batch=4")["n"] == 6
    assert fit("--method", "robust")["method"] == "robust"
    assert fit("--method", "quantile", "--quantile", "0.9")["state"]["quantile"] == 0.9
    assert fit("--group", "gpu")["method"] == "mixed"
    assert fit("--formula", "log(step_ms) ~ blocks", "--weights", "workers")["method"] == "wls"
    law = fit("--formula", "step_ms = a + b / bandwidth", "--start", "a=1,b=1000")
    assert [one["name"] for one in law["coefficients"]] == ["a", "b"]


def test_columns_that_a_file_lacks(perfmodel: Callable[..., Any], tmp_path: Path) -> None:
    paths = []
    for gpu, factor in (("v100", 1.0), ("p100", 1.4), ("k80", 4.0)):
        path = tmp_path / f"{gpu}.csv"
        path.write_text("batch,step_ms\n" + "".join(f"{n},{100 * n * factor}\n" for n in (1, 2, 4, 8)))
        paths.append(f"{path}@gpu={gpu}")
    document = perfmodel(
        "fit", *paths, "--set", "blocks=9", "--formula", "log(step_ms) ~ log(batch) + gpu", "--json"
    ).document()
    assert document["groups"]["gpu"] == 3
    assert document["coefficients"][-1]["value"] == pytest.approx(1)


def test_broken_rows(perfmodel: Callable[..., Any], table: Path) -> None:
    lines = table.read_text().splitlines()
    lines[3] = lines[3].replace(",train,", ",train,x")
    table.write_text("\n".join(lines) + "\n")
    line = perfmodel("fit", str(table)).error()
    assert "row 3" in line
    assert "blocks" in line
    found = perfmodel("fit", str(table), "--salvage")
    assert found.status == 0
    assert "1 broken row left out" in found.out


@pytest.mark.parametrize(
    ("words", "text"),
    [
        (["--formula", "log(step_ms) ~ log(cors)"], "unknown variable 'cors'; near names: cores"),
        (["--formula", "log(step_ms) ~ log(cores) + log(sms) + log(bandwidth) + log(flops) + log(memory_gb)"],
         "leave out"),
        (["--formula", "log(step_ms) ~ blocks + I(2 * blocks)"], "leave out I(2 * blocks)"),
        (["--formula", "training-time"], "is no formula"),
        (["--formula", "step_ms ~ blocks", "--preset", "training-time"], "exclude each other"),
        (["--preset", "nosuch"], "presets: training-time, data-loading-time"),
        (["--where", "gpu"], "is not name=value"),
        (["--where", "gpu=a6000"], "no row has gpu=a6000"),
        (["--where", "colour=red"], "unknown variable 'colour'"),
        (["--start", "a=b"], "no number"),
        (["--predict", "gpu=nosuch,blocks=9,batch=1"], "unknown GPU 'nosuch'"),
        (["--predict", "gpu=v100,gpu=k80"], "names gpu twice"),
        (["--ci", "90", "--predict", "gpu=v100,blocks=9,batch=1"], "between 0 and 1"),
        (["--cv", "source"], "leaving one out needs 3"),
        (["--save", "/nosuch/folder/fit.json"], "cannot write"),
        (["--set", "nosuch=3"], "no column 'nosuch'"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_one_line(perfmodel: Callable[..., Any], table: Path, words: list[str], text: str) -> None:
    assert text in perfmodel("fit", str(table), *words).error()


@pytest.mark.parametrize(
    ("name", "content", "text"),
    [
        ("missing.csv", None, "no file"),
        ("words.txt", "these are some words\nand more\n", "is not a table"),
        ("empty.csv", "", "is empty"),
        ("header.csv", "gpu,model,latency_ms\n", "has no rows"),
        ("times.csv", "gpu,model,latency_ms\nv100,resnet50,\nv100,resnet50,\n", "no row has a usable time of a step"),
        ("other.csv", "gpu,blocks\nv100,3\n", "lacks"),
    ],
)
def test_files_that_cannot_be_fitted(
    perfmodel: Callable[..., Any], tmp_path: Path, name: str, content: str | None, text: str
) -> None:
    path = tmp_path / name
    if content is not None:
        path.write_text(content)
    assert text in perfmodel("fit", str(path)).error()
