"""Profiles from sessions and run tables: a card that is off by known factors is found to be, and predicted better."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest

import perfmodel as pm
from perfmodel import cli
from perfmodel.calibration.fit_kernels import device_time
from perfmodel.calibration.kernel_rows import KernelRows
from perfmodel.calibration.profiles import chosen_steps, kernel_groups, profile_from
from perfmodel.calibration.session_rows import session_runs
from perfmodel.calibration.sessions import read_session
from perfmodel.efficiency.prior import shipped_prior
from perfmodel.efficiency.profile import TERMS, Profile
from perfmodel.errors import InputError, TableError
from perfmodel.runs.rows import Runs
from perfmodel.validation.features import question_features
from perfmodel.validation.observations import profile_of_runs, step_observations
from perfmodel.validation.predictions import predict_questions
from perfmodel.validation.resolve import resolve_rows

CARD = "h200-sxm"
#: Factor on the time of its arithmetic that the synthesised card has.
ARITHMETIC = 1.25


def kernels(rows: KernelRows) -> npt.NDArray[np.float64]:
    """Seconds of kernels: convolutions and layers are slower than the shipped coefficients say."""
    slow = np.isin(kernel_groups(rows), ("conv", "conv_backward", "gemm"))
    return device_time(rows, shipped_prior().kernel) * np.where(slow, ARITHMETIC, 1.0)


def planted() -> Profile:
    """What the card is: its arithmetic off by a known factor."""
    mean = np.zeros(len(TERMS))
    mean[TERMS.index("arithmetic")] = np.log(ARITHMETIC)
    return Profile(gpu=CARD, mean=mean)


def steps(runs: Runs) -> npt.NDArray[np.float64]:
    """Seconds of steps on that card."""
    questions, _ = resolve_rows(runs)
    prior = shipped_prior()
    return predict_questions(questions, question_features(questions, prior), prior, profile=planted()).time_s


@pytest.fixture
def session(tmp_path: Path, write_session: Callable[..., Path]) -> Path:
    """A synthesised session of the card."""
    return write_session(tmp_path / "nvidia-h200-20260101", CARD, kernels, steps)


def write_runs(path: Path, runs: Runs, rows: slice = slice(None), **columns: str) -> Path:
    """Write runs as the table that ``validate`` reads."""
    with path.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(runs.columns)
        cells = [[columns.get(name, cell) for name, cell in zip(runs.columns, row, strict=True)]
                 for row in zip(*runs.columns.values(), strict=True)]  # fmt: skip
        writer.writerows(cells[rows])
    return path


def test_a_session_tells_what_is_off(session: Path) -> None:
    profile, passed_over = profile_from(session)
    assert profile.gpu == CARD
    log, sd = profile.told()["arithmetic"]
    assert log == pytest.approx(np.log(ARITHMETIC), abs=0.04)
    assert sd < 0.05
    assert profile.told()["memory"][0] == pytest.approx(0.0, abs=0.04)
    assert profile.provenance["driver"] == "580.1"
    assert profile.observations == profile.provenance["kernel_rows"] + profile.provenance["step_rows"]
    assert any("no coefficient" in why for why in passed_over)


def test_other_steps_of_the_card_are_predicted_better(session: Path) -> None:
    profile, _ = profile_from(session)
    for options in ({"batch": 64}, {"batch": 256, "precision": "amp"}, {"batch": 32, "mode": "infer"}):
        plain = pm.predict("resnet101", gpu=CARD, loader="none", **options)
        truth = pm.predict("resnet101", gpu=CARD, loader="none", profile=planted(), **options)
        known = pm.predict("resnet101", gpu=CARD, loader="none", profile=profile, **options)
        error = abs(known.step_s.median / truth.step_s.median - 1)
        assert error < 0.35 * abs(plain.step_s.median / truth.step_s.median - 1)
        assert error < 0.05
        assert known.step_s.high / known.step_s.low < plain.step_s.high / plain.step_s.low


def test_a_run_table_makes_a_profile_too(session: Path, tmp_path: Path) -> None:
    runs = session_runs(read_session(session))
    path = write_runs(tmp_path / "runs.csv", runs)
    profile, passed_over = profile_from(path)
    assert not passed_over
    assert profile.observations == len(runs) == profile.provenance["step_rows"]
    assert profile.provenance["from"] == "runs.csv"
    questions, _ = resolve_rows(runs)
    found = question_features(questions, shipped_prior())
    measured = np.array([one.time_s for one in questions])
    errors = [
        np.abs(np.log(predict_questions(questions, found, shipped_prior(), profile=one).time_s / measured))
        for one in (None, profile)
    ]
    assert np.median(errors[1]) < 0.35 * np.median(errors[0])


def test_only_rows_of_the_card_count(session: Path, tmp_path: Path) -> None:
    runs = session_runs(read_session(session))
    both = Runs({
        name: np.concatenate([column, np.array(["l4"] * 5, dtype=object) if name == "gpu" else column[:5]])
        for name, column in runs.columns.items()
    })  # fmt: skip
    with pytest.raises(InputError, match="rows are of 2 cards") as caught:
        profile_of_runs(both)
    assert "h200-sxm, l4" in str(caught.value)
    profile, passed_over = profile_of_runs(both, "l4")
    assert (profile.gpu, profile.observations) == ("l4", 5)
    assert passed_over["another card"] == len(runs)
    with pytest.raises(InputError, match="no row of k80 can be used"):
        profile_of_runs(both, "k80")
    with pytest.raises(InputError, match="processor"):
        profile_of_runs(both, "cpu")


def test_what_makes_no_profile_is_refused(session: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"measured h200-sxm, not v100.*--gpu h200-sxm"):
        profile_from(session, "v100")
    with pytest.raises(InputError, match="no measuring session"):
        profile_from(tmp_path)
    with pytest.raises(TableError):
        profile_from(tmp_path / "nothing.csv")
    document = json.loads((session / "session.json").read_text())
    document["sessions"][0]["device"] = "cpu"
    (session / "session.json").write_text(json.dumps(document))
    with pytest.raises(InputError, match="measured a processor"):
        profile_from(session)


def test_designed_steps_tell_more_than_the_first_ones(session: Path) -> None:
    questions, _ = resolve_rows(session_runs(read_session(session)))
    observed = step_observations(questions, shipped_prior())
    chosen = chosen_steps(observed, 4)
    assert len(set(chosen.tolist())) == 4

    def left(index: npt.ArrayLike) -> float:
        covariance = Profile(gpu="x").update([observed[i] for i in np.asarray(index)]).covariance
        return float(sum(one.shares @ covariance @ one.shares for one in observed))

    assert left(chosen) < left(np.arange(4))
    assert len(chosen_steps(observed[:2], 9)) == 2


def test_the_command_writes_what_predict_reads(
    session: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    output = tmp_path / "h200.json"

    def run(*words: str) -> tuple[int, str, str]:
        with pytest.raises(SystemExit) as stop:
            cli.main(list(words))
        text = capsys.readouterr()
        return int(stop.value.code or 0), text.out, text.err

    status, out, _ = run("measure", "--from", str(session), "--output", str(output))
    assert status == 0
    assert f"h200-sxm: {Profile.load(output).observations} measurements" in out
    assert "arithmetic         takes 1.2" in out
    status, out, _ = run("predict", "--gpu", "h200", "--profile", str(output), "--json")
    assert (status, json.loads(out)["evidence"]["grade"]) == (0, "A")
    status, out, _ = run("measure", "--from", str(session), "--gpu", "h200", "--output", str(output), "--json")
    document = json.loads(out)
    assert (status, document["gpu"], document["file"]) == (0, CARD, str(output))
    for words, text in (
        (("--from", str(session), "--output", str(tmp_path)), "is a folder"),
        (("--gpu", "h200"), "--gpu names the card of --from"),
        (("--output", str(output)), "is a file"),
        (("--from", str(tmp_path / "none")), "none"),
    ):
        status, _, err = run("measure", *words)
        assert (status, len(err.strip().splitlines())) == (2, 1), err
        assert text in err
