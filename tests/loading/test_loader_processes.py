"""Forks, spawned processes, Ctrl-C, the end of the interpreter, and memory over many images."""

from __future__ import annotations

import multiprocessing
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from perfmodel.errors import PerfmodelError
from perfmodel.loading.loader import Loader
from perfmodel.loading.pools import chosen_backend
from perfmodel.loading.transforms import Transform

ROOT = Path(__file__).resolve().parents[2]
SMALL = Transform(size=(16, 16), resize=(20, 20), crop="random", flip=0.5)


def sums(loader: Loader) -> list[float]:
    """A number for each batch of the next epoch."""
    return [float(batch["image"].sum()) for batch in loader]


def report(loader: Loader, queue: Any) -> None:
    """What a spawned process sends back."""
    queue.put(sums(loader))
    loader.close()


def python(code: str, *arguments: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-u", "-c", code, *arguments], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
    )  # fmt: skip


@pytest.mark.filterwarnings("ignore:.*multi-threaded.*fork:DeprecationWarning")
@pytest.mark.parametrize("batch", [1, 3])
def test_a_forked_child_goes_on_by_itself(folder: Path, batch: int) -> None:
    with Loader(folder, SMALL, batch=batch, shuffle=True, workers=2) as loader:
        whole = sums(loader)
        loader.set_epoch(0)
        iterator = iter(loader)
        next(iterator)  # threads of the parent run, and batches are ready
        read, write = os.pipe()
        child = os.fork()
        if child == 0:
            rest = [float(one["image"].sum()) for one in iterator]
            again = sums(loader)
            os.write(write, b"same" if rest == whole[1:] and len(again) == len(whole) else b"else")
            loader.close()
            os._exit(0)
        os.close(write)
        assert os.read(read, 4) == b"same"
        os.close(read)
        assert os.waitpid(child, 0)[1] == 0
        assert [float(one["image"].sum()) for one in iterator] == whole[1:], "the parent's iteration is unharmed"


def test_a_spawned_process_makes_the_same_batches(folder: Path) -> None:
    context = multiprocessing.get_context("spawn")
    queue = context.Queue()
    with Loader(folder, SMALL, batch=3, shuffle=True, workers=2) as loader:
        process = context.Process(target=report, args=(loader, queue))
        process.start()
        assert queue.get(timeout=60) == sums(loader)
        process.join(timeout=60)
        assert process.exitcode == 0
    queue.close()
    queue.join_thread()


FOREVER = """
import sys, threading
from perfmodel.loading.loader import Loader
from perfmodel.loading.transforms import Transform
loader = Loader(sys.argv[1], Transform(size=(16, 16), resize=(20, 20)), batch=2, workers=2, backend=sys.argv[2])
print("ready")
try:
    while True:
        for batch in loader:
            pass
except KeyboardInterrupt:
    if sys.argv[3] == "close":
        loader.close()
        for one in threading.enumerate():  # Ctrl-C may have hit where a thread was being started
            if one.name.startswith("perfmodel"):
                one.join(5)
        print(sum(one.name.startswith("perfmodel") for one in threading.enumerate()))
    raise
"""


@pytest.mark.parametrize("how", ["close", "leave"])
def test_ctrl_c_ends_at_once(folder: Path, how: str) -> None:
    process = python(FOREVER, str(folder), "pillow", how)
    assert process.stdout is not None
    assert process.stderr is not None
    assert process.stdout.readline() == "ready\n"
    time.sleep(0.3)
    start = time.monotonic()
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=30)
    assert time.monotonic() - start < 5
    assert process.returncode in (-signal.SIGINT, 130)
    assert err.rstrip().endswith("KeyboardInterrupt")
    assert "Exception ignored" not in err
    assert out == ("0\n" if how == "close" else "")


INTERRUPTED = """
import random, signal, sys, threading, time
import os
from perfmodel.loading.loader import Loader
from perfmodel.loading.transforms import Transform

def shoot():
    for _ in range(60):
        time.sleep(random.uniform(0.0, 0.02))
        os.kill(os.getpid(), signal.SIGINT)
    done.set()

done, hits, epochs = threading.Event(), 0, set()
transform = Transform(size=(16, 16), resize=(20, 20), crop="random")
with Loader(sys.argv[1], transform, batch=2, workers=2, backend="pillow") as loader:
    want = [float(batch["image"].sum()) for batch in loader]
    shooter = threading.Thread(target=shoot)
    shooter.start()
    while not done.is_set():
        try:
            loader.set_epoch(0)
            iterator = iter(loader)
            for number in range(len(loader)):
                found = float(next(iterator)["image"].sum())
                assert found == want[number]
        except KeyboardInterrupt:
            hits += 1
    shooter.join()
print("survived", hits > 0)
"""


def test_ctrl_c_at_any_moment_leaves_nothing_locked(folder: Path) -> None:
    process = python(INTERRUPTED, str(folder))
    try:
        out, err = process.communicate(timeout=60)
    finally:
        process.kill()
    assert out == "survived True\n", err


def test_the_interpreter_may_end_in_the_middle(folder: Path) -> None:
    code = (
        "import sys\nfrom perfmodel.loading.loader import Loader\nfrom perfmodel.loading.transforms import Transform\n"
        "iterator = iter(Loader(sys.argv[1], Transform(size=(8, 8)), backend='pillow'))\nnext(iterator)\n"
    )
    process = python(code, str(folder))
    _, err = process.communicate(timeout=60)
    assert process.returncode == 0
    assert err == ""


MEMORY = """
import sys
from perfmodel.loading.loader import Loader
from perfmodel.loading.transforms import Transform

def resident():
    with open("/proc/self/statm") as file:
        return int(file.read().split()[1]) * 4096

passes, after = int(sys.argv[3]), []
transform = Transform(size=(24, 24), resize=(28, 28), crop="random", flip=0.5, brightness=(0.8, 1.2))
with Loader(sys.argv[1], transform, batch=50, shuffle=True, workers=2, backend=sys.argv[2]) as loader:
    for number in range(passes):
        for batch in loader:
            batch["image"].sum()
        if number in (passes // 5, passes - 1):
            after.append(resident())
    images = loader.stages()["images"]
print(images, after[1] - after[0])
"""


def grown(folder: Path, backend: str, passes: int) -> tuple[int, int]:
    """Images loaded, and bytes by which the process grew after the first fifth."""
    try:
        chosen_backend(backend)
    except PerfmodelError as error:
        pytest.skip(str(error))
    process = python(MEMORY, str(folder), backend, str(passes))
    out, err = process.communicate(timeout=3600)
    assert process.returncode == 0, err
    images, growth = out.split()
    return int(images), int(growth)


@pytest.fixture(scope="session")
def many(tmp_path_factory: pytest.TempPathFactory, fill: Any) -> Path:
    """A thousand small JPEGs: twenty scenes, linked."""
    root = tmp_path_factory.mktemp("many")
    scenes = fill(root, 20, height=32, width=40)
    for number in range(20, 1000):
        os.link(scenes[number % 20], root / f"{number:04d}.jpg")
    return root


@pytest.mark.parametrize("backend", ["pillow", "native"])
def test_memory_stays_flat(many: Path, backend: str) -> None:
    images, growth = grown(many, backend, 6)
    assert images == 6000
    assert growth < 4_000_000


@pytest.mark.slow
@pytest.mark.parametrize("backend", ["pillow", "native"])
def test_memory_stays_flat_over_many_images(many: Path, backend: str) -> None:
    images, growth = grown(many, backend, 200)
    assert images == 200_000
    assert growth < 8_000_000
