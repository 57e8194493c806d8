"""Labels, cropping, and changes of frames that keep labels true."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from perfmodel.errors import InputError

torch = pytest.importorskip("torch")
Image = pytest.importorskip("PIL.Image")

from perfmodel.workloads.datasets.domains import find_domain  # noqa: E402
from perfmodel.workloads.datasets.generate import scaled_label  # noqa: E402
from perfmodel.workloads.datasets.scene import scene_of  # noqa: E402
from perfmodel.workloads.pilotnet.augmentation import FOCAL, Augmentation, moved, turn_of_shift  # noqa: E402
from perfmodel.workloads.pilotnet.data import Frames, prepared  # noqa: E402
from perfmodel.workloads.pilotnet.labels import Labelled, read_frames  # noqa: E402
from perfmodel.workloads.training.order import held_out  # noqa: E402

STILL = Augmentation(flip=False, brightness=0, contrast=0, rise=0, shift=0)


def test_labels_of_several_folders_in_order(frames: Path) -> None:
    rows = read_frames([frames, frames.parent])
    assert len(rows) == 40
    assert rows[:20] == rows[20:]
    assert rows[3].path == frames / "000003.png"
    sample = Frames(rows, height=20, width=10)[3]
    assert sample["image"].shape == (3, 20, 10)
    assert sample["target"].tolist() == pytest.approx(scaled_label(rows[3].v, rows[3].w), abs=1e-6)


@pytest.mark.parametrize(
    ("text", "line"),
    [
        (None, r"holds no labels\.csv"),
        ("image,v\na.png,7\n", r"labels\.csv lacks the column w"),
        ("image,v,w\n", r"labels\.csv has no rows"),
        ("image,v,w\na.png,7,0\na.png,fast,0\n", r"labels\.csv, row 2: v is 'fast', no number"),
        ("image,v,w\na.png,7\n", r"labels\.csv, row 1: w is None, no number"),
        ("image,v,w\na.png,7,nan\n", r"labels\.csv, row 1: w is nan, outside -7\.1 to 7\.1 deg/s"),
        ("image,v,w\na.png,7,0\na.png,30,0\n", r"labels\.csv, row 2: v is 30, outside 6\.5 to 24 m/s"),
        ("image,v,w\nb.png,7,0\n", r"labels\.csv, row 1: there is no image 'b\.png'"),
    ],
)
def test_wrong_labels_are_named_by_file_and_row(tmp_path: Path, text: str | None, line: str) -> None:
    Image.new("RGB", (8, 8)).save(tmp_path / "a.png")
    if text is not None:
        (tmp_path / "labels.csv").write_text(text)
    with pytest.raises(InputError, match=line) as caught:
        read_frames([tmp_path])
    assert "\n" not in str(caught.value)


def test_a_missing_folder(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"no folder .*nowhere"):
        read_frames([tmp_path / "nowhere"])


@pytest.mark.parametrize(("height", "kept"), [(480, {"low"}), (720, {"low"}), (300, {"high", "low"})])
def test_rows_240_to_480_are_kept_of_tall_frames(tmp_path: Path, height: int, kept: set[str]) -> None:
    pixels = np.zeros((height, 64, 3), np.uint8)
    pixels[:240, :, 0], pixels[240:480, :, 1], pixels[480:, :, 2] = 255, 255, 255
    Image.fromarray(pixels).save(tmp_path / "a.png")
    found = prepared(Labelled(tmp_path / "a.png", 10, 0), 200, 66)
    assert found.shape == (200, 66, 3)
    names = ("high", "low", "below")
    assert {name for name, channel in zip(names, range(3), strict=True) if found[..., channel].any()} == kept


def frame() -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (40, 60, 3), dtype=np.uint8)


def test_nothing_changes_where_all_is_off() -> None:
    found, v, w = STILL.apply(frame(), 12.0, 3.0, np.random.default_rng(1))
    np.testing.assert_allclose(found, frame() / 255, atol=1e-6)
    assert (v, w) == (12.0, 3.0)


def test_a_mirrored_frame_turns_the_other_way() -> None:
    seen = set()
    for seed in range(8):
        found, v, w = replace(STILL, flip=True).apply(frame(), 12.0, 3.0, np.random.default_rng(seed))
        mirrored = np.allclose(found, frame()[:, ::-1] / 255, atol=1e-6)
        assert mirrored or np.allclose(found, frame() / 255, atol=1e-6)
        assert (v, w) == (12.0, -3.0 if mirrored else 3.0)
        seen.add(mirrored)
    assert seen == {True, False}


def test_light_and_pitch_keep_the_label_and_the_range() -> None:
    strong = replace(STILL, brightness=0.9, contrast=0.9, rise=0.3)
    for seed in range(10):
        found, v, w = strong.apply(frame(), 12.0, 3.0, np.random.default_rng(seed))
        assert (v, w) == (12.0, 3.0)
        assert found.min() >= 0
        assert found.max() <= 1
        assert found.std() > 0


def test_a_shift_adds_the_turn_that_the_scene_s_own_label_would() -> None:
    scene = scene_of(find_domain("KITTI"), seed=0, index=0)
    straight = replace(scene, curvature=0.0, offset=0.0, heading=0.0, vehicles=())
    share = 0.02
    turned = replace(straight, heading=share / FOCAL)
    speed, turn = straight.label
    assert turned.label == pytest.approx((speed, turn + turn_of_shift(share, speed)))
    pixels = frame()
    shifted = moved(pixels, down=2, right=3)
    np.testing.assert_array_equal(shifted[2:, 3:], pixels[:-2, :-3])
    _, _, w = replace(STILL, shift=0.2).apply(pixels, 12.0, 0.0, np.random.default_rng(3))
    right = [r for r in range(-12, 13) if w == pytest.approx(turn_of_shift(r / 60, 12.0))]
    assert len(right) == 1
    assert right != [0]


def test_samples_depend_on_seed_epoch_and_index_only(frames: Path) -> None:
    rows = read_frames([frames])
    data = Frames(rows, height=20, width=10, augmentation=Augmentation(), seed=1)
    first = data[4]["image"]
    data[5]
    assert torch.equal(data[4]["image"], first)
    data.epoch = 1
    assert not torch.equal(data[4]["image"], first)


def test_the_split_is_whole_disjoint_and_seeded() -> None:
    kept, left = held_out(50, 0.3, seed=1)
    assert len(left) == 15
    assert sorted(kept + left) == list(range(50))
    assert held_out(50, 0.3, seed=1) == (kept, left)
    assert held_out(50, 0.3, seed=2) != (kept, left)
    assert [len(part) for part in held_out(2, 0.01, seed=0)] == [1, 1]
    with pytest.raises(InputError, match="cannot be split"):
        held_out(1, 0.5, seed=0)
