"""Training CycleGAN for real, small, on the CPU."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import statistics
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from perfmodel.cli import main
from perfmodel.errors import InputError
from perfmodel.runs.runlog import read_run_log
from perfmodel.validation.run_phases import compare_run, run_phases_text

torch = pytest.importorskip("torch")

from perfmodel.workloads.cyclegan.data import UnpairedImages  # noqa: E402
from perfmodel.workloads.cyclegan.pool import ImagePool  # noqa: E402
from perfmodel.workloads.cyclegan.training import LOSSES, Options, decay, losses_of, train  # noqa: E402
from perfmodel.workloads.training.order import EpochOrder  # noqa: E402


@pytest.fixture(autouse=True)
def one_thread() -> Any:
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def options(domains: Path, output: Path, **others: Any) -> Options:
    settings: dict[str, Any] = {
        "blocks": 1, "load_size": 36, "crop_size": 32, "workers": 0, "epochs": 2, "max_dataset_size": 6, "gpus": "cpu",
        "pool_size": 2,
    }  # fmt: skip
    return Options(dataroot=str(domains), name="VKITTI-KITTI", output=str(output), **(settings | others))


@pytest.fixture(scope="module")
def finished(domains: Path, tmp_path_factory: pytest.TempPathFactory) -> Any:
    """A run of 12 steps."""
    torch.set_num_threads(1)
    output = tmp_path_factory.mktemp("runs") / "whole"
    return train(options(domains, output, sample_every=6, tensorboard=True))


def run(*words: str) -> int:
    with pytest.raises(SystemExit) as ended:
        main(words)
    return int(ended.value.code or 0)


def test_a_run_leaves_log_losses_samples_and_checkpoint(finished: Any) -> None:
    log = read_run_log(finished.log)
    assert finished.log.name == "run.parquet"
    assert log.header["workload"] == "cyclegan"
    assert log.header["blocks"] == 1
    assert log.header["data_pair"] == "VKITTI-KITTI"
    assert len(log.columns["step"]) == finished.steps == 12
    for phase in ("load", "forward", "loss", "backward", "optimizer", "h2d"):
        assert (log.columns[f"{phase}_ms"] > 0).all(), phase
    rows = list(losses_of(finished.folder / "losses.csv"))
    assert [row["iters"] for row in rows] == list(range(1, 13))
    assert [row["Epoch"] for row in rows] == [1] * 6 + [2] * 6
    assert set(LOSSES) <= set(rows[0])
    assert log.columns["loss_cycle_A"] == pytest.approx([row["cycle_A"] for row in rows], rel=1e-5)
    assert sorted(path.name for path in (finished.folder / "samples").iterdir()) == ["0000006.png", "0000012.png"]
    assert list((finished.folder / "tensorboard").glob("events*"))
    assert (finished.folder / "checkpoint.pt").exists()


def test_losses_fall(domains: Path, tmp_path: Path) -> None:
    result = train(options(domains, tmp_path / "run", max_dataset_size=2, epochs=20, max_steps=24))
    rows = list(losses_of(result.folder / "losses.csv"))
    for name in ("cycle_A", "cycle_B", "idt_A", "idt_B"):
        assert statistics.mean(row[name] for row in rows[-4:]) < statistics.mean(row[name] for row in rows[:4]), name


def test_a_resumed_run_continues_the_same_curve(finished: Any, domains: Path, tmp_path: Path) -> None:
    """Stopped in the middle of an epoch; every loss, weight and logged step is that of the uninterrupted run."""
    output = tmp_path / "run"
    train(options(domains, output, max_steps=4))
    train(options(domains, output, max_steps=5, resume=True))
    result = train(options(domains, output, resume=True))
    whole, resumed = (list(losses_of(one.folder / "losses.csv")) for one in (finished, result))
    for name in ("Epoch", "iters", *LOSSES):
        assert [row[name] for row in whole] == [row[name] for row in resumed], name
    states = [torch.load(one.folder / "checkpoint.pt", weights_only=True) for one in (finished, result)]
    for first, second in zip(states[0]["networks"], states[1]["networks"], strict=True):
        assert all(torch.equal(first[key], second[key]) for key in first)
    log = read_run_log(result.log)
    assert list(log.columns["step"]) == list(range(12))
    assert log.columns["cold"][[4, 9]].all()


def test_ctrl_c_leaves_a_checkpoint_to_go_on_from(domains: Path, tmp_path: Path) -> None:
    output = tmp_path / "run"
    line = "--name VKITTI-KITTI --blocks 1 --epochs 500 --load-size 36 --crop-size 32 --workers 0 --gpus cpu"
    words = ["run", "cyclegan", "--dataroot", str(domains), *line.split(), "--output", str(output)]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    process = subprocess.Popen([sys.executable, "-m", "perfmodel", *words], env=environment, stderr=subprocess.PIPE)
    end = time.monotonic() + 90
    while time.monotonic() < end and not (output / "losses.csv").exists():
        time.sleep(0.1)
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=60)
    assert process.returncode == 130, errors
    steps = len(list(losses_of(output / "losses.csv")))
    state = torch.load(output / "checkpoint.pt", weights_only=True)
    assert state["number"] == steps >= 1
    assert len(read_run_log(output / "run.parquet").columns["step"]) == steps


GRADIENTS = """
import sys, torch
from perfmodel.workloads.cyclegan.training import CycleganTrainer, Options
from perfmodel.workloads.training.processes import bare, joined
from perfmodel.instrument.steps import StepPhases
from perfmodel.instrument.devices import find_device
torch.set_num_threads(1)
torch.set_default_dtype(torch.float64)
with joined("cpu") as place:
    options = Options(dataroot=".", name="A-B", output=".", blocks=1, batch=4, pool_size=0, crop_size=32, load_size=36)
    trainer = CycleganTrainer(options, place)
    images = torch.randn(2, 4, 3, 32, 32, generator=torch.Generator().manual_seed(1))
    share = place.share(4)
    a, b = (one[place.rank * share : (place.rank + 1) * share] for one in images)
    trainer.step({"A": a, "B": b}, StepPhases(find_device("cpu"), warm_up=0, batch=None))
    if place.first:
        torch.save([[p.grad for p in bare(n).parameters()] for n in trainer.networks], sys.argv[1])
