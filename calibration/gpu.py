"""``python -m perfmodel.calibration.gpu``: measure the GPU (or, to try the path, the CPU) of this machine."""

from __future__ import annotations

import argparse
import signal
import sys
from collections.abc import Sequence
from pathlib import Path
from types import FrameType

from perfmodel.errors import PerfmodelError

from . import session


def parser() -> argparse.ArgumentParser:
    """The arguments of the program."""
    text = "Measure this machine's device; rows that are already there are kept and not measured again."
    result = argparse.ArgumentParser(prog="python -m perfmodel.calibration.gpu", description=text)
    result.add_argument("--device", default="cuda", choices=("cuda", "cpu"), help="what to measure (default: cuda)")
    result.add_argument(
        "--output",
        type=Path,
        default=Path("calibration/measurements"),
        help="folder of all sessions (default: %(default)s)",
    )
    result.add_argument(
        "--budget", type=float, default=420.0, metavar="SECONDS", help="time for all parts (default: 420)"
    )
    result.add_argument(
        "--parts", default=",".join(session.PARTS), metavar="A,B", help="parts to measure (default: %(default)s)"
    )
    result.add_argument("--dry-run", action="store_true", help="measure a few tiny cases of every part")
    return result


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure and say where the tables are; returns the exit status."""
    options = parser().parse_args(arguments)
    signal.signal(signal.SIGTERM, _interrupt)
    try:
        request = session.Request(
            device=options.device,
            output=options.output,
            budget_s=options.budget,
            parts=tuple(options.parts.split(",")),
            dry=options.dry_run,
        )
        outcome = session.run(request, progress=lambda text: print(text, file=sys.stderr, flush=True))
    except PerfmodelError as error:
        print(f"error: {error}", file=sys.stderr)
        return error.exit_code
    except KeyboardInterrupt:
        print("error: interrupted; what was measured is kept, the same command goes on", file=sys.stderr)
        return 130
    unfinished = [part for part, done in outcome.complete.items() if not done]
    print(outcome.folder)
    if unfinished:
        print(f"not complete: {', '.join(unfinished)}; the same command goes on", file=sys.stderr)
    return 0


def _interrupt(_: int, __: FrameType | None) -> None:
    raise KeyboardInterrupt


if __name__ == "__main__":
    sys.exit(main())
