"""``perfmodel datasets``: where driving data comes from, and generated scenes for work offline."""

from __future__ import annotations

import click

from perfmodel.cli.options import Names, WholeNumber


@click.group()
def command() -> None:
    """List driving data sets, say where to get them, generate look-alikes."""


@command.command("list")
@click.option("--json", "as_json", is_flag=True, help="One JSON document.")
def list_(as_json: bool) -> None:
    """List the data sets and layouts that the workloads read."""
    from perfmodel.workloads.datasets.layouts import DATASETS, OTHER

    if as_json:
        import json

        rows = [{"name": one.name, "title": one.title, "site": one.site} for one in DATASETS.values()]
        rows += [{"name": name, "title": text, "site": ""} for name, text in OTHER.items()]
        click.echo(json.dumps({"schema_version": 1, "kind": "datasets", "datasets": rows}, indent=1))
        return
    for one in DATASETS.values():
        click.echo(f"{one.name:<12} {one.title}; from {one.site}")
    for name, text in OTHER.items():
        click.echo(f"{name:<12} {text}")


@command.command("how-to")
@click.argument("name")
def how_to_(name: str) -> None:
    """Say where a user gets a data set and how it must lie."""
    from perfmodel.workloads.datasets.layouts import how_to

    click.echo(how_to(name))


@command.command("generate")
@click.argument("out", type=click.Path())
@click.option(
    "--domains", type=Names(), default="VKITTI,KITTI", show_default=True, help="Domains, with /fog, /rain ..."
)
@click.option("--images", type=WholeNumber(), default=1000, show_default=True, help="Scenes of each domain.")
@click.option("--size", default="256", show_default=True, help="Pixels: 256, or HEIGHTxWIDTH such as 375x1242.")
@click.option("--kind", default="images", show_default=True, help="images, frames (with labels), or quadruples.")
@click.option("--format", "suffix", default="png", show_default=True, help="png or jpg.")
@click.option("--quality", type=WholeNumber(), default=92, show_default=True, help="Quality of JPEG.")
@click.option("--seed", type=WholeNumber(0), default=0, show_default=True, help="Same seed, same images.")
@click.option("--jobs", type=WholeNumber(), default=None, help="Processes; one a core by default.")
def generate_(
    out: str, domains: tuple[str, ...], images: int, size: str, kind: str, suffix: str, quality: int, seed: int,
    jobs: int | None,
) -> None:  # fmt: skip
    """Write generated driving scenes to OUT, one folder a domain.

    Each folder says that its images are generated. An interrupted run goes on where it stopped.
    """
    from perfmodel.cli.progress import counting
    from perfmodel.workloads.datasets.generate import generate, named_order

    height, width = read_size(size)
    order = named_order(
        domains, images=images, height=height, width=width, kind=kind, suffix=suffix, quality=quality, seed=seed
    )
    with counting("generating", len(order.domains) * images) as advance:
        written = generate(out, order, jobs=jobs, progress=advance)
    kept = len(order.domains) * images - written
    click.echo(f"{written} generated scenes written to {out}" + (f", {kept} were there already" if kept else ""))


def read_size(text: str) -> tuple[int, int]:
    """Read ``256`` or ``375x1242`` as height and width.

    Raises
    ------
    InputError
        When it is neither.
    """
    from perfmodel.errors import InputError

    parts = text.lower().split("x")
    if not all(part.strip().isdigit() for part in parts) or len(parts) > 2:
        raise InputError(f"--size {text} is no size", "write 256 or HEIGHTxWIDTH")
    return int(parts[0]), int(parts[-1])
