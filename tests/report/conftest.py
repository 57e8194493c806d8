"""Documents that the verbs really print, made once."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from perfmodel.cli.compare import document as comparison_document
from perfmodel.hardware.gpu import find_gpu
from perfmodel.step.compare import compare
from perfmodel.step.explain import explain
from perfmodel.step.predict import predict

PRICES = {"p100": 0.5, "v100": 1.2, "rtx4090": 0.4, "h100": 2.5}


@pytest.fixture(scope="session")
def comparison() -> dict[str, Any]:
    """A ``compare --json`` document: four cards (one lacks amp_bf16), two precisions, three batches, three blocks."""
    found = compare(
        "cyclegan", gpu=list(PRICES), batch=(1, 2, 64), blocks=(3, 6, 9), precision=("fp32", "amp_bf16"), price=PRICES,
        dataset_size=1334,
    )  # fmt: skip
    document: dict[str, Any] = json.loads(json.dumps(comparison_document(found)))
    return document


@pytest.fixture(scope="session")
def prediction() -> dict[str, Any]:
    """A ``predict --explain --json`` document."""
    found = predict("cyclegan", gpu="p100", blocks=6, dataset_size=1334, price=0.5)
    document: dict[str, Any] = json.loads(json.dumps(found.to_dict() | {"explanation": explain(found).to_dict()}))
    return document


@pytest.fixture(scope="session")
def card() -> dict[str, Any]:
    """A ``gpus show --json`` document."""
    from perfmodel.cli.gpus import gpu_document

    document: dict[str, Any] = json.loads(json.dumps({"schema_version": 1, "gpu": gpu_document(find_gpu("a100"))}))
    return document


@pytest.fixture
def written(tmp_path: Path) -> Callable[..., Path]:
    """Write a document to a file and return its path."""

    def write(document: Any, name: str = "document.json") -> Path:
        path = tmp_path / name
        path.write_text(document if isinstance(document, str) else json.dumps(document), encoding="utf-8")
        return path

    return write
