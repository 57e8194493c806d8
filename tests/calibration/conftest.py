"""Small tables for fits; one thread computes in these tests, which must not wait for a core when others run too."""

from __future__ import annotations

import csv
import gzip
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest

if TYPE_CHECKING:
    from perfmodel.calibration.cross_validation import Table


@pytest.fixture(autouse=True)
def one_thread(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Set the threads of this process and of those it starts to one."""
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    torch = pytest.importorskip("torch")
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture
def write_rows() -> Callable[[Path, Sequence[Mapping[str, object]]], Path]:
    """Return a function that writes rows as a compressed table; missing cells are empty."""

    def write(path: Path, rows: Sequence[Mapping[str, object]]) -> Path:
        names = list(dict.fromkeys(name for row in rows for name in row))
        path.parent.mkdir(parents=True, exist_ok=True)
        with gzip.open(path, "wt", newline="") as file:
            writer = csv.DictWriter(file, names)
            writer.writeheader()
            writer.writerows(rows)
        return path

    return write


@pytest.fixture
def kernel_table(tmp_path: Path, write_rows: Callable[..., Path]) -> Callable[..., Path]:
    """Return a function that writes kernel rows; every column that the reader needs is there."""
    columns = (
        "source", "gpu", "op", "latency_ms", "precision", "B", "M", "N", "K", "H", "in_ch", "out_ch", "kernel_size",
        "in_size", "stride", "sub", "W", "C", "Kf", "S", "R", "stride_h", "P", "Q",
    )  # fmt: skip

    def write(rows: Sequence[Mapping[str, object]], path: Path | None = None) -> Path:
        full = [dict.fromkeys(columns, "") | dict(row) for row in rows]
        return write_rows(path or tmp_path / "kernels.csv.gz", full)

    return write


@pytest.fixture
def random_kernels() -> Callable[..., list[dict[str, object]]]:
    """Return a function that lists random kernels (without times) of some cards: the same shapes on every card."""

    def rows(cards: Sequence[str], each: int = 40, seed: int = 0, source: str = "neusight") -> list[dict[str, object]]:
        rng = np.random.default_rng(seed)
        shapes: list[dict[str, object]] = []
        for op in ("linear", "bmm", "conv", "ln", "softmax", "add"):
            for _ in range(each):
                m, n, k = (int(x) for x in np.exp(rng.uniform(np.log(64), np.log(4096), 3)))
                if op == "linear":
                    shape = {"B": 1, "M": 4 * m, "N": n, "K": k}
                elif op == "bmm":
                    shape = {"B": int(rng.integers(8, 65)), "M": m, "N": n, "K": k // 4 + 16}
                elif op == "conv":
                    side = int(rng.choice([7, 14, 28, 56]))
                    size = int(rng.choice([1, 3]))
                    shape = {
                        "B": 32,
                        "in_ch": m // 4,
                        "out_ch": n // 4,
                        "kernel_size": size,
                        "in_size": side,
                        "stride": 1,
                    }
                else:
                    shape = {"B": 8 * m, "H": k}
                shapes.append({"source": source, "op": op, "precision": "fp32", "latency_ms": 1.0, **shape})
        return [{"gpu": gpu, **shape} for gpu in cards for shape in shapes]

    return rows


#: Log effects that `step_table` puts on the times of cards and networks.
CARD_EFFECTS = {"k80": 0.1, "p100-pcie-16": -0.1, "v100-sxm2-16": 0.05, "t4": 0.15, "a100-pcie-40": -0.05}
NETWORK_EFFECTS = {"resnet50": 0.05, "vgg16": -0.1, "bert_base": 0.1, "mobilenet_v2": 0.0}


@pytest.fixture(scope="session")
def step_table() -> list[dict[str, object]]:
    """Rows of measured steps: physical times with effects of cards and networks, two sources, and 3 % noise."""
    from perfmodel.calibration.base import base_prior
    from perfmodel.runs.rows import Runs
    from perfmodel.validation.features import question_features
    from perfmodel.validation.predictions import predict_questions
    from perfmodel.validation.resolve import resolve_rows

    rows: list[dict[str, object]] = [
        {"source": source, "gpu": gpu, "model": model, "phase": phase, "precision": precision, "batch": batch,
         "framework": "pytorch", "framework_version": "2.1.0", "latency_ms": 1.0, "tier": "core", "n_gpu": 1,
         "timing_def": "", "layout": "nchw", "unit": "image"}
        for source, cards in (("lab", ("k80", "p100-pcie-16", "v100-sxm2-16")),
                              ("cloud", ("v100-sxm2-16", "t4", "a100-pcie-40")))
        for gpu in cards
        for precision in (("fp32",) if gpu in ("k80", "p100-pcie-16") else ("fp32", "amp_fp16"))
        for model in NETWORK_EFFECTS
        for phase in ("train", "infer")
        for batch in (8, 32)
    ]  # fmt: skip
    names = list(rows[0])
    runs = Runs({name: np.array([str(row[name]) for row in rows], dtype=object) for name in names})
    questions, unresolved = resolve_rows(runs)
    assert not unresolved
    prior = base_prior()
    seconds = predict_questions(questions, question_features(questions, prior), prior).time_s
    noise = 0.03 * np.random.default_rng(1).standard_normal(len(rows))
    for row, time_s, error in zip(rows, seconds, noise, strict=True):
        effect = CARD_EFFECTS[str(row["gpu"])] + NETWORK_EFFECTS[str(row["model"])]
        row["latency_ms"] = float(1e3 * time_s * np.exp(effect + error))
    return rows


@pytest.fixture
def tables(tmp_path: Path, write_rows: Callable[..., Path]) -> Callable[..., Table]:
    """Return a function that reads rows as the fit does."""
    from perfmodel.calibration.fit_prior import read_table

    def read(rows: Sequence[Mapping[str, object]]) -> Table:
        table, unresolved, _ = read_table(write_rows(tmp_path / "steps.csv.gz", rows))
        assert not unresolved
        return table

    return read


#: Facts of a session on a card, as `machine.describe` records them; memory is that of the card's table row.
CARD_FACTS = {
    "device": "cuda",
    "date": "2026-01-01T00:00:00+00:00",
    "torch": "2.9.0+cu130",
    "cuda": "13.0",
    "gpu_state": {"driver_version": "580.1"},
    "dry": False,
}


@pytest.fixture
def write_session() -> Callable[..., Path]:
    """Return a function that writes a session of a card: the designed cases, timed by a kernel and a step model.

    ``time_kernels`` and ``time_steps`` take what the session's own readers give and return seconds.
    """
    from perfmodel.calibration import design, programs
    from perfmodel.calibration.rows import RowStore, operator_row
    from perfmodel.calibration.session_rows import class_of, session_kernels, session_runs
    from perfmodel.calibration.sessions import read_session
    from perfmodel.calibration.timing import Timing
    from perfmodel.hardware.gpu import find_gpu

    def write(
        folder: Path,
        gpu: str,
        time_kernels: Callable[..., Sequence[float]],
        time_steps: Callable[..., Sequence[float]],
        **facts: object,
    ) -> Path:
        card = find_gpu(gpu)
        store = RowStore(folder)
        known = CARD_FACTS | {"gpu": gpu, "memory_bytes": card.memory_gb * 2**30} | facts
        store.write_json("session.json", {"schema_version": 1, "perfmodel": "0", "sessions": [known]})
        one = Timing(time_s=1.0, time_min_s=1.0, spread=0.0, repeats=7, method="events")
        lacking = {name for name in design.GPU.precisions if name != "fp32" and not card.peaks_tflops.get(name)}
        for case in design.cases_for(design.GPU):
            good = case.precision not in lacking
            row = operator_row("kernels", case, one if good else None, error="" if good else "no such engine")
            store.add("kernels", row)
        for case in programs.cases_for("gpu"):
            row = {name: getattr(case, name) for name in ("key", "workload", "blocks", "batch", "size_name", "size")}
            store.add("steps", row | {"precision": case.precision, "mode": "train", "optimizer": case.optimizer,
                                      "step_s": 1.0, "repeats": 15, "threads": 0, "error": ""})  # fmt: skip
        store.flush()
        session = read_session(folder)
        fitted = [row for row in session.kernels if class_of(row)]
        for row, seconds in zip(fitted, time_kernels(session_kernels(session)), strict=True):
            store.add("kernels", row | {"time_s": float(seconds)})
        for row, seconds in zip(session.steps, time_steps(session_runs(session)), strict=True):
            store.add("steps", row | {"step_s": float(seconds)})
        store.flush()
        return folder

    return write
