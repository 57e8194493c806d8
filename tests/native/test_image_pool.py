"""The pool: threads, order, forks, signals, closing, sources, counters."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

SANITIZED = "san" in os.environ.get("LD_PRELOAD", "")
not_sanitized = pytest.mark.skipif(SANITIZED, reason="the sanitizers' own threads and locks do not survive this")


@pytest.fixture(scope="module")
def files(loading: Any, tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """Files of several sizes and formats."""
    folder = tmp_path_factory.mktemp("files")
    made = []
    for number in range(24):
        picture = loading.picture(60 + 7 * number, 150 - 3 * number, number)
        format = ("JPEG", "PNG")[number % 3 == 0]
        path = folder / f"{number:02d} ü.bin"
        path.write_bytes(loading.encode(picture, format))
        made.append(str(path))
    return made


@pytest.fixture
def pool(loading: Any) -> Iterator[Any]:
    found = loading.module.ImagePool(3)
    yield found
    found.close()


def batch(loading: Any, pool: Any, sources: list[Any], **fields: Any) -> tuple[Any, list[str], npt.NDArray[Any]]:
    """Load sources with drawn crops."""
    rng = np.random.default_rng(5)
    out = np.full((len(sources), 3, 40, 40), np.nan, np.float32)
    plan = loading.plan(len(sources), **({"mode": 1, "rh": 50, "rw": 55, "filter": 3} | fields))
    plan["cu"], plan["cv"] = rng.random(len(sources)), rng.random(len(sources))
    plan["flip"], plan["saturation"] = rng.random(len(sources)) < 0.5, rng.uniform(0.5, 1.5, len(sources))
    status, messages = pool.load(sources, plan, out)
    return status, messages, out


def test_threads_do_not_matter(loading: Any, files: list[str]) -> None:
    results = []
    for threads in (1, 2, 7):
        pool = loading.module.ImagePool(threads)
        assert pool.threads == threads
        for _ in range(3):
            status, messages, out = batch(loading, pool, files)
            assert not status.any(), messages
            results.append(out)
        pool.close()
    for out in results[1:]:
        np.testing.assert_array_equal(out, results[0])


def test_sources_of_all_kinds(loading: Any, pool: Any, files: list[str]) -> None:
    content = [Path(path).read_bytes() for path in files]
    joined = b"--".join(content)
    offsets = np.cumsum([0] + [len(part) + 2 for part in content])
    parts: list[Any] = [(joined, int(start), len(part)) for start, part in zip(offsets, content, strict=False)]
    parts[1] = (memoryview(content[1]), 0, len(content[1]))
    parts[2] = (bytearray(content[2]), 0, len(content[2]))
    parts[3] = (np.frombuffer(content[3], np.uint8), 0, len(content[3]))
    np.testing.assert_array_equal(batch(loading, pool, parts)[2], batch(loading, pool, files)[2])


def test_failures_are_named_and_leave_others_alone(loading: Any, pool: Any, files: list[str], tmp_path: Path) -> None:
    empty, text, folder = tmp_path / "empty.jpg", tmp_path / "text.png", tmp_path / "folder.jpg"
    empty.write_bytes(b"")
    text.write_text("this is no image")
    folder.mkdir()
    pipe = tmp_path / "pipe.png"
    os.mkfifo(pipe)
    wrong = [str(tmp_path / "missing.png"), str(empty), str(text), str(folder), str(pipe), "/dev/zero"]
    sources = [source for pair in zip(files, wrong, strict=False) for source in pair]
    status, messages, out = batch(loading, pool, sources)
    assert status.dtype == np.int32
    assert status.tolist() == [0, 1, 0, 2, 0, 2, 0, 1, 0, 1, 0, 1]
    assert [message.split(": ")[0] for message in messages] == wrong
    assert "No such file or directory" in messages[0]
    assert "empty" in messages[1]
    assert "not an image" in messages[2]
    assert "directory" in messages[3]
    assert "not a regular file" in messages[4]
    assert not out[1::2].any()
    assert np.isfinite(out).all()
    np.testing.assert_array_equal(out[0], batch(loading, pool, sources)[2][0])


@pytest.mark.skipif(os.getuid() == 0, reason="root may read everything")
def test_no_permission(loading: Any, pool: Any, files: list[str], tmp_path: Path) -> None:
    path = tmp_path / "locked.jpg"
    path.write_bytes(Path(files[0]).read_bytes())
    path.chmod(0)
    status, messages, _ = batch(loading, pool, [str(path)])
    assert status.tolist() == [1]
    assert "Permission denied" in messages[0]


def test_a_name_that_lies(loading: Any, pool: Any, files: list[str], tmp_path: Path) -> None:
    path = tmp_path / "really a jpeg.png"
    path.write_bytes(Path(files[1]).read_bytes())
    status, _, out = batch(loading, pool, [str(path)])
    assert status.tolist() == [0]
    np.testing.assert_array_equal(out, batch(loading, pool, [files[1]])[2])


def test_pixel_limit(loading: Any, pool: Any, files: list[str]) -> None:
    out = np.zeros((2, 3, 8, 8), np.uint8)
    limit = 60 * 150
    status, messages = pool.load(files[:2], loading.plan(2), out, max_pixels=limit)
    assert status.tolist() == [0, 4]
    assert f"limit of {limit}" in messages[0]


def test_nothing_to_do(loading: Any, pool: Any) -> None:
    status, messages = pool.load([], loading.plan(0), np.zeros((0, 3, 4, 4), np.float32))
    assert status.shape == (0,)
    assert messages == []
    assert pool.sizes([]).shape == (0, 3)


def test_sizes(loading: Any, pool: Any, files: list[str], tmp_path: Path) -> None:
    picture = loading.picture(11, 13, 1)
    others = {
        "grey.jpg": loading.encode(picture[:, :, 0].copy(), "JPEG"),
        "long header.jpg": loading.encode(picture, "JPEG", comment=b"x" * 65000, icc_profile=b"y" * 300_000),
        "alpha.png": loading.encode(np.dstack([picture, picture[:, :, :1]]), "PNG"),
        "broken.jpg": loading.encode(picture, "JPEG")[:100],
        "text.png": b"no image",
    }
    for name, content in others.items():
        (tmp_path / name).write_bytes(content)
    found = pool.sizes([*files[:2], *(str(tmp_path / name) for name in others), str(tmp_path / "missing")])
    assert found.dtype == np.int32
    assert found.tolist() == [
        [60, 150, 3], [67, 147, 3], [11, 13, 1], [11, 13, 3], [11, 13, 4], [0, 0, 0], [0, 0, 0], [0, 0, 0],
    ]  # fmt: skip


def test_counters(loading: Any, files: list[str]) -> None:
    pool = loading.module.ImagePool(2)
    names = ("read", "decode", "resample", "colour", "write")
    assert not any(pool.stages().values())
    start = time.perf_counter_ns()
    batch(loading, pool, [*files, "/missing"])
    elapsed = time.perf_counter_ns() - start
    stages = pool.stages()
    assert stages["images"] == len(files) + 1
    assert stages["failed"] == 1
    assert stages["bytes"] == sum(map(os.path.getsize, files))
    assert all(stages[name] > 0 for name in names)
    assert sum(stages[name] for name in names) <= 2 * elapsed
    assert 0 < stages["wait"] <= elapsed
    pool.close()


@pytest.mark.parametrize(
    ("change", "error", "match"),
    [
        ({"layout": "hwc"}, ValueError, "layout"),
        ({"filter": 5}, ValueError, "filter"),
        ({"mean": (0.1, 0.2)}, ValueError, "mean"),
        ({"std": (0.1, 0.0, 0.2)}, ValueError, "above 0"),
        ({"out": np.zeros((1, 3, 4, 4), np.float64)}, ValueError, "float64"),
        ({"out": np.zeros((2, 3, 4, 4), np.float32)}, ValueError, "a place for each"),
        ({"out": np.zeros((1, 2, 4, 4), np.float32)}, ValueError, "channels"),
        ({"out": np.zeros((1, 3, 4), np.float32)}, ValueError, "four axes"),
        ({"out": np.zeros((1, 3, 0, 4), np.float32)}, ValueError, "1 to 65535"),
        ({"out": np.zeros((1, 3, 4, 8), np.float32)[:, :, :, ::2]}, ValueError, "contiguous"),
        ({"out": bytes(48)}, BufferError, "written"),
        ({"sources": [3]}, TypeError, "path or"),
        ({"sources": [(b"abc", 1)]}, TypeError, "path or"),
        ({"sources": [(b"abc", 1, 3)]}, ValueError, "outside"),
        ({"sources": [(b"abc", -1, 2)]}, ValueError, "outside"),
        ({"sources": [""]}, ValueError, "empty"),
        ({"sources": ["a\0b"]}, ValueError, "null"),
        ({"plan": np.zeros(1, np.float32)}, ValueError, "plan_dtype"),
        ({"plan": b"abc"}, ValueError, "plan_dtype"),
    ],
    ids=lambda value: str(value)[:30],
)
def test_wrong_arguments(loading: Any, pool: Any, change: dict[str, Any], error: type[Exception], match: str) -> None:
    arguments = {"sources": ["x"], "plan": loading.plan(), "out": np.zeros((1, 3, 4, 4), np.float32)} | change
    with pytest.raises(error, match=match):
        pool.load(arguments.pop("sources"), arguments.pop("plan"), arguments.pop("out"), **arguments)


def test_plan_of_another_length(loading: Any, pool: Any) -> None:
    with pytest.raises(ValueError, match="one record for each"):
        pool.load(["x"], loading.plan(2), np.zeros((1, 3, 4, 4), np.float32))


@pytest.mark.parametrize("threads", [0, -1, 1025])
def test_wrong_number_of_threads(loading: Any, threads: int) -> None:
    with pytest.raises(ValueError, match="1 to 1024"):
        loading.module.ImagePool(threads)


def test_closed(loading: Any, files: list[str]) -> None:
    pool = loading.module.ImagePool(2)
    batch(loading, pool, files[:3])
    pool.close()
    pool.close()
    assert pool.stages()["images"] == 0
    with pytest.raises(ValueError, match="closed"):
        batch(loading, pool, files[:3])
    with pytest.raises(ValueError, match="closed"):
        pool.sizes(files[:1])


def test_closed_before_use(loading: Any) -> None:
    pool = loading.module.ImagePool(2)
    pool.close()


def test_several_callers(loading: Any, pool: Any, files: list[str]) -> None:
    expected = batch(loading, pool, files)[2]
    wrong: list[int] = []

    def call(number: int) -> None:
        for _ in range(5):
            if number % 3 == 2:
                pool.sizes(files)
            elif not np.array_equal(batch(loading, pool, files)[2], expected):
                wrong.append(number)

    callers = [threading.Thread(target=call, args=(number,)) for number in range(6)]
    for caller in callers:
        caller.start()
    for caller in callers:
        caller.join()
    assert not wrong


def test_closing_while_others_load(loading: Any, files: list[str]) -> None:
    for _ in range(10):
        pool = loading.module.ImagePool(2)
        done: list[bool] = []

        def call(pool: Any = pool, done: list[bool] = done) -> None:
            try:
                while True:
                    assert not batch(loading, pool, files)[0].any()
            except ValueError as error:
                done.append("closed" in str(error))

        callers = [threading.Thread(target=call) for _ in range(2)]
        for caller in callers:
            caller.start()
        time.sleep(0.01)
        pool.close()
        for caller in callers:
            caller.join(timeout=30)
        assert done == [True, True]


def test_the_lock_is_released(loading: Any, pool: Any, files: list[str]) -> None:
    """Python runs on while a batch is loaded."""
    turns = 0
    stop = threading.Event()

    def count() -> None:
        nonlocal turns
        while not stop.is_set():
            turns += 1

    thread = threading.Thread(target=count)
    thread.start()
    before = turns
    batch(loading, pool, files * 20)
    during = turns - before
    stop.set()
    thread.join()
    assert during > 100


def run(code: str, *arguments: str, timeout: float = 120) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-W", "ignore", "-c", code, *arguments], capture_output=True, text=True, timeout=timeout
    )


PRELUDE = """
import os, signal, sys, threading, time
import numpy as np
from perfmodel import _cpu
files = sys.argv[1:]
def plan(count):
    records = np.zeros(count, _cpu.plan_dtype())
    records["channels"], records["order"], records["cu"], records["cv"] = 3, [0, 1, 2, 3], -1, -1
    records["brightness"] = records["contrast"] = records["saturation"] = 1
    records["mode"], records["rh"], records["rw"] = 1, 40, 40
    return records
