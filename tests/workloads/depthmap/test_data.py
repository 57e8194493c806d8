"""Quadruples from folders and ZIPs, held or read; changes by chance; what is wrong with a set is one clear line."""

from __future__ import annotations

import shutil
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from perfmodel.errors import InputError

torch = pytest.importorskip("torch")
Image = pytest.importorskip("PIL.Image")

from perfmodel.workloads.depthmap import data as data_module  # noqa: E402
from perfmodel.workloads.depthmap.augmentation import Augmentation  # noqa: E402
from perfmodel.workloads.depthmap.data import HeldPlanes, Quadruples, Statistics, open_planes, parts  # noqa: E402
from perfmodel.workloads.depthmap.options import Options  # noqa: E402
from perfmodel.workloads.depthmap.store import find_quadruples, open_store  # noqa: E402

NEUTRAL = Statistics((0.5,) * 6, (0.25,) * 6, 1)
STILL = Augmentation(flip=False, jitter=0.0, cutout=0.0)


@pytest.fixture
def broken(quadruples: Path, tmp_path: Path) -> Path:
    """A copy of the quadruples, to break."""
    return Path(shutil.copytree(quadruples, tmp_path / "set"))


def packed(folder: Path, path: Path, *, top: str = "") -> Path:
    with zipfile.ZipFile(path, "w") as archive:
        for file in sorted(folder.rglob("*.png")):
            archive.write(file, f"{top}{file.relative_to(folder)}")
        archive.writestr("__MACOSX/set/mask/000000.png", b"")
    return path


def options(data: Path, **more: Any) -> Options:
    return Options(data=str(data), output="unused", size=32, **more)


def test_a_folder_and_a_zip_hold_the_same_samples(quadruples: Path, tmp_path: Path) -> None:
    read = open_planes(options(quadruples))
    held = open_planes(options(packed(quadruples, tmp_path / "set.zip", top="my set/")))
    both = open_planes(options(quadruples.parent, memory="yes"))
    unheld = open_planes(options(tmp_path / "set.zip", memory="no"))
    assert [planes.held for planes in (read, held, both, unheld)] == [False, True, True, False]
    assert len(read) == len(held) == len(both) == 12
    for at in (0, 5, 11):
        for other in (held, both, unheld):
            np.testing.assert_array_equal(read[at], other[at])
    with Image.open(quadruples / "depth" / "000005.png") as depth:
        np.testing.assert_array_equal(read[5][7], np.asarray(depth))
    assert len(open_planes(options(quadruples, limit=3))) == 3


def test_samples_are_standardised_by_their_set(quadruples: Path) -> None:
    training, held, statistics = parts(options(quadruples, augment=False), open_planes(options(quadruples)))
    assert (len(training), len(held), statistics.samples) == (8, 4, 8)
    stacked = torch.stack([training[i]["input"] for i in range(8)])
    assert stacked.mean(dim=(0, 2, 3)).tolist() == pytest.approx([0] * 6, abs=1e-4)
    assert stacked.std(dim=(0, 2, 3)).tolist() == pytest.approx([1] * 6, abs=1e-3)
    sample = held[0]
    assert sample["mask"].shape == sample["depth"].shape == (1, 32, 32)
    np.testing.assert_allclose(sample["depth"][0].numpy(), held.raw(0)[7] / 255, atol=1e-6)


def test_statistics_are_kept(tmp_path: Path) -> None:
    NEUTRAL.save(tmp_path)
    assert Statistics.load(tmp_path) == NEUTRAL
    (tmp_path / "statistics.json").write_text("{")
    with pytest.raises(InputError, match=r"statistics\.json is missing or damaged"):
        Statistics.load(tmp_path)


def sample(quadruples: Path, augmentation: Augmentation | None, *, epoch: int = 0) -> dict[str, Any]:
    data = Quadruples(open_planes(options(quadruples)), [4], statistics=NEUTRAL, augmentation=augmentation)
    data.epoch = epoch
    return data[0]


def test_the_cut_out_is_in_the_input_only(quadruples: Path) -> None:
    plain = sample(quadruples, None)
    cut = sample(quadruples, Augmentation(flip=False, jitter=0.0, cutout=0.5))
    hole = (cut["input"] == 0).all(dim=0)
    rows, columns = hole.any(dim=1).sum(), hole.any(dim=0).sum()
    assert 0 < int(rows) <= 16
    assert int(hole.sum()) == int(rows * columns)
    assert torch.equal(cut["input"][:, ~hole], plain["input"][:, ~hole])
    assert torch.equal(cut["mask"], plain["mask"])
    assert torch.equal(cut["depth"], plain["depth"])


def test_mirroring_takes_input_and_targets_alike(quadruples: Path) -> None:
    plain = sample(quadruples, None)
    seen = set()
    for epoch in range(8):
        found = sample(quadruples, Augmentation(flip=True, jitter=0.0, cutout=0.0), epoch=epoch)
        mirrored = not torch.equal(found["input"], plain["input"])
        for key, value in plain.items():
            assert torch.equal(found[key], value.flip(-1) if mirrored else value)
        seen.add(mirrored)
    assert seen == {True, False}


