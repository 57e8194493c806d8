"""Files of every layout."""

from __future__ import annotations

import csv
import io
from pathlib import Path
from typing import Any

import pytest

from perfmodel.instrument import runlog

LOSSES = "D_A,G_A,cycle_A,idt_A,D_B,G_B,cycle_B,idt_B"
LOSS_CELLS = "0.2,0.3,1.2,0.4,0.3,0.3,1.0,0.5"
ITERATIONS = f"Epoch,iters,time/iters,data/iters,{LOSSES}\n" + "".join(
    f"{epoch},{iters},{time},{data},{LOSS_CELLS}\n"
    for epoch, iters, time, data in ((1, 100, 0.123, 4.5), (1, 200, 0.121, 0.002), (2, 100, 0.122, 0.0))
)
COMBINED = f"Epoch,time,data_time(ms),{LOSSES}\n1,0.3,120,{LOSS_CELLS}\n2,0.31,20,{LOSS_CELLS}\n"
TEXT = """================ Training Loss (Fri Jan  3 10:00:00 2020) ================
(epoch: 1, iters: 100, time: 0.123, data: 0.456) D_A: 0.2 G_A: 0.3 cycle_A: 1.2 idt_A: 0.4 D_B: 0.2 G_B: 0.2
(epoch: 1, iters: 200, time: 0.113, data: 0.001) D_A: 0.2 G_A: 0.3 cycle_A: 1.2 idt_A: 0.4 D_B: 0.2 G_B: 0.2
"""
TABLE = "gpu,model,phase,batch,latency_ms\nv100,resnet50,train,32,100\np100,resnet50,train,32,190\n"
HEADER: dict[str, Any] = {
    "schema_version": 1,
    "workload": "cyclegan",
    "gpu": "p100",
    "n_gpu": 1,
    "host": "server",
    "framework": "pytorch",
    "framework_version": "2.9",
    "precision": "fp32",
    "mode": "train",
    "batch": 4,
    "synchronised": True,
    "started_utc": "2026-01-01T00:00:00Z",
    "blocks": 9,
    "dataset": "VKITTI-KITTI",
    "workers": 4,
}


def run_log_rows() -> list[dict[str, float]]:
    """Three steps, the first one cold."""
    rows = []
    for step, (wait, cold) in enumerate(((900.0, 1), (10.0, 0), (12.0, 0))):
        phases = {"forward": 200.0, "backward": 300.0, "load": 5.0, "input_wait": wait}
        row = {"step": step, "epoch": 1, "batch": 4, "cold": cold, "step_ms": sum(phases.values())}
        for phase, time in phases.items():
            row |= {f"{phase}_ms": time, f"{phase}_own_ms": time}
        rows.append({name: row.get(name, 0.0) for name in runlog.COLUMNS})
    return rows


def run_log_text(**header: object) -> str:
    text = io.StringIO()
    writer = csv.DictWriter(text, runlog.COLUMNS, lineterminator="\n")
    writer.writeheader()
    writer.writerows(run_log_rows())
    return f"{runlog.header_line({**HEADER, **header})}\n{text.getvalue()}"


LAYOUTS = {
    "run-table": TABLE,
    "cyclegan-iterations": ITERATIONS,
    "cyclegan-combined": COMBINED,
    "cyclegan-text": TEXT,
    "run-log": run_log_text(),
}


@pytest.fixture
def files(tmp_path: Path) -> dict[str, Path]:
    """One file of each layout."""
    found = {}
    for name, text in LAYOUTS.items():
        found[name] = tmp_path / f"{name}.csv"
        found[name].write_text(text)
    return found
