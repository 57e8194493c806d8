"""What the figures say is what the documents hold: marks are counted, bands and bars are measured."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import perfmodel as pm
from perfmodel.instrument.phases import PHASES
from perfmodel.report.plots.accuracy import accuracy_figure
from perfmodel.report.plots.axes import DRAWN
from perfmodel.report.plots.boxes import box_figure
from perfmodel.report.plots.cards import cards_figure, pareto_figure
from perfmodel.report.plots.coverage import coverage_figure, level_needed, wilson
from perfmodel.report.plots.law import columns_of, law_curve, law_figure
from perfmodel.report.plots.points import Points, points_of
from perfmodel.report.plots.residuals import residual_figure
from perfmodel.report.plots.roofline import roofline_figure
from perfmodel.report.plots.scaling import scaling_figure
from perfmodel.report.plots.timeline import step_bars, timeline_figure
from perfmodel.report.style import described
from perfmodel.step.operator_times import operator_times
from perfmodel.step.scaling import scaling


def by_gid(figure: Any, gid: str) -> list[Any]:
    return figure.findobj(lambda one: one.get_gid() == gid)


def area(band: Any) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Abscissa, lower and upper end of a filled band."""
    corners = band.get_paths()[0].vertices[:-1]
    x = np.unique(corners[:, 0])
    ends = [corners[np.isclose(corners[:, 0], at), 1] for at in x]
    return x, np.array([one.min() for one in ends]), np.array([one.max() for one in ends])


def test_bars_of_a_step_add_up(prediction: dict[str, Any]) -> None:
    bars = step_bars(prediction["phases_ms"])
    path = [bar for bar in bars if not bar.hidden]
    assert sum(bar.length for bar in path) == pytest.approx(prediction["step_ms"]["median"])
    for one, following in itertools.pairwise(path):
        assert following.start == pytest.approx(one.start + one.length)
    exchange = [bar for bar in bars if bar.phase == "communication"]
    phase = prediction["phases_ms"]["communication"]
    assert sum(bar.length for bar in exchange) == pytest.approx(phase["total"])
    hidden, exposed = sorted(exchange, key=lambda bar: not bar.hidden)
    assert hidden.start + hidden.length == pytest.approx(exposed.start)


@settings(max_examples=50, deadline=None)
@given(st.dictionaries(st.sampled_from(PHASES), st.tuples(st.floats(0, 1e4), st.floats(0, 1))))
def test_any_phases_make_bars(parts: dict[str, tuple[float, float]]) -> None:
    phases = {name: {"total": total, "exposed": total * share} for name, (total, share) in parts.items()}
    bars = step_bars(phases)
    assert all(bar.start >= 0 and bar.length >= 0 for bar in bars)
    shown = sum(one["exposed"] for name, one in phases.items() if name != "load")
    assert sum(bar.length for bar in bars if not bar.hidden) == pytest.approx(shown)


def test_time_line(prediction: dict[str, Any], drawing: Any) -> None:
    figure = timeline_figure(prediction)
    found = drawing(figure)
    step = prediction["step_ms"]
    assert found.groups("hidden-communication")
    assert found.groups("exposed-communication")
    widths = [bar.get_width() for bar in figure.findobj(lambda one: str(one.get_gid()).startswith("path-"))]
    assert sum(widths) == pytest.approx(step["median"], rel=0.01)
    assert found.has("time from the start of the step (ms)")
    assert found.has("hidden")
    assert f"{step['median']:.0f} ms" in described(figure)


def test_law_with_bands(tmp_path: Any, drawing: Any) -> None:
    """A table with a known law: the line lies on it, the bands hold each other."""
    random = np.random.default_rng(3)
    cards = ["p4", "p100", "v100", "t4", "rtx3090", "a100", "h100", "rtx2080ti"]
    lines = ["gpu,model,batch,latency_ms"]
    for card in cards:
        for _ in range(8):
            time = 8e5 / pm.find_gpu(card).cuda_cores * np.exp(0.1 * random.standard_normal())
            lines.append(f"{card},resnet50,8,{time}")
    (tmp_path / "runs.csv").write_text("\n".join(lines))
    fit = pm.fit(tmp_path / "runs.csv", "log(step_ms) ~ log(cores)")
    curve = law_curve(fit, "cores")
    assert (curve.low < curve.mean_low).all()
    assert (curve.mean_low < curve.mean).all()
    assert (curve.mean < curve.mean_high).all()
    assert (curve.mean_high < curve.high).all()
    assert np.allclose(curve.mean, 8e5 / curve.x, rtol=0.1)
    figure = law_figure(fit.to_dict(), "cores", curve=curve)
    (rows,), (mean,) = by_gid(figure, "band-rows"), by_gid(figure, "band-mean")
    x, low, high = area(rows)
    _, mean_low, mean_high = area(mean)
    assert len(x) == len(curve.x)
    assert (low < mean_low).all()
    assert (mean_high < high).all()
    found = drawing(figure)
    assert found.marks("rows") == 64
    assert found.has("CUDA cores (count)")
    assert found.has("step time (ms)")
    assert found.has("90 % of single rows")
    assert found.has("n = 64")


