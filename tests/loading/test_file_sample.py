"""What is read from the headers of files."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from perfmodel.errors import InputError
from perfmodel.loading import LoaderModel, ZipSource, find_pipeline
from perfmodel.loading.file_sample import coding, describe_folder, read_sample
from perfmodel.loading.packing import pack
from perfmodel.loading.sources import open_source

Save = Callable[..., Path]


def encoded(mode: str = "RGB", format: str = "JPEG", **options: Any) -> bytes:
    from PIL import Image

    file = io.BytesIO()
    Image.fromarray(np.random.default_rng(0).integers(0, 255, (32, 48, 3), dtype=np.uint8)).convert(mode).save(
        file, format, **options
    )
    return file.getvalue()


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({"subsampling": 2}, ("jpeg", 1.5)),
        ({"subsampling": 1}, ("jpeg", 2.0)),
        ({"subsampling": 0}, ("jpeg", 3.0)),
        ({"subsampling": 2, "progressive": True}, ("progressive", 1.5)),
        ({"mode": "L"}, ("jpeg", 1.0)),
        ({"mode": "CMYK"}, ("jpeg", 4.0)),
        ({"format": "PNG"}, ("png", 3.0)),
        ({"format": "PNG", "mode": "RGBA"}, ("png", 4.0)),
        ({"format": "PNG", "mode": "L"}, ("png", 1.0)),
        ({"format": "PNG", "mode": "P"}, ("png", 1.0)),
    ],
)
def test_coding(options: dict[str, Any], expected: tuple[str, float]) -> None:
    assert coding(encoded(**options)) == expected


@pytest.mark.parametrize("cut", [0, 3, 20, 26])
def test_coding_of_a_cut_header_is_the_usual_one(cut: int) -> None:
    assert coding(encoded()[:cut])[0] == "jpeg"
    assert coding(encoded(format="PNG")[: max(cut, 4)])[0] == "png"


def test_coding_reads_past_long_segments() -> None:
    content = encoded(subsampling=0)
    comment = b"\xff\xfe" + (2 + 60000).to_bytes(2, "big") + bytes(60000)
    assert coding(content[:2] + comment + content[2:]) == ("jpeg", 3.0)


def test_a_folder_of_two_formats(tmp_path: Path, save: Save) -> None:
    for n in range(6):
        save(tmp_path / f"{n}.{'png' if n % 3 == 0 else 'jpg'}", n, height=60, width=90 + n)
    images = describe_folder(tmp_path, "cyclegan")
    sample = images.sample
    assert sample is not None
    assert sample.mix == {"jpeg": pytest.approx(2 / 3), "png": pytest.approx(1 / 3)}
    assert images.kb == pytest.approx(np.mean([path.stat().st_size for path in tmp_path.iterdir()]) / 1e3)
    assert images.mpx == pytest.approx(60 * 92.5 / 1e6, rel=0.02)
    pil = find_pipeline("pil")
    costs = [
        pil.cost_ms(kb=kb, mpx=mpx, out_mpx=images.out_mpx, kind=kind)
        for kb, mpx, kind in zip(sample.kb, sample.mpx, sample.kinds, strict=True)
    ]
    assert LoaderModel(images=images).cost_s == pytest.approx(np.mean(costs) / 1e3)
    assert LoaderModel(images=images).spread == pytest.approx(np.std(costs) / np.mean(costs))


def test_archives_and_packs_are_alike(tmp_path: Path, fill: Callable[..., list[Path]]) -> None:
    paths = fill(tmp_path / "set", 5)
    with zipfile.ZipFile(tmp_path / "set.zip", "w") as archive:
        for path in paths:
            archive.write(path, path.name)
    pack(tmp_path / "set", tmp_path / "packed")
    folder, zipped, packed = (describe_folder(tmp_path / name, "cyclegan") for name in ("set", "set.zip", "packed"))
    assert folder.kb == zipped.kb == packed.kb
    assert folder.mpx == zipped.mpx == packed.mpx
    assert read_sample(ZipSource(tmp_path / "set.zip")).mix == {"jpeg": 1.0}


def test_two_sides_make_samples_of_two_files(tmp_path: Path, fill: Callable[..., list[Path]]) -> None:
    fill(tmp_path / "trainA", 3)
    fill(tmp_path / "trainB", 4, seed=9)
    assert describe_folder(tmp_path, "cyclegan").files == 2
    assert describe_folder(tmp_path, "imagenet-eval").files == 1


def test_draws_are_seeded_and_bounded(tmp_path: Path, fill: Callable[..., list[Path]]) -> None:
    fill(tmp_path, 12)
    source = open_source(tmp_path)
    one, two, other = (read_sample(source, count=5, seed=seed) for seed in (1, 1, 2))
    assert len(one) == 5
    assert one.kb.tolist() == two.kb.tolist() != other.kb.tolist()


def test_unreadable_files_are_counted_or_refused(tmp_path: Path, save: Save) -> None:
    (tmp_path / "bad.jpg").write_bytes(b"nothing")
    with pytest.raises(InputError, match="none of 1 files is a readable image"):
        describe_folder(tmp_path)
    save(tmp_path / "good.jpg", 0)
    sample = describe_folder(tmp_path).sample
    assert sample is not None
    assert (len(sample), sample.unreadable) == (1, 1)


def test_a_damaged_member_of_an_archive_is_one_unreadable_file(tmp_path: Path, save: Save) -> None:
    path = tmp_path / "set.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for number in range(3):
            archive.write(save(tmp_path / f"{number}.jpg", number), f"{number}.jpg")
        start = archive.getinfo("1.jpg").header_offset
    content = bytearray(path.read_bytes())
    content[start + 60 : start + 160] = bytes(100)
    path.write_bytes(bytes(content))
    sample = describe_folder(path).sample
    assert sample is not None
    assert (len(sample), sample.unreadable) == (2, 1)
