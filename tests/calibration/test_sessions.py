"""The project's own sessions: what is read of them, what is refused, and that a fit recovers what made their times."""

from __future__ import annotations

import gzip
import json
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest

from perfmodel.calibration.base import base_prior
from perfmodel.calibration.cross_validation import Table
from perfmodel.calibration.fit_kernels import KernelFit, fit_kernels, identified, predict_rows
from perfmodel.calibration.fit_prior import own_sessions, with_kernels, with_steps
from perfmodel.calibration.kernel_rows import KernelRows
from perfmodel.calibration.session import Request, run
from perfmodel.calibration.session_rows import class_of, session_kernels, session_runs
from perfmodel.calibration.sessions import MeasuredSession, read_session, read_sessions
from perfmodel.errors import InputError, TableError
from perfmodel.graph.operators import KINDS
from perfmodel.roofline.coefficients import KernelCoefficients
from perfmodel.runs.rows import Runs
from perfmodel.validation.features import question_features
from perfmodel.validation.predictions import predict_questions
from perfmodel.validation.resolve import resolve_rows

#: Shares that the synthesised cards have; the fit starts from the defaults.
PLANTED = KernelCoefficients(
    simt_share=0.80, half_share=0.55, tf32_share=0.50, int8_share=0.45, depthwise_memory=0.35, convolution=0.70,
    bandwidth_new=0.85, norm_new=0.55,
)  # fmt: skip
EFFECT = {("h200-sxm", "product"): 0.08, ("h200-sxm", "bytes"): -0.06}


def planted(rows: KernelRows) -> npt.NDArray[np.float64]:
    """Seconds of kernels of a card with the planted shares, with 3 % noise."""
    fit = KernelFit(PLANTED, EFFECT, {(str(s), str(g), str(c)): 5e-7 for s, g, c in
                                      zip(rows.source, rows.gpu, rows.cls, strict=True)})  # fmt: skip
    return predict_rows(rows, fit) * np.exp(0.03 * np.random.default_rng(3).standard_normal(len(rows)))


def stepped(runs: Runs) -> npt.NDArray[np.float64]:
    """Seconds of steps without any learned effect."""
    questions, unresolved = resolve_rows(runs)
    assert not unresolved
    prior = base_prior(PLANTED)
    return predict_questions(questions, question_features(questions, prior), prior).time_s


@pytest.fixture
def folder(tmp_path: Path, write_session: Callable[..., Path]) -> Path:
    """Two synthesised sessions of cards."""
    write_session(tmp_path / "nvidia-h200-20260101", "h200-sxm", planted, stepped)
    write_session(tmp_path / "nvidia-l4-20260102", "l4", planted, stepped, torch="2.4.1")
    return tmp_path


def test_the_planted_shares_are_recovered(folder: Path) -> None:
    sessions = read_sessions(folder)
    rows = with_kernels(session_kernels(sessions[0]), sessions[1:])  # type: ignore[arg-type]
    assert {"tf32_share", "depthwise_memory"} <= set(identified(rows))
    fit = fit_kernels(rows, iterations=12, per_cell=300)
    for name, tolerance in (("half_share", 0.08), ("tf32_share", 0.08), ("depthwise_memory", 0.15), ("norm_new", 0.12)):
        assert getattr(fit.coefficients, name) == pytest.approx(getattr(PLANTED, name), rel=tolerance), name
    product = fit.coefficients.simt_share * fit.coefficients.convolution
    assert product == pytest.approx(PLANTED.simt_share * PLANTED.convolution, rel=0.06)
    own, other = fit.cards["h200-sxm"], fit.cards["l4"]
    assert 0.02 < own[0] - other[0] < 0.10  # planted 0.08, of which two cards' shares take a part
    assert -0.08 < own[1] - other[1] < -0.02  # planted -0.06
    error = np.abs(np.log(predict_rows(rows, fit) / rows.time_s))
    assert np.median(error) < 0.04


def test_kernels_are_the_graphs_operators(folder: Path) -> None:
    session = read_session(folder / "nvidia-h200-20260101")
    rows = session_kernels(session)
    assert rows is not None
    assert set(rows.source) == {"perfmodel nvidia-h200-20260101"}
    assert set(rows.gpu) == {"h200-sxm"}
    assert set(rows.cls) == {
        "linear", "bmm", "conv", "conv_dgrad", "conv_wgrad", "norm", "softmax", "elementwise"
    }  # fmt: skip
    assert set(rows.precision) == {"fp32", "tf32", "fp16", "bf16", "fp8", "int8"}
    kept = [row for row in session.kernels if class_of(row)]
    assert 0 < len(kept) == len(rows) < len(session.kernels)
    assert not {KINDS[code] for code in np.unique(rows.ops.kind)} & {"attention", "pool", "embedding"}
    deep = np.flatnonzero(rows.ops.depthwise)
    assert {kept[i]["groups"] for i in deep} == {"32", "96", "192", "960", "768"}
    wino = np.flatnonzero(rows.ops.winograd)
    assert all("window=3 stride=1" in kept[i]["shape"] and "groups=1" in kept[i]["shape"] for i in wino)
    first = int(wino[np.flatnonzero(rows.ops.pass_[wino] == 0)[0]])
    shape = dict(word.split("=") for word in kept[first]["shape"].split())
    assert rows.ops.rows[first] == float(shape["batch"])
    assert rows.ops.rows[first] * rows.ops.cols[first] == rows.ops.m[first]