def test_jitter_changes_background_and_composite_alike() -> None:
    pixels = np.random.default_rng(0).random((6, 16, 16)).astype(np.float32)
    pixels[3:] = pixels[:3]
    found = Augmentation(flip=False, jitter=0.5, cutout=0.0).jittered(pixels, np.random.default_rng(1))
    np.testing.assert_array_equal(found[:3], found[3:])
    assert np.abs(found - pixels).mean() > 0.01
    assert found.min() >= 0
    assert found.max() <= 1
    np.testing.assert_array_equal(STILL.jittered(pixels, np.random.default_rng(1)), pixels)


def test_chance_depends_on_seed_epoch_and_index(quadruples: Path) -> None:
    first = sample(quadruples, Augmentation())
    assert torch.equal(sample(quadruples, Augmentation())["input"], first["input"])
    assert not torch.equal(sample(quadruples, Augmentation(), epoch=1)["input"], first["input"])


def lacks_a_file(folder: Path) -> None:
    (folder / "mask" / "000003.png").unlink()


def lacks_a_folder(folder: Path) -> None:
    shutil.rmtree(folder / "depth")


def twice(folder: Path) -> None:
    shutil.copy(folder / "mask" / "000003.png", folder / "mask" / "000003.bmp")


def is_empty(folder: Path) -> None:
    for part in list(folder.iterdir()):
        shutil.rmtree(part) if part.is_dir() else part.unlink()


@pytest.mark.parametrize("form", ["folder", "zip"])
@pytest.mark.parametrize(
    ("wrong", "line"),
    [
        (lacks_a_file, r"mask has no file 000003, which background has"),
        (lacks_a_folder, r"lacks the folder depth"),
        (twice, r"mask/000003\.(png|bmp) and .*mask/000003\.(png|bmp) share a name"),
        (is_empty, r"holds no quadruples"),
    ],
)
def test_mismatched_quadruples(broken: Path, wrong: Callable[[Path], None], line: str, form: str) -> None:
    wrong(broken)
    where = broken
    if form == "zip":
        where = broken.parent / "set.zip"
        with zipfile.ZipFile(where, "w") as archive:
            for file in sorted(broken.rglob("*.[pb][nm][gp]")):
                archive.write(file, file.relative_to(broken))
    with pytest.raises(InputError, match=line) as caught:
        find_quadruples(open_store(where))
    assert str(where) in str(caught.value)
    assert "\n" not in str(caught.value)


def test_unreadable_images(broken: Path) -> None:
    path = broken / "composite" / "000002.png"
    good = path.read_bytes()
    path.write_bytes(good[: len(good) // 2])
    with pytest.raises(InputError, match=r"cannot read .*composite/000002\.png"):
        open_planes(options(broken))[2]
    Image.new("L", (16, 32)).save(broken / "mask" / "000002.png")
    path.write_bytes(good)
    with pytest.raises(InputError, match=r"mask/000002\.png has 16x32 pixels, its background 32x32"):
        open_planes(options(broken, memory="yes"))


def test_bad_zips(quadruples: Path, tmp_path: Path) -> None:
    path = packed(quadruples, tmp_path / "set.zip")
    whole = bytearray(path.read_bytes())
    with zipfile.ZipFile(path) as archive:
        entry = archive.getinfo("mask/000001.png")
    whole[entry.header_offset + 60] ^= 0xFF  # stored bytes of the member: its checksum no longer fits
    path.write_bytes(whole)
    with pytest.raises(InputError, match=r"cannot read .*set\.zip/mask/000001\.png"):
        open_planes(options(path))
    path.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(InputError, match=r"set\.zip is no readable ZIP"):
        open_store(path)
    with pytest.raises(InputError, match="no folder or ZIP"):
        open_store(tmp_path / "nowhere.zip")


def test_what_does_not_fit_into_memory_is_refused(quadruples: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert data_module.free_memory() > 10**7
    monkeypatch.setattr(data_module, "free_memory", lambda: 12 * 8 * 32 * 32 - 1)
    with pytest.raises(InputError, match=r"12 samples of 32 pixels take 9\.83e-05 GB"):
        open_planes(options(quadruples, memory="yes"))
    monkeypatch.setattr(data_module, "free_memory", lambda: 12 * 8 * 32 * 32)
    assert isinstance(open_planes(options(quadruples, memory="yes")), HeldPlanes)


def test_depth_of_16_bits_keeps_its_upper_byte(broken: Path) -> None:
    values = np.arange(1024, dtype=np.uint16).reshape(32, 32) * 64
    Image.fromarray(values).save(broken / "depth" / "000000.png")
    np.testing.assert_array_equal(open_planes(options(broken))[0][7], (values >> 8).astype(np.uint8))
