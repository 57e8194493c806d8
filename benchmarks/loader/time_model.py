"""The time model of loading against measured loaders, on files and under conditions it was not calibrated on.

The host is calibrated first (`perfmodel loader calibrate`). Then other images are loaded by Pillow in torch's
DataLoader with 0, 1 and 2 workers and by this package's loader with 1 and 2 threads: other sizes, qualities, chroma
subsampling, PNG, a mix, photographs; on one core, under a CPU quota, from cold and throttled storage (the last three
need Linux control groups, version 1, and root; as root what is measured also goes before other work). Every case is
measured in each round; medians are compared with predictions that see nothing but headers:

    python benchmarks/loader/time_model.py --output benchmarks/results/loader_time_model.json
"""

from __future__ import annotations

import argparse
import json
import math
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
from scipy.optimize import nnls

from perfmodel.hardware.host import Host, find_host
from perfmodel.hardware.host_profile import HostProfile
from perfmodel.loading.advice import advise_workers
from perfmodel.loading.calibration import busy_ticks, calibrate, used_share
from perfmodel.loading.file_sample import describe_folder, sample_of
from perfmodel.loading.model import LoaderModel
from perfmodel.loading.pictures import encode, make_picture, write_pictures
from perfmodel.loading.simulation import simulate

BATCH = 16
SECONDS = 1.0
_FIRST_SHARES = 262144
"""Weight of what is measured, over 1024 of each other session: other work hardly takes part."""
LOADERS = (("pil", 0), ("pil", 1), ("pil", 2), ("native", 1), ("native", 2))
JPEG = "JPEG"


@dataclass(frozen=True, kw_only=True)
class Set:
    """Files to predict: encodings in turn."""

    name: str
    height: int
    width: int
    encodings: tuple[tuple[str, dict[str, Any]], ...]
    files: int = 48
    photographs: bool = False


def jpeg(quality: int, subsampling: int = 2, **more: Any) -> tuple[str, dict[str, Any]]:
    """Return an encoding."""
    return JPEG, {"quality": quality, "subsampling": subsampling, **more}


SETS = (
    Set(name="KITTI 1242x375 q92", height=375, width=1242, encodings=(jpeg(92),)),
    Set(name="640x480 q60", height=480, width=640, encodings=(jpeg(60),)),
    Set(name="640x480 q95 4:4:4", height=480, width=640, encodings=(jpeg(95, 0),)),
    Set(name="800x600 progressive", height=600, width=800, encodings=(jpeg(85, 2, progressive=True),)),
    Set(name="1920x1080 q85", height=1080, width=1920, encodings=(jpeg(85),), files=32),
    Set(name="KITTI PNG", height=375, width=1242, encodings=(("PNG", {}),)),
    Set(name="mixed", height=540, width=960, encodings=(jpeg(75), ("PNG", {}), jpeg(90, 1))),
    Set(name="photographs", height=427, width=640, encodings=(jpeg(90), jpeg(75), jpeg(85, 0)), photographs=True),
)


@dataclass(frozen=True, kw_only=True)
class Condition:
    """What the measured process is confined to.

    Attributes
    ----------
    name : str
    cores : int, optional
        Processor cores that it may use.
    quota : float, optional
        CPU time it gets, in cores.
    cold : bool
        Files are not in the page cache.
    read_mbs, read_iops : float, optional
        Limits of the storage.
    sets : tuple of str
        What is loaded under it; everything where empty.
    """

    name: str
    cores: int | None = None
    quota: float | None = None
    cold: bool = False
    read_mbs: float | None = None
    read_iops: float | None = None
    sets: tuple[str, ...] = ()


FEW = ("KITTI 1242x375 q92", "640x480 q60", "KITTI PNG")
CONDITIONS = (
    Condition(name="as calibrated"),
    Condition(name="one core", cores=1, sets=FEW),
    Condition(name="quota of 0.6 cores", quota=0.6, sets=FEW),
    Condition(name="quota of 1.3 cores", quota=1.3, sets=FEW),
    Condition(name="cold", cold=True, sets=FEW),
    Condition(name="cold, 25 MB/s", cold=True, read_mbs=25.0, sets=FEW),
    Condition(name="cold, 120 reads/s", cold=True, read_iops=120.0, sets=FEW[:2]),
)