def test_steps_are_runs_of_the_card(folder: Path) -> None:
    session = read_session(folder / "nvidia-l4-20260102")
    runs = session_runs(session)
    questions, unresolved = resolve_rows(runs)
    assert not unresolved
    assert len(questions) == len(session.steps)
    first = questions[0]
    assert (first.gpu.key, first.plan.model, first.blocks, first.size) == ("l4", "cyclegan", 9.0, 256.0)
    assert first.plan.scope.key == "fwd+loss+bwd+opt+h2d"
    assert not first.plan.scope.pageable
    assert first.plan.stack.version[:2] == (2, 4)
    assert {one.plan.precision for one in questions} == {"fp32", "tf32", "amp_fp16", "amp_bf16"}
    assert {one.plan.campaign for one in questions} == {"perfmodel nvidia-l4-20260102"}
    assert first.time_s == pytest.approx(float(session.steps[0]["step_s"]))


def test_steps_of_sessions_are_sources_of_their_own(
    folder: Path, step_table: list[dict[str, object]], tables: Callable[..., Table]
) -> None:
    sessions = own_sessions(folder)
    read = (tables(step_table), Counter({"a reason": 1}), len(step_table) + 1)
    whole, unresolved, rows = with_steps(read, sessions)
    assert unresolved == {"a reason": 1}
    assert rows - 1 == len(whole.questions) == len(step_table) + sum(len(one.steps) for one in sessions)
    assert {"perfmodel nvidia-h200-20260101", "lab"} <= set(whole.source)
    note = sessions[0].provenance()
    assert (note["gpu"], note["torch"], note["driver"]) == ("h200-sxm", "2.9.0+cu130", "580.1")
    assert set(note["data"]) == {"kernels.csv.gz", "steps.csv.gz"}  # type: ignore[call-overload]


def test_a_dry_session_of_a_processor_is_read_and_passed_over(tmp_path: Path) -> None:
    pytest.importorskip("torch")
    outcome = run(Request(device="cpu", output=tmp_path, budget_s=60.0, dry=True))
    session = read_session(outcome.folder)
    assert session.gpu is None
    assert session.dry
    assert len(session.kernels) > 10
    assert len(session.steps) > 3
    assert session_kernels(session) is None
    assert len(session_runs(session)) == 0
    assert own_sessions(tmp_path) == []


def break_json(folder: Path, **changes: object) -> None:
    """Change facts of a session."""
    path = folder / "session.json"
    document = json.loads(path.read_text())
    document["sessions"][0] |= changes
    path.write_text(json.dumps(document))


def edit(path: Path, before: str, after: str) -> None:
    """Change a table's text."""
    text = gzip.decompress(path.read_bytes()).decode()
    assert before in text
    path.write_bytes(gzip.compress(text.replace(before, after, 1).encode()))


@pytest.fixture
def session(folder: Path) -> MeasuredSession:
    """One good session."""
    return read_session(folder / "nvidia-h200-20260101")


def refused(path: Path, error: type[Exception], *words: str) -> None:
    """Reading says in one line what is wrong."""
    with pytest.raises(error) as caught:
        read_session(path)
    text = str(caught.value)
    assert "\n" not in text
    assert all(word in text for word in words), text


def test_what_is_no_session_is_refused(session: MeasuredSession, tmp_path: Path) -> None:
    refused(tmp_path, InputError, "no measuring session")
    (session.path / "session.json").write_text("[]")
    refused(session.path, InputError, "session.json does not describe")
    (session.path / "session.json").write_text(json.dumps({"schema_version": 99, "sessions": [{"device": "cuda"}]}))
    refused(session.path, InputError, "schema 99")
    with pytest.raises(InputError, match="no folder"):
        own_sessions(tmp_path / "nowhere")


def test_unknown_cards_are_named(session: MeasuredSession) -> None:
    break_json(session.path, memory_bytes=8 * 2**30)
    refused(session.path, InputError, "8 GiB", "h200-sxm")
    break_json(session.path, gpu="NVIDIA Nonesuch 9000")
    refused(session.path, InputError, "Nonesuch")


def test_bad_tables_are_refused_by_file_row_and_column(session: MeasuredSession) -> None:
    table = session.path / "kernels.csv.gz"
    good = table.read_bytes()
    edit(table, ",time_s,", ",seconds,")
    refused(session.path, TableError, "kernels.csv.gz", "lacks the column time_s")
    table.write_bytes(good)
    row = session.kernels[0]
    edit(table, f",{row['time_s']},", ",-1,")
    refused(session.path, TableError, "kernels.csv.gz", "time_s is '-1'")
    table.write_bytes(b"not gzip")
    refused(session.path, TableError, "kernels.csv.gz", "not a compressed table")
