"""Totals of each row's network: from the row, from another row of that name, or from a shipped graph."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Any

import numpy as np
import numpy.typing as npt

from perfmodel.errors import UnknownModelError
from perfmodel.graph.catalogue import resolve
from perfmodel.runs.rows import Runs

Floats = npt.NDArray[np.float64]

TOTALS = ("params_M", "gmacs", "macts")
#: A training step's matrix products are three times the forward pass's (forward, and two products backward).
_TRAINING = 3.0
_PREFIXES = frozenset(("timm", "tf", "gluon", "legacy", "ssl", "swsl", "ig", "tv", "torch", "fb"))


def network_columns(runs: Runs) -> dict[str, Any]:
    """Columns ``model, family, params_M, gmacs, macts, gflop_step`` of n rows.

    A row's own totals count. Else multiply-adds and activations come from another row of the same name, scaled by the
    pixels of the image, else from the shipped graph of that name. `gflop_step` counts all matrix products of the
    global batch: those of the graph where totals come from one, else twice the multiply-adds, times three in training.
    """
    names = runs.text("model")
    keys = list(zip(names, *(runs.number(n).tolist() for n in ("image_size", "seq_len", "blocks")), strict=True))
    own = np.stack([runs.number(name) for name in TOTALS], axis=1)
    totals, work = _completed(keys, own, _by_name(runs), runs.training)
    step = work * runs.number("batch")
    families = {name: family_name(str(name)) for name in set(names)}
    return {
        "model": names,
        "family": np.array([families[name] for name in names], dtype=object),
        **{name: totals[:, at] for at, name in enumerate(TOTALS)},
        "gflop_step": np.where(step > 0, step, np.nan),
    }


def family_name(model: str) -> str:
    """Return the first word of a network's name: ``resnet`` of ``resnet50``, ``bert`` of ``LanguageModeling/BERT``."""
    words = re.findall(r"[a-z]+", model.rsplit("/", 1)[-1].lower().removeprefix("timm:"))
    return next((word for word in words if word not in _PREFIXES), words[0] if words else "")


def _by_name(runs: Runs) -> dict[str, tuple[Floats, float]]:
    """Totals and image size of the first row of each name that states its multiply-adds."""
    columns = np.stack([runs.number(name) for name in (*TOTALS, "image_size")], axis=1)
    found: dict[str, tuple[Floats, float]] = {}
    for name, row in zip(runs.text("model"), columns, strict=True):
        if name and row[1] > 0 and name not in found:
            found[name] = (row[:3], float(row[3]))
    return found


def _completed(
    keys: list[tuple[Any, ...]], own: Floats, by_name: dict[str, tuple[Floats, float]], training: npt.NDArray[np.bool_]
) -> tuple[Floats, Floats]:
    """Totals (n, 3), and GFLOP of a step for one sample (n,)."""
    totals, work = own.copy(), np.full(len(keys), np.nan)
    for at, (name, image, seq_len, blocks) in enumerate(keys):
        trains = bool(training[at])
        if not own[at, 1] > 0 and name:
            if name in by_name:
                found = _scaled(*by_name[name], image)
            else:
                found, products = _graph_totals(str(name), *(_whole(v) for v in (image, seq_len, blocks)))
                work[at] = products if trains else 2.0 * found[1]
            totals[at] = np.where(np.isnan(own[at]), found, own[at])
        if not work[at] > 0:
            work[at] = 2.0 * totals[at, 1] * (_TRAINING if trains else 1.0)
    return totals, work


def _scaled(totals: Floats, size: float, wanted: float) -> Floats:
    factor = (wanted / size) ** 2 if wanted > 0 and size > 0 else 1.0
    return np.asarray(totals * np.array([1.0, factor, factor]))


def _whole(value: float) -> int | None:
    return int(value) if value >= 1 else None


@lru_cache(maxsize=8192)
def _graph_totals(name: str, image: int | None, seq_len: int | None, blocks: int | None) -> tuple[Floats, float]:
    """Totals of a shipped graph, and GFLOP of a training step for one sample; NaN where there is no such graph."""
    try:
        graph, options = resolve(name, size=image)
    except UnknownModelError:
        return np.full(3, np.nan), np.nan
    size = {"image_size": image, "seq_len": seq_len}.get(graph.size_name or "") or options.get("size")
    totals = graph.totals(size=size, blocks=blocks if graph.default_blocks is not None else None)
    found = np.array([totals.parameters / 1e6, float(totals.gmacs), float(totals.activations)])
    return found, float(totals.gflops_step)