def make_sets(root: Path) -> dict[str, Path]:
    """Write the files of all sets."""
    photographs = list(_photographs())
    folders = {}
    for at, one in enumerate(SETS):
        folder = folders[one.name] = root / f"set{at}"
        folder.mkdir(parents=True)
        pictures = [make_picture(one.height, one.width, seed=1000 + 10 * at + n, noise=3.0) for n in range(6)]
        pictures = photographs if one.photographs and photographs else pictures
        for number in range(one.files):
            picture = pictures[number % len(pictures)]
            shift = 8 * (number // len(pictures))
            kind, options = one.encodings[number % len(one.encodings)]
            content = encode(np.roll(picture, shift, axis=1), kind, **options)
            (folder / f"{number:04d}.{'jpg' if kind == JPEG else 'png'}").write_bytes(content)
    return folders


def _photographs() -> Iterator[Any]:
    """Two photographs that scikit-learn ships (427 x 640), and their mirror images; nothing without it."""
    with suppress(ImportError):
        from sklearn.datasets import load_sample_images

        for picture in load_sample_images().images:
            yield picture
            yield picture[:, ::-1]


def measure(ask: dict[str, Any]) -> list[dict[str, Any]]:
    """Measure the cases of one loader under one condition, in this process."""
    condition = Condition(**ask["condition"])
    with confined(condition):
        return [
            measure_case(ask["pipeline"], ask["workers"], case["folder"], case["step_s"], condition, ask["seconds"])
            for case in ask["cases"]
        ]


def measure_case(
    pipeline: str, workers: int, folder: str, step_s: float, condition: Condition, seconds: float
) -> dict[str, Any]:
    """Return images a second in the steady state: between a first and a last batch, while requests are kept full."""
    paths = sorted(str(path) for path in Path(folder).iterdir())
    ahead = 2 * max(workers, 1) + 3 if pipeline == "pil" else 7
    total = 4000 if not condition.cold else len(paths) // BATCH
    repeat = -(-total * BATCH // len(paths))
    if condition.cold:
        paths = _cold_copies(paths, condition, workers)
        repeat = 1
    batches = iter(_pil(paths * repeat, workers) if pipeline == "pil" else _native(paths, folder, workers, condition))
    for _ in range(ahead):
        next(batches)
    start = previous = time.perf_counter()
    count = 0
    last = len(paths) * repeat // BATCH - 2 * ahead if pipeline == "pil" else math.inf
    if condition.cold:
        last = len(paths) // BATCH - 2 * ahead
    while previous - start < seconds and count < last:
        if step_s:
            time.sleep(step_s)
        if next(batches, None) is None:
            break
        count += 1
        previous = time.perf_counter()
    took = previous - start
    del batches
    if condition.cold:
        shutil.rmtree(Path(paths[0]).parent, ignore_errors=True)
    return {"folder": folder, "step_s": step_s, "images_s": BATCH * count / took, "batches": count}


def _cold_copies(paths: list[str], condition: Condition, workers: int) -> list[str]:
    """More names for the files, not in the page cache: enough for the time that is measured."""
    megabytes = sum(os.path.getsize(path) for path in paths) / len(paths) / 1e6
    rate = min(condition.read_mbs / megabytes if condition.read_mbs else math.inf, condition.read_iops or math.inf, 700)
    needed = int(BATCH * (4 * (2 * max(workers, 1) + 3) + 10) + 2 * SECONDS * rate)
    folder = Path(tempfile.mkdtemp(dir=Path(paths[0]).parent.parent / "cold"))
    copies = []
    for number in range(needed):
        target = folder / f"{number:05d}{Path(paths[0]).suffix}"
        target.write_bytes(Path(paths[number % len(paths)]).read_bytes())
        copies.append(str(target))
    os.sync()
    for path in copies:
        file = os.open(path, os.O_RDONLY)
        os.posix_fadvise(file, 0, 0, os.POSIX_FADV_DONTNEED)
        os.close(file)
    return copies


def _pil(paths: list[str], workers: int) -> Iterator[Any]:
    import torch
    from torch.utils.data import DataLoader

    from perfmodel.loading.ordinary import OrdinaryTransform

    torch.set_num_threads(1)
    transform = OrdinaryTransform(crop=256, torch=torch)

    class Images:
        def __len__(self) -> int:
            return len(paths)

        def __getitem__(self, number: int) -> Any:
            return transform(paths[number], np.random.default_rng(number))

    return iter(DataLoader(Images(), batch_size=BATCH, num_workers=workers, prefetch_factor=2 if workers else None))  # type: ignore[arg-type]


def _native(paths: list[str], folder: str, threads: int, condition: Condition) -> Iterator[Any]:
    from perfmodel.loading.loader import Loader
    from perfmodel.loading.transforms import find_transform

    where = str(Path(paths[0]).parent) if condition.cold else folder
    if not condition.cold:  # a longer epoch of the same files
        where = _linked(paths, 6000)
    return iter(Loader(where, find_transform("cyclegan"), batch=BATCH, workers=threads, backend="native"))


def _linked(paths: list[str], count: int) -> str:
    """A folder with more names for the same files."""
    folder = Path(paths[0]).parent.with_name(f"{Path(paths[0]).parent.name}-longer")
    for number in range(0 if folder.is_dir() else count):
        folder.mkdir(exist_ok=True)
        path = Path(paths[number % len(paths)])
        os.link(path, folder / f"{number:05d}{path.suffix}")
    return str(folder)


@contextmanager
def confined(condition: Condition) -> Iterator[None]:
    """Confine this process, and what it starts, for the time of the block."""
    if condition.cores:
        os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[: condition.cores])
    groups: list[Path] = []
    values = {"cpu.shares": str(_FIRST_SHARES)}
    if condition.quota:
        values |= {"cpu.cfs_period_us": "20000", "cpu.cfs_quota_us": str(int(20000 * condition.quota))}
    if os.access("/sys/fs/cgroup/cpu", os.W_OK) and os.geteuid() == 0:
        groups.append(_group("cpu", values))
    elif condition.quota:
        raise SystemExit("a CPU quota needs control groups (version 1) and root")
    if condition.read_mbs or condition.read_iops:
        device = os.stat(tempfile.gettempdir()).st_dev
        name = f"{os.major(device)}:{os.minor(device)}"
        limits = {}
        if condition.read_mbs:
            limits["blkio.throttle.read_bps_device"] = f"{name} {int(condition.read_mbs * 1e6)}"
        if condition.read_iops:
            limits["blkio.throttle.read_iops_device"] = f"{name} {int(condition.read_iops)}"
        groups.append(_group("blkio", limits))
    try:
        yield
    finally:
        for group in groups:
            (group.parent / "cgroup.procs").write_text(str(os.getpid()))
            with suppress(OSError):  # workers of the DataLoader may still be in it: the parent removes it
                group.rmdir()


def _group(controller: str, values: dict[str, str]) -> Path:
    """A control group (version 1) with this process in it; its parent removes it."""
    group = Path("/sys/fs/cgroup") / controller / f"perfmodel-{os.getpid()}"
    group.mkdir()
    for name, value in values.items():
        (group / name).write_text(value)
    (group / "cgroup.procs").write_text(str(os.getpid()))
    return group


def run_child(ask: dict[str, Any]) -> list[dict[str, Any]]:
    """Measure in a process of its own."""
    command = [sys.executable, __file__, "--child"]
    done = subprocess.run(command, input=json.dumps(ask), capture_output=True, text=True, check=False, timeout=600)
    for controller in ("cpu", "blkio"):
        for group in Path("/sys/fs/cgroup", controller).glob("perfmodel-*"):
            with suppress(OSError):
                group.rmdir()
    if done.returncode:
        raise SystemExit(done.stderr[-2000:])
    found: list[dict[str, Any]] = json.loads(done.stdout)
    return found


def predicted_model(profile: HostProfile, condition: Condition, folder: Path, pipeline: str) -> LoaderModel:
    """Return the model of a loader under a condition, from headers and the calibration."""
    host = profile.apply(replace(find_host("default"), cores=len(os.sched_getaffinity(0))))
    host = replace(host, cores=condition.cores or host.cores, cpu_quota=condition.quota or math.inf)
    host = _slower_storage(host, condition)
    hit = 0.0 if condition.cold else 1.0
    return LoaderModel(pipeline=pipeline, images=describe_folder(folder, "cyclegan"), host=host, cache_hit=hit)


def _slower_storage(host: Host, condition: Condition) -> Host:
    """The limits hold for all readers together; what is not used is granted later, so that single reads stay fast."""
    mbs, iops = condition.read_mbs or host.storage_mbs, condition.read_iops or host.storage_iops
    return replace(host, storage_mbs=mbs, storage_iops=iops)


def baselines(folder: Path) -> dict[str, dict[str, Any]]:
    """Fit cost by bytes alone and by pixels alone to the calibration's files (with a constant): ms."""
    from perfmodel.loading.calibration import _listed, _run

    pictures = list(write_pictures(folder))
    ask = {"task": "images", "native": True, "rounds": 2, "seconds": 30, "files": _listed(pictures)}
    found = _run(ask)["ms"]
    sample = sample_of([str(picture.path) for picture in pictures])
    result: dict[str, dict[str, Any]] = {}
    for pipeline, taken in found.items():
        ms = np.array(taken)
        result[pipeline] = {}
        for name, column in (("bytes", sample.kb), ("pixels", sample.mpx)):
            matrix = np.stack([column, np.ones_like(column)], axis=1) / ms[:, None]
            result[pipeline][name] = nnls(matrix, np.ones_like(ms))[0].tolist()
    return result


def compare(
    profile: HostProfile, folders: dict[str, Path], simple: dict[str, Any], rounds: int
) -> list[dict[str, Any]]:
    """Measure and predict all cases."""
    asks = []
    for condition in CONDITIONS:
        names = condition.sets or tuple(folders)
        cases = [{"folder": str(folders[name]), "step_s": 0.0} for name in names]
        asks += [
            {"condition": asdict(condition), "pipeline": p, "workers": w, "cases": cases, "seconds": SECONDS}
            for p, w in LOADERS
            if not (condition.cold and w == 0)
        ]
    taken: dict[tuple[str, str, int, str], list[float]] = {}
    for number in range(rounds):
        for ask in asks:
            print(
                f"round {number + 1}: {ask['condition']['name']}, {ask['pipeline']} {ask['workers']}", file=sys.stderr
            )
            for case in run_child(ask):
                key = (ask["condition"]["name"], ask["pipeline"], ask["workers"], case["folder"])
                taken.setdefault(key, []).append(case["images_s"])
    names = {str(folder): name for name, folder in folders.items()}
    measured = [
        {"condition": condition, "set": names[folder], "pipeline": pipeline, "workers": workers, "rounds": rates}
        for (condition, pipeline, workers, folder), rates in taken.items()
    ]
    return [predict_row(profile, folders, simple, row) for row in measured]


def predict_row(
    profile: HostProfile, folders: dict[str, Path], simple: dict[str, Any], row: dict[str, Any]
) -> dict[str, Any]:
    """Put the prediction, and those of the baselines, beside what was measured."""
    condition = {one.name: one for one in CONDITIONS}[row["condition"]]
    loader = predicted_model(profile, condition, folders[row["set"]], row["pipeline"])
    measured = statistics.median(row["rounds"])
    predicted = simulate(loader, batch=BATCH, workers=row["workers"], consumer_s=0.0).samples_s
    images = loader.spec[1]
    others = {
        name: predicted * loader.cost_s * 1e3 / (a * (images.kb if name == "bytes" else images.mpx) + b)
        for name, (a, b) in simple[row["pipeline"]].items()
    }
    result = {
        **{name: row[name] for name in ("condition", "set", "pipeline", "workers")},
        "measured": round(measured, 1), "predicted": round(predicted, 1), "error": round(predicted / measured - 1, 4),
        "bound": loader.bound(max(row["workers"], 1)), "rounds": [round(rate, 1) for rate in row["rounds"]],
        "baselines": {name: round(value / measured - 1, 4) for name, value in others.items()},
    }  # fmt: skip
    print(json.dumps(result), file=sys.stderr)
    return result


def sweep(profile: HostProfile, folders: dict[str, Path], rounds: int) -> list[dict[str, Any]]:
    """Compare the recommended number of workers with the best of a sweep, for steps that need 0.4 to 2.5 cores."""
    name = FEW[0]
    rows = []
    for pipeline in ("pil", "native"):
        loader = predicted_model(profile, CONDITIONS[0], folders[name], pipeline)
        steps = [BATCH * loader.cost_s / need for need in (0.4, 0.8, 1.2, 2.5)]
        taken: dict[tuple[int, float], list[float]] = {}
        for _ in range(rounds):
            for workers in (1, 2, 3, 4):
                cases = [{"folder": str(folders[name]), "step_s": step} for step in steps]
                ask = {"condition": asdict(CONDITIONS[0]), "pipeline": pipeline, "workers": workers, "cases": cases,
                       "seconds": SECONDS}  # fmt: skip
                for case in run_child(ask):
                    taken.setdefault((workers, case["step_s"]), []).append(case["images_s"])
        for step in steps:
            rates = {workers: statistics.median(taken[workers, step]) for workers in (1, 2, 3, 4)}
            advice = advise_workers(loader, batch=BATCH, compute_s=step)
            best = max(rates.values())
            rows.append(
                {
                    "pipeline": pipeline, "set": name, "step_ms": round(1e3 * step, 2),
                    "images_s": {str(p): round(r, 1) for p, r in rates.items()}, "recommended": advice.workers,
                    "share_of_best": round(rates[advice.workers] / best, 4),
                    "predicted_step_ms": {
                        str(p): round(1e3 * simulate(loader, batch=BATCH, workers=p, consumer_s=step).step_s, 2)
                        for p in rates
                    },
                    "measured_step_ms": {str(p): round(1e3 * BATCH / r, 2) for p, r in rates.items()},
                }
            )  # fmt: skip
            print(json.dumps(rows[-1]), file=sys.stderr)
    return rows


def summary(rows: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """Errors by condition and of the baselines."""
    result: dict[str, Any] = {}
    for condition in dict.fromkeys(row["condition"] for row in rows):
        errors = [abs(row["error"]) for row in rows if row["condition"] == condition]
        result[condition] = {
            "rows": len(errors), "median": round(statistics.median(errors), 4), "max": round(max(errors), 4),
            "within_10_percent": sum(error <= 0.10 for error in errors),
        }  # fmt: skip
    first = [row for row in rows if row["condition"] == CONDITIONS[0].name]
    for name in ("bytes", "pixels"):
        errors = [abs(row["baselines"][name]) for row in first]
        result[f"{name} alone"] = {"rows": len(errors), "median": round(statistics.median(errors), 4),
                                   "max": round(max(errors), 4)}  # fmt: skip
    return result


def measure_all(options: argparse.Namespace) -> dict[str, Any]:
    """Calibrate, measure and predict everything."""
    load, ticks = os.getloadavg()[0], busy_ticks()
    with confined(CONDITIONS[0]):
        profile = HostProfile.load(options.profile) if options.profile else calibrate()
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        (root / "cold").mkdir()
        (root / "own").mkdir()
        folders = make_sets(root)
        with confined(CONDITIONS[0]):
            simple = baselines(root / "own")
        rows = compare(profile, folders, simple, options.rounds)
        swept = sweep(profile, folders, max(1, options.rounds - 1))
    return {
        "schema_version": 1, "date": datetime.now(UTC).strftime("%Y-%m-%d"), "profile": profile.to_dict(),
        "load_average_before": round(load, 1), "machine_busy": used_share(ticks, busy_ticks()),
        "measured_first": os.geteuid() == 0, "baselines_ms": simple, "rows": rows, "sweep": swept,
    }  # fmt: skip


def predict_again(results: Path) -> dict[str, Any]:
    """Return stored measurements with the predictions of the model as it is now, from the stored calibration."""
    document: dict[str, Any] = json.loads(results.read_text(encoding="utf-8"))
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "profile.json"
        path.write_text(json.dumps(document["profile"]), encoding="utf-8")
        profile, folders = HostProfile.load(path), make_sets(Path(folder))
        simple = document.get("baselines_ms", {"pil": {}, "native": {}})
        document["rows"] = [
            row | {name: value for name, value in predict_row(profile, folders, simple, row).items() if value}
            for row in document["rows"]
        ]
    return document


def main(arguments: Sequence[str] | None = None) -> int:
    """Calibrate, measure, compare, store."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--profile", type=Path, help="use this profile rather than calibrating")
    parser.add_argument("--predict-again", type=Path, metavar="RESULTS", help="measure nothing: new predictions only")
    parser.add_argument("--output", type=Path)
    parser.add_argument("--child", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args(arguments)
    if options.child:
        json.dump(measure(json.load(sys.stdin)), sys.stdout)
        return 0
    document = predict_again(options.predict_again) if options.predict_again else measure_all(options)
    document["summary"] = summary(document["rows"])
    print(json.dumps(document["summary"], indent=1))
    if options.output:
        options.output.parent.mkdir(parents=True, exist_ok=True)
        options.output.write_text(json.dumps(document, indent=1) + "\n", encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
