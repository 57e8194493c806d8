"""The program that checks and times the preprocessing kernel, on the host's version of it."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from perfmodel import native
from perfmodel.calibration import preprocess
from perfmodel.errors import FailureError

pytest.importorskip("perfmodel._cpu", reason="the native CPU module is not built")


def test_the_check_passes_and_notices_a_difference(capsys: pytest.CaptureFixture[str]) -> None:
    assert preprocess.main(["--check", "--device", "cpu"]) == 0
    assert "64 batches equal" in capsys.readouterr().out

    def wrong(images: list[np.ndarray], *arguments: object, **options: object) -> object:
        changed = [image ^ np.uint8(16) for image in images]
        return native.cpu().preprocess_on_host(changed, *arguments, **options)

    with pytest.raises(FailureError, match="differs from the host's"):
        preprocess.check(wrong)


def test_a_dry_run_stores_its_rows(tmp_path: Path) -> None:
    pytest.importorskip("torch")
    assert preprocess.main(["--device", "cpu", "--dry-run", "--output", str(tmp_path)]) == 0
    [path] = tmp_path.glob("*-dry/preprocess.json")
    document = json.loads(path.read_text(encoding="utf-8"))
    assert document["machine"]["device"] == "cpu"
    assert [row["batch"] for row in document["rows"]] == [1, 2]
    assert all(row["time_s"] > 0 for row in document["rows"])


def test_the_cases_cover_batches_sizes_types_and_tiles() -> None:
    found = list(preprocess.cases(dry=False))
    assert {case.batch for case in found} == {16, 32, 64, 128, 256}
    assert {(case.height, case.width) for case in found} == {(375, 1242), (480, 640), (1080, 1920)}
    assert {case.dtype for case in found} == {"float32", "float16", "bfloat16", "uint8"}
    assert {case.columns for case in found} >= {32, 64}
    assert any(case.jitter for case in found)


def test_images_differ() -> None:
    images = preprocess.images(preprocess.Case(batch=40, height=20, width=30))
    assert len({image.tobytes() for image in images}) == 40
    assert all(image.any() for image in images)
