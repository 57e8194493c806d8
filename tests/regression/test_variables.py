"""Variables of rows: specification joined by name, times in one unit, networks' totals."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from perfmodel.hardware import find_gpu
from perfmodel.regression.variables import chosen, frame_of, runs_of, variables
from perfmodel.regression.vocabulary import VARIABLES, resolve_variable

pandas = pytest.importorskip("pandas")


def one(**cells: Any) -> Any:
    return variables(runs_of(cells)).iloc[0]


def test_every_variable_is_a_column() -> None:
    frame = variables(runs_of({"gpu": ["v100", "nosuch"], "step_ms": [1.0, 2.0]}))
    assert {v.name for v in VARIABLES} <= set(frame.columns)
    for variable in VARIABLES:
        assert (frame[variable.name].dtype.kind == "f") != variable.text, variable.name


@pytest.mark.parametrize(("name", "key"), [("Tesla V100", "v100-sxm2-16"), ("3060m", "rtx3060-mobile"), ("k80", "k80")])
def test_the_card_is_joined_by_its_name(name: str, key: str) -> None:
    row, gpu = one(gpu=name, precision="fp32"), find_gpu(key)
    assert (row["gpu"], row["gpu_text"], row["arch"]) == (key, name, gpu.arch)
    assert (row["cores"], row["sms"], row["bandwidth"]) == (gpu.cuda_cores, gpu.sm, gpu.bandwidth_gbs)
    assert row["flops"] == gpu.peak_tflops("fp32")


def test_flops_follow_the_precision() -> None:
    gpu = find_gpu("v100")
    assert one(gpu="v100", precision="amp")["flops"] == gpu.peaks_tflops["fp16"]
    assert one(gpu="v100", precision="amp")["precision"] == "amp_fp16"
    assert np.isnan(one(gpu="v100", precision="bf16")["flops"])


def test_an_unknown_card_keeps_no_figures() -> None:
    row = one(gpu="My Card 9000", step_ms=3)
    assert np.isnan(row["cores"])
    assert row["gpu_text"] == "My Card 9000"


def test_the_tables_own_figures_count() -> None:
    assert one(gpu="v100", bandwidth_gbs=880)["bandwidth"] == 880
    assert one(gpu="nosuch", cuda_cores=1000)["cores"] == 1000


def test_times_come_from_what_there_is() -> None:
    assert one(gpu="v100", latency_ms=12)["step_ms"] == 12
    assert one(gpu="v100", batch=32, throughput=320)["step_ms"] == pytest.approx(100)
    row = one(gpu="v100", batch=4, image_ms=50)
    assert (row["step_ms"], row["image_ms"]) == (200, 50)
    assert one(gpu="v100", batch=4, step_ms=200)["image_ms"] == 50


def test_the_network_is_known_by_name_or_by_another_row() -> None:
    row = one(gpu="v100", model="cyclegan", phase="train", blocks=9, batch=2)
    assert row["params_M"] == pytest.approx(28.285832)
    assert row["gflop_step"] == pytest.approx(2 * 1885, rel=0.01)
    frame = variables(
        runs_of({"gpu": "v100", "model": ["net", "net"], "gmacs": [4.0, None], "macts": [8.0, None],
                 "image_size": [224, 112], "batch": 1, "phase": "infer"})
    )  # fmt: skip
    assert frame["gmacs"].tolist() == [4.0, 1.0]
    assert frame["gflop_step"].tolist() == [8.0, 2.0]


def test_other_columns_stay() -> None:
    frame = variables(runs_of({"gpu": "v100", "step_ms": [1, 2], "room": ["a", "b"], "celsius": ["30", ""]}))
    assert frame["room"].tolist() == ["a", "b"]
    assert frame["celsius"].dtype.kind == "f"


def test_a_frame_reads_back_as_itself(cyclegan: Callable[..., Any]) -> None:
    frame = variables(runs_of(cyclegan()))
    pandas.testing.assert_frame_equal(variables(runs_of(frame)), frame)
    assert frame_of(frame) is frame


@pytest.mark.parametrize(
    ("conditions", "count"),
    [
        ({"gpu": ["V100"]}, 12), ({"gpu": ["v100", "k80"]}, 24), ({"blocks": ["3"]}, 32), ({"phase": ["training"]}, 96),
        ({"precision": ["float32"]}, 96), ({"gpu": ["v100"], "batch": ["4"]}, 6), ({"data_pair": ["nosuch"]}, 0),
    ],
)  # fmt: skip
def test_rows_are_chosen_by_any_spelling(
    cyclegan: Callable[..., Any], conditions: dict[str, list[str]], count: int
) -> None:
    assert int(chosen(variables(runs_of(cyclegan())), conditions).sum()) == count


@pytest.mark.parametrize(
    ("name", "expected"),
    [("latency_ms", "step_ms"), ("GPU memory bandwidth", "bandwidth"), ("cuda_cores", "cores"),
     ("num_layers", "blocks"),
     ("dataset", "data_pair")],
)  # fmt: skip
def test_aliases(name: str, expected: str) -> None:
    assert resolve_variable(name, [v.name for v in VARIABLES]) == expected
