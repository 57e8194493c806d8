"""The hierarchical roofline of a card with the operators of a step on it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from perfmodel.report.plots.axes import floats, logarithmic, milliseconds, plain, span, usable
from perfmodel.report.style import blank, describe, shortened
from perfmodel.report.themes import Theme, applied
from perfmodel.roofline.roofs import Ceiling, Roofs, roofs_of

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from perfmodel.hardware.gpu import Gpu

Floats = npt.NDArray[np.float64]

#: Classes of operators and the kinds (`perfmodel.graph.operators.KINDS`) in them, in the order of their colours.
CLASSES = {
    "convolution": ("conv",),
    "matrix product": ("gemm", "rnn"),
    "attention": ("attention",),
    "normalisation": ("norm", "softmax"),
    "elementwise and others": ("elementwise", "reduce", "copy", "pool", "embedding", "other"),
    "weight update": ("optimizer",),
}
_CLASS_OF = {kind: name for name, kinds in CLASSES.items() for kind in kinds}
_WORDS = {"fp16": "16 bit", "fp32": "fp32", "tf32": "tf32", "int8": "int8", "fp8": "fp8"}
#: Operators drawn; the rest, the shortest, are counted in the note.
_MOST = 120
#: Share of the step below which an operator is not drawn.
_LEAST = 2e-4


def roofline_figure(
    gpu: Gpu | str | Mapping[str, Any], operators: Sequence[Any] = (), *, precision: str = "", title: str = "",
    theme: str | Theme = "light",
) -> Figure:  # fmt: skip
    """Draw the roofs of a card, and operators where their arithmetic intensity and rate put them.

    Parameters
    ----------
    gpu : Gpu, str or mapping
        A card, its name, or ``{"key": name}`` as in documents.
    operators : sequence
        `OperatorTime`, or the mappings in ``explanation.roofline.operators`` of ``predict --json --explain``.
    precision : str
        Of the step: int8 and fp8 roofs are drawn only where it is one of them.
    title : str
    theme : str or Theme

    Returns
    -------
    Figure
        For each operator a full mark at its DRAM intensity and a hollow one at its L2 intensity, at the same rate; the
        area grows with its time in the step.
    """
    card = _card(gpu)
    rows = [one if isinstance(one, Mapping) else one.to_dict() for one in operators]
    roofs = roofs_of(card)
    with applied(theme) as look:
        figure, axes = blank(look, height=5.2)
        table = _Table(rows)
        ceilings = [one for one in roofs.ceilings if one.precision not in ("int8", "fp8") or one.precision == precision]
        x, y = _limits(roofs, ceilings, table)
        logarithmic(axes.xaxis, *x)
        logarithmic(axes.yaxis, *y)
        _draw_roofs(axes, look, roofs, ceilings, x)
        _draw_operators(axes, look, table)
        axes.set_xlabel("arithmetic intensity (FLOP/byte)")
        axes.set_ylabel("arithmetic rate (TFLOP/s)")
        handles, _ = axes.get_legend_handles_labels()
        if handles:
            legend = axes.legend(loc="lower right", framealpha=0.9)
            for handle in legend.legend_handles:
                if hasattr(handle, "set_sizes"):
                    handle.set_sizes([28.0])
        _describe(figure, card, roofs, ceilings, table, title)
        return figure


def _card(gpu: Gpu | str | Mapping[str, Any]) -> Gpu:
    from perfmodel.hardware.gpu import find_gpu

    if isinstance(gpu, Mapping):
        gpu = str(gpu.get("key") or gpu.get("name") or "")
    return find_gpu(gpu) if isinstance(gpu, str) else gpu


class _Table:
    """Columns of the operators that a roofline can show, the longest first."""

    def __init__(self, rows: Sequence[Mapping[str, Any]]) -> None:
        columns = {name: floats(row.get(name) for row in rows) for name in ("flops", "bytes", "seconds", "count")}
        l2 = floats(row.get("l2_bytes", row.get("bytes")) for row in rows)
        total = columns["seconds"] * columns["count"]
        good = usable(total, columns["flops"], columns["bytes"], l2) if len(rows) else np.zeros(0, dtype=bool)
        self.rows = len(rows)
        self.step_s = float(np.nansum(total)) if len(rows) else 0.0
        good &= total > _LEAST * self.step_s
        order = np.argsort(-np.where(good, total, -1.0), kind="stable")[: min(int(good.sum()), _MOST)]
        self.total = total[order]
        self.rate = columns["flops"][order] / columns["seconds"][order] / 1e12
        self.dram = columns["flops"][order] / columns["bytes"][order]
        self.l2 = columns["flops"][order] / np.maximum(l2[order], 1e-30)
        self.kind = [_CLASS_OF.get(str(rows[at].get("kind")), "elementwise and others") for at in order]

    def __len__(self) -> int:
        return len(self.total)


def _limits(
    roofs: Roofs, ceilings: Sequence[Ceiling], table: _Table
) -> tuple[tuple[float, float], tuple[float, float]]:
    top = max(one.peak_tflops for one in ceilings)
    ridge = 1e3 * top / roofs.dram_gbs
    near = 1e3 * min(one.peak_tflops for one in ceilings) / (roofs.l2_gbs or roofs.dram_gbs)
    x = span([near / 20.0, 6.0 * ridge, *table.dram, *table.l2])
    lowest = min([roofs.dram_gbs * x[0] / 1e3, *table.rate], default=1.0)
    # Operators far below every roof (tiny ones that only launch) must not squeeze the rest.
    return x, (max(lowest / 2.0, top * 1e-6), max(2.6 * top, *(1.8 * table.rate)) if len(table) else 2.6 * top)


def _draw_roofs(axes: Any, look: Theme, roofs: Roofs, ceilings: Sequence[Ceiling], x: tuple[float, float]) -> None:
    top, sustained = max(one.peak_tflops for one in ceilings), max(one.sustained_tflops for one in ceilings)
    lines: list[tuple[str, float, float, Any, str]] = [
        (f"DRAM {plain(roofs.dram_gbs)} GB/s", roofs.dram_gbs, top, "-", "dram"),
        (f"DRAM sustained, {plain(roofs.dram_sustained_gbs)} GB/s", roofs.dram_sustained_gbs, sustained, "--",
         "dram-sustained"),
    ]  # fmt: skip
    if roofs.l2_gbs is not None:
        lines.append((f"L2, about {plain(roofs.l2_gbs, 2)} GB/s", roofs.l2_gbs, top, (0, (1, 1.5)), "l2"))
    for name, gbs, limit, style, gid in lines:
        axes.plot([x[0], 1e3 * limit / gbs], [gbs * x[0] / 1e3, limit], color=look.text, linestyle=style, linewidth=1.1,
                  label=name, gid=gid)  # fmt: skip
    for one in ceilings:
        for tflops, style, kind in ((one.peak_tflops, "-", "peak"), (one.sustained_tflops, "--", "sustained")):
            start = 1e3 * tflops / (roofs.l2_gbs or roofs.dram_gbs)
            axes.plot([start, x[1]], [tflops] * 2, color=look.text, linewidth=1.0, linestyle=style,
                      gid=f"{kind}-{one.precision}")  # fmt: skip
    _name_ceilings(axes, look, ceilings)


def _name_ceilings(axes: Any, look: Theme, ceilings: Sequence[Ceiling]) -> None:
    """Write the peaks at the right of the axes; equal ones share a line."""
    shared: dict[float, list[str]] = {}
    for one in ceilings:
        near = next((value for value in shared if abs(np.log(value / one.peak_tflops)) < 0.2), one.peak_tflops)
        shared.setdefault(near, []).append(_WORDS[one.precision])
    for tflops, names in shared.items():
        axes.annotate(
            f"{', '.join(names)}\n{plain(tflops)} TFLOP/s", (1.0, tflops), xycoords=("axes fraction", "data"),
            xytext=(4, 0), textcoords="offset points", va="center", fontsize=7.5, color=look.text,
        )  # fmt: skip


def _draw_operators(axes: Any, look: Theme, table: _Table) -> None:
    if not len(table):
        return
    size = 8.0 + 420.0 * table.total / max(table.step_s, 1e-30)
    for at, name in enumerate(CLASSES):
        rows = np.array([place for place, kind in enumerate(table.kind) if kind == name], dtype=np.intp)
        if not len(rows):
            continue
        style = look.series(at)
        share = 100.0 * float(table.total[rows].sum()) / table.step_s
        moved = rows[np.abs(np.log(table.l2[rows] / table.dram[rows])) > 0.02]
        axes.hlines(
            table.rate[moved],
            table.l2[moved],
            table.dram[moved],
            color=style.colour,
            linewidth=0.5,
            alpha=0.5,
            zorder=2,
        )
        axes.scatter(
            table.l2[moved], table.rate[moved], s=size[moved], marker=style.marker, facecolors="none",
            edgecolors=style.colour, linewidths=0.7, zorder=3, gid=f"l2-{at}",
        )  # fmt: skip
        axes.scatter(
            table.dram[rows], table.rate[rows], s=size[rows], marker=style.marker, color=style.colour, alpha=0.8,
            edgecolors=look.page, linewidths=0.4, zorder=4, label=f"{name}: {share:.0f} % of time", gid=f"dram-{at}",
        )  # fmt: skip


def _describe(figure: Figure, card: Gpu, roofs: Roofs, ceilings: Sequence[Ceiling], table: _Table, title: str) -> None:
    ceilings_text = ", ".join(f"{_WORDS[one.precision]} {plain(one.peak_tflops)} TFLOP/s" for one in ceilings)
    l2 = "" if roofs.l2_gbs is None else f", L2 about {plain(roofs.l2_gbs)} GB/s"
    text = f"Roofs of the {card.name}: {ceilings_text}; DRAM {plain(roofs.dram_gbs)} GB/s{l2}."
    lines = ["full lines: peak at the boost clock; dashed: sustained"]
    if table.rows:
        ridge = max(one.sustained_tflops for one in ceilings) * 1e3 / roofs.dram_sustained_gbs
        bound = 100.0 * float(table.total[table.dram < ridge].sum()) / max(table.step_s, 1e-30)
        shown = 100.0 * float(table.total.sum()) / max(table.step_s, 1e-30)
        text += f" {len(table)} operators; {bound:.0f} % of the time is left of the DRAM ridge, bound by bandwidth."
        lines.append(
            f"n = {len(table)} of {table.rows} operators, {shown:.0f} % of {milliseconds(1e3 * table.step_s)}; "
            "area: time in the step; full mark: FLOP per DRAM byte, hollow: per L2 byte (tiles of 128 x 128). Winograd "
            "convolutions, counted directly, can pass the roof"
        )
    describe(figure, title=title or f"Roofline of the {shortened(card.name, 50)}", text=text, note="\n".join(lines))
