"""The text log of CycleGAN training: ``(epoch: 1, iters: 100, time: 0.123, data: 0.456) D_A: 0.2 G_A: 0.3 ...``."""

from __future__ import annotations

import re
from dataclasses import replace

from perfmodel.runs.layouts import cyclegan
from perfmodel.runs.problems import Problem
from perfmodel.runs.reading import Layout, Reading
from perfmodel.runs.table import Contents, RawTable

_HEADING = re.compile(r"=+ .* =+\s*$")
_START = re.compile(r"\s*(?:=+ Training Loss .*|\(epoch: .*)")
_LINE = re.compile(
    r"\(epoch: (?P<epoch>\S+), iters: (?P<iters>\S+), time: (?P<time>\S+), data: (?P<data>\S+?)\)(?P<losses>.*)"
)
_LOSS = re.compile(r"(\w+): (\S+)")
_TITLES = {"epoch": "epoch", "iters": "iters", "time": "time/iters", "data": "data/iters"}


def read(contents: Contents, strict: bool) -> Reading:
    """Read the log's lines; headings and blank lines are passed over, other lines are problems.

    Rows are numbered by their lines.
    """
    rows: list[dict[str, str]] = []
    numbers: list[int] = []
    problems: list[Problem] = []
    for line, text in enumerate(contents.text.split("\n"), 1):
        if not text.strip() or _HEADING.match(text):
            continue
        found = _LINE.match(text.strip())
        if found is None:
            problems.append(Problem(str(contents.where), line, "", "is no line of a CycleGAN log"))
        rows.append({} if found is None else _cells(found))
        numbers.append(line)
    titles = dict.fromkeys([*_TITLES.values(), *(title for row in rows for title in row)])
    table = RawTable(columns={title: [row.get(title, "") for row in rows] for title in titles})
    reading = cyclegan.read_table(table, str(contents.where))
    return replace(reading, numbers=numbers, problems=tuple(problems))


def _cells(found: re.Match[str]) -> dict[str, str]:
    return {title: found[name] for name, title in _TITLES.items()} | dict(_LOSS.findall(found["losses"]))


LAYOUT = Layout(
    name="cyclegan-text",
    meaning="the text log of CycleGAN training",
    recognises=lambda contents: _START.match(contents.text) is not None,
    read=read,
    log=True,
    bare=True,
)
