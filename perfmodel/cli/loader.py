"""`perfmodel loader`: everything about loading images. Each sub-verb is a command of this group."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING

import click

from perfmodel.cli.loader_bench import bench_command
from perfmodel.cli.loader_model import calibrate_command, predict_command
from perfmodel.errors import InputError

if TYPE_CHECKING:
    SizeType = click.ParamType[int]
else:  # not generic at run time in older versions
    SizeType = click.ParamType

_UNITS = {"": 1, "KB": 1e3, "MB": 1e6, "GB": 1e9, "KIB": 2**10, "MIB": 2**20, "GIB": 2**30}


class Bytes(SizeType):
    """A number of bytes such as 256MB or 1GiB."""

    name = "bytes"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> int:
        """Return whole bytes."""
        found = re.fullmatch(r"\s*([0-9.]+)\s*([A-Za-z]*)\s*", str(value))
        if not found or found[2].upper() not in _UNITS:
            self.fail(f"{value!r} is not a size such as 256MB", param, ctx)
        try:
            return int(float(found[1]) * _UNITS[found[2].upper()])
        except ValueError:
            self.fail(f"{value!r} is not a size such as 256MB", param, ctx)


@click.group("loader", commands=[predict_command, calibrate_command, bench_command])
def command() -> None:
    """Load images fast, and predict how long loading takes."""


@command.command("pack")
@click.argument("source", metavar="SRC", type=click.Path())
@click.argument("out", type=click.Path(file_okay=False))
@click.option("--shard-size", type=Bytes(), default="256MB", show_default=True, help="Source bytes in one shard.")
@click.option(
    "--resize-shorter", type=int, default=None, metavar="PIXELS",
    help="Reduce images whose shorter side is longer, and encode them again.",
)  # fmt: skip
@click.option("--quality", type=int, default=None, help="Quality of the JPEGs encoded again; 90 by default.")
@click.option("--skip-bad", is_flag=True, help="Leave out files that are no readable image, and name them.")
@click.option("--verify", is_flag=True, help="Read everything back and compare checksums at the end.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")
def pack_command(
    source: str, out: str, shard_size: int, resize_shorter: int | None, quality: int | None, skip_bad: bool,
    verify: bool, as_json: bool,
) -> None:  # fmt: skip
    """Pack the images of SRC (a folder, ZIP archive or pack) into shards in the folder OUT.

    Interrupted, the same command goes on: complete shards are kept when their checksums hold.
    """
    from dataclasses import asdict

    from perfmodel.loading.packing import PackOptions, pack

    if quality is not None and resize_shorter is None:
        raise InputError("--quality has no effect without --resize-shorter", "give both, or neither")
    options = PackOptions(
        shard_bytes=shard_size, resize_shorter=resize_shorter, quality=quality or 90, skip_bad=skip_bad
    )
    result = pack(source, out, options, verify=verify, progress=lambda text: click.echo(text, err=True))
    if as_json:
        click.echo(json.dumps({"schema_version": 1, "folder": out, "verified": verify} | asdict(result), indent=2))
        return
    for name in result.skipped:
        click.echo(f"left out {name}", err=True)
    checked = ", checksums hold" if verify else ""
    click.echo(
        f"{result.images} images, {result.bytes / 1e6:.1f} MB in {result.shards} shards ({result.kept} kept){checked}"
    )
