"""Documents of the smaller verbs make a section each, from what the verbs print."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

import perfmodel as pm
from perfmodel import cli
from perfmodel.efficiency.cpu import typical_profile
from perfmodel.errors import InputError
from perfmodel.hardware.gpu import find_gpu
from perfmodel.instrument.phases import PHASES
from perfmodel.report import build
from perfmodel.validation.run_phases import RunPhases


@pytest.fixture
def printed(capsys: pytest.CaptureFixture[str]) -> Callable[..., dict[str, Any]]:
    """Return a function that says what a verb prints with --json."""

    def run(*words: str) -> dict[str, Any]:
        with pytest.raises(SystemExit) as ended:
            cli.main([*words, "--json"])
        assert not ended.value.code
        document: dict[str, Any] = json.loads(capsys.readouterr().out)
        return document

    return run


def run_phases(scale: float = 1.1) -> dict[str, Any]:
    """A run whose steps took `scale` times what is predicted, and whose forward pass is all that differs."""
    predicted = pm.predict("cyclegan", gpu="p100", blocks=6)
    exposed = {phase: 1e3 * predicted.phases[phase].exposed for phase in PHASES}
    step = 1e3 * predicted.step.median
    exposed["forward"] += (scale - 1) * step
    return RunPhases(
        steps=40, measured_step_ms=scale * step, measured_low_ms=step, measured_high_ms=1.2 * step,
        predicted=predicted, measured_ms=exposed,
    ).to_dict()  # fmt: skip


def cpu_profile() -> dict[str, Any]:
    return replace(
        typical_profile(find_gpu("cpu:1")), rows=120, residual_sd=0.2, provenance={"used_by_others": 0.4}
    ).to_dict()


def page_of(document: Mapping[str, Any], folder: Path) -> Any:
    path = folder / "document.json"
    path.write_text(json.dumps(document), encoding="utf-8")
    return build([path])


def test_a_timed_run_stands_beside_its_prediction(tmp_path: Path) -> None:
    page = page_of(run_phases(), tmp_path)
    assert "median of 40" in page.summary[0]
    assert "9.1 % less than measured" in page.summary[0]
    assert "The interval holds what was measured." in page.summary[0]
    assert "The phase furthest off is forward" in page.summary[0]
    assert page.html.count('<th scope="row"') >= len(PHASES)


def test_a_timed_run_outside_its_interval_is_told(tmp_path: Path) -> None:
    assert "The interval does not hold what was measured" in page_of(run_phases(9.0), tmp_path).summary[0]


def test_a_timed_run_with_an_interval_upside_down_is_refused(tmp_path: Path) -> None:
    document = run_phases()
    document["predicted_step_ms"]["low"] = 1e9
    with pytest.raises(InputError, match="not in order"):
        page_of(document, tmp_path)


def test_the_check_of_the_card_table(printed: Callable[..., dict[str, Any]], tmp_path: Path) -> None:
    document = printed("gpus", "check")
    page = page_of(document, tmp_path)
    assert page.summary[0].startswith(f"No figure of {document['gpus']}")
    document["findings"].append({"gpu": "t4", "subject": "fp32", "text": "8 against 9", "reason": ""})
    document["contradictions"] = 1
    assert "1 figure of" in page_of(document, tmp_path).summary[0]


def test_data_sets_and_a_processor(printed: Callable[..., dict[str, Any]], tmp_path: Path) -> None:
    assert "data sets can be read: VKITTI" in page_of(printed("datasets", "list"), tmp_path).summary[0]
    page = page_of(cpu_profile(), tmp_path)
    assert "1 thread " in page.summary[0]
    assert "Others used 40" in page.summary[0]


def written(folder: Path, k80_blocks: tuple[int, int]) -> Path:
    """A table of three cards; the K80 ran networks of its own blocks."""
    cards = (("v100", 10, (3, 9)), ("p100", 20, (3, 9)), ("k80", 80, k80_blocks))
    rows = [
        f"{gpu},cyclegan,train,{blocks},{batch},{factor * blocks * batch}"
        for gpu, factor, all_blocks in cards
        for blocks in all_blocks
        for batch in (1, 4)
    ]
    path = folder / "runs.csv"
    path.write_text("gpu,model,phase,blocks,batch,latency_ms\n" + "\n".join(rows) + "\n", encoding="utf-8")
    return path


def test_cards_that_ran_the_same_work_are_compared_on_it(tmp_path: Path) -> None:
    first = build([written(tmp_path, (3, 9))]).summary[0]
    assert "the Tesla V100 SXM2 16 GB was the fastest (in all 4 settings that every card ran)" in first
    assert "2 times as long on the Tesla P100 PCIe 16 GB, 8 times as long on the Tesla K80" in first


def test_cards_that_ran_different_work_are_not(tmp_path: Path) -> None:
    assert "Cards that ran different work cannot be compared" in build([written(tmp_path, (4, 5))]).summary[0]