def test_labels_of_cards_do_not_collide(fit_document: dict[str, Any]) -> None:
    figure = law_figure(fit_document, "cores")
    figure.draw_without_rendering()
    boxes = [text.get_window_extent() for text in figure.axes[0].texts]
    assert len(boxes) == 6
    for one, other in itertools.combinations(boxes, 2):
        assert not one.overlaps(other)


def test_columns_of_a_fit(fit_document: dict[str, Any]) -> None:
    assert columns_of(fit_document) == ["cores"]
    assert columns_of({"rows": []}) == []
    with pytest.raises(pm.InputError, match="the fit has no column 'tdp_w'; it has cores"):
        law_figure(fit_document, "tdp_w")


def test_accuracy(fit_document: dict[str, Any], drawing: Any) -> None:
    figure = accuracy_figure(fit_document)
    found = drawing(figure)
    assert found.marks("points") == 72
    (line,) = by_gid(figure, "identity")
    assert (line.get_xdata() == line.get_ydata()).all()
    (axes,) = figure.axes
    assert axes.get_xlim() == axes.get_ylim()
    assert found.has("measured step time (ms)")
    assert found.has("± 20 %")
    assert found.has("n = 72")
    assert sum(len(one.get_segments()) for one in by_gid(figure, "intervals")) == 72
    error = np.median([abs(row["fitted"] / row["measured"] - 1) for row in fit_document["rows"]])
    assert f"median error {100 * error:.3g} %" in described(figure)


def test_many_rows_are_thinned_and_said_so(drawing: Any) -> None:
    random = np.random.default_rng(0)
    time = np.exp(random.normal(3.0, 1.0, 5000))
    points = Points(measured=time, predicted=time * 1.1, low=time * 0.8, high=time * 1.5,
                    group=tuple(f"card-{at % 50}" for at in range(5000)))  # fmt: skip
    found = drawing(accuracy_figure(points))
    assert found.marks("points") == pytest.approx(DRAWN, rel=0.05)
    assert found.has("n = 5000")
    assert found.has("about 800 of them drawn")
    assert "<image" not in found.source
    assert len(found.source) < 150_000
    assert len(drawing(residual_figure(points)).source) < 150_000


def test_boxes(drawing: Any) -> None:
    frame = {
        "gpu": ["v100"] * 40 + ["p100"] * 5 + ["t4"],
        "data_pair": ["GTA-Cityscapes", "VKITTI-KITTI"] * 20 + ["GTA-Cityscapes"] * 6,
        "step_ms": [100.0 + at for at in range(40)] + [200.0] * 5 + [float("nan")],
    }
    found = drawing(box_figure(frame))
    counts = [text for text in found.texts() if text.startswith("n = ")]
    assert sorted(counts) == ["n = 20", "n = 20", "n = 5"]
    assert len(found.groups("box")) == 3
    assert found.marks("rows") == 45
    assert found.has("VKITTI-KITTI")
    assert found.has("1 row without a positive number left out")
    assert found.has("step time (ms a step)")
    assert found.has("n = 45")


def test_residuals(fit_document: dict[str, Any], drawing: Any) -> None:
    found = drawing(residual_figure(fit_document))
    assert found.marks("residuals") == 72
    assert found.marks("quantiles") == 72
    assert found.has("measured / fitted (ratio)")
    assert found.has("h100-sxm (12)")


def test_coverage_of_intervals_that_are_right() -> None:
    random = np.random.default_rng(1)
    centre, sd = np.full(20_000, 100.0), 0.2
    measured = centre * np.exp(sd * random.standard_normal(20_000))
    half = 1.6449 * sd
    points = Points(measured=measured, predicted=centre, low=centre * np.exp(-half), high=centre * np.exp(half),
                    group=("all",) * 20_000)  # fmt: skip
    needed = level_needed(points, np.ones(20_000, dtype=bool))
    for level in (0.1, 0.5, 0.8, 0.9, 0.99):
        assert np.mean(needed <= level) == pytest.approx(level, abs=0.015)
    figure = coverage_figure(points)
    (line,) = by_gid(figure, "observed")
    assert np.abs(line.get_ydata() - line.get_xdata()).max() < 2.0
    (band,) = by_gid(figure, "band")
    x, low, high = area(band)
    assert (low <= np.interp(x, line.get_xdata(), line.get_ydata()) + 1e-9).all()
    assert (low < high).all()
    assert "holds 90 % of 20000 rows" in described(figure)


def test_wilson() -> None:
    # Newcombe 1998, Statistics in Medicine 17, 857, table I: 81 of 263 at 95 %.
    low, high = wilson(81, 263, 0.95)
    assert (round(low, 4), round(high, 4)) == (0.2553, 0.3662)
    assert wilson(0, 10)[0] == 0.0
    assert wilson(10, 10)[1] == 1.0


