"""What the verbs print for people: plain text, no library."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from perfmodel.instrument.phases import MEANING

if TYPE_CHECKING:
    from perfmodel.step.compare import Comparison
    from perfmodel.step.explain import Explanation
    from perfmodel.step.prediction import Interval, Prediction
    from perfmodel.validation.report import Validation
    from perfmodel.validation.scores import Score


def duration(seconds: float) -> str:
    """A time with three significant digits in the unit that suits it."""
    for limit, factor, unit in ((1e-3, 1e6, "us"), (1.0, 1e3, "ms"), (120.0, 1.0, "s"), (7200.0, 1 / 60, "min")):
        if seconds < limit:
            return f"{seconds * factor:.3g} {unit}"
    return f"{seconds / 3600:.3g} h"


def interval_text(interval: Interval) -> str:
    """``12.3 ms (90 %: 10.1 ms to 15 ms)``."""
    low, high = duration(interval.low), duration(interval.high)
    return f"{duration(interval.median)} ({100 * interval.coverage:.3g} %: {low} to {high})"


def prediction_text(p: Prediction) -> str:
    """The answer, then what it rests on."""
    ask = p.request
    what = f"{ask.model}, {ask.mode}"
    if ask.blocks is not None:
        what += f", {ask.blocks} blocks"
    size = ask.size or (ask.graph.default_size if ask.graph.size_name else None)
    what += f", {(ask.graph.size_name or 'size').replace('_', ' ')} {size}" if size else ""
    cards = f"{ask.gpus} x {ask.gpu.name}" if ask.gpus > 1 else ask.gpu.name
    lines = [
        f"{what}, batch {ask.batch}{' a card' if ask.gpus > 1 else ''}, {ask.precision} on {cards}",
        "",
        f"  step        {interval_text(p.step_s)}",
        f"  throughput  {p.samples_per_s:.3g} {ask.graph.unit}s/s",
    ]
    if p.epoch_s is not None:
        lines.append(f"  epoch       {interval_text(p.epoch_s)} for {ask.dataset_size} {ask.graph.unit}s")
    if p.cost is not None:
        per = (
            f"{p.cost['per_epoch']:.4g} an epoch"
            if "per_epoch" in p.cost
            else f"{p.cost['per_1000_steps']:.4g} per 1000 steps"
        )
        lines.append(f"  cost        {per} at {ask.price:g} an hour and card")
    memory = p.memory_bytes["peak"] / 1e9
    fits = f"fits; largest batch {p.largest_batch}" if p.fits else f"does NOT fit; largest batch {p.largest_batch}"
    lines.append(f"  memory      {memory:.2f} of {ask.gpu.memory_gb:g} GB, {fits}")
    lines.append(f"  limited by  {p.bottleneck.term}: {p.bottleneck.explanation}")
    lines.append(f"  evidence    {p.evidence.grade}: {p.evidence.why}")
    lines += [f"  note        {note}" for note in p.notes]
    lines += ["", *_phase_lines(p), "", _defaults_line(p)]
    return "\n".join(lines)


def _phase_lines(p: Prediction) -> list[str]:
    lines = ["  phase           total    exposed  share"]
    for name, phase in p.phases.items():
        if phase.total <= 0 and phase.exposed <= 0:
            continue
        share = 100.0 * phase.exposed / p.step_s.median
        lines.append(
            f"  {name:<13} {duration(phase.total):>9}  {duration(phase.exposed):>9}  {share:4.0f} %  {MEANING[name]}"
        )
    return lines


def _defaults_line(p: Prediction) -> str:
    ask = p.request
    loader = "no loader" if ask.loader is None else f"{ask.loader.spec[0].name} with {ask.workers} workers"
    return f"  assumed: {ask.stack.label}; {loader}; host: {ask.host.name}"


def explanation_text(e: Explanation) -> str:
    """Terms, top operators and changes."""
    lines = [
        "",
        f"  achieved {e.achieved_tflops:.2f} TFLOP/s of {e.peak_tflops:.2f} peak ({100 * e.share_of_peak:.0f} %)",
    ]
    lines += ["", "  device time by operator group"]
    lines += [f"    {name:<15} {duration(seconds):>9}  {100 * share:3.0f} %" for name, seconds, share in e.terms]
    lines += ["", "  longest operators (physical time before efficiency)"]
    lines += [f"    {one.name:<34} x{one.count:<5g} {duration(one.seconds):>9}  {one.shape}" for one in e.operators]
    lines += ["", "  what would change it"]
    lines += [f"    {one.change:<38} {one.effect}" for one in e.changes]
    return "\n".join(lines)


def comparison_text(found: Comparison) -> str:
    """One line a point, aligned; ``*`` marks points that no other one beats in time and cost."""
    columns, ask = found.columns(), found.request
    known = [(name, *_COMPARED[name]) for name in columns if name in _COMPARED]
    body = [[title for _, title, _ in known]]
    for at in range(found.step_s.size):
        cells = [style(columns[name][at]) for name, _, style in known]
        lacks = columns["step_ms"][at] != columns["step_ms"][at]
        body.append(["-" if lacks and cell == "NO" else cell for cell in cells])
    widths = [max(len(row[at]) for row in body) for at in range(len(known))]
    lines = ["  ".join(cell.rjust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in body]
    what = f"{ask.model}, {ask.mode}" + (f", {ask.gpus} cards" if ask.gpus > 1 else "")
    foot = [f"low and high: {100 * ask.coverage:.3g} % interval"]
    if ask.dataset_size is not None:
        foot.append(f"epoch: {ask.dataset_size} {ask.graph.unit}s")
    if "pareto" in columns:
        foot.append("*: no other row with the same blocks is both faster and cheaper")
    if (~found.fits & (found.step_s == found.step_s)).any():
        foot.append("NO: does not fit in the card's memory, the time is what it would take if it did")
    if (found.step_s != found.step_s).any():
        foot.append("-: the card lacks the precision")
    return "\n".join([what, "", *lines, "", *foot])


def _milliseconds(value: float) -> str:
    return "-" if value != value else f"{value:.4g}" if value < 1e4 else f"{value:.0f}"


def _seconds(value: float) -> str:
    return "-" if value != value else duration(value)


def _money(value: float) -> str:
    return "-" if value != value else f"{value:.4g}"


_COMPARED: dict[str, tuple[str, Callable[[Any], str]]] = {
    "gpu": ("gpu", str),
    "precision": ("precision", str),
    "batch": ("batch", str),
    "blocks": ("blocks", str),
    "step_ms": ("step ms", _milliseconds),
    "low_ms": ("low", _milliseconds),
    "high_ms": ("high", _milliseconds),
    "samples_per_s": ("samples/s", _milliseconds),
    "memory_gb": ("GB", lambda value: "-" if value != value else f"{value:.1f}"),
    "fits": ("fits", lambda value: "yes" if value else "NO"),
    "evidence": ("evidence", str),
    "epoch_s": ("epoch", _seconds),
    "1000_samples_s": ("1000 samples", _seconds),
    "cost_per_epoch": ("cost/epoch", _money),
    "cost_per_1000_samples": ("cost/1000", _money),
    "pareto": ("best", lambda value: "*" if value else ""),
}


def validation_text(found: Validation) -> str:
    """Scores by group, their average, and why rows were left out."""
    lines = [f"{found.resolved} of {found.rows} rows predicted"]
    lines += [f"  {count:>7}  {reason}" for reason, count in _shortened(found.unresolved)]
    if found.overall is None:
        return "\n".join(lines)
    by = list(found.groups[0].by)
    body = [[*by, *_SCORES]]
    body += [[*group.by.values(), *_score_cells(group.score)] for group in found.groups]
    body.append([f"average of {len(found.groups)}", *[""] * (len(by) - 1), *_score_cells(found.overall)])
    widths = [max(len(row[at]) for row in body) for at in range(len(body[0]))]
    lines += ["", "errors in percent of the measured time"]
    for row in body:
        words = [cell.ljust(width) for cell, width in zip(row[: len(by)], widths, strict=False)]
        numbers = [cell.rjust(width) for cell, width in zip(row[len(by) :], widths[len(by) :], strict=True)]
        lines.append("  ".join([*words, *numbers]).rstrip())
    return "\n".join(lines)


_REASONS_SHOWN = 12
_SCORES = ("rows", "median", "mean", "p90", "bias", "in 90 %", "width", "share of peak", "two constants", "roofline")


def _shortened(reasons: Mapping[str, int]) -> list[tuple[str, int]]:
    ordered = sorted(reasons.items(), key=lambda item: (-item[1], item[0]))
    shown, rest = ordered[:_REASONS_SHOWN], ordered[_REASONS_SHOWN:]
    return shown + ([(f"for {len(rest)} other reasons", sum(n for _, n in rest))] if rest else [])


def _score_cells(score: Score) -> list[str]:
    numbers = (score.median_ape, score.mean_ape, score.p90_ape, score.bias, score.coverage90, score.width90)
    simple = (score.baselines[name] for name in ("share_of_peak", "two_constants", "scaled_roofline"))
    return [str(score.n), *(f"{value:.1f}" for value in (*numbers, *simple))]
