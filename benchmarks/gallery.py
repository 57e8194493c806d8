"""Draw the figures of ``docs/gallery.md`` with the commands in it: ``python benchmarks/gallery.py [NAME...]``."""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
#: Bytes above which a figure is too large to keep.
MOST = 150_000


def commands(page: str) -> Iterator[list[str]]:
    """Words of each command in a page's shell blocks that draws a figure."""
    for block in re.findall(r"```sh\n(.*?)```", page, re.DOTALL):
        for line in block.splitlines():
            words = shlex.split(line)
            if words[:1] == ["perfmodel"] and "--plot" in words:
                yield words[1:]


def figure_of(words: list[str]) -> Path:
    """Path of the figure that a command writes, from the root."""
    return Path(words[words.index("--plot") + 1])


def lacks(words: list[str]) -> str:
    """First measured table that a command needs and that is not here; empty when it can run."""
    return next((word for word in words if word.startswith("../") and not (ROOT / word).exists()), "")


def main(names: list[str]) -> int:
    """Draw all figures, or those named."""
    failed = 0
    for words in commands((ROOT / "docs" / "gallery.md").read_text(encoding="utf-8")):
        path = figure_of(words)
        if names and path.stem not in names:
            continue
        if missing := lacks(words):
            print(f"{path}: left as it is, there is no {missing}")
            continue
        done = subprocess.run([sys.executable, "-m", "perfmodel", *words], cwd=ROOT, stdout=subprocess.DEVNULL)
        size = (ROOT / path).stat().st_size if done.returncode == 0 else 0
        failed += done.returncode != 0 or size > MOST
        print(f"{path}: {size} bytes" + (", too large" if size > MOST else ""), flush=True)
    return int(failed > 0)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