@pytest.mark.parametrize("precision", ["fp32", "amp", "int8"])
def test_roofline(precision: str, drawing: Any) -> None:
    mode = "infer" if precision == "int8" else "train"
    p = pm.predict("resnet50", gpu="h100", batch=32, precision=precision, mode=mode)
    operators = operator_times(p)
    figure = roofline_figure(p.request.gpu, operators, precision=p.request.precision)
    found = drawing(figure)
    assert found.marks("dram") > 10
    assert 0 < found.marks("l2") <= found.marks("dram") + 5
    assert found.has("arithmetic intensity (FLOP/byte)")
    assert found.has("arithmetic rate (TFLOP/s)")
    assert found.has("DRAM 3350 GB/s")
    assert found.has("int8") == (precision == "int8")
    (peak,), (sustained,) = by_gid(figure, "peak-fp32"), by_gid(figure, "sustained-fp32")
    assert peak.get_ydata()[0] == p.request.gpu.peaks_tflops["fp32"]
    assert sustained.get_ydata()[0] <= peak.get_ydata()[0]
    (dram,) = by_gid(figure, "dram")
    slope = dram.get_ydata() / dram.get_xdata()
    assert slope == pytest.approx([3.35, 3.35])
    assert "bound by bandwidth" in described(figure)


def test_roofline_of_a_document_is_that_of_the_prediction() -> None:
    p = pm.predict("cyclegan", gpu="p100", batch=4)
    document = p.explain().to_dict()["roofline"]["operators"]
    assert described(roofline_figure({"key": "p100-pcie-16"}, document)) == described(
        roofline_figure("p100", operator_times(p))
    )


@pytest.mark.parametrize("along", ["batch", "blocks", "gpus", "workers"])
def test_scaling_is_what_predict_answers(along: str, drawing: Any) -> None:
    options: dict[str, Any] = {"gpu": "v100", "batch": 2, "blocks": 6, "workers": 3, "gpus": 2}
    p = pm.predict("cyclegan", **options)
    document = scaling(p, along)
    assert [row[along] for row in document["rows"]] == sorted(row[along] for row in document["rows"])
    own = next(row for row in document["rows"] if row[along] == options[along])
    assert own["step_ms"] == pytest.approx(1e3 * p.step_s.median)
    last = document["rows"][-1]
    again = pm.predict("cyclegan", **{**options, along: last[along]})
    assert last["step_ms"] == pytest.approx(1e3 * again.step_s.median)
    assert last["samples_per_s"] == pytest.approx(again.samples_per_s)
    figure = scaling_figure(document, along)
    found = drawing(figure)
    assert found.has("throughput (samples/s)")
    assert found.has("step time (ms)")
    assert bool(by_gid(figure, "ideal")) == (along != "blocks")
    bands = by_gid(figure, "band")
    assert len(bands) == 2
    for band in bands:
        _, low, high = area(band)
        assert (low < high).all()


def test_the_memory_limit_is_marked(drawing: Any) -> None:
    p = pm.predict("cyclegan", gpu="p100", batch=1)
    document = scaling(p, "batch")
    assert [row["fits"] for row in document["rows"]].count(False) == 1
    figure = scaling_figure(document, "batch")
    limits = by_gid(figure, "memory-limit")
    assert len(limits) == 2
    fitting = max(row["batch"] for row in document["rows"] if row["fits"])
    beyond = min(row["batch"] for row in document["rows"] if not row["fits"])
    assert fitting < limits[0].get_xdata()[0] < beyond
    assert drawing(figure).has("does not fit in memory")


@pytest.mark.parametrize(
    ("along", "options", "text"),
    [("blocks", {}, "resnet50 has no block count"), ("workers", {"loader": "none"}, "without a loader"),
     ("colour", {}, "cannot scale along 'colour'; give batch, blocks, gpus, workers")],
)  # fmt: skip
def test_settings_that_do_not_scale(along: str, options: dict[str, Any], text: str) -> None:
    with pytest.raises(pm.InputError, match=text):
        scaling(pm.predict("resnet50", gpu="v100", **options), along)


def test_cost_against_time(comparison: dict[str, Any], drawing: Any) -> None:
    figure = pareto_figure(comparison)
    found = drawing(figure)
    best = [row for row in comparison["rows"] if row["pareto"]]
    assert found.marks("not") == len(best)
    assert found.marks("beaten") + found.marks("does") + len(best) == len(comparison["rows"])
    cheapest = min(best, key=lambda row: float(row["cost_per_epoch"]))
    assert f"Cheapest: {cheapest['gpu']}" in described(figure)
    assert found.has(cheapest["gpu"])


def test_cards(comparison: dict[str, Any], drawing: Any) -> None:
    figure = cards_figure(comparison)
    assert len(by_gid(figure, "interval")) == len(comparison["rows"])
    rates = [line.get_xdata()[0] for line in by_gid(figure, "rate")]
    assert rates == sorted(rates, reverse=True)
    for line, rate in zip(by_gid(figure, "interval"), rates, strict=True):
        low, high = line.get_xdata()
        assert low < rate < high
    assert drawing(figure).has("throughput (samples/s)")


@pytest.mark.parametrize("build", [accuracy_figure, residual_figure, coverage_figure])
def test_a_document_and_its_points_are_the_same(build: Callable[..., Any], fit_document: dict[str, Any]) -> None:
    assert described(build(fit_document)) == described(build(points_of(fit_document)))