"""


def test_two_processes_give_the_gradients_of_one_with_the_whole_batch(tmp_path: Path) -> None:
    script = tmp_path / "gradients.py"
    script.write_text(GRADIENTS)
    one, two = tmp_path / "one.pt", tmp_path / "two.pt"
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    start = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node=2", str(script), str(two)]
    for words in ([sys.executable, str(script), str(one)], start):
        done = subprocess.run(words, env=environment, capture_output=True, text=True, timeout=180, check=False)
        assert done.returncode == 0, done.stderr[-2000:]
    for first, second in zip(*(torch.load(path) for path in (one, two)), strict=True):
        scale = max(float(gradient.abs().max()) for gradient in first)
        for left, right in zip(first, second, strict=True):
            assert torch.allclose(left, right, rtol=1e-6, atol=1e-9 * scale)


def test_learning_rate_as_published() -> None:
    assert [decay(epoch, 200) for epoch in (0, 98, 99)] == [1.0, 1.0, 1.0]
    assert decay(100, 200) == pytest.approx(1 - 1 / 101)
    assert decay(199, 200) == pytest.approx(1 - 100 / 101)


def test_the_pool_hands_back_half_old_images() -> None:
    pool = ImagePool(4, seed=0)
    first = torch.arange(4.0).reshape(4, 1, 1, 1)
    assert torch.equal(pool.query(first), first)
    old = sum(int(pool.query(torch.full((1, 1, 1, 1), 10.0 + n)).item() < 10 + n) for n in range(400))
    assert 150 < old < 250
    assert ImagePool(0).query(first) is not None
    pool.query(first[:1] + 1000)  # leaves half of a random word behind
    again = ImagePool(4, seed=9)
    again.restore(pool.state())
    probe = torch.full((8, 1, 1, 1), 99.0)
    assert torch.equal(pool.query(probe), again.query(probe))


def test_samples_depend_on_seed_epoch_and_index_only(domains: Path) -> None:
    first, second = (UnpairedImages(domains, "VKITTI-KITTI", load_size=36, crop_size=32, seed=5) for _ in range(2))
    _ = second[3]
    assert torch.equal(first[7]["A"], second[7]["A"])
    assert torch.equal(first[7]["B"], second[7]["B"])
    second.epoch = 1
    assert not torch.equal(first[7]["A"], second[7]["A"])
    assert first[0]["A"].shape == (3, 32, 32)
    assert first[0]["A"].min() >= -1
    assert first[0]["A"].max() <= 1


def test_order_covers_every_sample_once_over_processes() -> None:
    ranks = [EpochOrder(23, batch=2, seed=1, rank=rank, world=2) for rank in range(2)]
    indices = [index for one in ranks for index in one]
    assert len(indices) == len(set(indices)) == 20
    whole = list(EpochOrder(23, batch=4, seed=1))
    merged = [ranks[(at // 2) % 2] for at in range(20)]
    lists = [list(one) for one in ranks]
    assert [lists[(at // 2) % 2].pop(0) for at in range(20)] == whole
    assert merged
    ranks[0].start = 3
    assert list(ranks[0]) == list(EpochOrder(23, batch=2, seed=1, rank=0, world=2))[6:]


def test_the_native_loader_feeds_it_and_resumes_the_same_curve(domains: Path, tmp_path: Path) -> None:
    whole = train(options(domains, tmp_path / "whole", loader="native", workers=2))
    train(options(domains, tmp_path / "parts", loader="native", workers=1, max_steps=4))
    parts = train(options(domains, tmp_path / "parts", loader="native", workers=2, resume=True))
    curves = [list(losses_of(one.folder / "losses.csv")) for one in (whole, parts)]
    assert [[row[name] for name in LOSSES] for row in curves[0]] == [
        [row[name] for name in LOSSES] for row in curves[1]
    ]
    assert read_run_log(whole.log).header["loader"] == "native"
    assert (read_run_log(whole.log).columns["input_wait_ms"] > 0).all()


def test_the_comparison_says_what_it_rests_on(finished: Any) -> None:
    """Without a profile of the processor it is rough, and says what would make it better."""
    text = run_phases_text(compare_run(finished.log))
    assert all(f"\n  {phase} " in text for phase in ("forward", "backward", "optimizer"))
    assert re.search(r"\nevidence   [A-D]: ", text)
    if "evidence   D" in text:
        assert "perfmodel measure --device cpu --profile" in text


def test_mixed_precision_trains(domains: Path, tmp_path: Path) -> None:
    result = train(options(domains, tmp_path / "run", precision="amp", max_steps=2))
    assert read_run_log(result.log).header["precision"] == "amp_bf16"
    assert all(abs(value) < 1e3 for value in result.losses.values())


def test_the_command_in_the_originals_spelling(
    domains: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    line = "--name VKITTI-KITTI --num_layers 1 --gpu_ids -1 --batch_size 2 --max_dataset_size 10"
    end = "--load_size 36 --crop_size 32 --num_threads 0 --n_epochs 1"
    words = [*line.split(), *end.split()]
    output = tmp_path / "run"
    status = run("run", "cyclegan", "--dataroot", str(domains), *words, "--output", str(output), "--compare", "--json")
    assert status == 0
    document = json.loads(capsys.readouterr().out)
    assert document["steps"] == 2
    assert document["measured_step_ms"] == pytest.approx(sum(p["measured"] for p in document["phases_ms"].values()))
    assert document["predicted_step_ms"]["median"] == pytest.approx(
        sum(p["predicted"] for p in document["phases_ms"].values())
    )
    assert run("validate", str(output / "run.parquet"), "--json") == 0
    scores = json.loads(capsys.readouterr().out)
    assert scores["rows"] == 5
    assert scores["resolved"] == 2
    assert list(scores["unresolved"]) == ["a cold step (loader start-up or warm-up)"]


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("--name", "VKITTI"), "names no pair"),
        (("--name", "VKITTI-Nowhere"), "no folder"),
        (("--name", "VKITTI-Empty"), "holds no images"),
        (("--crop_size", "99"), "--crop-size 99 is above --load-size"),
        (("--crop_size", "30"), "no multiple of 4"),
        (("--batch", "50"), "less than one batch of 50"),
        (("--gpus", "7"), "--gpus names card 7"),
        (("--gpus", "x"), "--gpus x names no cards"),
        (("--gpus", "0,0"), "names a card twice"),
        (("--precision", "fp12"), "no precision 'fp12'"),
        (("--precision", "tf32"), "the CPU does not train in tf32"),
        (("--loader", "magic"), "no loader 'magic'"),
        (("--blocks", "0"), "--blocks must be at least 1"),
        (("--resume",), "holds no checkpoint"),
        (("--dataroot", "/nowhere"), "no folder /nowhere"),
    ],
)
def test_bad_input_is_one_clear_line(
    words: tuple[str, ...], message: str, domains: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (domains / "Empty").mkdir(exist_ok=True)
    settings = {
        "--dataroot": str(domains), "--name": "VKITTI-KITTI", "--blocks": "1", "--load_size": "36", "--crop_size": "32",
        "--gpus": "cpu", "--output": str(tmp_path / "run"),
    }  # fmt: skip
    line = [word for pair in (settings | dict(zip(words[::2], words[1::2], strict=False))).items() for word in pair]
    assert run("run", "cyclegan", *line, *(words if len(words) == 1 else ())) == 2
    error = capsys.readouterr().err
    assert message in error
    assert sum(text.startswith("error:") for text in error.splitlines()) == 1


def test_an_unreadable_image_is_named(domains: Path, tmp_path: Path) -> None:
    broken = tmp_path / "data"
    shutil.copytree(domains, broken)
    for path in (broken / "KITTI").glob("*.png"):
        path.write_bytes(path.read_bytes()[:200])
    with pytest.raises(InputError, match=r"cannot read .*KITTI/0000"):
        train(options(broken, tmp_path / "run"))


def test_a_finished_run_is_not_overwritten(finished: Any, domains: Path) -> None:
    with pytest.raises(InputError, match="holds a run already"):
        train(options(domains, finished.folder))
    with pytest.raises(InputError, match="had blocks 1, not 2"):
        train(options(domains, finished.folder, blocks=2, resume=True))
    damaged = finished.folder.parent / "damaged"
    shutil.copytree(finished.folder, damaged)
    (damaged / "checkpoint.pt").write_bytes(b"nothing")
    with pytest.raises(InputError, match="is damaged"):
        train(options(domains, damaged, resume=True))