def load(pool, sources):
    out = np.zeros((len(sources), 3, 40, 40), np.float32)
    status, messages = pool.load(sources, plan(len(sources)), out)
    assert not status.any(), messages
    return out
pool = _cpu.ImagePool(2)
"""


@not_sanitized
def test_fork(files: list[str]) -> None:
    code = (
        PRELUDE
        + """
before = load(pool, files)
child = os.fork()
if child == 0:
    same = np.array_equal(load(pool, files), before)
    assert pool.stages()["images"] == len(files)  # the child's own
    pool.close()
    os._exit(0 if same else 1)
again = load(pool, files)
_, status = os.waitpid(child, 0)
assert os.waitstatus_to_exitcode(status) == 0
assert np.array_equal(again, before)
child = os.fork()
if child == 0:
    del pool  # without having used it
    os._exit(0)
assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
print("fine")
"""
    )
    result = run(code, *files)
    assert result.stdout.strip() == "fine", result.stderr


@not_sanitized
def test_forked_again_and_again_while_loading(files: list[str]) -> None:
    code = (
        PRELUDE
        + """
stop = False
def work():
    while not stop:
        load(pool, files)
thread = threading.Thread(target=work)
thread.start()
for _ in range(20):
    child = os.fork()
    if child == 0:
        load(pool, files[:4])
        os._exit(0)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
