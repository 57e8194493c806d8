"""``compare`` documents: which card to rent, and a form to ask for other settings."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from math import log
from typing import Any

from perfmodel.report.answers import answer
from perfmodel.report.content import Child, Column, Html, Limits, Section, block, details, join, table, tag
from perfmodel.report.documents import NUMBER, Document
from perfmodel.report.drawings import drawn
from perfmodel.report.grids import AXES, PointGrid, Setting, read_grid
from perfmodel.report.ranking import Candidate, rank
from perfmodel.report.sections import Types
from perfmodel.report.words import (
    GRADES,
    card_name,
    count,
    duration,
    listed,
    model_name,
    number,
    percent,
    span,
    unit_of,
    work,
)

NEEDED: Mapping[str, Types] = {
    "workload.model": str,
    "gpus": int,
    "coverage": float,
    "rows[].gpu": str,
    "rows[].precision": str,
    "rows[].batch": int,
    "rows[].blocks??": int,
    "rows[].step_ms?": NUMBER,
    "rows[].low_ms?": NUMBER,
    "rows[].high_ms?": NUMBER,
    "rows[].memory_gb?": NUMBER,
    "rows[].fits": bool,
    "rows[].evidence": str,
    "rows[].epoch_s??": NUMBER,
    "rows[].cost_per_epoch??": NUMBER,
    "rows[].1000_samples_s??": NUMBER,
    "rows[].cost_per_1000_samples??": NUMBER,
}
_LABELS = {"gpu": "GPU", "precision": "Precision", "batch": "Batch (samples on a card)", "blocks": "Residual blocks"}
#: Cards in one figure.
_DRAWN = 6
#: Width and height of the drawing of an interval, and the room left at both ends.
_WIDE, _HIGH, _ROOM = 160, 16, 6


def section(documents: Sequence[Document], limits: Limits) -> Section:
    """Answer, form, table of the cards and all points of each comparison."""
    share = max(1, limits.points // len(documents))
    grids = [read_grid(one.content, one.name, share) for one in documents]
    views = [_View(one, grid, at, limits) for at, (one, grid) in enumerate(zip(documents, grids, strict=True))]
    return Section(
        title=_title(documents),
        summary=tuple(view.answer(view.grid.first_setting) for view in views),
        body=join(*(view.body() for view in views)),
        data=tuple(view.data() for view in views),
        left_out=tuple(text for view in views for text in view.left_out()),
    )


def _title(documents: Sequence[Document]) -> str:
    models = {one.content["workload"]["model"] for one in documents}
    return f"Which GPU to rent for {model_name(models.pop())}" if len(models) == 1 else "Which GPU to rent"


class _View:
    """One comparison on the page."""

    def __init__(self, document: Document, grid: PointGrid, at: int, limits: Limits) -> None:
        self.document, self.grid, self.at, self.limits = document, grid, at, limits
        document.share(grid.coverage, "coverage")
        self.workload: Mapping[str, Any] = document.content["workload"]
        self.name = f"compare-{at + 1}"
        self.cards: int = document.content["gpus"]

    @property
    def unit(self) -> str:
        return "an epoch" if self.grid.unit == "epoch" else "1000 samples"

    def said(self, setting: Setting) -> str:
        precision, batch, blocks = setting
        return f"{precision}, batch {batch}" + (f", {blocks} blocks" if blocks is not None else "")

    def answer(self, setting: Setting) -> tuple[str, ...]:
        precision, batch, blocks = setting
        cards = f", {self.cards} cards" if self.cards > 1 else ""
        size = self.workload.get("dataset_size") if self.grid.unit == "epoch" else None
        unit = f"an epoch ({count(size, 'sample')})" if isinstance(size, int) else self.unit
        job = f"{unit} of {work({**self.workload, 'blocks': blocks})} in {precision} at batch {batch}{cards}"
        found = self.grid.candidates(setting)
        return answer(rank(found), job) if found else (f"None of these cards has {precision}.",)

    def body(self) -> Html:
        title = f"Cards for {work(self.workload)}"
        first = self.grid.first_setting
        parts = [self._form(), self._cards(first), self._figures(), self._points()]
        return block(self.name, title, *parts)

    def _form(self) -> Html:
        fields = [self._select(axis) for axis in AXES if axis == "gpu" or len(self.grid.axes[axis]) > 1]
        price = tag(
            "div",
            tag("label", "Price of one card for an hour", for_=f"{self.name}-price"),
            tag(
                "input", type="number", min="0", step="any", inputmode="decimal", id=f"{self.name}-price", name="price"
            ),
            class_="field",
        )
        choices = tag("fieldset", tag("legend", "Choose, and read the answer below"), *fields, price)
        result = tag("output", role="status", aria_live="polite", class_="result", id=f"{self.name}-result")
        without = tag(
            "noscript", tag("p", "Without JavaScript this page shows one setting; the table of all points is below.")
        )
        return join(tag("form", choices, result, hidden=True, data_comparison=self.at, id=f"{self.name}-form"), without)

    def _select(self, axis: str) -> Html:
        name = f"{self.name}-{axis}"
        start = dict(zip(AXES[1:], self.grid.first_setting, strict=True))
        start["gpu"] = next((one.key for one in _ordered(self.grid.candidates(self.grid.first_setting))), None)
        options = [
            tag(
                "option", card_name(value) if axis == "gpu" else str(value), value=at, selected=value == start.get(axis)
            )
            for at, value in enumerate(self.grid.axes[axis])
        ]
        return tag(
            "div", tag("label", _LABELS[axis], for_=name), tag("select", *options, id=name, name=axis), class_="field"
        )

    def _cards(self, setting: Setting) -> Html:
        found = self.grid.candidates(setting)
        order = _ordered(found)
        rows = [_card_row(self.grid, one, setting, found) for one in order]
        caption = f"The cards at {self.said(setting)}: time and cost of {self.unit}, cost in the money of the prices"
        columns = [
            Column(title="GPU", number=False), Column(title="Time"),
            Column(title=f"{percent(self.grid.coverage)} interval"), Column(title="Cost"),
            Column(title="Drawn (log scale)", number=False), Column(title="Step"),
            Column(title="Memory, GB"), Column(title="Fits", number=False), Column(title="Evidence", number=False),
        ]  # fmt: skip
        keys = [one.key for one in order]
        grades = sorted({one.grade for one in found if one.grade in GRADES})
        legend = [tag("li", tag("b", grade), f": {GRADES[grade]}") for grade in grades]
        return join(table(f"{self.name}-cards", caption, columns, rows, keys=keys), tag("ul", *legend, class_="legend"))

    def _figures(self) -> Html | None:
        if not self.limits.figures:
            return None
        axes = [axis for axis in ("batch", "blocks") if len(self.grid.axes[axis]) > 1]
        return join(self._cost(), *(self._along(axis) for axis in axes))

    def _cost(self) -> Html | None:
        """Draw time against cost of all precisions and batches, at the blocks of the first setting."""
        blocks = self.grid.first_setting[2]
        rows = [row for row in self.document.content["rows"] if row.get("blocks") == blocks]
        if not any(row.get(f"cost_per_{self.grid.unit}") for row in rows):
            return None
        return drawn(f"{self.name}-cost", "cards", "pareto_figure", {**self.document.content, "rows": rows})

    def _along(self, axis: str) -> Html:
        """Draw the first cards along one axis, all else as in the first setting."""
        fixed = {name: value for name, value in zip(AXES[1:], self.grid.first_setting, strict=True) if name != axis}
        cards = [one.key for one in _ordered(self.grid.candidates(self.grid.first_setting))][:_DRAWN]
        rows = [
            row for row in self.document.content["rows"]
            if row["gpu"] in cards and all(row.get(name) == value for name, value in fixed.items())
        ]  # fmt: skip
        return drawn(
            f"{self.name}-by-{axis}", "scaling", "scaling_figure", {**self.document.content, "rows": rows}, axis
        )

    def _points(self) -> Html:
        rows = list(_point_rows(self.grid))
        shown = rows[: self.limits.rows]
        more = f"; the first {len(shown)} of {len(rows)}, the others are in the data" if len(shown) < len(rows) else ""
        columns = [
            Column(title="GPU", number=False), Column(title="Precision", number=False), Column(title="Batch"),
            Column(title="Blocks"), Column(title="Step"), Column(title="Interval"),
            Column(title=f"Time of {self.unit}"), Column(title="Cost"), Column(title="Memory, GB"),
            Column(title="Fits", number=False), Column(title="Evidence", number=False),
            Column(title="Unbeaten", number=False),
        ]  # fmt: skip
        inner = table(
            f"{self.name}-points",
            f"All points{more}; unbeaten: no other one with the same blocks is both faster and cheaper",
            columns,
            shown,
        )
        return details(f"All {count(len(rows), 'point')} of this comparison", inner)

    def data(self) -> dict[str, Any]:
        kept = {key: value for key, value in self.document.content.items() if key != "rows"}
        answers = [" ".join(self.answer(setting)) for setting in self.grid.settings()]
        names = {key: card_name(key) for key in self.grid.axes["gpu"]}
        start = [
            self.grid.axes[axis].index(value) for axis, value in zip(AXES[1:], self.grid.first_setting, strict=True)
        ]
        return kept | self.grid.to_dict() | {"names": names, "answers": answers, "start": start}

    def left_out(self) -> Iterator[str]:
        for axis, values in self.grid.left_out.items():
            words = listed([str(value) for value in values[:20]]) + (" and more" if len(values) > 20 else "")
            yield f"{self.document.name}: {axis} {words} ({count(len(values), 'value')} of that axis)"


def _ordered(found: Sequence[Candidate]) -> list[Candidate]:
    """What fits first, then by cost where it is known, then by time."""
    return sorted(found, key=lambda one: (not one.fits, one.cost is None, one.cost or 0.0, one.time_s))


def _card_row(grid: PointGrid, one: Candidate, setting: Setting, found: Sequence[Candidate]) -> list[Child]:
    place = grid.at(one.key, setting)
    low, high = min(each.low_s for each in found), max(each.high_s for each in found)
    unit = unit_of(min(each.time_s for each in found))
    return [
        one.name, duration(one.time_s, unit), span(one.low_s, one.high_s, unit), number(one.cost),
        interval_drawing(one, low, high), duration(grid.columns["step_ms"][place] / 1e3),
        number(grid.columns["memory_gb"][place]), "yes" if one.fits else "NO", one.grade,
    ]  # fmt: skip


def interval_drawing(one: Candidate, low: float, high: float) -> Html:
    """An interval as a line with a dot at its median, on a log scale; the numbers beside it say the same."""
    width = log(high / low) or 1.0

    def x(value: float) -> float:
        return round(_ROOM + (_WIDE - 2 * _ROOM) * log(value / low) / width, 1)

    middle = _HIGH / 2
    line = tag("line", x1=x(one.low_s), x2=x(one.high_s), y1=middle, y2=middle)
    dot = tag("circle", cx=x(one.time_s), cy=middle, r=4)
    return tag(
        "svg",
        line,
        dot,
        viewBox=f"0 0 {_WIDE} {_HIGH}",
        width=_WIDE,
        height=_HIGH,
        class_="interval",
        aria_hidden="true",
    )


def _point_rows(grid: PointGrid) -> Iterator[list[Child]]:
    for setting in grid.settings():
        for gpu in grid.axes["gpu"]:
            place = grid.at(gpu, setting)
            point = {name: values[place] for name, values in grid.columns.items()}
            if point["step_ms"] is None:
                yield [card_name(gpu), *_setting_cells(setting), "lacks it", *["-"] * 7]
                continue
            yield [
                card_name(gpu), *_setting_cells(setting), duration(point["step_ms"] / 1e3),
                span(point["low_ms"] / 1e3, point["high_ms"] / 1e3), duration(point["unit_s"]), number(point["cost"]),
                number(point["memory_gb"]), "yes" if point["fits"] else "NO", point["evidence"],
                "yes" if point["pareto"] else "",
            ]  # fmt: skip


def _setting_cells(setting: Setting) -> list[str]:
    return ["-" if value is None else str(value) for value in setting]
