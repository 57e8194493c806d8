"""Small tables for fits; one thread computes in these tests, which must not wait for a core when others run too."""

from __future__ import annotations

import csv
import gzip
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np
import pytest


@pytest.fixture(autouse=True)
def one_thread(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Set the threads of this process and of those it starts to one."""
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    torch = pytest.importorskip("torch")
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture
def write_rows() -> Callable[[Path, Sequence[Mapping[str, object]]], Path]:
    """Return a function that writes rows as a compressed table; missing cells are empty."""

    def write(path: Path, rows: Sequence[Mapping[str, object]]) -> Path:
        names = list(dict.fromkeys(name for row in rows for name in row))
        path.parent.mkdir(parents=True, exist_ok=True)
        with gzip.open(path, "wt", newline="") as file:
            writer = csv.DictWriter(file, names)
            writer.writeheader()
            writer.writerows(rows)
        return path

    return write


@pytest.fixture
def kernel_table(tmp_path: Path, write_rows: Callable[..., Path]) -> Callable[..., Path]:
    """Return a function that writes kernel rows; every column that the reader needs is there."""
    columns = (
        "source", "gpu", "op", "latency_ms", "precision", "B", "M", "N", "K", "H", "in_ch", "out_ch", "kernel_size",
        "in_size", "stride", "sub", "W", "C", "Kf", "S", "R", "stride_h", "P", "Q",
    )  # fmt: skip

    def write(rows: Sequence[Mapping[str, object]], path: Path | None = None) -> Path:
        full = [dict.fromkeys(columns, "") | dict(row) for row in rows]
        return write_rows(path or tmp_path / "kernels.csv.gz", full)

    return write


@pytest.fixture
def random_kernels() -> Callable[..., list[dict[str, object]]]:
    """Return a function that lists random kernels (without times) of some cards: the same shapes on every card."""

    def rows(cards: Sequence[str], each: int = 40, seed: int = 0, source: str = "neusight") -> list[dict[str, object]]:
        rng = np.random.default_rng(seed)
        shapes: list[dict[str, object]] = []
        for op in ("linear", "bmm", "conv", "ln", "softmax", "add"):
            for _ in range(each):
                m, n, k = (int(x) for x in np.exp(rng.uniform(np.log(64), np.log(4096), 3)))
                if op == "linear":
                    shape = {"B": 1, "M": 4 * m, "N": n, "K": k}
                elif op == "bmm":
                    shape = {"B": int(rng.integers(8, 65)), "M": m, "N": n, "K": k // 4 + 16}
                elif op == "conv":
                    side = int(rng.choice([7, 14, 28, 56]))
                    size = int(rng.choice([1, 3]))
                    shape = {
                        "B": 32,
                        "in_ch": m // 4,
                        "out_ch": n // 4,
                        "kernel_size": size,
                        "in_size": side,
                        "stride": 1,
                    }
                else:
                    shape = {"B": 8 * m, "H": k}
                shapes.append({"source": source, "op": op, "precision": "fp32", "latency_ms": 1.0, **shape})
        return [{"gpu": gpu, **shape} for gpu in cards for shape in shapes]

    return rows
