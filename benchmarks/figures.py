"""Draw the figures of the documents from the tables in ``docs/accuracy.md``: ``python benchmarks/figures.py``."""

from __future__ import annotations

from pathlib import Path

from perfmodel.report.plots.axes import logarithmic
from perfmodel.report.style import blank, describe, save
from perfmodel.report.themes import applied

HERE = Path(__file__).resolve().parents[1] / "docs"
NAMES = ("perfmodel", "two constants", "scaled roofline")


def left_out_cards(text: str) -> list[tuple[str, float, float, float]]:
    """Card, and median error (percent) of the model, of two constants and of the scaled roofline."""
    section = text.split("## Each left-out card", 1)[1].split("##", 1)[0]
    rows = []
    for line in section.splitlines():
        cells = [cell.strip() for cell in line.strip("| ").split("|")]
        if len(cells) == 12 and cells[1].isdigit():
            rows.append((cells[0], float(cells[2]), float(cells[10]), float(cells[11])))
    return rows


def main() -> None:
    """Write ``docs/figures/left_out_cards.svg``."""
    rows = sorted(left_out_cards((HERE / "accuracy.md").read_text()), key=lambda row: row[1])
    with applied("light") as look:
        figure, axes = blank(look, width=8.0, height=6.8)
        places = range(len(rows))
        for column, name in enumerate(NAMES, start=1):
            series = look.series((0, 1, 6)[column - 1])
            axes.scatter(
                [row[column] for row in rows], places, label=name, color=series.colour, zorder=4 - column,
                marker="o|x"[column - 1],
            )  # fmt: skip
        axes.set_yticks(list(places), [row[0] for row in rows])
        values = [value for row in rows for value in row[1:]]
        logarithmic(axes.xaxis, 0.9 * min(values), 1.1 * max(values), ticks=[2, 5, 10, 20, 50, 100])
        axes.set_xlabel("median error of step times, mean over sources and phases (%)")
        axes.legend(loc="lower right")
        middle = sorted(row[1] for row in rows)[len(rows) // 2]
        describe(
            figure,
            title=f"Error on cards left out of the fit, n = {len(rows)} cards",
            text=f"Median error of step times on {len(rows)} cards that were left out of the fit, one after the other: "
            f"half of the cards lie below {middle:g} % with perfmodel.",
        )
    target = HERE / "figures" / "left_out_cards.svg"
    target.parent.mkdir(exist_ok=True)
    save(figure, target)


if __name__ == "__main__":
    main()
