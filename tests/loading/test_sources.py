"""Which files make a sample, and one clear line where a set is wrong."""

from __future__ import annotations

import os
import pickle
import shutil
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from perfmodel.errors import InputError
from perfmodel.loading.files import FolderFiles, ZipFiles, open_files
from perfmodel.loading.packing import pack
from perfmodel.loading.sources import (
    ImageFolder,
    MultiFile,
    PairedFolders,
    ShardSource,
    Source,
    UnpairedFolders,
    ZipSource,
    open_source,
)

Fill = Callable[..., list[Path]]


def content(source: Source, role: str, number: int) -> bytes:
    """The encoded bytes of a file."""
    item = source.parts[role].item(number)
    if isinstance(item, str):
        return Path(item).read_bytes()
    buffer, offset, length = item
    return bytes(memoryview(buffer)[offset : offset + length])


def test_a_flat_folder_is_sorted(tmp_path: Path, fill: Fill) -> None:
    fill(tmp_path, 4)
    (tmp_path / "notes.txt").write_text("no image")
    (tmp_path / ".hidden.jpg").write_bytes(b"")
    shutil.copy(tmp_path / "0000.jpg", tmp_path / "no_extension")
    shutil.copy(tmp_path / "0000.jpg", tmp_path / "wrong.dat")
    source = ImageFolder(tmp_path)
    assert source.parts["image"].names == ("0000.jpg", "0001.jpg", "0002.jpg", "0003.jpg", "no_extension", "wrong.dat")
    assert source.labels is None
    assert len(ImageFolder(tmp_path, max_dataset_size=2)) == 2


def test_folders_are_classes(tmp_path: Path, fill: Fill) -> None:
    fill(tmp_path / "dog", 2)
    fill(tmp_path / "cat" / "small", 3, suffix=".png")
    source = ImageFolder(tmp_path)
    assert source.classes == ("cat", "dog")
    assert source.labels is not None
    assert source.labels.tolist() == [0, 0, 0, 1, 1]
    fill(tmp_path, 1)
    assert ImageFolder(tmp_path).labels is None, "images beside the folders: no classes"


@pytest.mark.parametrize("stored", [True, False])
@pytest.mark.parametrize("memory", [True, False])
def test_a_zip_holds_what_the_folder_holds(tmp_path: Path, fill: Fill, stored: bool, memory: bool) -> None:
    folder = tmp_path / "set"
    fill(folder / "a", 3)
    fill(folder / "b", 2, suffix=".png", seed=9)
    archive = zipped(folder, tmp_path / "set.zip", stored=stored)
    source, plain = ZipSource(archive, memory=memory), ImageFolder(folder)
    assert source.parts["image"].names == plain.parts["image"].names
    assert source.classes == plain.classes
    again = pickle.loads(pickle.dumps(source))
    for number in range(len(plain)):
        assert content(source, "image", number) == content(plain, "image", number) == content(again, "image", number)
        assert source.parts["image"].size(number) == plain.parts["image"].size(number)
    item = source.parts["image"].item(0)
    assert not isinstance(item, str)
    assert (len(item[0]) == archive.stat().st_size) == stored, "stored members are not copied"


def zipped(folder: Path, archive: Path, *, stored: bool = True) -> Path:
    how = zipfile.ZIP_STORED if stored else zipfile.ZIP_DEFLATED
    with zipfile.ZipFile(archive, "w", how) as out:
        for path in sorted(folder.rglob("*")):
            out.write(path, path.relative_to(folder).as_posix())
        out.writestr("__MACOSX/junk.jpg", b"junk")
        out.writestr("readme.txt", b"text")
    return archive


def test_damaged_archives_are_named(tmp_path: Path, fill: Fill) -> None:
    folder = tmp_path / "set"
    fill(folder, 2)
    good = zipped(folder, tmp_path / "good.zip", stored=False).read_bytes()
    (tmp_path / "not.zip").write_bytes(b"no archive")
    with pytest.raises(InputError, match=r"not\.zip is not a ZIP archive"):
        ZipSource(tmp_path / "not.zip")
    (tmp_path / "cut.zip").write_bytes(good[:200])
    with pytest.raises(InputError, match=r"cut\.zip"):
        ZipSource(tmp_path / "cut.zip")
    with pytest.raises(InputError, match=r"nosuch\.zip cannot be read"):
        ZipSource(tmp_path / "nosuch.zip")
    with zipfile.ZipFile(tmp_path / "good.zip") as archive:
        start = archive.getinfo("0001.jpg").header_offset
    (tmp_path / "bad.zip").write_bytes(good[: start + 60] + bytes(300) + good[start + 360 :])
    source = ZipSource(tmp_path / "bad.zip")
    with pytest.raises(InputError, match=r"bad\.zip: 0001\.jpg is damaged"):
        source.parts["image"].item(1)


def test_an_inflated_member_is_never_larger_than_it_says(tmp_path: Path) -> None:
    path = tmp_path / "bomb.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("big.jpg", bytes(3_000_000))
    data = path.read_bytes().replace((3_000_000).to_bytes(4, "little"), (10).to_bytes(4, "little"))
    path.write_bytes(data)
    with pytest.raises(InputError, match="not of the stated size"):
        ZipFiles(path).item(0)


def test_compression_that_is_not_read(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "x.zip", "w", zipfile.ZIP_BZIP2) as archive:
        archive.writestr("a.jpg", b"x")
    with pytest.raises(InputError, match=r"a\.jpg is compressed by method 12"):
        ZipFiles(tmp_path / "x.zip")


