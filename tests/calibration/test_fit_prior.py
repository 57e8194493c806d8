"""The command that fits the prior, from a small folder of measurements to a prior and a report."""

from __future__ import annotations

import gzip
import json
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from perfmodel.calibration import fit_prior
from perfmodel.calibration.fit_kernels import KernelFit, predict_rows
from perfmodel.calibration.fit_prior import collapse, main, read_table
from perfmodel.calibration.kernel_rows import read_kernel_rows
from perfmodel.efficiency.prior import Prior
from perfmodel.errors import InputError
from perfmodel.roofline.coefficients import KernelCoefficients
from perfmodel.validation.features import question_features
from perfmodel.validation.predictions import predict_questions

Rows = list[dict[str, Any]]
KERNEL_CARDS = ("v100-sxm2-16", "p100-pcie-16", "a100-pcie-40")
STEPS = 160


@pytest.fixture
def folder(
    tmp_path: Path, step_table: Rows, write_rows: Callable[..., Path], kernel_table: Callable[..., Path],
    random_kernels: Callable[..., Rows],
) -> Path:  # fmt: skip
    """A small data folder: 3 cards' kernels and 5 cards' steps."""
    place = tmp_path / "data" / "measurements"
    kernels = random_kernels(KERNEL_CARDS, 24)
    rows = read_kernel_rows(kernel_table(kernels))
    truth = KernelFit(KernelCoefficients(convolution=0.7), {}, {("neusight", "p100-pcie-16", "linear"): 2e-5})
    noise = np.exp(0.03 * np.random.default_rng(6).standard_normal(len(rows)))
    order = {"linear": 0, "bmm": 0, "conv": 1}
    written = sorted(kernels, key=lambda row: order.get(row["op"], 2))  # the reader's order: products first
    for row, time_s in zip(written, predict_rows(rows, truth) * noise, strict=True):
        row["latency_ms"] = 1e3 * float(time_s)
    kernel_table(kernels, place / "kernels.csv.gz")
    again = read_kernel_rows(place / "kernels.csv.gz")
    np.testing.assert_allclose(predict_rows(again, truth) / again.time_s, 1.0, atol=0.2)
    secondary = {**step_table[0], "tier": "secondary", "latency_ms": 1e9}
    unknown = {**step_table[1], "model": "nosuchnetwork"}
    write_rows(place / "end_to_end.csv.gz", [*step_table, secondary, unknown])
    return place.parent


def no_sessions(tmp_path: Path) -> list[str]:
    """Arguments that name an empty folder of sessions, whatever the repository holds."""
    place = tmp_path / "sessions"
    place.mkdir(exist_ok=True)
    return ["--measurements", str(place)]


def load(path: Path) -> Prior:
    """Read a written prior."""
    return Prior.from_dict(json.loads(gzip.decompress(path.read_bytes())))


def numbers(line: str) -> list[str]:
    """Cells of a table's line."""
    return [cell.strip() for cell in line.strip().strip("|").split("|")]


def report_tables(text: str) -> dict[str, list[list[str]]]:
    """Rows (without heads) of the first table below each heading."""
    found: dict[str, list[list[str]]] = {}
    title = ""
    for line in text.splitlines():
        if line.startswith("#"):
            title = line.lstrip("# ")
        elif line.startswith("|"):
            found.setdefault(title, []).append(numbers(line))
    return {name: lines[2:] for name, lines in found.items()}


