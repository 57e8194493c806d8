"""``perfmodel predict``: its answers, its errors, its start-up."""

from __future__ import annotations

import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from perfmodel.instrument.phases import PHASES

ROOT = Path(__file__).resolve().parents[2]
FIRST = ["predict", "--gpu", "p100", "--blocks", "6"]

BAD = [
    (["--blocks", "0"], "--blocks must be at least 1, not 0"),
    (["--blocks", "-1"], "--blocks must be at least 1, not -1"),
    (["--blocks", "six"], "--blocks must be a whole number, not 'six'"),
    (["--batch", "0"], "--batch must be at least 1, not 0"),
    (["--batch", "1.5"], "--batch must be a whole number, not '1.5'"),
    (["--gpus", "0"], "--gpus must be at least 1"),
    (["--accumulate", "0"], "--accumulate must be at least 1"),
    (["--dataset-size", "0"], "--dataset-size must be at least 1"),
    (["--workers", "-1"], "--workers must be at least 0, not -1"),
    (["--image-size", "0"], "--image-size must be at least 1, not 0"),
    (["--image-size", "1"], "image-size 1 is too small for cyclegan"),
    (["--image-size", "256", "--seq-len", "8"], "--image-size and --seq-len exclude each other"),
    (["--gpu", "p1000"], "unknown GPU 'p1000'"),
    (["--gpu", "rtx306"], "rtx3060"),
    (["--gpu", ""], "GPU"),
    (["--precision", "bf16"], "has no bf16"),
    (["--precision", "fp8"], "has no fp8"),
    (["--precision", "fp64"], "steps in fp64 are not modelled"),
    (["--precision", "lots"], "unknown precision 'lots'"),
    (["--ci", "0"], "an interval cannot cover 0.0"),
    (["--ci", "2"], "an interval cannot cover 2.0"),
    (["--ci", "nan"], "an interval cannot cover nan"),
    (["--ci", "much"], "'--ci'"),
    (["--price", "-1"], "price must be at least 0, not -1.0"),
    (["--price", "nan"], "price must be at least 0, not nan"),
    (["--price", "inf"], "price must be at least 0, not inf"),
    (["--loader", "magic"], "loader 'magic' is unknown; give one of torch"),
    (["--host", "mainframe"], "unknown host 'mainframe'"),
    (["--stack", "cobol 3"], "stack 'cobol 3' is not understood"),
    (["--mode", "dream"], "'dream' is not one of 'train', 'infer'"),
    (["--optimizer", "luck"], "unknown optimizer 'luck'"),
    (["--workload", "cyclegun"], "unknown model 'cyclegun'; near names: cyclegan"),
    (["--model", "no_such_network_at_all"], "unknown model 'no_such_network_at_all'"),
    (["--model", "timm:nosuch"], "unknown model"),
    (["--model", "resnet50", "--blocks", "3"], "resnet50 has no block count"),
    (["--model", "resnet50", "--workload", "cyclegan"], "--workload and --model exclude each other"),
    (["--model", "bert_large", "--optimizer", "adam_"], "unknown optimizer"),
    (["--model", "no_such_package.models:build"], "there is no module 'no_such_package'"),
    (["--model", "os:no_such_function"], "module os has no 'no_such_function'"),
    (["--model", "os:sep"], "is no function"),
    (["--model", "my models:build"], "is no package.module:function"),
    (["--totals", "weight=3"], "--totals has no 'weight'"),
    (["--totals", "params=25.6"], "--totals lacks gmacs"),
    (["--totals", "params=-1,gmacs=2"], "--totals params must be a positive number, not '-1'"),
    (["--totals", "params=x,gmacs=2"], "--totals params must be a positive number, not 'x'"),
    (["--totals", "params=nan,gmacs=2"], "--totals params must be a positive number, not 'nan'"),
    (["--totals", ""], "--totals has no ''"),
    (["--profile", "/no/such/profile.json"], "no profile /no/such/profile.json"),
    (["--nosuchoption"], "No such option"),
]


@pytest.mark.parametrize(("words", "text"), BAD, ids=lambda value: " ".join(value) if isinstance(value, list) else "")
def test_bad_input_is_one_line(perfmodel: Callable[..., Any], words: list[str], text: str) -> None:
    assert text in perfmodel("predict", *words).error()


