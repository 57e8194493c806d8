"""`perfmodel loader predict` and `perfmodel loader calibrate`: the time model of loading on the command line."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import click

from perfmodel.cli.options import WholeNumber
from perfmodel.errors import InputError

if TYPE_CHECKING:
    from perfmodel.hardware.host_profile import HostProfile
    from perfmodel.loading.advice import LoadingPrediction
    from perfmodel.loading.model import LoaderModel

_TERM_TEXT = {
    "cpu": "decoding and transforming images on the CPU",
    "storage": "the bandwidth of the storage",
    "iops": "how many files the storage opens in a second",
    "memory": "main memory bandwidth",
    "h2d": "the bus to the GPU",
    "gpu_preprocess": "preprocessing on the GPU",
    "variation": "images that take longer than others",
}
_CACHE_SHARE = 0.6
"""Share of memory that the page cache is taken to have for the data."""


@click.command("predict")
@click.argument("folder", metavar="DIR", type=click.Path())
@click.option("--batch", type=WholeNumber(), default=16, show_default=True, help="Samples of a batch.")
@click.option("--workers", type=WholeNumber(0), default=4, show_default=True, help="Worker processes, or threads.")
@click.option(
    "--step-ms", type=float, default=0.0, metavar="MS", help="Step without loading; 0 asks for loading alone."
)
@click.option(
    "--pipeline", default="torch", show_default=True, help="torch (PIL in a DataLoader), native, opencv, grain."
)
@click.option("--transform", default="cyclegan", show_default=True, help="What becomes of an image.")
@click.option("--host", default="local", show_default=True, help="local, default, laptop, server, colab, ...")
@click.option("--cold", is_flag=True, help="Nothing is in the page cache.")
@click.option("--cache-hit", type=float, default=None, metavar="SHARE", help="Share of files in the page cache.")
@click.option("--prefetch", type=WholeNumber(), default=2, show_default=True, help="Batches that a worker is ahead.")
@click.option("--json", "as_json", is_flag=True, help="One JSON document.")
def predict_command(
    folder: str, batch: int, workers: int, step_ms: float, pipeline: str, transform: str, host: str, cold: bool,
    cache_hit: float | None, prefetch: int, as_json: bool,
) -> None:  # fmt: skip
    """Predict how fast the images of DIR (a folder, ZIP archive or pack) are loaded, and what it does to a step.

    Only headers are read. Figures are those of this machine where `perfmodel loader calibrate` was run.
    """
    from perfmodel.loading.advice import predict_loading

    if cold and cache_hit is not None:
        raise InputError("--cold and --cache-hit exclude each other", "give one of them")
    loader, why = _model(folder, pipeline, transform, host, 0.0 if cold else cache_hit, prefetch)
    found = predict_loading(loader, batch=batch, workers=workers, compute_s=step_ms / 1e3)
    if as_json:
        click.echo(json.dumps(found.to_dict() | {"cache_hit": loader.hit}, indent=1, allow_nan=False))
        return
    click.echo("\n".join(_lines(found, why)))


def _model(
    folder: str, pipeline: str, transform: str, host: str, cache_hit: float | None, prefetch: int
) -> tuple[LoaderModel, str]:
    """The model, and why files are taken to be in the page cache."""
    from perfmodel.hardware.host import find_host
    from perfmodel.loading.file_sample import describe_folder
    from perfmodel.loading.model import LoaderModel

    images, machine = describe_folder(folder, transform), find_host(host)
    hit, why = cache_hit, "as given"
    if hit is None:
        total = images.kb * 1e3 * images.files * (images.samples or 0)
        hit = min(1.0, _CACHE_SHARE * machine.memory_gb * 1e9 / max(total, 1.0))
        why = f"{total / 1e9:.3g} GB of files, {machine.memory_gb:.0f} GB of memory"
    model = LoaderModel(pipeline=pipeline, images=images, host=machine, cache_hit=hit, prefetch=prefetch)
    return model, why


def _lines(found: LoadingPrediction, why: str) -> list[str]:
    pipeline, images, host = found.loader.spec
    median, low, high = found.samples_s
    mix = ", ".join(
        f"{100 * share:.0f} % {kind}" for kind, share in (images.sample.mix if images.sample else {}).items()
    )
    one = "thread" if found.loader.threads else "worker"
    lines = [
        f"Files      {images.name}",
        f"           {mix}; mean {images.kb:.0f} KB, {images.mpx:.2f} Mpx, to {images.out_width} x {images.out_height}",
        f"Host       {host.name}, {host.cores} cores; {host.source}",
        f"Loading    {pipeline.name}, {found.workers} {one}{_s(found.workers)}, batches of {found.batch}",
        f"           {1e3 * found.loader.cost_s:.2f} ms of CPU a sample; {100 * found.loader.hit:.0f} % from the page"
        f" cache ({why})",
        f"Throughput {median:.0f} samples/s ({low:.0f} to {high:.0f}, 90 %); limited by {_TERM_TEXT[found.bound]}",
    ]
    if found.compute_s > 0:
        lines += _step_lines(found)
    lines.append(f"Workers    {found.advice.text}")
    helps = [f"{name} {times:g} times" for name, times in found.changes.items()]
    lines.append(f"Faster by  {'; '.join(helps)}" if helps else "Faster by  nothing that is modelled here")
    return lines + [f"Note       {note}" for note in found.notes]


def _step_lines(found: LoadingPrediction) -> list[str]:
    step = found.simulated
    lines = [f"Step       {1e3 * step.step_s:.1f} ms, of which {1e3 * step.stall_s:.1f} ms wait for input"]
    if step.stall_s > 0.01 * step.step_s:
        causes = max(step.causes_s, key=lambda name: step.causes_s[name])
        share = 100 * step.stall_s / step.step_s
        lines.append(f"           {share:.0f} % of the time the GPU is idle, because of {_TERM_TEXT[causes]}")
    return lines


@click.command("calibrate")
@click.option("--budget", type=float, default=60.0, show_default=True, metavar="SECONDS", help="Time for all of it.")
@click.option("--storage", type=click.Path(exists=True, file_okay=False), default=None,
              help="Folder in which reading is measured; the temporary folder by default.")  # fmt: skip
@click.option("--output", type=click.Path(path_type=Path, dir_okay=False), default=None,
              help="File for the profile; predictions find it in the data directory, the default.")  # fmt: skip
@click.option("--json", "as_json", is_flag=True, help="Print the profile as one JSON document.")
def calibrate_command(budget: float, storage: str | None, output: Path | None, as_json: bool) -> None:
    """Measure this machine as a host: cost of images, scaling of cores, storage, memory. Takes less than a minute.

    `--host local` and `perfmodel loader predict` use the result.
    """
    from perfmodel.loading.calibration import calibrate, keep

    profile = calibrate(budget_s=budget, storage=storage, progress=lambda text: click.echo(f"{text} ...", err=True))
    path = keep(profile, output)
    click.echo(json.dumps(profile.to_dict(), indent=1) if as_json else "\n".join(_profile_lines(profile)))
    click.echo(f"written to {path}", err=True)


def _profile_lines(profile: HostProfile) -> list[str]:
    from perfmodel.loading.pipelines import Cost, find_image_set

    lines, kitti = [f"{profile.processor}, {profile.provenance['cores']} cores"], find_image_set("kitti")
    for name, costs in profile.pipelines.items():
        cost = Cost(**costs["jpeg"])
        ms = cost.ms(kb=kitti.kb, mpx=kitti.mpx, coded_mpx=1.5 * kitti.mpx, out_mpx=kitti.out_mpx)
        spread = 100 * profile.residual_sd.get(name, 0.0)
        lines.append(f"  {name:<8} {ms:6.2f} ms for a JPEG of 1242 x 375, 145 KB; single files within {spread:.0f} %")
    for way, points in profile.scaling.items():
        found = ", ".join(f"{workers:.0f}: {cores:.2f}" for workers, cores in points)
        lines.append(f"  {way:<8} worth cores {found}")
    f = profile.figures
    every = f"{f['storage_mbs']:.0f} MB/s, {f['storage_iops']:.0f} reads/s"
    lines.append(f"  storage  {every}; one reader {f['stream_mbs']:.0f} MB/s, {f['read_latency_ms']:.2f} ms a read")
    lines.append(f"  memory   {f['memory_gbs']:.0f} GB/s copying; page cache {f['cached_mbs'] / 1e3:.1f} GB/s")
    return lines


def _s(count: int) -> str:
    """Ending of a plural."""
    return "" if count == 1 else "s"