def test_unpaired_sides(tmp_path: Path, fill: Fill) -> None:
    fill(tmp_path / "A", 5)
    fill(tmp_path / "B", 8)
    source = UnpairedFolders(tmp_path / "A", tmp_path / "B")
    index = np.arange(len(source))
    assert len(source) == 8
    assert source.locate("A", index).tolist() == [0, 1, 2, 3, 4, 0, 1, 2], "in turn, modulo their number"
    drawn = [source.locate("B", index, seed=1, epoch=epoch) for epoch in range(200)]
    assert (drawn[0] == source.locate("B", index, seed=1, epoch=0)).all()
    assert (drawn[0] != drawn[1]).any()
    assert (source.locate("B", index[3:5], seed=1) == drawn[0][3:5]).all()
    share = np.bincount(np.concatenate(drawn), minlength=8) / 1600
    assert share == pytest.approx(np.full(8, 1 / 8), abs=0.03), "any of B alike"
    assert UnpairedFolders(tmp_path / "A", tmp_path / "B", serial=True).locate("B", index).tolist() == list(range(8))
    small = UnpairedFolders(tmp_path / "A", tmp_path / "B", max_dataset_size=3)
    assert len(small) == 3
    assert small.locate("B", np.arange(1000)).max() == 2
    assert not source.paired


def test_files_of_a_sample_go_by_stem(tmp_path: Path, fill: Fill) -> None:
    fill(tmp_path / "image" / "day", 3)
    fill(tmp_path / "mask" / "day", 3, suffix=".png", mode="L")
    source = MultiFile({"image": tmp_path / "image", "mask": tmp_path / "mask"})
    assert len(source) == 3
    assert source.paired
    assert source.name("mask", int(source.locate("mask", np.array([1]))[0])).endswith("mask/day/0001.png")
    (tmp_path / "mask" / "day" / "0001.png").unlink()
    with pytest.raises(InputError, match=r"mask lacks 'day/0001': image has day/0001\.jpg") as caught:
        MultiFile({"image": tmp_path / "image", "mask": tmp_path / "mask"})
    assert "\n" not in str(caught.value)


def test_a_name_that_is_there_twice(tmp_path: Path, fill: Fill) -> None:
    fill(tmp_path / "A", 1)
    fill(tmp_path / "A", 1, suffix=".png")
    fill(tmp_path / "B", 1)
    with pytest.raises(InputError, match=r"0000\.jpg and 0000\.png have the same name"):
        PairedFolders(tmp_path / "A", tmp_path / "B")


def frame_number(name: str) -> str:
    return name.rpartition("_")[2].partition(".")[0]


def test_names_may_share_only_a_part(tmp_path: Path, save: Callable[..., Path]) -> None:
    for number in range(3):
        save(tmp_path / "rgb" / f"rgb_{number:05d}.jpg", number)
        save(tmp_path / "depth" / f"depth_{number:05d}.png", number, mode="L")
    source = MultiFile({"rgb": tmp_path / "rgb", "depth": tmp_path / "depth"}, key=frame_number)
    assert len(source) == 3


def test_parts_of_archives_and_packs(tmp_path: Path, fill: Fill) -> None:
    folder = tmp_path / "set"
    fill(folder / "A", 3)
    fill(folder / "B", 4, seed=7)
    archive = zipped(folder, tmp_path / "set.zip")
    pack(folder, tmp_path / "packed")
    plain = UnpairedFolders(folder / "A", folder / "B")
    for root in (archive, tmp_path / "packed"):
        source = UnpairedFolders(root / "A", root / "B")
        assert source.parts["B"].names == plain.parts["B"].names
        assert content(source, "B", 2) == content(plain, "B", 2)
        assert source.parts["B"].size(2) == plain.parts["B"].size(2)
    assert len(ShardSource(tmp_path / "packed")) == 7
    assert ShardSource(tmp_path / "packed").classes == ("A", "B")


def test_missing_empty_and_unreadable(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="does not exist"):
        ImageFolder(tmp_path / "nosuch")
    (tmp_path / "file").write_text("x")
    with pytest.raises(InputError, match="is not a folder"):
        FolderFiles(tmp_path / "file")
    (tmp_path / "empty").mkdir()
    with pytest.raises(InputError, match="holds no images"):
        ImageFolder(tmp_path / "empty")
    with pytest.raises(InputError, match="does not exist"):
        open_files(tmp_path / "nosuch.zip")


@pytest.mark.skipif(os.geteuid() == 0, reason="root reads everything")
def test_unreadable(tmp_path: Path) -> None:
    (tmp_path / "locked").mkdir(mode=0)
    with pytest.raises(InputError, match="cannot be read"):
        ImageFolder(tmp_path)


def test_what_a_user_gives(tmp_path: Path, fill: Fill) -> None:
    fill(tmp_path / "trainA", 2)
    fill(tmp_path / "trainB", 3)
    fill(tmp_path / "testA", 1)
    assert open_source(tmp_path, unpaired=True).roles == ("A", "B")
    assert open_source((tmp_path / "trainA", tmp_path / "trainB")).roles == ("A", "B")
    assert open_source(tmp_path).classes == ("testA", "trainA", "trainB")
    assert open_source({"x": tmp_path / "trainA"}).roles == ("x",)
    with pytest.raises(InputError, match="does not hold two folders"):
        open_source(tmp_path / "trainA", unpaired=True)
    with pytest.raises(InputError, match="no source of images"):
        open_source(7)
    with pytest.raises(InputError, match="max_dataset_size"):
        ImageFolder(tmp_path, max_dataset_size=0)