stop = True
thread.join()
print("fine")
"""
    )
    result = run(code, *files)
    assert result.stdout.strip() == "fine", result.stderr


def test_interrupt(files: list[str]) -> None:
    """Ctrl-C ends a long batch soon, and the pool goes on."""
    code = (
        PRELUDE
        + """
expected = load(pool, files)
def interrupt():
    global sent
    time.sleep(0.3)
    sent = time.perf_counter()
    os.kill(os.getpid(), signal.SIGINT)
threading.Thread(target=interrupt).start()
try:
    load(pool, files * 2000)
except KeyboardInterrupt:
    print(time.perf_counter() - sent < 5)
assert np.array_equal(load(pool, files), expected)
print("fine")
"""
    )
    result = run(code, *files)
    assert result.stdout.split() == ["True", "fine"], result.stderr


@pytest.mark.parametrize("ending", ["", "os._exit(0)", "raise SystemExit", "del pool"])
def test_leaving_with_the_pool_open(files: list[str], ending: str) -> None:
    result = run(PRELUDE + "load(pool, files)\nprint('fine', flush=True)\n" + ending, *files)
    assert result.stdout.strip() == "fine"
    assert result.returncode == 0, result.stderr


@not_sanitized
def test_leaving_while_a_daemon_loads(files: list[str]) -> None:
    code = (
        PRELUDE
        + """
