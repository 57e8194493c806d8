"""Draw the figures of the documents from the tables in ``docs/accuracy.md``: ``python benchmarks/figures.py``."""

from __future__ import annotations

from pathlib import Path

HERE = Path(__file__).resolve().parents[1] / "docs"
COLOURS = {"perfmodel": "#0072B2", "two constants": "#E69F00", "scaled roofline": "#999999"}


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
    import matplotlib

    matplotlib.use("svg")
    matplotlib.rcParams["svg.hashsalt"] = "perfmodel"
    from matplotlib import pyplot

    rows = sorted(left_out_cards((HERE / "accuracy.md").read_text()), key=lambda row: row[1])
    figure, axes = pyplot.subplots(figsize=(8.0, 6.4), layout="constrained")
    places = range(len(rows))
    for column, (name, colour) in enumerate(COLOURS.items(), start=1):
        marker = "o" if column == 1 else "|"
        axes.scatter([row[column] for row in rows], places, label=name, color=colour, marker=marker, zorder=4 - column)
    axes.set_yticks(list(places), [row[0] for row in rows], fontsize=8)
    axes.set_xscale("log")
    axes.set_xticks([2, 5, 10, 20, 50, 100], ["2", "5", "10", "20", "50", "100"])
    axes.minorticks_off()
    axes.set_xlabel("median error of step times on a card left out of the fit, % (mean over its sources and phases)")
    axes.grid(axis="x", alpha=0.3)
    axes.legend(loc="lower right", fontsize=8)
    target = HERE / "figures" / "left_out_cards.svg"
    target.parent.mkdir(exist_ok=True)
    figure.savefig(target, metadata={"Date": None})


if __name__ == "__main__":
    main()
