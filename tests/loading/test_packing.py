"""Packing: what goes in comes out, interruptions cost one shard, damage is named."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from perfmodel.errors import FailureError, ImageError, InputError
from perfmodel.loading.packing import PackOptions, pack
from perfmodel.loading.shards import ALIGNMENT, ShardFiles, open_shard
from perfmodel.loading.sources import ShardSource

Fill = Callable[..., list[Path]]
SMALL = PackOptions(shard_bytes=8_000)


@pytest.fixture
def images(tmp_path: Path, fill: Fill) -> Path:
    fill(tmp_path / "set" / "cat", 6)
    fill(tmp_path / "set" / "dog", 5, suffix=".png", seed=20, height=30, width=40)
    return tmp_path / "set"


def test_what_goes_in_comes_out(images: Path, tmp_path: Path) -> None:
    result = pack(images, tmp_path / "out", SMALL, verify=True)
    assert result.images == 11
    assert result.shards > 2
    assert result.kept == 0
    files = ShardFiles(tmp_path / "out", verify=True)
    assert files.names == tuple(sorted(files.names))
    for number, name in enumerate(files.names):
        buffer, offset, length = files.item(number)
        assert bytes(buffer[offset : offset + length]) == (images / name).read_bytes()
        assert offset % ALIGNMENT == 0
        assert files.shape(number) == ((96, 128) if name.endswith("jpg") else (30, 40))
    source = ShardSource(tmp_path / "out")
    assert source.classes == ("cat", "dog")
    assert source.labels is not None
    assert source.labels.tolist() == [0] * 6 + [1] * 5


def test_a_second_run_keeps_everything(images: Path, tmp_path: Path) -> None:
    first = pack(images, tmp_path / "out", SMALL)
    times = {path: path.stat().st_mtime_ns for path in (tmp_path / "out").glob("*.pmshard")}
    second = pack(images, tmp_path / "out", SMALL)
    assert second.kept == second.shards == first.shards
    assert {path: path.stat().st_mtime_ns for path in (tmp_path / "out").glob("*.pmshard")} == times


def test_a_damaged_shard_names_the_sample_and_is_redone_alone(images: Path, tmp_path: Path) -> None:
    total = pack(images, tmp_path / "out", SMALL).shards
    path = sorted((tmp_path / "out").glob("*.pmshard"))[1]
    shard = open_shard(path)
    _, offset, length = shard.item(0)
    name = shard.names[0]
    with open(path, "r+b") as file:
        file.seek(offset + length // 2)
        byte = file.read(1)
        file.seek(offset + length // 2)
        file.write(bytes([byte[0] ^ 0xFF]))
    files = ShardFiles(tmp_path / "out", verify=True)
    with pytest.raises(InputError, match=rf"{path.name}: {name} is damaged"):
        files.item(files.names.index(name))
    with pytest.raises(InputError, match=name):
        ShardFiles(tmp_path / "out").verify_all()
    assert pack(images, tmp_path / "out", SMALL, verify=True).kept == total - 1


@pytest.mark.parametrize("cut", [1, 20, 60, 500])
def test_a_cut_or_overwritten_end_is_damage(images: Path, tmp_path: Path, cut: int) -> None:
    pack(images, tmp_path / "out", SMALL)
    path = sorted((tmp_path / "out").glob("*.pmshard"))[0]
    whole = path.read_bytes()
    path.write_bytes(whole[:-cut])
    with pytest.raises(InputError, match=rf"{path.name} is damaged"):
        open_shard(path)
    path.write_bytes(whole[: -cut - 1] + bytes([whole[-cut - 1] ^ 1]) + whole[-cut:])
    if cut < 500:
        with pytest.raises(InputError, match="damaged"):
            open_shard(path)


def test_other_files_and_later_versions_are_refused(tmp_path: Path, images: Path) -> None:
    pack(images, tmp_path / "out", SMALL)
    path = sorted((tmp_path / "out").glob("*.pmshard"))[0]
    whole = path.read_bytes()
    path.write_bytes(whole[:8] + (9).to_bytes(4, "little") + whole[12:])
    with pytest.raises(InputError, match="is of format 9"):
        open_shard(path)
    path.write_bytes(b"something else, but long enough to hold a header and a trailer" * 9)
    with pytest.raises(InputError, match="is not a packed shard"):
        open_shard(path)
    path.unlink()
    with pytest.raises(InputError, match="is missing"):
        ShardFiles(tmp_path / "out")
    (tmp_path / "out" / "pack.json").unlink()
    with pytest.raises(InputError, match="not packed to its end"):
        ShardFiles(tmp_path / "out")


def test_a_changed_source_is_packed_again(images: Path, tmp_path: Path, save: Callable[..., Path]) -> None:
    pack(images, tmp_path / "out", SMALL)
    save(images / "dog" / "9999.png", 77)
    result = pack(images, tmp_path / "out", SMALL)
    assert result.images == 12
    assert result.kept >= 1
    larger = pack(images, tmp_path / "out", PackOptions(shard_bytes=10**9))
    assert larger.shards == 1
    assert len(list((tmp_path / "out").glob("*.pmshard"))) == 1, "shards of the earlier cut are gone"


def test_resizing(images: Path, tmp_path: Path) -> None:
    from PIL import Image

    result = pack(images, tmp_path / "out", PackOptions(resize_shorter=48, quality=80), verify=True)
    assert result.images == 11
    files = ShardFiles(tmp_path / "out")
    for number, name in enumerate(files.names):
        buffer, offset, length = files.item(number)
        (tmp_path / "one").write_bytes(buffer[offset : offset + length])
        with Image.open(tmp_path / "one") as image:
            assert image.size == ((64, 48) if name.startswith("cat") else (40, 30))
            assert files.shape(number) == image.size[::-1]
            assert image.format == ("JPEG" if name.startswith("cat") else "PNG")
    assert pack(images, tmp_path / "out", PackOptions(resize_shorter=48, quality=81)).kept == 0


def test_bad_files_stop_or_are_left_out(images: Path, tmp_path: Path) -> None:
    (images / "cat" / "0003.jpg").write_bytes(b"no image")
    with pytest.raises(ImageError, match=r"cat/0003\.jpg: not a readable"):
        pack(images, tmp_path / "out", SMALL)
    result = pack(images, tmp_path / "out", PackOptions(shard_bytes=8_000, skip_bad=True))
    assert result.skipped == ("cat/0003.jpg",)
    assert result.images == 10
    assert pack(images, tmp_path / "out", PackOptions(shard_bytes=8_000, skip_bad=True)).skipped == result.skipped


@pytest.mark.parametrize("wrong", [{"shard_bytes": 0}, {"resize_shorter": 0}, {"quality": 101}])
def test_nonsense(wrong: dict[str, int]) -> None:
    with pytest.raises(InputError, match="give --"):
        PackOptions(**wrong)  # type: ignore[arg-type]


def test_nowhere_to_write_and_nothing_to_read(images: Path, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(FailureError, match="file"):
        pack(images, tmp_path / "file" / "out")
    (tmp_path / "empty").mkdir()
    with pytest.raises(InputError, match="holds no images"):
        pack(tmp_path / "empty", tmp_path / "out")
    pack(images, tmp_path / "out")
    with pytest.raises(InputError, match="into itself"):
        pack(tmp_path / "out", tmp_path / "out")
    assert pack(tmp_path / "out", tmp_path / "copy").images == 11, "a pack can be packed again"


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGKILL])
def test_an_interrupted_run_goes_on(images: Path, tmp_path: Path, how: signal.Signals) -> None:
    slow = (
        "import sys, time\nfrom perfmodel.loading import packing, shard_writing\n"
        "real = shard_writing._bytes\n"
        "def slow(files, number):\n    time.sleep(0.05)\n    return real(files, number)\n"
        "shard_writing._bytes = slow\n"
        "packing.pack(sys.argv[1], sys.argv[2], packing.PackOptions(shard_bytes=8000), progress=print)\n"
    )
    process = subprocess.Popen(
        [sys.executable, "-u", "-c", slow, str(images), str(tmp_path / "out")], stdout=subprocess.PIPE, text=True,
        stderr=subprocess.DEVNULL, env=os.environ | {"PYTHONPATH": str(Path(__file__).resolve().parents[2])},
    )  # fmt: skip
    assert process.stdout is not None
    assert "packed shard-00000" in process.stdout.readline()
    time.sleep(0.08)
    process.send_signal(how)
    process.stdout.close()
    assert process.wait(timeout=60) != 0
    assert not (tmp_path / "out" / "pack.json").exists()
    with pytest.raises(InputError, match="not packed to its end"):
        ShardFiles(tmp_path / "out")
    result = pack(images, tmp_path / "out", SMALL, verify=True)
    assert 1 <= result.kept < result.shards
    assert not list((tmp_path / "out").glob("*.part"))