def work():
    while True:
        load(pool, files)
threading.Thread(target=work, daemon=True).start()
time.sleep(0.2)
print("fine", flush=True)
"""
    )
    result = run(code, *files)
    assert result.stdout.strip() == "fine"
    assert result.returncode == 0, result.stderr


def test_terminated(files: list[str]) -> None:
    code = PRELUDE + "print('ready', flush=True)\nload(pool, files * 4000)"
    process = subprocess.Popen([sys.executable, "-c", code, *files], stdout=subprocess.PIPE)
    assert process.stdout is not None
    process.stdout.readline()
    time.sleep(0.2)
    process.send_signal(signal.SIGTERM)
    assert process.wait(timeout=20) == -signal.SIGTERM
    process.stdout.close()


@not_sanitized
def test_memory_stays_flat(loading: Any, files: list[str]) -> None:
    """Nothing is kept from batch to batch."""

    def resident_kb() -> int:
        return int(Path("/proc/self/statm").read_text().split()[1]) * (os.sysconf("SC_PAGE_SIZE") // 1024)

    pool = loading.module.ImagePool(2)
    sources = [*files, "/missing", (b"\xff\xd8\xff", 0, 3)]
    for _ in range(10):
        batch(loading, pool, sources)
    before = resident_kb()
    for _ in range(150):
        batch(loading, pool, sources)
    assert resident_kb() - before < 4000
    pool.close()
