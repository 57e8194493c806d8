"""Documents that the figures are drawn from: real predictions and comparisons, and made-up fits."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any
from xml.etree import ElementTree

import numpy as np
import pytest

import perfmodel as pm
from perfmodel.cli.compare import document
from perfmodel.report.style import svg

SVG = "{http://www.w3.org/2000/svg}"


class Drawing:
    """A figure as SVG, parsed."""

    def __init__(self, figure: Any) -> None:
        self.source = svg(figure)
        self.root = ElementTree.fromstring(self.source)

    def texts(self) -> list[str]:
        """All words on the figure, line by line."""
        return ["".join(node.itertext()) for node in self.root.iter(f"{SVG}text")]

    def has(self, words: str) -> bool:
        """Whether some text holds these words."""
        return words in " ".join(self.texts())

    def groups(self, name: str) -> list[ElementTree.Element]:
        """Groups of that id, or whose id begins with it and a dash."""
        return [
            node
            for node in self.root.iter(f"{SVG}g")
            if node.get("id") == name or str(node.get("id", "")).startswith(f"{name}-")
        ]

    def marks(self, name: str) -> int:
        """Marks drawn in the groups of a name."""
        found = 0
        for group in self.groups(name):
            # Marks of one size are drawn once and used often, those of many sizes one by one.
            shared = {id(path) for defs in group.iter(f"{SVG}defs") for path in defs.iter(f"{SVG}path")}
            used = sum(1 for _ in group.iter(f"{SVG}use"))
            found += used + sum(1 for path in group.iter(f"{SVG}path") if id(path) not in shared)
        return found

    def size(self) -> tuple[float, float]:
        width, height = self.root.attrib["viewBox"].split()[2:]
        return float(width), float(height)


@pytest.fixture
def drawing() -> type[Drawing]:
    return Drawing


@pytest.fixture(scope="session")
def prediction() -> dict[str, Any]:
    return pm.predict("bert_large_squad", gpu="v100", gpus=8, batch=4, precision="amp").to_dict()


@pytest.fixture(scope="session")
def comparison() -> dict[str, Any]:
    prices = {"p100": 0.5, "v100": 1.2, "a100": 2.5, "h100": 4.0}
    found = pm.compare("cyclegan", gpu=list(prices), batch=[1, 2, 4, 8, 16, 32], blocks=[9], price=prices)
    return document(found)


@pytest.fixture(scope="session")
def fit_rows() -> list[dict[str, Any]]:
    """Twelve rows on each of six cards: time falls with cores, spread 10 %."""
    random = np.random.default_rng(7)
    found = []
    for key in ("p4", "p100-pcie-16", "v100-sxm2-16", "rtx3090", "a100-sxm-80", "h100-sxm"):
        cores = float(pm.find_gpu(key).cuda_cores)
        for _ in range(12):
            fitted = 8e5 / cores
            measured = fitted * float(np.exp(0.1 * random.standard_normal()))
            low, high = fitted * np.exp(-0.165), fitted * np.exp(0.165)
            found.append({"row": len(found), "gpu": key, "measured": measured, "fitted": fitted, "low": float(low),
                          "high": float(high), "cores": cores})  # fmt: skip
    return found


@pytest.fixture(scope="session")
def fit_document(fit_rows: list[dict[str, Any]]) -> dict[str, Any]:
    return {
        "schema_version": 1, "kind": "fit", "formula": "log(step_ms) ~ log(cores)", "response": "log(step_ms)",
        "n": len(fit_rows), "residual_sd": 0.1, "rows": fit_rows,
    }  # fmt: skip


@pytest.fixture(autouse=True)
def _no_state_is_left() -> Iterator[None]:
    """Drawing leaves matplotlib's settings as they were."""
    import matplotlib

    before = dict(matplotlib.rcParams)
    yield
    assert dict(matplotlib.rcParams) == before
