"""Every figure with one row, no row, many cards, long names, wide ranges and missing numbers, in both themes."""

from __future__ import annotations

import math
from collections.abc import Callable
from io import BytesIO
from typing import Any

import numpy as np
import pytest

from perfmodel.report.plots.accuracy import accuracy_figure
from perfmodel.report.plots.boxes import box_figure
from perfmodel.report.plots.cards import cards_figure, pareto_figure
from perfmodel.report.plots.coverage import coverage_figure
from perfmodel.report.plots.law import law_figure
from perfmodel.report.plots.residuals import residual_figure
from perfmodel.report.plots.roofline import roofline_figure
from perfmodel.report.plots.scaling import scaling_figure
from perfmodel.report.plots.timeline import timeline_figure
from perfmodel.report.style import described, png, theme_of, title_of
from perfmodel.report.themes import THEMES

LONG = "NVIDIA GeForce RTX 4090 Founders Edition, driver 550, room 14, $x_1$ & <b>" * 3
NAN = math.nan


def rows(names: list[str], times: list[float | None]) -> list[dict[str, Any]]:
    """Rows of fits, comparisons and validations in one."""
    found = []
    for at, (name, time) in enumerate(zip(names, times, strict=True)):
        known = time is not None and math.isfinite(time)
        rate = 1e3 / time if known and time else None
        found.append({
            "row": at, "gpu": name, "measured": time, "fitted": time * 1.1 if known else None,
            "low": time * 0.8 if known else None, "high": time * 1.4 if known else None,
            "cores": 1000.0 * (1 + at % 40),
            "precision": "fp32", "batch": 1 + at % 3, "step_ms": time, "low_ms": time * 0.9 if known else None,
            "high_ms": time * 1.2 if known else None, "samples_per_s": rate, "fits": at % 4 != 3,
            "evidence": "ABCD"[at % 4],
            "1000_samples_s": time, "cost_per_1000_samples": time, "pareto": at == 0,
        })  # fmt: skip
    return found


CASES: dict[str, list[dict[str, Any]]] = {
    "one": rows(["v100"], [12.0]),
    "two alike": rows(["v100", "v100"], [12.0, 12.0]),
    "none": [],
    "forty cards": rows([f"card-{at}" for at in range(40)] * 3, list(np.geomspace(5.0, 80.0, 120))),
    "long names": rows([LONG, LONG + "2", "t4"], [3.0, 4.0, 5.0]),
    "six decades": rows([f"card-{at}" for at in range(7)], [10.0**power for power in range(-2, 5)]),
    "missing": rows(["a", "b", "c", "d"], [NAN, None, 7.0, math.inf]),
    "nothing usable": rows(["a", "b"], [NAN, 0.0]),
    "other scripts": rows(["顯示卡", "карта", "a\x00b"], [3.0, 4.0, 5.0]),
}


def timeline(table: list[dict[str, Any]], theme: str) -> Any:
    phases = {name: {"total": one["measured"] or 0.0, "exposed": one["measured"] or 0.0}
              for name, one in zip(("forward", "backward", "loss"), table, strict=False)
              if one["measured"] is not None and math.isfinite(one["measured"])}  # fmt: skip
    name = table[0]["gpu"] if table else "?"
    return timeline_figure({"phases_ms": phases, "gpu": {"name": name}, "workload": {"model": name}}, theme=theme)


def roofline(table: list[dict[str, Any]], theme: str) -> Any:
    operators = [{"name": one["gpu"], "kind": "conv", "flops": one["measured"], "bytes": 1.0, "l2_bytes": 2.0,
                  "count": 1, "seconds": None if one["measured"] is None else 1e-12 * one["cores"]}
                 for one in table]  # fmt: skip
    return roofline_figure("v100", operators, theme=theme)


FIGURES: dict[str, Callable[[list[dict[str, Any]], str], Any]] = {
    "law": lambda table, theme: law_figure({"response": "log(step_ms)", "rows": table}, "cores", theme=theme),
    "accuracy": lambda table, theme: accuracy_figure(table, theme=theme),
    "residuals": lambda table, theme: residual_figure(table, theme=theme),
    "coverage": lambda table, theme: coverage_figure(table, theme=theme),
    "box": lambda table, theme: box_figure({name: [row[name] for row in table] for name in ("gpu", "step_ms")} if table
                                           else {}, theme=theme),
    "cards": lambda table, theme: cards_figure({"rows": table}, theme=theme),
    "pareto": lambda table, theme: pareto_figure({"rows": table}, theme=theme),
    "scaling": lambda table, theme: scaling_figure({"rows": table}, "batch", theme=theme),
    "timeline": timeline,
    "roofline": roofline,
}  # fmt: skip


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("figure", FIGURES)
def test_it_draws_without_a_warning(figure: str, case: str, drawing: Any) -> None:
    for theme in THEMES if case == "long names" else ("light",):
        made = FIGURES[figure](CASES[case], theme)
        found = drawing(made)
        assert title_of(made)
        assert described(made)
        assert any(text.startswith(title_of(made)[:20]) for text in found.texts()), found.texts()
    assert_nothing_is_cut_off(made)


def assert_nothing_is_cut_off(figure: Any) -> None:
    """No ink touches the rim of the picture, and no axes have shrunk to nothing."""
    image = pytest.importorskip("PIL.Image")
    with image.open(BytesIO(png(figure, dpi=72))) as found:
        pixels = np.asarray(found.convert("RGB")).astype(int)
    page = np.array(list(bytes.fromhex(theme_of(figure).page[1:])))
    for side in (pixels[0], pixels[-1], pixels[:, 0], pixels[:, -1]):
        assert (np.abs(side - page) <= 2).all()
    for axes in figure.axes:
        box = axes.get_window_extent()
        assert min(box.width, box.height) > 60.0


@pytest.mark.parametrize("figure", FIGURES)
def test_axes_have_units(figure: str) -> None:
    made = FIGURES[figure](CASES["six decades"], "light")
    labels = [axis.get_label_text() for axes in made.axes for axis in (axes.xaxis, axes.yaxis)]
    for label in filter(None, labels):
        assert label.endswith(")"), f"{label!r} has no unit"
    assert labels[0]


@pytest.mark.parametrize("figure", [name for name in FIGURES if name not in ("timeline", "roofline")])
def test_the_count_stands_in_the_title(figure: str) -> None:
    assert "n = 7" in title_of(FIGURES[figure](CASES["six decades"], "light"))
    empty = title_of(FIGURES[figure]([], "light"))
    assert "n = 0" in empty
