"""`perfmodel gpus`: the table of known cards."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import click

from perfmodel.cli.plotting import check_plot, plot_options, write_plot

if TYPE_CHECKING:
    from perfmodel.hardware.gpu import Gpu

SCHEMA_VERSION = 1
_JSON = click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")


@click.group("gpus")
def command() -> None:
    """List, search, show, add and check GPUs."""


@command.command("list")
@_JSON
def list_gpus(as_json: bool) -> None:
    """List all known GPUs, your own included."""
    from perfmodel.hardware.gpu import gpus

    _print_cards(gpus(), as_json)


@command.command("search")
@click.argument("text")
@_JSON
def search(text: str, as_json: bool) -> None:
    """List the GPUs whose name, chip, generation or kind contains TEXT."""
    from perfmodel.hardware.gpu import search_gpus

    _print_cards(search_gpus(text), as_json)


@command.command("show")
@click.argument("name")
@_JSON
@plot_options(("roofline",))
def show(name: str, as_json: bool, plot: str | None, theme: str) -> None:
    """Show the specification of one GPU and where its figures come from; with --plot its roofline."""
    from perfmodel.hardware.gpu import find_gpu
    from perfmodel.hardware.precision import supported

    check_plot({"plot": plot, "theme": theme}, ("roofline",))
    gpu = find_gpu(name)
    if plot is not None:
        from perfmodel.report.plots.roofline import roofline_figure

        write_plot({"plot": plot}, roofline_figure(gpu, theme=theme))
    if as_json:
        _print_json({"gpu": gpu_document(gpu)})
        return
    click.echo(f"{gpu.name} ({gpu.key})")
    for title, value in _details(gpu):
        click.echo(f"  {title:<14} {value}")
    click.echo(f"  {'precisions':<14} {', '.join(supported(gpu))}")
    if gpu.note:
        click.echo(f"  {'note':<14} {gpu.note}")
    click.echo(f"  {'source':<14} {gpu.source}")


@command.command("add")
@click.argument("file", type=click.Path())
@_JSON
def add(file: str, as_json: bool) -> None:
    """Check the card described in the TOML FILE and keep it among your own."""
    from perfmodel.hardware.user_cards import add_card

    gpu, path = add_card(file)
    if as_json:
        _print_json({"gpu": gpu_document(gpu), "path": str(path)})
    else:
        click.echo(f"added {gpu.key} ({gpu.name}) to {path}")


@command.command("check")
@_JSON
@click.pass_context
def check(context: click.Context, as_json: bool) -> None:
    """Report figures that contradict each other; exit status 1 when one has no named reason."""
    from perfmodel.hardware.checks import check_cards
    from perfmodel.hardware.gpu import gpus

    cards = gpus()
    found = check_cards([*cards, *(card.board() for card in cards if card.dies_per_board > 1)])
    wrong = [c for c in found if not c.excused]
    if as_json:
        rows = [{"gpu": c.key, "subject": c.subject, "text": c.text, "reason": c.reason or None} for c in found]
        _print_json({"gpus": len(cards), "contradictions": len(wrong), "findings": rows})
    else:
        for c in found:
            click.echo(f"{c.key}: {c.text}" + (f" (known: {c.reason})" if c.excused else ""))
        click.echo(f"{len(cards)} GPUs, {len(wrong)} contradictions, {len(found) - len(wrong)} with a named reason")
    if wrong:
        context.exit(1)


def gpu_document(gpu: Gpu) -> dict[str, Any]:
    """Return a card as plain JSON values."""
    from dataclasses import fields

    from perfmodel.hardware.precision import supported

    document = {f.name: getattr(gpu, f.name) for f in fields(gpu)}
    derived = {
        "sustained_mhz": round(gpu.sustained_mhz, 1),
        "half_compute": gpu.half_compute,
        "form": gpu.form,
        "peer_to_peer": gpu.peer_to_peer,
        "precisions": list(supported(gpu)),
    }
    return document | {"peaks_tflops": dict(gpu.peaks_tflops)} | derived


def _print_json(document: dict[str, Any]) -> None:
    click.echo(json.dumps({"schema_version": SCHEMA_VERSION} | document, indent=2))


def _print_cards(cards: Sequence[Gpu], as_json: bool) -> None:
    if as_json:
        _print_json({"gpus": [gpu_document(card) for card in cards]})
        return
    titles = ("key", "name", "arch", "SMs", "fp32", "fp16", "GB", "GB/s", "W")
    rows = [titles] + [_row(card) for card in cards]
    widths = [max(len(row[i]) for row in rows) for i in range(len(titles))]
    for row in rows:
        cells = [c.ljust(w) if i < 3 else c.rjust(w) for i, (c, w) in enumerate(zip(row, widths, strict=True))]
        click.echo("  ".join(cells).rstrip())
    if not cards:
        click.echo("no GPU matches", err=True)


def _row(gpu: Gpu) -> tuple[str, ...]:
    peaks = (f"{gpu.peaks_tflops[p]:.1f}" for p in ("fp32", "fp16"))
    numbers = (f"{gpu.memory_gb:g}", f"{gpu.bandwidth_gbs:g}", f"{gpu.tdp_w:g}")
    return (gpu.key, gpu.name, gpu.arch, str(gpu.sm), *peaks, *numbers)


def _details(gpu: Gpu) -> list[tuple[str, str]]:
    peaks = ", ".join(f"{name} {value:g}" for name, value in gpu.peaks_tflops.items())
    link = (
        "none" if gpu.nvlink_gbs is None else f"{gpu.nvlink_gbs:g} GB/s" + (" by bridge" if gpu.nvlink_bridge else "")
    )
    clock = "" if gpu.memory_mhz is None else f" at {gpu.memory_mhz:g} MHz"
    tensor = f", {gpu.tensor_cores} tensor cores" if gpu.tensor_cores else ""
    return [
        ("chip", f"{gpu.chip}, {gpu.arch}, compute capability {gpu.compute_capability}, released {gpu.release or '?'}"),
        ("cores", f"{gpu.sm} SMs, {gpu.cuda_cores} CUDA cores{tensor}"),
        ("clocks", f"base {gpu.base_mhz:g}, boost {gpu.boost_mhz:g}, sustained about {gpu.sustained_mhz:.0f} MHz"),
        (
            "memory",
            f"{gpu.memory_gb:g} GB {gpu.memory_type}, {gpu.memory_bus_bits} bit{clock}, {gpu.bandwidth_gbs:g} GB/s",
        ),
        ("caches", f"L2 {gpu.l2_mb:g} MB, L1 {gpu.l1_kb_per_sm:g} KB an SM, shared {gpu.smem_kb_per_sm:g} KB an SM"),
        ("power", f"{gpu.tdp_w:g} W"),
        ("links", f"{gpu.bus}, NVLink {link}"),
        ("peak TFLOP/s", peaks),
    ]