def test_the_whole_command(folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    output, docs = tmp_path / "prior.json.gz", tmp_path / "docs" / "accuracy.md"
    without = no_sessions(tmp_path)
    assert main(["--data", str(folder), *without, "--output", str(output), "--docs", str(docs)]) == 0
    prior = load(output)
    check_prior(prior)
    check_predictions(folder, prior)
    check_report(docs.read_text(), prior)
    captured = capsys.readouterr()
    assert captured.out == ""
    for words in ("kernels fitted on", "left every gpu out", "left every source out", "wrote prior.json.gz"):
        assert words in captured.err


def check_prior(prior: Prior) -> None:
    """The prior carries effects, intervals, support and where it comes from."""
    assert prior.kernel.convolution == pytest.approx(0.7, rel=0.1)
    assert set(prior.cards) == set(KERNEL_CARDS)
    assert prior.counts["gpu"]["t4"] == 32
    assert set(prior.baselines) >= {"train", "infer", "train|fp32", "train|amp"}
    factors = [prior.conformal[name] for name in ("0.5", "0.8", "0.9", "0.95", "0.99")]
    assert factors == sorted(factors)
    assert factors[0] > 0
    assert sum(prior.support.values()) == 24 * 6 * 3
    assert prior.support["Volta|fp32|conv"] == 24
    assert (prior.provenance["kernel_rows"], prior.provenance["step_rows"]) == (24 * 6 * 3, STEPS)
    assert set(prior.provenance["data"]) == {"kernels.csv.gz", "end_to_end.csv.gz"}
    assert prior.provenance["sources"] == ["cloud", "lab", "neusight"]


def check_predictions(folder: Path, prior: Prior) -> None:
    """The prior predicts the rows that it was fitted on, and their intervals hold them."""
    table, _, _ = read_table(folder / "measurements" / "end_to_end.csv.gz")
    found = predict_questions(table.questions, question_features(table.questions, prior), prior)
    error = np.abs(np.log(found.time_s / np.array([one.time_s for one in table.questions])))
    assert np.median(error) < 0.05
    assert np.mean(error < found.half_width) > 0.85


def check_report(text: str, prior: Prior) -> None:
    """Every table of the report has numbers throughout."""
    assert "nan" not in text.lower()
    assert "inf " not in text
    tables = report_tables(text)
    assert set(tables) == {
        "Targets", "Left out", "Intervals", "Each left-out card", "Each cell with its card left out",
        "Each left-out network family", "Each left-out source (its harness and stack unknown)",
        "Operators of left-out cards", "After calibration", "Cells after calibration", "Operators after calibration",
    }  # fmt: skip
    assert [row[0] for row in tables["Each left-out card"]] == sorted(prior.counts["gpu"])
    assert {row[0] for row in tables["Each left-out network family"]} == {"resnet", "vgg", "bert", "mobile"}
    assert {row[0] for row in tables["Intervals"]} == {"card", "network family", "source"}
    assert len(tables["Each cell with its card left out"]) == 12
    for name in ("Left out", "Each left-out card", "Each cell with its card left out"):
        for row in tables[name]:
            values = [float(cell) for cell in row[1:]]
            assert len(values) == 11, row
            median, mean, p90, _, covers = values[1:6]
            assert 0 <= median <= p90
            assert mean > 0
            assert 0 <= covers <= 100
    assert sum(int(row[1]) for row in tables["Each left-out card"]) == STEPS
    assert {row[3] for row in tables["Targets"]} <= {"met", "missed"}
    assert tables["Targets"][0][2] == f"{float(tables['Left out'][0][2]):.1f} %"
    assert [row[0] for row in tables["After calibration"]] == ["3", "5", "10"]
    for row in tables["After calibration"]:
        assert float(row[4]) < float(row[3])  # calibrating helps: cards differ by constant factors here
    assert {row[2] for row in tables["Operators after calibration"][:-1]} == set(KERNEL_CARDS)
    kernels = tables["Operators of left-out cards"]
    assert {row[3] for row in kernels[:-1]} == set(KERNEL_CARDS)
    assert kernels[-1][0] == "all"
    assert all(float(cell) >= 0 for row in kernels[:-1] for cell in row[4:])
    assert f"{STEPS} of {STEPS + 1} rows (99.4 %) resolve, {STEPS} of them" in text
    assert "nosuchnetwork" in text
    assert not re.search(r"/(tmp|home|work)/", text)


def test_without_validation_only_the_prior_is_written(folder: Path, tmp_path: Path) -> None:
    output, docs = tmp_path / "prior.json.gz", tmp_path / "accuracy.md"
    arguments = ["--data", str(folder), "--output", str(output), "--docs", str(docs), "--no-validation"]
    assert main([*arguments, *no_sessions(tmp_path)]) == 0
    assert not docs.exists()
    check_predictions(folder, load(output))
    assert load(output).provenance["sessions"] == []


def test_the_projects_own_sessions_enter_both_fits(
    folder: Path, tmp_path: Path, write_session: Callable[..., Path], capsys: pytest.CaptureFixture[str]
) -> None:
    own = write_session(
        tmp_path / "own" / "nvidia-h200-20260101", "h200-sxm",
        lambda rows: predict_rows(rows, KernelFit(KernelCoefficients(tf32_share=0.5))),
        lambda runs: np.full(len(runs), 0.1),
    )  # fmt: skip
    output = tmp_path / "prior.json.gz"
    arguments = ["--data", str(folder), "--output", str(output), "--measurements", str(own.parent)]
    assert main([*arguments, "--no-validation"]) == 0
    prior = load(output)
    source = "perfmodel nvidia-h200-20260101"
    assert source in prior.provenance["sources"]
    (note,) = prior.provenance["sessions"]
    assert (note["session"], note["gpu"]) == (own.name, "h200-sxm")
    assert prior.counts["gpu"]["h200-sxm"] == note["step_rows"]
    assert prior.counts["campaign_mode"][f"{source}|train"] == note["step_rows"]
    assert "h200-sxm" in prior.cards
    assert prior.support["Hopper|tf32|conv"] > 0
    assert prior.kernel.tf32_share == pytest.approx(0.5, rel=0.15)
    assert f"{source}: " in capsys.readouterr().err


def test_a_broken_session_is_one_line_that_names_it(folder: Path, tmp_path: Path) -> None:
    place = tmp_path / "own" / "broken-20260101"
    place.mkdir(parents=True)
    (place / "session.json").write_text("{}")
    arguments = [
        "--data",
        str(folder),
        "--output",
        str(tmp_path / "prior.json.gz"),
        "--measurements",
        str(place.parent),
    ]
    with pytest.raises(InputError, match=r"broken-20260101/session\.json does not describe") as caught:
        main(arguments)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("missing", ["kernels.csv.gz", "end_to_end.csv.gz"])
def test_missing_data_is_an_error_that_names_the_file(tmp_path: Path, missing: str) -> None:
    place = tmp_path / "measurements"
    place.mkdir()
    for name in {"kernels.csv.gz", "end_to_end.csv.gz"} - {missing}:
        (place / name).write_bytes(gzip.compress(b""))
    with pytest.raises(InputError, match=missing):
        main(["--data", str(tmp_path), "--output", str(tmp_path / "prior.json.gz")])
    assert not (tmp_path / "prior.json.gz").exists()


def test_missing_data_is_one_line_and_exit_status_2(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "perfmodel.calibration.fit_prior", "--data", str(tmp_path / "nowhere")]
    run = subprocess.run(command, capture_output=True, text=True, check=False, cwd=tmp_path)
    assert run.returncode == 2
    assert run.stdout == ""
    assert len(run.stderr.strip().splitlines()) == 1
    assert run.stderr.startswith("error: no file ")


def test_help_names_every_option(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stop:
        main(["--help"])
    assert stop.value.code == 0
    text = capsys.readouterr().out
    for word in ("--data", "--measurements", "--output", "--docs", "--no-validation", "measurements/kernels.csv.gz"):
        assert word in text


def test_repeats_are_collapsed_to_their_median(
    tmp_path: Path, step_table: Rows, write_rows: Callable[..., Path]
) -> None:
    first = step_table[0]
    repeats = [{**first, "latency_ms": float(value)} for value in (10, 30, 20)]
    path = write_rows(tmp_path / "steps.csv.gz", [*repeats, step_table[5], {**first, "source": "elsewhere"}])
    table, unresolved, eligible = read_table(path)
    assert (len(table.questions), eligible, dict(unresolved)) == (5, 5, {})
    collapsed = collapse(table)
    assert collapsed.questions[0].time_s == pytest.approx(0.020)
    assert collapsed.source.tolist() == [first["source"], step_table[5]["source"], "elsewhere"]


def test_secondary_rows_are_not_eligible(tmp_path: Path, step_table: Rows, write_rows: Callable[..., Path]) -> None:
    rows = [step_table[0], {**step_table[1], "tier": "secondary"}, {**step_table[2], "model": "nosuchnetwork"}]
    table, unresolved, eligible = read_table(write_rows(tmp_path / "steps.csv.gz", rows))
    assert (len(table.questions), eligible) == (1, 2)
    assert unresolved.total() == 1
    assert "nosuchnetwork" in next(iter(unresolved))


def test_support_counts_kernels_by_generation_engine_and_class(
    kernel_table: Callable[..., Path], random_kernels: Callable[..., Rows]
) -> None:
    rows = read_kernel_rows(kernel_table(random_kernels(("v100-sxm2-16", "v100-pcie-32", "p4"), 2)))
    counted = fit_prior.support(rows)
    assert counted["Volta|fp32|norm"] == 4
    assert counted["Pascal|fp32|norm"] == 2
    assert sum(counted.values()) == len(rows)
