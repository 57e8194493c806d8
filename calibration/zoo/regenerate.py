"""Make every shipped graph again, or check that the shipped ones are what the definitions give.

Run ``python -m perfmodel.calibration.zoo.regenerate [--check] [--output DIR] [NAME ...]``; it needs torch and
torchvision (installed without its dependencies beside a CPU torch).
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from perfmodel.graph.catalogue import DATA
from perfmodel.graph.definition import Definition, capture_definition
from perfmodel.graph.documents import Pack, dumps, to_document, write_pack

PACK = "zoo.pack"


def definitions() -> Iterator[Definition]:
    """Yield every definition of the zoo and the workloads."""
    from perfmodel.calibration.zoo import language, others, vision, workload_graphs

    yield from workload_graphs.definitions()
    yield from vision.definitions()
    yield from others.definitions()
    yield from language.definitions()


def make(definition: Definition) -> dict[str, Any]:
    """Capture one definition as a document."""
    return to_document(capture_definition(definition))


def main(arguments: list[str] | None = None) -> int:
    """Regenerate or check; returns the number of graphs that differ or fail."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("names", nargs="*", help="only these")
    parser.add_argument("--check", action="store_true", help="compare instead of writing")
    parser.add_argument("--missing", action="store_true", help="only those the pack lacks")
    parser.add_argument("--output", type=Path, default=DATA)
    options = parser.parse_args(arguments)
    path = options.output / PACK
    shipped = _read(path)
    bad = 0
    for definition in definitions():
        if (options.names and definition.name not in options.names) or (options.missing and definition.name in shipped):
            continue
        start = time.monotonic()
        try:
            document = make(definition)
        except Exception as error:  # one broken definition must not stop the others
            print(f"{definition.name}: {type(error).__name__}: {str(error)[:300]}", file=sys.stderr)
            bad += 1
            continue
        same = dumps(shipped.get(definition.name, {})) == dumps(document)
        print(f"{definition.name}: {time.monotonic() - start:.1f} s, {'same' if same else 'changed'}", flush=True)
        if options.check:
            bad += not same
        else:
            shipped[definition.name] = document
            write_pack(path, shipped, group=4)
    return bad


def _read(path: Path) -> dict[str, Any]:
    if not path.exists():
        return {}
    pack = Pack(path)
    return {name: pack.document(name) for name in pack.names()}


if __name__ == "__main__":
    sys.exit(main())
