"""Loaders side by side."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from perfmodel.errors import InputError
from perfmodel.loading import bench as benching
from perfmodel.loading import own_process
from perfmodel.loading.bench import bench, compare_output
from perfmodel.loading.bench_options import OPTIONS
from perfmodel.loading.pools import native_pool_missing


@pytest.fixture(scope="module")
def images(tmp_path_factory: pytest.TempPathFactory, fill: Callable[..., list[Path]]) -> Path:
    root = tmp_path_factory.mktemp("bench")
    fill(root, 20, height=300, width=320)
    return root


def test_every_option_runs_or_is_named(images: Path) -> None:
    options = ("native", "PIL DataLoader", "OpenCV", "limit: Pillow decode", "limit: native decode")
    found = bench(images, rounds=2, workers=1, options=options, name="scenes")
    assert {row.option for row in found.rows} | set(found.missing) == set(options)
    rows = {row.option: row for row in found.rows}
    assert all(row.cpu_ms_per_image > 0 and row.images_per_s > 0 and row.set == "scenes" for row in rows.values())
    pytest.importorskip("torch")
    assert rows["PIL DataLoader"].ratio_to_pil == 1.0
    assert rows["PIL DataLoader"].output == "same"
    if not native_pool_missing():
        assert rows["native"].output == "same"
        assert rows["native"].cpu_ratio_to_pil is not None
        assert rows["native"].cpu_ratio_to_pil > 1.0


def test_what_is_not_installed_is_named(images: Path) -> None:
    found = bench(images, rounds=1, options=("SPDL", "DALI", "simplejpeg", "limit: Pillow decode"), images=3)
    assert len(found.rows) + len(found.missing) == 4
    assert all(reason for reason in found.missing.values())
    assert found.to_dict()["missing"] == found.missing


def test_unknown_options_and_empty_folders(images: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="unknown"):
        bench(images, options=("other",))
    with pytest.raises(InputError, match="holds no images"):
        bench(tmp_path)
    assert len(OPTIONS) == 11


def test_output_is_compared() -> None:
    reference = np.full((2, 100), 100.0)
    assert compare_output((reference + 0.3).tolist(), reference.tolist(), "png") == "same"
    assert compare_output((reference + 5).tolist(), reference.tolist(), "jpeg").startswith(
        "different output (mean 5.00"
    )
    assert compare_output(None, reference.tolist(), "jpeg") == ""


def test_a_process_that_died_is_ended_without_another_error() -> None:
    one = benching._Contestant("native", {})
    one._process = own_process.start_module("perfmodel.loading.bench_process", errors=subprocess.DEVNULL)
    one._process.kill()
    one._process.wait()
    assert "ended without an answer" in one._exchange({"padding": "x" * 100_000})["missing"]
    one.end()
    assert one._process is None