@pytest.mark.parametrize(
    ("words", "text"),
    [
        (["predict", "--gpu", "p100", "--blocks", "0"], "--blocks must be at least 1"),
        (["predict", "--gpu", "p100", "--precision", "bf16"], "has no bf16"),
        (["predict", "--gpu", "h1000"], "near names"),
        (["predict", "--model", "nosuch_pkg.mod:fn"], "no module"),
        (["validate", "no_such_file.csv"], "no file no_such_file.csv"),
    ],
)
def test_bad_input_of_a_real_process(words: list[str], text: str) -> None:
    result = subprocess.run(
        [sys.executable, "-m", "perfmodel", *words], capture_output=True, text=True, timeout=120, cwd=ROOT
    )
    assert (result.returncode, result.stdout) == (2, "")
    assert result.stderr.startswith("error: ")
    assert result.stderr.count("\n") == 1
    assert text in result.stderr


MODULES = {
    "no_inputs": ("import torch\ndef build():\n    return torch.nn.Linear(2, 2)\n", "returned no inputs"),
    "empty": ("def build():\n    return ()\n", "returned no inputs"),
    "no_module": ("def build():\n    return 3, 4\n", "returned a int instead of a module"),
    "broken": ("def build(:\n", "cannot be imported: SyntaxError"),
    "raises": ("def build():\n    raise RuntimeError('no weights')\n", "failed: RuntimeError: no weights"),
    "imports": ("import a_package_that_is_not_there\n", "no module 'a_package_that_is_not_there'"),
    "shapes": (
        "import torch\ndef build():\n    return torch.nn.Linear(2, 2), torch.zeros(1, 3)\n",
        "cannot be captured",
    ),
}


