"""`perfmodel loader bench`: loaders side by side on one's own images."""

from __future__ import annotations

import json

import click

from perfmodel.cli.options import Names, WholeNumber


@click.command("bench")
@click.argument("folder", metavar="DIR", type=click.Path())
@click.option("--rounds", type=WholeNumber(), default=5, show_default=True, help="Rounds, taking turns.")
@click.option("--batch", type=WholeNumber(), default=16, show_default=True, help="Images of a batch.")
@click.option("--workers", type=WholeNumber(), default=None, help="Processes or threads; all cores by default.")
@click.option("--images", type=WholeNumber(), default=None, help="Only the first so many files.")
@click.option("--options", type=Names(), default=None, help="Only these, separated by commas.")
@click.option("--json", "as_json", is_flag=True, help="One JSON document.")
def bench_command(
    folder: str, rounds: int, batch: int, workers: int | None, images: int | None, options: tuple[str, ...] | None,
    as_json: bool,
) -> None:  # fmt: skip
    """Compare loaders on the images of DIR: this package's, PIL in a DataLoader, and the others that are installed.

    Each runs in its own process through CycleGAN's pipeline (286, crop 256, flip, normalise). Rows that begin with
    "limit:" only decode. What is not installed is named.
    """
    from perfmodel.loading.bench import bench
    from perfmodel.loading.bench_options import OPTIONS

    found = bench(
        folder, rounds=rounds, batch=batch, workers=workers, images=images, options=options or tuple(OPTIONS),
        progress=lambda text: click.echo(text, err=True),
    )  # fmt: skip
    if as_json:
        click.echo(json.dumps(found.to_dict(), indent=1, allow_nan=False))
        return
    click.echo(f"{'':<22} {'images/s':>9} {'CPU ms':>7} {'to PIL':>7} {'by CPU':>7} {'of decode':>9}  output")
    for row in found.rows:
        ratios = [_number(row.ratio_to_pil, 7), _number(row.cpu_ratio_to_pil, 7), _number(row.share_of_decode_limit, 9)]
        click.echo(
            f"{row.option:<22} {row.images_per_s:9.1f} {row.cpu_ms_per_image:7.2f} {' '.join(ratios)}  {row.output}"
        )
    for option, reason in found.missing.items():
        click.echo(f"{option:<22} not run: {reason}")


def _number(value: float | None, width: int) -> str:
    return f"{value:{width}.2f}" if value is not None else " " * (width - 1) + "-"
