"""Graphs of the networks of timm, captured from timm itself at development time.

Run ``python -m perfmodel.calibration.zoo.timm_models --work DIR [--sizes FILE] [--pack] [NAME ...]``. Every finished
network is one JSON file in ``DIR``, so that an interrupted run goes on where it stopped; ``--pack`` writes the shipped
file from them. ``--sizes`` is a JSON object from name to image sizes; without it each network's own default is used.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from perfmodel.calibration.zoo.shim import import_timm
from perfmodel.graph.catalogue import DATA
from perfmodel.graph.definition import Definition, capture_definition
from perfmodel.graph.documents import dumps, to_document, write_pack

PACK = "timm.pack"


def _family(name: str) -> str:
    return name.split("_")[0].rstrip("0123456789")


def _create(name: str, size: int) -> Any:
    """Build a network for an image size, which only some take as an argument."""
    timm = import_timm()
    default = timm.get_pretrained_cfg(name, allow_unregistered=True)
    usual = int(default.input_size[-1]) if default is not None and default.input_size else 224
    if usual == size:
        return timm.create_model(name)
    try:
        return timm.create_model(name, img_size=size)
    except TypeError:
        return timm.create_model(name)


def definition(name: str, size: int) -> Definition:
    """Define a timm network at one image size (symbolic in the batch)."""

    def build(size: int, blocks: int) -> Any:
        return _create(name, size)

    def inputs(batch: int, size: int) -> Sequence[Any]:
        import torch

        return [torch.empty(batch, 3, size, size)]

    return Definition(
        name=name,
        family=_family(name),
        build=build,
        inputs=inputs,
        size_name="image_size",
        default_size=size,
        size_step=0,
        degree=0,
        points=(0,),
    )


def make(name: str, size: int) -> dict[str, Any]:
    """Capture one network; one with attention both fused and unfused."""
    plain = definition(name, size)
    graph = capture_definition(plain)
    if any("attention" in table.statics["kind"] for table in graph.tables.values()):
        graph = capture_definition(replace(plain, attentions=("fused", "unfused")))
    return to_document(graph)


def run(work: Path, sizes: dict[str, list[int]]) -> None:
    """Capture what is not in ``work`` yet; failures are files of their own."""
    work.mkdir(parents=True, exist_ok=True)
    for name, wanted in sizes.items():
        for at, size in enumerate(wanted):
            key = name if at == 0 else f"{name}@{size}"
            path = work / f"{key}.json"
            if path.exists() or path.with_suffix(".failed").exists():
                continue
            start = time.monotonic()
            try:
                path.write_text(dumps(make(name, size)))
                print(f"{key}: {time.monotonic() - start:.1f} s", flush=True)
            except Exception as error:  # names of other versions, operators that fail on the meta device
                reason = f"{type(error).__name__}: {str(error).splitlines()[0][:200] if str(error) else ''}"
                path.with_suffix(".failed").write_text(reason)
                print(f"{key}: {reason}", file=sys.stderr, flush=True)


def pack(work: Path, output: Path) -> int:
    """Write the shipped file from all finished networks; returns how many."""
    documents = {path.name.removesuffix(".json"): json.loads(path.read_text()) for path in work.glob("*.json")}
    write_pack(output / PACK, documents, group=16)
    return len(documents)


def main(arguments: list[str] | None = None) -> int:
    """Capture and pack."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("names", nargs="*")
    parser.add_argument("--work", type=Path, required=True)
    parser.add_argument("--sizes", type=Path)
    parser.add_argument("--pack", action="store_true")
    parser.add_argument("--output", type=Path, default=DATA)
    options = parser.parse_args(arguments)
    sizes: dict[str, list[int]] = json.loads(options.sizes.read_text()) if options.sizes else {}
    if not sizes:
        timm = import_timm()
        for name in options.names or timm.list_models():
            config = timm.get_pretrained_cfg(name, allow_unregistered=True)
            sizes[name] = [int(config.input_size[-1]) if config is not None and config.input_size else 224]
    if options.names:
        sizes = {name: sizes[name] for name in options.names}
    run(options.work, sizes)
    if options.pack:
        print(f"{pack(options.work, options.output)} networks packed")
    return 0


if __name__ == "__main__":
    sys.exit(main())