@pytest.mark.parametrize("name", MODULES)
def test_models_that_cannot_be_used(
    perfmodel: Callable[..., Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    pytest.importorskip("torch")
    code, text = MODULES[name]
    (tmp_path / f"own_{name}.py").write_text(code)
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    assert text in perfmodel("predict", "--model", f"own_{name}:build").error()


def test_a_model_of_ones_own(perfmodel: Callable[..., Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("torch")
    (tmp_path / "own_good.py").write_text(
        "import torch\ndef build():\n    return torch.nn.Linear(64, 32), torch.zeros(1, 64)\n"
    )
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    found = perfmodel("predict", "--model", "own_good:build", "--batch", "8", "--json").document()
    assert found["workload"]["params"] == 64 * 32 + 32
    assert found["workload"]["gflops_per_step"] == pytest.approx(3 * 2 * 8 * 64 * 32 / 1e9, rel=0.35)


@pytest.mark.parametrize("where", ["the module", "the check"])
def test_torch_missing(
    perfmodel: Callable[..., Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, where: str
) -> None:
    code = "import torch\n" if where == "the module" else ""
    name = "own_torch_module" if where == "the module" else "own_plain_module"
    (tmp_path / f"{name}.py").write_text(f"{code}def build():\n    return None\n")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setitem(sys.modules, "torch", None)
    text = perfmodel("predict", "--model", f"{name}:build").error()
    assert "needs torch, which is not installed; pip install 'perfmodel[torch]'" in text


@pytest.mark.parametrize(
    ("content", "text"),
    [
        ("not json", "is not a profile"),
        ("{}", "is not a profile"),
        ("[1, 2]", "is not a profile"),
    ],
)
def test_broken_profiles(perfmodel: Callable[..., Any], tmp_path: Path, content: str, text: str) -> None:
    path = tmp_path / "profile.json"
    path.write_text(content)
    assert text in perfmodel("predict", "--profile", str(path)).error()


def test_a_profile_of_another_card(perfmodel: Callable[..., Any], tmp_path: Path) -> None:
    from perfmodel.efficiency.profile import Profile

    Profile(gpu="v100-sxm2-16").save(tmp_path / "profile.json")
    words = ["predict", "--gpu", "p100", "--profile", str(tmp_path / "profile.json")]
    assert "the profile describes v100-sxm2-16, not p100-pcie-16" in perfmodel(*words).error()


def test_not_fitting_is_an_answer(perfmodel: Callable[..., Any]) -> None:
    found = perfmodel("predict", "--gpu", "p100", "--batch", "512", "--json")
    document = found.document()
    assert found.status == 0
    assert document["fits"] is False
    assert document["memory_gb"]["peak"] > document["memory_gb"]["capacity"]
    assert 0 < document["largest_batch"] < 512
    text = perfmodel("predict", "--gpu", "p100", "--batch", "512")
    assert text.status == 0
    assert "does NOT fit" in text.out


def test_largest_batch_is_the_largest(perfmodel: Callable[..., Any]) -> None:
    largest = perfmodel("predict", "--gpu", "p100", "--json").document()["largest_batch"]
    at = perfmodel("predict", "--gpu", "p100", "--batch", str(largest), "--json").document()
    over = perfmodel("predict", "--gpu", "p100", "--batch", str(largest + 1), "--json").document()
    assert (at["fits"], over["fits"]) == (True, False)


def test_text_says_what_was_assumed(perfmodel: Callable[..., Any]) -> None:
    found = perfmodel("predict", "--gpu", "p100", "--blocks", "6", "--price", "0.5")
    assert found.status == 0
    assert found.err == ""
    for words in ("Tesla P100 PCIe 16 GB", "6 blocks", "image size 256", "90 %", "an epoch at 0.5 an hour",
                  "limited by", "evidence", "assumed: pytorch", "torch DataLoader with 4 workers"):  # fmt: skip
        assert words in found.out
    for phase in ("forward", "backward", "optimizer"):
        assert f"  {phase}" in found.out


def test_words_that_name_no_timed_region_are_noted(perfmodel: Callable[..., Any]) -> None:
    assert "names no part of a step" in perfmodel("predict", "--timing", "stopwatch").out
    assert "names no part" not in perfmodel("predict", "--timing", "forward + backward").out


def test_explain(perfmodel: Callable[..., Any]) -> None:
    text = perfmodel("predict", "--explain").out
    for words in (
        "TFLOP/s of",
        "device time by operator group",
        "longest operators",
        "what would change it",
        "batch 2",
    ):
        assert words in text
    found = perfmodel("predict", "--explain", "--json").document()["explanation"]
    assert found["achieved_tflops"] == pytest.approx(found["share_of_peak"] * found["peak_tflops"])
    assert sum(term["share"] for term in found["terms"]) == pytest.approx(1.0)
    changed = {one["change"] for one in found["changes"]}
    assert {"batch 2", "2 cards", "8 workers"} <= changed


def test_phases_of_the_document_are_the_vocabulary(perfmodel: Callable[..., Any]) -> None:
    assert tuple(perfmodel(*FIRST, "--json").document()["phases_ms"]) == PHASES


def test_the_first_command_imports_nothing_heavy() -> None:
    code = (
        "import sys\nfrom perfmodel import cli\n"
        f"try:\n    cli.main({FIRST!r})\nexcept SystemExit as end:\n    assert end.code == 0\n"
        "print(sorted({m.split('.')[0] for m in sys.modules}))"
    )
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=120, cwd=ROOT)
    assert result.returncode == 0, result.stderr
    loaded = result.stdout.splitlines()[-1]
    for heavy in ("torch", "pandas", "scipy", "statsmodels", "matplotlib", "pyarrow", "rich", "platformdirs"):
        assert f"'{heavy}'" not in loaded
    assert "'numpy'" in loaded


def test_the_first_command_takes_less_than_three_times_importing_numpy() -> None:
    """Interleaved, so that another load on the machine meets both alike."""

    def wall_s(words: list[str]) -> float:
        start = time.perf_counter()
        subprocess.run([sys.executable, *words], check=True, capture_output=True, cwd=ROOT)
        return time.perf_counter() - start

    command, numpy = ["-m", "perfmodel", *FIRST], ["-c", "import numpy"]
    wall_s(command)  # byte code and file cache
    wall_s(numpy)
    pairs = [(wall_s(command), wall_s(numpy)) for _ in range(9)]
    own, least = (statistics.median(column) for column in zip(*pairs, strict=True))
    assert own < 3.0 * least, f"{own:.3f} s against {least:.3f} s"
