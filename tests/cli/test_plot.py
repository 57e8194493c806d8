"""``--plot``: each verb writes the figure asked for, says what it shows, and refuses what cannot be drawn."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest

ROWS = "\n".join([
    "gpu,model,phase,batch,latency_ms,source",
    *(f"{gpu},resnet50,training,{batch},{scale * batch * (1 + 0.01 * at)},me"
      for gpu, scale in (("v100", 3.1), ("p100", 6.2), ("t4", 9.0), ("a100", 1.4), ("rtx3090", 3.6), ("k80", 21.0))
      for at, batch in enumerate((16, 32, 64))),
])  # fmt: skip


@pytest.fixture
def table(tmp_path: Path) -> str:
    path = tmp_path / "runs.csv"
    path.write_text(ROWS)
    return str(path)


def title(path: Path) -> str:
    found = ElementTree.parse(path).getroot().find("{http://www.w3.org/2000/svg}title")
    assert found is not None
    return str(found.text)


@pytest.mark.parametrize(
    ("words", "begins"),
    [
        (["predict", "--gpu", "p100", "--blocks", "6"], "A step of cyclegan on"),
        (["predict", "--gpu", "p100", "--plot-kind", "roofline"], "Roofline of cyclegan on"),
        (["predict", "--gpu", "p100", "--plot-kind", "scaling"], "Scaling of cyclegan with batch"),
        (["predict", "--gpu", "v100", "--plot-kind", "scaling", "--along", "gpus"], "Scaling of cyclegan with cards"),
        (["compare"], "Throughput of cyclegan"),
        (["compare", "--batch", "1,2,4"], "Scaling of cyclegan with batch"),
        (["compare", "--blocks", "3:9"], "Scaling of cyclegan with residual blocks"),
        (["compare", "--batch", "1,2", "--price", "1"], "Time and cost of cyclegan"),
        (["compare", "--batch", "1,2", "--price", "1", "--plot-kind", "cards"], "Throughput of cyclegan"),
        (["gpus", "show", "h100"], "Roofline of the H100"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_figures_of_predictions(perfmodel: Callable[..., Any], words: list[str], begins: str, tmp_path: Path) -> None:
    path = tmp_path / "figure.svg"
    found = perfmodel(*words, "--plot", str(path))
    assert found.status == 0, found.err
    assert found.out
    assert found.err.startswith(f"{path}: ")
    assert found.err.count("\n") == 1
    assert title(path).startswith(begins)


@pytest.mark.parametrize(
    ("kind", "begins"),
    [("accuracy", "Predicted against measured step time, n = 18"), ("residuals", "Residuals of step time, n = 18"),
     ("coverage", "Coverage of the intervals of step time, n = 18")],
)  # fmt: skip
def test_figures_of_a_validation(
    perfmodel: Callable[..., Any], table: str, kind: str, begins: str, tmp_path: Path
) -> None:
    path = tmp_path / "figure.svg"
    assert perfmodel("validate", table, "--plot", str(path), "--plot-kind", kind).status == 0
    assert title(path) == begins


@pytest.mark.parametrize(
    ("words", "begins"),
    [([], "Step time against CUDA cores, n = 18"), (["--against", "batch"], "Step time against batch, n = 18"),
     (["--plot-kind", "box"], "Step time by card, n = 18"), (["--plot-kind", "residuals"], "Residuals of step time"),
     (["--plot-kind", "accuracy"], "Predicted against measured step time"),
     (["--plot-kind", "coverage"], "Coverage of the intervals")],
    ids=str,
)  # fmt: skip
def test_figures_of_a_fit(
    perfmodel: Callable[..., Any], table: str, words: list[str], begins: str, tmp_path: Path
) -> None:
    path = tmp_path / "figure.svg"
    formula = ["--formula", "log(step_ms) ~ log(cores) + log(batch)"]
    found = perfmodel("fit", table, *formula, *words, "--plot", str(path))
    assert found.status == 0, found.err
    assert title(path).startswith(begins)


def test_the_document_stays_alone_on_stdout(perfmodel: Callable[..., Any], tmp_path: Path) -> None:
    found = perfmodel("predict", "--json", "--theme", "dark", "--plot", str(tmp_path / "a.png"))
    assert json.loads(found.out)["schema_version"] == 1
    assert (tmp_path / "a.png").read_bytes().startswith(b"\x89PNG")


@pytest.mark.parametrize(
    ("words", "text"),
    [
        (["predict", "--plot", "a.pdf"], "cannot draw a.pdf: its suffix is no kind of figure; end it in .svg or .png"),
        (["predict", "--plot", "no/such/a.svg"], "there is no folder no/such"),
        (["predict", "--plot", "a.svg", "--theme", "sepia"], "there is no theme 'sepia'"),
        (["predict", "--plot", "a.svg", "--plot-kind", "pie"], "there is no figure of kind 'pie' here"),
        (["predict", "--plot-kind", "scaling"], "--plot-kind needs --plot"),
        (["predict", "--plot", "a.svg", "--plot-kind", "scaling", "--along", "x"], "cannot scale along 'x'"),
        (["predict", "--model", "resnet50", "--plot", "a.svg", "--plot-kind", "scaling", "--along", "blocks"],
         "resnet50 has no block count"),
        (["compare", "--plot", "a.svg", "--plot-kind", "pareto"], "needs prices; give --price"),
        (["compare", "--plot", "a.svg", "--along", "workers"], "the comparison has no workers"),
        (["gpus", "show", "h100", "--plot", "a.gif"], "its suffix is no kind of figure"),
    ],
)  # fmt: skip
def test_bad_input_is_one_line(
    perfmodel: Callable[..., Any], words: list[str], text: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert text in perfmodel(*words).error()
    assert not list(tmp_path.iterdir())


def test_a_column_that_a_fit_lacks(perfmodel: Callable[..., Any], table: str, tmp_path: Path) -> None:
    words = ["fit", table, "--formula", "log(step_ms) ~ log(cores)", "--plot", str(tmp_path / "a.svg")]
    assert "the formula has no tdp_w; it has cores" in perfmodel(*words, "--against", "tdp_w").error()
    assert "--against says nothing" in perfmodel(*words, "--against", "cores", "--plot-kind", "box").error()


def test_an_unwritable_file(perfmodel: Callable[..., Any], tmp_path: Path) -> None:
    link = tmp_path / "a.svg"
    link.symlink_to("/proc/version")
    assert f"cannot write {link}" in perfmodel("predict", "--plot", str(link)).error()
