from __future__ import annotations

import csv
import gzip
import json
import subprocess
import sys
import time
from pathlib import Path

import pytest

from perfmodel.errors import UnknownModelError
from perfmodel.graph import load, names, resolve
from perfmodel.graph.catalogue import squeeze

SPELLINGS = {
    "resnet-50": "resnet50",
    "ResNet 50": "resnet50",
    "resnet50v1.5": "resnet50",
    "Classification/ConvNets/resnet50v1.5": "resnet50",
    "Classification/ConvNets/resnext101-32x4d": "resnext101_32x4d",
    "googlenet-v1": "googlenet",
    "inception3": "inception_v3",
    "inception-4": "inception_v4",
    "resnet-200": "resnet200",
    "ssd": "ssd300_resnet50",
    "Detection/SSD": "ssd300_resnet50",
    "maskrcnn": "maskrcnn_resnet50_fpn",
    "Recommendation/NCF": "ncf",
    "bert-large": "bert_large",
    "gpt2-xl": "gpt2_xl",
    "gpt2_small": "gpt2",
    "gpt3_xl": "gpt3_xl",
    "gpt3_27": "gpt3_2.7b",
    "gpt3_67": "gpt3_6.7b",
    "gpt3-175b": "gpt3_175b",
    "opt_13": "opt_1.3b",
    "opt_13b": "opt_13b",
    "opt-13b": "opt_13b",
    "OPT-1.3B": "opt_1.3b",
    "gpt3_13b": "gpt3_13b",
    "opt-125m": "opt_125m",
    "opt_66b": "opt_66b",
    "switch4": "switch_base_4",
    "switchxl4": "switch_xl_4",
    "switch-large-8": "switch_large_8",
    "llama-2-7b": "llama_7b",
    "Llama-3.1-8B": "llama3_8b",
    "vit_b_16": "vit_base_patch16_224",
    "swin_t": "swin_tiny_patch4_window7_224",
    "convnext-tiny": "convnext_tiny",
    "efficientnet-b0": "efficientnet_b0",
    "efficientnet_v2_s": "efficientnet_v2_s",
    "se-resnext101-32x4d": "seresnext101_32x4d",
    "wide-resnet-50-2": "wide_resnet50_2",
    "resnet50.a1_in1k": "resnet50",
    "timm:resnet50d": "resnet50d",
    "unet": "unet",
    "cyclegan": "cyclegan",
}


@pytest.mark.parametrize("spelling", SPELLINGS)
def test_spellings(spelling: str) -> None:
    graph, options = resolve(spelling)
    assert graph.name == SPELLINGS[spelling]
    assert options == {}


@pytest.mark.parametrize("name", ["bert_base", "bert_large"])
def test_squad_means_sequences_of_384(name: str) -> None:
    graph, options = resolve(f"{name}_squad")
    assert (graph.name, options) == (name, {"size": 384})


@pytest.mark.parametrize(
    ("wrong", "near"), [("resnt50", "resnet50"), ("cyclgan", "cyclegan"), ("gpt2_lrage", "gpt2_large")]
)
def test_unknown_names_list_near_ones(wrong: str, near: str) -> None:
    with pytest.raises(UnknownModelError) as caught:
        resolve(wrong)
    assert wrong in caught.value.reason
    assert near in caught.value.remedy
    assert caught.value.exit_code == 2


def test_a_name_like_nothing_says_what_else_there_is() -> None:
    with pytest.raises(UnknownModelError, match="totals"):
        load("qqqqqqqq")


def test_every_zoo_graph_loads_and_evaluates() -> None:
    for name in names():
        graph = load(name)
        for mode in graph.modes:
            found = graph.operators(batch=2, mode=mode, variant="amp")
            assert len(found) > 0
            for column in ("count", "flops", "read", "write", "rows", "cols", "saved"):
                assert (getattr(found, column) >= 0).all(), (name, mode, column)
        assert graph.unmodelled == {}, name


def test_names_are_distinct_when_squeezed() -> None:
    assert len({squeeze(name) for name in names()}) == len(names())


def test_sizes_of_timm_networks_are_picked() -> None:
    small, _ = resolve("timm:resnet50d", size=None)
    assert small.size_name == "image_size"
    base = float(small.totals().gmacs)
    scaled = float(small.totals(size=2 * small.default_size).gmacs)
    assert scaled == pytest.approx(4 * base, rel=0.01)


def test_every_core_name_of_the_measurements_resolves(shared_data: Path) -> None:
    path = shared_data / "measurements" / "end_to_end.csv.gz"
    with gzip.open(path, "rt", newline="") as file:
        rows = [row for row in csv.DictReader(file) if row["tier"] == "core"]
    other = {row["model"] for row in rows if row["source"] != "timm-results"}
    missing = []
    for name in sorted(other):
        try:
            resolve(name)
        except UnknownModelError:
            missing.append(name)
    assert missing == []
    timm = [row["model"] for row in rows if row["source"] == "timm-results"]
    found = 0
    for name in set(timm):
        try:
            resolve(name)
        except UnknownModelError:
            continue
        found += timm.count(name)
    assert found / len(timm) > 0.85


def test_graphs_have_the_totals_published_with_the_measurements(shared_data: Path) -> None:
    path = shared_data / "measurements" / "end_to_end.csv.gz"
    with gzip.open(path, "rt", newline="") as file:
        rows = {
            (row["model"], int(float(row["image_size"]))): (float(row["params_M"]), float(row["gmacs"]))
            for row in csv.DictReader(file)
            if row["source"] == "timm-results" and row["gmacs"] and float(row["gmacs"]) > 1
        }
    ratios = []
    for (name, size), (params, gmacs) in rows.items():
        try:
            graph, _ = resolve(f"timm:{name}", size=size)
        except UnknownModelError:
            continue
        if graph.default_size == size:
            totals = graph.totals()
            ratios.append((totals.parameters / 1e6 / params, float(totals.gmacs) / gmacs))
    assert len(ratios) > 400
    off = [ratio for ratio in ratios if abs(ratio[0] - 1) > 0.02 or abs(ratio[1] - 1) > 0.03]
    assert len(off) / len(ratios) < 0.05


def test_loading_needs_no_torch_and_little_time() -> None:
    code = (
        "import json, sys, time\n"
        "import perfmodel.graph as g\n"
        "start = time.perf_counter(); graph = g.load('cyclegan'); load = time.perf_counter() - start\n"
        "found = graph.operators(batch=4, blocks=6)\n"
        "heavy = [m for m in ('torch', 'pandas', 'scipy', 'statsmodels', 'matplotlib') if m in sys.modules]\n"
        "print(json.dumps([load, len(found), heavy]))\n"
    )
    best = 1.0
    for _ in range(3):
        result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
        seconds, operators, heavy = json.loads(result.stdout)
        assert heavy == []
        assert operators > 20
        best = min(best, seconds)
    assert best < 0.02  # 4 ms on an idle machine


def test_evaluation_is_fast() -> None:
    graph = load("cyclegan")
    graph.operators(batch=1)
    times = []
    for _ in range(20):
        start = time.perf_counter()
        graph.operators(batch=1, blocks=6)
        times.append(time.perf_counter() - start)
    assert min(times) < 0.002
