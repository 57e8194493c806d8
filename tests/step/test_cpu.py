"""Predictions for this machine's processor: the same answer as for a card, without copies and launches."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from perfmodel.efficiency.cpu import profile_path, typical_profile
from perfmodel.errors import InputError
from perfmodel.hardware.gpu import find_gpu
from perfmodel.instrument.phases import PHASES
from perfmodel.step.compare import compare
from perfmodel.step.explain import explain
from perfmodel.step.predict import predict


@pytest.fixture(autouse=True)
def data_dir(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("PERFMODEL_DATA_DIR", str(tmp_path))
    return tmp_path


def save_profile() -> None:
    card = find_gpu("cpu:1")
    replace(typical_profile(card), rows=100, residual_sd=0.2).save(profile_path(card))


def test_phases_sum_to_the_step_and_nothing_is_copied_or_launched() -> None:
    found = predict("pilotnet", gpu="cpu:1", batch=8, loader=None)
    assert set(found.phases) == set(PHASES)
    assert sum(phase.exposed for phase in found.phases.values()) == pytest.approx(found.step_s.median, rel=1e-9)
    assert found.phases["h2d"].total == found.phases["launch"].total == 0.0
    assert found.step_s.low < found.step_s.median < found.step_s.high
    assert found.memory_bytes["peak"] < found.request.gpu.memory_gb * 1e9
    assert found.fits


def test_without_a_profile_it_says_so_and_with_one_the_evidence_is_its_own() -> None:
    before = predict("pilotnet", gpu="cpu:1", loader=None)
    assert before.evidence.grade == "D"
    assert any("measure --device cpu --profile" in note for note in before.notes)
    save_profile()
    after = predict("pilotnet", gpu="cpu:1", loader=None)
    assert (after.evidence.grade, after.evidence.rows) == ("A", 100)
    assert not any("no profile" in note for note in after.notes)
    assert after.step_s.median == pytest.approx(before.step_s.median)
    assert after.step_s.high / after.step_s.low < before.step_s.high / before.step_s.low


def test_the_profile_decides_the_time() -> None:
    save_profile()
    before = predict("cyclegan", gpu="cpu:1", size=64, blocks=3, loader=None).step_s.median
    card = find_gpu("cpu:1")
    profile = replace(typical_profile(card), rows=100, residual_sd=0.2)
    slower = replace(profile.coefficients, flops=profile.coefficients.flops / 4)
    replace(profile, coefficients=slower).save(profile_path(card))
    after = predict("cyclegan", gpu="cpu:1", size=64, blocks=3, loader=None).step_s.median
    assert 2.0 * before < after < 4.0 * before


def test_loading_adds_to_the_step_because_it_uses_the_same_cores() -> None:
    alone = predict("pilotnet", gpu="cpu:1", batch=8, loader=None).step_s.median
    loaded = predict("pilotnet", gpu="cpu:1", batch=8)
    wait = loaded.phases["input_wait"].exposed
    assert wait > 0
    assert loaded.step_s.median == pytest.approx(alone + wait)
    assert loaded.request.host.key == "local"
    assert any("same cores" in note for note in loaded.notes)


def test_compare_gives_the_same_points_beside_cards() -> None:
    save_profile()
    grid = compare("cyclegan", gpu=["cpu:1", "p100"], batch=[1, 4], blocks=[3, 6, 9], size=64, loader=None)
    for row, gpu in enumerate(("cpu:1", "p100")):
        for column, batch in enumerate((1, 4)):
            for depth, blocks in enumerate((3, 6, 9)):
                one = predict("cyclegan", gpu=gpu, batch=batch, blocks=blocks, size=64, loader=None)
                for name, array in (("median", grid.step_s), ("low", grid.low_s), ("high", grid.high_s)):
                    assert array[row, 0, column, depth] == pytest.approx(getattr(one.step_s, name), rel=1e-9)
    assert np.all(grid.step_s[0] > 10 * grid.step_s[1])


def test_explain_lists_the_processors_own_operators() -> None:
    save_profile()
    prediction = predict("pilotnet", gpu="cpu:1", batch=8, loader=None)
    found = explain(prediction)
    busy = prediction.step_s.median
    assert 0.3 * busy < sum(one.seconds for one in found.operators) < busy
    assert not any("cards" in change.change or "compile" in change.change for change in found.changes)


def test_there_is_one_processor() -> None:
    with pytest.raises(InputError, match="one processor"):
        predict("pilotnet", gpu="cpu", gpus=2)
