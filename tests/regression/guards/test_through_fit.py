"""The guards as a user meets them: through files, `pm.fit` and the verb."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import perfmodel as pm
from perfmodel import cli
from perfmodel.errors import InputError

Make = Callable[..., Any]


def guards(found: Any) -> list[str]:
    return [one.guard for one in found.findings if one.severity == "warning"]


def cyclegan_log(path: Path, seed: int, step_s: float = 1.0) -> Path:
    """Write a log of five epochs in the first reference system's layout, its first row with the loader's start."""
    rng = np.random.default_rng(seed)
    lines = ["Epoch,iters,time/iters,data/iters,D_A,G_A,cycle_A,idt_A,D_B,G_B,cycle_B,idt_B"]
    for epoch in range(1, 6):
        for at in range(8):
            cold = epoch == 1 and at == 0
            data_s = 3.0 if cold else 0.004 * np.exp(0.05 * rng.standard_normal())
            time_s = step_s * np.exp(0.01 * rng.standard_normal())
            lines.append(f"{epoch},{100 * (at + 1)},{time_s:.5f},{data_s:.5f}" + ",0.5" * 8)
    path.write_text("\n".join(lines) + "\n")
    return path


def test_mistake_1_cold_first_row_of_each_log(tmp_path: Path) -> None:
    """The loader's start was plotted as data-loading time: here it is left out, with the file and the row."""
    cards = (("p100", 0.6), ("v100", 0.4), ("k80", 2.0))
    files = [f"{cyclegan_log(tmp_path / f'{card}.csv', at, s)}@gpu={card},blocks=9,batch=1,model=cyclegan,phase=train"
             for at, (card, s) in enumerate(cards)]  # fmt: skip
    found = pm.fit(files, "log(data_ms) ~ 1")
    cold = [one for one in found.findings if one.guard == "cold"]
    assert len(cold) == 3
    assert all("row 1 is first of a run" in one.text for one in cold)
    assert found.n == 3 * 39
    assert float(np.exp(found.design.y).max()) < 10.0


def test_mistake_2_times_of_images_against_times_of_batches(measured: Make) -> None:
    frame = measured()
    frame["image_ms"] = frame["latency_ms"] / frame["batch"]
    frame["data_ms"] = 8.0 * frame["batch"]
    with pytest.raises(InputError, match="sets image_ms, the time of an image, against data_ms, the time of a batch"):
        pm.fit(frame, "log(image_ms) ~ log(data_ms)")


def test_mistake_4_board_and_die(measured: Make) -> None:
    frame = measured()
    frame.loc[frame["gpu"].eq("k80") & frame["blocks"].eq(9), "gpu"] = "k80-board"
    found = pm.fit(frame, "log(step_ms) ~ log(cores) + log(blocks) + log(batch)")
    assert "board-or-die" in guards(found)
    k80 = found.design.frame["gpu"] == "k80"
    assert set(found.design.frame.loc[k80, "cores"]) == {2496.0}
    assert int(k80.sum()) == 6


def test_mistake_4_a_laptop_card_with_the_desktop_cards_cores(measured: Make) -> None:
    frame = measured(("k80", "p100-pcie-16", "v100-sxm2-16", "t4", "rtx3060-mobile", "rtx3090"))
    frame["cores"] = [pm.find_gpu(card).cuda_cores for card in frame["gpu"]]
    frame.loc[frame["gpu"] == "rtx3060-mobile", "cores"] = 3584
    found = pm.fit(frame, "log(step_ms) ~ log(cores) + log(blocks) + log(batch)")
    assert "laptop-card" in guards(found)
    mobile = found.design.frame["gpu"] == "rtx3060-mobile"
    assert set(found.design.frame.loc[mobile, "cores"]) == {float(pm.find_gpu("rtx3060-mobile").cuda_cores)}


def test_mistake_5_a_formula_that_the_rows_cannot_tell(
    measured: Make, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "runs.csv"
    measured(("k80", "p100-pcie-16")).to_csv(path, index=False)
    with pytest.raises(SystemExit) as caught:
        cli.main(["fit", str(path), "--formula", "log(step_ms) ~ log(cores) + log(bandwidth)"])
    assert caught.value.code == 2
    error = capsys.readouterr().err
    assert "log(bandwidth) = " in error
    assert "on these 2 cards" in error
    assert "such as" in error
    assert len(error.strip().splitlines()) == 1


def test_a_law_of_as_many_parameters_as_cards_is_warned_of(measured: Make) -> None:
    frame = measured(("k80", "v100-sxm2-16"), blocks=(9,), batch=(4,), pairs=[f"a-{at}" for at in range(6)])
    found = pm.fit(frame, "step_ms = a + b / cores")
    (finding,) = [one for one in found.findings if one.guard == "too-few-groups"]
    assert finding.columns == ("b",)
    assert "no card is left over" in finding.text
    enough = pm.fit(measured(blocks=(9,), batch=(4,)), "step_ms = a + b / flops")
    assert "too-few-groups" not in guards(enough)


def test_without_a_formula_what_cannot_be_told_is_dropped(
    measured: Make, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "runs.csv"
    measured(("k80", "p100-pcie-16", "v100-sxm2-16")).to_csv(path, index=False)
    with pytest.raises(SystemExit) as caught:
        cli.main(["fit", str(path)])
    assert caught.value.code == 0
    out = capsys.readouterr().out
    assert "3 cards cannot tell 2 specification columns apart" in out


def test_cards_of_two_sizes_do_not_break_the_preset(measured: Make) -> None:
    """Four names of cards, two of silicon: no more than their figures tell is asked of them."""
    found = pm.fit(measured(("v100-sxm2-16", "v100-sxm2-32", "a100-sxm-80", "a100-sxm-40")))
    assert not [one for one in found.findings if one.severity == "refuse"]
    assert {one.column for one in found.dropped} >= {"cores"}


def test_predictions_outside_of_the_rows_are_never_silent(measured: Make) -> None:
    found = pm.fit(measured(), "log(step_ms) ~ log(flops) + log(blocks) + log(batch)")
    inside = {"gpu": "rtx2080ti", "blocks": 6, "batch": 2, "precision": "fp32"}
    assert not found.predict(inside).findings
    (finding,) = found.predict({**inside, "blocks": 20}).findings
    assert "blocks 20 lies outside the fitted 3 to 9" in finding.text


def test_a_sound_table_is_silent(measured: Make) -> None:
    found = pm.fit(measured(), "log(step_ms) ~ log(flops) + log(blocks) + log(batch)")
    assert not guards(found)
