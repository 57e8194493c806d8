"""``perfmodel measure``."""

from __future__ import annotations

import importlib
import json
import math
from pathlib import Path

import click

from perfmodel.errors import InputError

#: Share of the machine used by others from which on a profile says so.
_BUSY = 0.1


@click.command(short_help="Measure operators and steps on this machine.")
@click.option("--device", type=click.Choice(["cpu", "cuda"]), default="cpu", show_default=True, help="What to measure.")
@click.option("--budget", type=float, default=60.0, show_default=True, metavar="SECONDS", help="Time for all parts.")
@click.option(
    "--output",
    type=click.Path(path_type=Path),
    default=None,
    help="Folder of all sessions (measurements); a session of the same day and device is taken up again."
    " With --from, the profile to write (profile.json).",
)
@click.option("--parts", default="kernels,transfers,launch,steps", show_default=True, help="Parts to measure.")
@click.option("--dry-run", is_flag=True, help="Measure a few tiny cases of every part.")
@click.option("--profile", is_flag=True, help="Measure the processor as the device of --gpu cpu, and keep its profile.")
@click.option(
    "--from",
    "source",
    type=click.Path(path_type=Path),
    default=None,
    help="Measure nothing: make a card's profile of a session's folder, or of a table of runs.",
)
@click.option("--gpu", default=None, help="Card of --from; may be left out where the rows are of one card.")
@click.option("--threads", type=click.IntRange(1), default=None, help="Threads of --profile; all cores by default.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")
def command(
    device: str, budget: float, output: Path | None, parts: str, dry_run: bool, profile: bool, source: Path | None,
    gpu: str | None, threads: int | None, as_json: bool,
) -> None:  # fmt: skip
    """Measure operators and steps on this machine.

    Rows are written as they are measured; the same command goes on where an earlier one stopped. The tables are
    described in docs/measuring.md. With --profile the processor is measured as a device instead (docs/cpu.md). With
    --from nothing is measured: rows that are there make the profile of a card, for predict --profile.
    """
    if source is not None:
        _profile_of_rows(source, gpu, output or Path("profile.json"), as_json=as_json)
        return
    if gpu is not None:
        raise InputError("--gpu names the card of --from", "to measure this machine's card, give --device cuda")
    if profile:
        _profile(device, budget, threads, as_json=as_json)
        return
    session = importlib.import_module("perfmodel.calibration.session")
    folder = output or Path("measurements")
    if folder.is_file():
        raise InputError(f"{folder} is a file", "--output is the folder of all sessions")
    request = session.Request(device=device, output=folder, budget_s=budget, parts=tuple(parts.split(",")), dry=dry_run)
    outcome = session.run(request, progress=lambda text: click.echo(text, err=True))
    if as_json:
        document = {
            "schema_version": 1,
            "folder": str(outcome.folder),
            "rows": outcome.rows,
            "complete": outcome.complete,
        }
        click.echo(json.dumps(document, indent=2))
        return
    for part, rows in outcome.rows.items():
        click.echo(f"{part:<10} {rows:>6} rows{'' if outcome.complete[part] else ', not complete'}")
    click.echo(outcome.folder)


def _profile_of_rows(source: Path, gpu: str | None, output: Path, *, as_json: bool) -> None:
    """Make a card's profile of rows and say what it found."""
    profiles = importlib.import_module("perfmodel.calibration.profiles")
    profile, passed_over = profiles.profile_from(source, gpu)
    if output.is_dir():
        raise InputError(f"{output} is a folder", "--output is the profile's file with --from")
    profile.save(output)
    if as_json:
        click.echo(json.dumps({**profile.to_dict(), "file": str(output), "passed_over": dict(passed_over)}, indent=2))
        return
    click.echo(f"{profile.gpu}: {profile.observations} measurements, written to {output}")
    for name, (log, sd) in profile.told().items():
        click.echo(
            f"  {name:<18} takes {math.exp(log):.2f} times as long as the specification tells, +-{100 * sd:.0f} %"
        )
    for why, rows in passed_over.most_common():
        click.echo(f"  passed over: {rows} rows, {why}")


def _profile(device: str, budget: float, threads: int | None, *, as_json: bool) -> None:
    """Measure the processor's profile and say what was found."""
    if device != "cpu":
        raise InputError(f"--profile is for --device cpu, not {device}", "leave --profile out")
    measuring = importlib.import_module("perfmodel.calibration.cpu_profile")
    found = measuring.measure_profile("cpu" if threads is None else f"cpu:{threads}", budget_s=budget)
    if as_json:
        click.echo(json.dumps(found.to_dict(), indent=2))
        return
    c = found.coefficients
    click.echo(f"{found.processor}, {c.threads} thread{'s' if c.threads > 1 else ''}: {found.rows} operators measured")
    click.echo(f"  products    up to {c.flops / 1e9:.0f} GFLOP/s in fp32")
    click.echo(f"  memory      {c.bandwidth / 1e9:.0f} GB/s, {c.cache_bandwidth / 1e9:.0f} GB/s from the cache")
    click.echo(f"  residual    {100 * found.residual_sd:.0f} % (root mean square of single operators)")
    others = found.provenance.get("used_by_others")
    if others is not None and others > _BUSY:
        note = "" if c.threads == 1 else "; measure again when it is idle"
        click.echo(f"  note        others used {100 * others:.0f} % of the machine meanwhile{note}")
