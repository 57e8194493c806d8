"""Put stored results into ``docs/loading.md`` and draw its figure: ``python benchmarks/loader/report.py``."""

from __future__ import annotations

import json
import re
import statistics
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
PAGE = ROOT / "docs" / "loading.md"
RESULTS = ROOT / "benchmarks" / "results"
COLOURS = {"pil": "#E69F00", "native": "#0072B2"}

Rows = list[dict[str, Any]]


def time_model_tables(document: dict[str, Any]) -> str:
    """Errors by condition and by set, the sweep, and what was measured on."""
    profile, rows = document["profile"], document["rows"]
    busy = document["machine_busy"]
    lines = [
        f"Measured on {document['date']}: {profile['processor']}, {profile['provenance']['cores']} cores, load average"
        f" {document['load_average_before']} before, {100 * busy:.0f} % of the machine busy while measuring; what was"
        " measured went before other work in a control group of its own. Errors: throughput, predicted over measured.",
        "",
        "| condition | cases | median error | largest | within 10 % |",
        "|---|---|---|---|---|",
    ]
    for condition in dict.fromkeys(row["condition"] for row in rows):
        lines.append(_error_line(condition, [row["error"] for row in rows if row["condition"] == condition]))
    lines.append(_error_line("all", [row["error"] for row in rows]))
    first = [row for row in rows if row["condition"] == "as calibrated"]
    for name in ("bytes", "pixels"):
        lines.append(_error_line(f"as calibrated, cost by {name} alone", [row["baselines"][name] for row in first]))
    lines += ["", *_set_table(first), "", *_sweep_table(document["sweep"])]
    return "\n".join(lines)


def _error_line(name: str, errors: list[float]) -> str:
    sizes = [abs(error) for error in errors]
    within = sum(size <= 0.10 for size in sizes)
    median, largest = 100 * statistics.median(sizes), 100 * max(errors, key=abs)
    return f"| {name} | {len(sizes)} | {median:.1f} % | {largest:+.0f} % | {within} |"


def _set_table(rows: Rows) -> list[str]:
    columns = list(dict.fromkeys((row["pipeline"], row["workers"]) for row in rows))
    names = {"pil": "PIL", "native": "native"}
    lines = [
        "Images a second as calibrated, measured (error of the prediction):",
        "",
        "| set | " + " | ".join(f"{names[p]} {w}" for p, w in columns) + " |",
        "|---|" + "---|" * len(columns),
    ]
    for name in dict.fromkeys(row["set"] for row in rows):
        cells = []
        for pipeline, workers in columns:
            found = [r for r in rows if (r["set"], r["pipeline"], r["workers"]) == (name, pipeline, workers)]
            cells.append(f"{found[0]['measured']:.0f} ({100 * found[0]['error']:+.0f} %)")
        lines.append(f"| {name} | " + " | ".join(cells) + " |")
    return lines


def _sweep_table(rows: Rows) -> list[str]:
    lines = [
        "Recommended workers against a sweep (a step that takes so long without loading, batches of 16):",
        "",
        "| loader | step, ms | 1 | 2 | 3 | 4 workers: images/s | recommended | of the best |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for row in rows:
        rates = " | ".join(f"{rate:.0f}" for rate in row["images_s"].values())
        share = 100 * row["share_of_best"]
        lines.append(f"| {row['pipeline']} | {row['step_ms']:.0f} | {rates} | {row['recommended']} | {share:.0f} % |")
    return lines


def bench_tables(document: dict[str, Any]) -> str:
    """One table of all sets, the missing options, and what was measured on."""
    versions = ", ".join(f"{name} {found}" for name, found in document["versions"].items() if found)
    lines = [
        f"Measured on {document['date']}: {document['processor']}, {document['cores']} cores, {document['isa']}, load"
        f" average {document['load_average_before']} before; {versions}.",
        "",
        "| set | option | images/s | CPU, ms | to PIL | to PIL by CPU | share of decode | output |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for row in document["rows"]:
        cells = [
            f"{row['images_per_s']:.0f}", f"{row['cpu_ms_per_image']:.2f}",
            *(_cell(row[name]) for name in ("ratio_to_pil", "cpu_ratio_to_pil", "share_of_decode_limit")),
        ]  # fmt: skip
        lines.append(f"| {row['set']} | {row['option']} | {' | '.join(cells)} | {row['output']} |")
    lines += [
        "",
        *(
            f"Not run on {name}: {option} ({reason})."
            for name, found in document["missing"].items()
            for option, reason in found.items()
        ),
    ]
    return "\n".join(lines)


def _cell(value: float | None) -> str:
    return "" if value is None else f"{value:.2f}"


def draw(rows: Rows, target: Path) -> None:
    """Draw predicted over measured throughput."""
    import matplotlib

    matplotlib.use("svg")
    matplotlib.rcParams["svg.hashsalt"] = "perfmodel"
    from matplotlib import pyplot

    figure, axes = pyplot.subplots(figsize=(6.0, 4.6), layout="constrained")
    for pipeline, colour in COLOURS.items():
        for known, marker in ((True, "o"), (False, "x")):
            chosen = [r for r in rows if r["pipeline"] == pipeline and (r["condition"] == "as calibrated") == known]
            label = f"{pipeline}, {'as calibrated' if known else 'other conditions'}"
            axes.scatter([r["measured"] for r in chosen], [r["predicted"] for r in chosen], s=18, marker=marker,
                         color=colour, label=label)  # fmt: skip
    ends = [min(r["measured"] for r in rows) / 1.3, max(r["measured"] for r in rows) * 1.3]
    axes.plot(ends, ends, color="#444444", linewidth=0.8)
    axes.fill_between(ends, [0.9 * end for end in ends], [1.1 * end for end in ends], color="#999999", alpha=0.25)
    axes.set(xscale="log", yscale="log", xlabel="measured, images/s", ylabel="predicted, images/s (band: 10 %)")
    axes.legend(fontsize=8)
    target.parent.mkdir(exist_ok=True)
    figure.savefig(target, metadata={"Date": None})


def put(page: str, name: str, text: str) -> str:
    """Replace what stands between a comment's begin and end."""
    pattern = rf"(<!-- {name} -->\n).*?(<!-- end -->)"
    return re.sub(pattern, lambda found: f"{found[1]}{text}\n{found[2]}", page, flags=re.DOTALL)


def main() -> None:
    """Write the page and its figure from the results that are there."""
    page = PAGE.read_text(encoding="utf-8")
    model, side = RESULTS / "loader_time_model.json", RESULTS / "loader_side_by_side.json"
    if model.is_file():
        document = json.loads(model.read_text(encoding="utf-8"))
        figure = "![predicted against measured](figures/loading.svg)"
        page = put(page, "time model", f"{time_model_tables(document)}\n\n{figure}")
        draw(document["rows"], ROOT / "docs" / "figures" / "loading.svg")
    if side.is_file():
        page = put(page, "side by side", bench_tables(json.loads(side.read_text(encoding="utf-8"))))
    PAGE.write_text(page, encoding="utf-8")


if __name__ == "__main__":
    main()
