"""``predict`` documents: how long a step takes, on what, why, and what would change it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from perfmodel.errors import PerfmodelError
from perfmodel.hardware.gpu import find_gpu
from perfmodel.instrument.phases import MEANING
from perfmodel.report.answers import answer
from perfmodel.report.content import (
    Child,
    Column,
    Html,
    Limits,
    Section,
    block,
    details,
    join,
    listing,
    pairs,
    table,
    tag,
)
from perfmodel.report.documents import NUMBER, Document
from perfmodel.report.drawings import drawn
from perfmodel.report.ranking import Candidate, rank
from perfmodel.report.sections import Types
from perfmodel.report.words import GRADES, count, duration, estimate, number, percent, span, work

NEEDED: Mapping[str, Types] = {
    "gpu.name": str,
    "gpu.key": str,
    "gpus": int,
    "host.key": str,
    "stack": str,
    "workload.model": str,
    "workload.precision": str,
    "workload.batch": int,
    "step_ms.median": NUMBER,
    "step_ms.low": NUMBER,
    "step_ms.high": NUMBER,
    "step_ms.coverage": NUMBER,
    "samples_per_s": NUMBER,
    "epoch_s?.median": NUMBER,
    "epoch_s?.low": NUMBER,
    "epoch_s?.high": NUMBER,
    "cost?.per_1000_steps": NUMBER,
    "cost?.per_epoch??": NUMBER,
    "phases_ms.*.total": NUMBER,
    "phases_ms.*.exposed": NUMBER,
    "memory_gb.peak": NUMBER,
    "memory_gb.capacity": NUMBER,
    "memory_gb.parts.*": NUMBER,
    "fits": bool,
    "largest_batch": int,
    "bottleneck.term": str,
    "bottleneck.explanation": str,
    "evidence.grade": str,
    "evidence.why": str,
    "notes": list,
    "explanation??.achieved_tflops": NUMBER,
    "explanation??.peak_tflops": NUMBER,
    "explanation??.share_of_peak": NUMBER,
    "explanation??.terms[].group": str,
    "explanation??.terms[].seconds": NUMBER,
    "explanation??.terms[].share": NUMBER,
    "explanation??.operators[].name": str,
    "explanation??.operators[].phase": str,
    "explanation??.operators[].count": NUMBER,
    "explanation??.operators[].seconds": NUMBER,
    "explanation??.operators[].shape": str,
    "explanation??.changes[].change": str,
    "explanation??.changes[].step_s": NUMBER,
    "explanation??.changes[].samples_per_s": NUMBER,
    "explanation??.changes[].effect": str,
}


def section(documents: Sequence[Document], limits: Limits) -> Section:
    """Answer, phases, memory and reasons of each prediction; predictions of the same work are ranked."""
    views = [_View(one, at, limits) for at, one in enumerate(documents)]
    ranked = _ranked(views)
    return Section(
        title="Prediction" if len(views) == 1 else "Predictions",
        summary=(ranked,) if ranked else tuple(view.answer() for view in views),
        body=join(*(view.body(answered=ranked is None) for view in views)),
        data=tuple(one.content for one in documents),
    )


def _ranked(views: Sequence[_View]) -> tuple[str, ...] | None:
    """Which card to take, where all predictions are of the same work on different cards."""
    jobs = {view.job for view in views}
    keys = [view.content["gpu"]["key"] for view in views]
    if len(jobs) > 1 or len(views) < 2 or len(set(keys)) < len(keys):
        return None
    return answer(rank([view.candidate() for view in views]), views[0].job)


class _View:
    """One prediction on the page."""

    def __init__(self, document: Document, at: int, limits: Limits) -> None:
        self.content, self.limits = document.content, limits
        self.name = f"predict-{at + 1}"
        self.workload: Mapping[str, Any] = self.content["workload"]
        self.step: Mapping[str, float] = self.content["step_ms"]
        document.share(self.step["coverage"], "coverage")
        for name in ("step_ms", "epoch_s"):
            if self.content[name] is not None:
                document.ordered(self.content[name], name)

    @property
    def job(self) -> str:
        size = self.workload.get("dataset_size")
        samples = f" ({count(size, 'sample')})" if isinstance(size, int) else ""
        unit = "a step" if self.content["epoch_s"] is None else f"an epoch{samples}"
        cards = f" on {self.content['gpus']} cards" if self.content["gpus"] > 1 else ""
        return (
            f"{unit} of {work(self.workload)} in {self.workload['precision']} at batch {self.workload['batch']}{cards}"
        )

    @property
    def times(self) -> tuple[float, float, float]:
        """Median, low and high seconds of what `job` names."""
        source, scale = (self.step, 1e-3) if self.content["epoch_s"] is None else (self.content["epoch_s"], 1.0)
        return source["median"] * scale, source["low"] * scale, source["high"] * scale

    @property
    def cost(self) -> float | None:
        found = self.content["cost"]
        if found is None:
            return None
        epoch = found.get("per_epoch")
        return float(found["per_1000_steps"] / 1e3 if epoch is None else epoch)

    def candidate(self) -> Candidate:
        time, low, high = self.times
        gpu, grade = self.content["gpu"], self.content["evidence"]["grade"]
        return Candidate(
            key=gpu["key"], name=gpu["name"], time_s=time, low_s=low, high_s=high, coverage=self.step["coverage"],
            cost=self.cost, fits=self.content["fits"], grade=grade,
        )  # fmt: skip

    def answer(self) -> tuple[str, ...]:
        content = self.content
        costs = "" if self.cost is None else f" and costs {number(self.cost, 2)}"
        first = (
            f"On the {content['gpu']['name']}, {self.job} takes {estimate(*self.times, self.step['coverage'])}{costs}."
        )
        if not content["fits"]:
            first = f"It does not fit in memory: {self._memory_words()}. {first}"
        limited = f"What limits it: {content['bottleneck']['term']} ({content['bottleneck']['explanation']})."
        grade = content["evidence"]["grade"]
        return first, limited, f"Evidence {grade}: {GRADES.get(grade, 'an unknown grade')}."

    def _memory_words(self) -> str:
        memory = self.content["memory_gb"]
        return f"{number(memory['peak'])} of {number(memory['capacity'])} GB"

    def body(self, *, answered: bool) -> Html:
        said = None if answered else tag("p", " ".join(self.answer()))
        title = f"{work(self.workload)} on {self.content['gpu']['name']}"
        parts = [
            said,
            self._facts(),
            self._notes(),
            self._timeline(),
            self._phases(),
            self._memory(),
            self._explanation(),
        ]
        return block(self.name, title[0].upper() + title[1:], *parts)

    def _facts(self) -> Html:
        content, coverage = self.content, percent(self.step["coverage"])
        rows: list[tuple[str, Child]] = [
            ("Step", duration(self.step["median"] / 1e3)),
            (f"{coverage} interval of a step", span(self.step["low"] / 1e3, self.step["high"] / 1e3)),
            ("Throughput", f"{number(content['samples_per_s'])} samples/s"),
            ("Memory", f"{self._memory_words()}{'' if content['fits'] else ': does NOT fit'}"),
            ("Largest batch that fits", str(content["largest_batch"])),
            ("Evidence", f"{content['evidence']['grade']}: {content['evidence']['why']}"),
            ("Cards", f"{content['gpus']} x {content['gpu']['name']}"),
            ("Software", content["stack"]),
            ("Host", content["host"]["key"]),
        ]
        if content["epoch_s"] is not None:
            rows.insert(0, ("Epoch", duration(content["epoch_s"]["median"])))
        return pairs(rows)

    def _notes(self) -> Html:
        return listing(map(str, self.content["notes"]))

    def _timeline(self) -> Html | None:
        if not self.limits.figures:
            return None
        return drawn(f"{self.name}-timeline", "timeline", "timeline_figure", self.content)

    def _phases(self) -> Html:
        rows = [
            [name, duration(phase["total"] / 1e3), duration(phase["exposed"] / 1e3),
             percent(phase["exposed"] / self.step["median"]), MEANING.get(name, "")]
            for name, phase in self.content["phases_ms"].items() if phase["total"] > 0 or phase["exposed"] > 0
        ]  # fmt: skip
        columns = [
            Column(title="Phase", number=False), Column(title="Total"), Column(title="Not hidden"),
            Column(title="Share of the step"), Column(title="What it is", number=False, long=True),
        ]  # fmt: skip
        return table(
            f"{self.name}-phases", "Phases of a step; the parts that nothing hides add up to it", columns, rows
        )

    def _memory(self) -> Html:
        parts = self.content["memory_gb"]["parts"].items()
        rows = [[name, number(value)] for name, value in sorted(parts, key=lambda part: -part[1]) if value]
        columns = [Column(title="Part", number=False), Column(title="GB")]
        return details(
            f"Memory: {self._memory_words()}", table(f"{self.name}-memory", "Memory at its peak", columns, rows)
        )

    def _explanation(self) -> Html | None:
        found = self.content.get("explanation")
        if not isinstance(found, Mapping):
            return None
        reached, peak = number(found["achieved_tflops"]), number(found["peak_tflops"])
        rate = f"Reached: {reached} of {peak} TFLOP/s ({percent(found['share_of_peak'])})."
        return join(
            tag("p", rate), self._roofline(found), self._changes(found), self._terms(found), self._operators(found)
        )

    def _roofline(self, found: Mapping[str, Any]) -> Html | None:
        roofline = found.get("roofline")
        if not self.limits.figures or not isinstance(roofline, Mapping) or not roofline.get("operators"):
            return None
        card, operators = self.content["gpu"], roofline["operators"]
        try:
            find_gpu(card["key"])
        except PerfmodelError:  # a card of the author's own, or a processor: its roofs are not known here
            return None
        precision = self.workload["precision"]
        return drawn(f"{self.name}-roofline", "roofline", "roofline_figure", card, operators, precision=precision)

    def _changes(self, found: Mapping[str, Any]) -> Html:
        rows = [
            [one["change"], duration(one["step_s"]), number(one["samples_per_s"]), one["effect"]]
            for one in sorted(found["changes"], key=lambda one: -one["samples_per_s"])
        ]
        columns = [
            Column(title="Change", number=False), Column(title="Step"), Column(title="Samples/s"),
            Column(title="Effect", number=False, long=True),
        ]  # fmt: skip
        return table(f"{self.name}-changes", "What would change it, one thing at a time", columns, rows)

    def _terms(self, found: Mapping[str, Any]) -> Html:
        rows = [[one["group"], duration(one["seconds"]), percent(one["share"])] for one in found["terms"]]
        columns = [Column(title="Operators", number=False), Column(title="Time on the device"), Column(title="Share")]
        return table(f"{self.name}-terms", "Device time by kind of operator", columns, rows)

    def _operators(self, found: Mapping[str, Any]) -> Html:
        operators = found["operators"][: self.limits.rows]
        rows = [
            [one["name"], one["phase"], number(one["count"]), duration(one["seconds"]), one["shape"]]
            for one in operators
        ]
        columns = [
            Column(title="Operator", number=False), Column(title="Phase", number=False), Column(title="Calls"),
            Column(title="Time"), Column(title="Shape", number=False),
        ]  # fmt: skip
        inner = table(f"{self.name}-operators", "Longest operators, physical time before efficiency", columns, rows)
        return details(count(len(rows), "longest operator"), inner)
