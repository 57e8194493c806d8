"""Generated driving scenes: consistent, seeded, honest about what they are."""

from __future__ import annotations

import csv
import json
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from perfmodel.cli import main
from perfmodel.errors import InputError
from perfmodel.workloads.datasets.domains import DOMAINS, Domain, custom_domain, find_domain
from perfmodel.workloads.datasets.generate import NOTICE, PARTS, generate, named_order, scaled_label
from perfmodel.workloads.datasets.layouts import DATASETS, find_images, how_to, pair_of
from perfmodel.workloads.datasets.render import FAR_M, render
from perfmodel.workloads.datasets.scene import SPEED_RANGE, TURN_RANGE, scene_of

Image = pytest.importorskip("PIL.Image")


def pixels(path: Path) -> Any:
    with Image.open(path) as image:
        return np.asarray(image)


def run(*words: str) -> int:
    with pytest.raises(SystemExit) as ended:
        main(words)
    return int(ended.value.code or 0)


def test_the_same_seed_gives_the_same_files_whatever_the_processes(tmp_path: Path) -> None:
    order = named_order(["VKITTI"], images=40, height=48, width=64, seed=3)
    generate(tmp_path / "a", order, jobs=1)
    generate(tmp_path / "b", order, jobs=2)
    files = sorted((tmp_path / "a" / "VKITTI").glob("*.png"))
    assert len(files) == 40
    for path in files:
        assert path.read_bytes() == (tmp_path / "b" / "VKITTI" / path.name).read_bytes()
    generate(tmp_path / "c", named_order(["VKITTI"], images=2, height=48, width=64, seed=4), jobs=1)
    assert (tmp_path / "c" / "VKITTI" / "000001.png").read_bytes() != files[1].read_bytes()


def test_an_interrupted_run_goes_on(tmp_path: Path) -> None:
    order = named_order(["KITTI"], images=20, height=32, width=32)
    assert generate(tmp_path, order, jobs=1) == 20
    removed = tmp_path / "KITTI" / "000007.png"
    before = removed.read_bytes()
    removed.unlink()
    assert generate(tmp_path, order, jobs=1) == 1
    assert removed.read_bytes() == before


def test_the_folder_says_that_it_is_generated(tmp_path: Path) -> None:
    generate(tmp_path, named_order(["Cityscapes/rain"], images=1, height=32, width=32), jobs=1)
    facts = json.loads((tmp_path / "Cityscapes_rain" / NOTICE).read_text())
    assert "not the data set of that name" in facts["generated"]
    assert facts["domain"]["rain"] > 0


def test_other_images_are_never_mixed_in(tmp_path: Path) -> None:
    generate(tmp_path, named_order(["KITTI"], images=1, height=32, width=32), jobs=1)
    with pytest.raises(InputError, match="other settings"):
        generate(tmp_path, named_order(["KITTI"], images=1, height=32, width=32, seed=1), jobs=1)
    (tmp_path / "Synthia").mkdir()
    (tmp_path / "Synthia" / "mine.png").write_bytes(b"x")
    with pytest.raises(InputError, match="holds other files"):
        generate(tmp_path, named_order(["Synthia"], images=1), jobs=1)


@pytest.mark.parametrize("domain", DOMAINS.values(), ids=lambda one: one.name)
def test_depth_and_mask_fit_the_image(domain: Domain) -> None:
    seen = 0
    for index in range(20):
        scene = scene_of(domain, seed=1, index=index)
        frame = render(scene, domain, height=128, width=128, index=index, background=True)
        assert frame.background is not None
        assert frame.image.shape == frame.background.shape == (128, 128, 3)
        cars = frame.mask == 255
        changed = np.any(frame.image != frame.background, axis=-1)
        # every changed pixel lies in or next to the mask (the lens spreads a little)
        near = cars.copy()
        for step in (-2, -1, 1, 2):
            near |= np.roll(cars, step, 0) | np.roll(cars, step, 1)
        near |= np.roll(np.roll(near, 1, 0), 1, 1) | np.roll(np.roll(near, -1, 0), -1, 1)
        assert not (changed & ~near).any()
        if cars.any():
            seen += 1
            distances = {car.z for car in scene.vehicles}
            assert set(np.unique(frame.depth_m[cars])) <= {np.float32(z) for z in distances}
        assert frame.depth_m.min() > 0
        assert frame.depth_m.max() <= FAR_M
        assert (frame.depth_m[0] > 0).all()
    assert seen > 5


def test_the_road_turns_as_the_label_says() -> None:
    """In right-hand bends the road's middle, seen far ahead, lies right of the camera's axis; the label says so."""
    domain = DOMAINS["VKITTI"]
    labels = []
    for index in range(300):
        scene = scene_of(domain, seed=0, index=index)
        speed, turn = scene.label
        assert SPEED_RANGE[0] <= speed <= SPEED_RANGE[1]
        assert TURN_RANGE[0] <= turn <= TURN_RANGE[1]
        assert np.sign(turn) == np.sign(scene.middle(25.0))
        labels.append(turn)
        assert all(0 <= value <= 1 for value in scaled_label(speed, turn))
    assert np.std(labels) > 1.0


def test_labels_stand_beside_their_frames(tmp_path: Path) -> None:
    generate(tmp_path, named_order(["KITTI"], images=5, kind="frames", height=64, width=64, suffix="jpg"), jobs=1)
    with (tmp_path / "KITTI" / "labels.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert [row["image"] for row in rows] == [path.name for path in find_images(tmp_path / "KITTI")]
    assert all(6.5 <= float(row["v"]) <= 24 for row in rows)


def test_quadruples_share_names_and_sizes(tmp_path: Path) -> None:
    generate(tmp_path, named_order(["VKITTI"], images=3, kind="quadruples", height=48, width=96), jobs=1)
    for index in range(3):
        shapes = {part: pixels(tmp_path / "VKITTI" / part / f"{index:06d}.png").shape for part in PARTS}
        assert shapes == {"background": (48, 96, 3), "composite": (48, 96, 3), "mask": (48, 96), "depth": (48, 96)}


def test_domains_differ_and_weather_changes_them() -> None:
    def mean(name: str) -> Any:
        domain = find_domain(name)
        frames = [render(scene_of(domain, seed=0, index=i), domain, height=64, width=64).image for i in range(8)]
        return np.mean(frames, axis=(0, 1, 2))

    names = [*DOMAINS, "VKITTI/fog", "KITTI/rain"]
    means = {name: mean(name) for name in names}
    for at, one in enumerate(names):
        for other in names[at + 1 :]:
            assert np.abs(means[one] - means[other]).max() > 2.0, (one, other)


def test_a_domain_of_ones_own() -> None:
    assert custom_domain({"fog": 0.5}, base="KITTI").blur == DOMAINS["KITTI"].blur
    with pytest.raises(InputError, match=r"no factor 'fogg'.*fog"):
        custom_domain({"fogg": 1})
    with pytest.raises(InputError, match="no domain 'KITI'"):
        find_domain("KITI")
    with pytest.raises(InputError, match="no weather 'snow'"):
        find_domain("KITTI/snow")


def test_a_core_draws_hundreds_of_frames_a_second() -> None:
    """At least 60 here, however busy the machine is; docs/datasets.md has the quiet figure."""
    domain = DOMAINS["VKITTI"]
    render(scene_of(domain, seed=0, index=0), domain)
    began = time.process_time()
    for index in range(30):
        render(scene_of(domain, seed=0, index=index), domain, index=index)
    assert 30 / (time.process_time() - began) > 60


@pytest.mark.parametrize("name", DATASETS)
def test_published_trees_are_found(name: str, tmp_path: Path) -> None:
    for pattern in DATASETS[name].patterns[:1]:
        path = tmp_path / name / pattern.replace("*/", "01/").replace("*", "000001")
        path.parent.mkdir(parents=True)
        Image.new("RGB", (8, 8)).save(path)
        assert find_images(tmp_path / name) == (path,)
        assert pattern in how_to(name)


def test_folders_without_images_are_one_clear_line(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"no folder .*how-to"):
        find_images(tmp_path / "none")
    with pytest.raises(InputError, match="holds no images"):
        find_images(tmp_path)
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match="is a file"):
        find_images(tmp_path / "file")


def test_pairs() -> None:
    assert pair_of("VKITTI-KITTI") == ("VKITTI", "KITTI")
    for wrong in ("VKITTI", "-KITTI", "A-B-C", ""):
        with pytest.raises(InputError, match="no pair"):
            pair_of(wrong)


def test_the_verb(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = str(tmp_path / "data")
    assert run("datasets", "generate", out, "--domains", "VKITTI,KITTI", "--images", "3", "--size", "32") == 0
    assert "6 generated scenes" in capsys.readouterr().out
    assert len(find_images(tmp_path / "data" / "KITTI")) == 3
    assert run("datasets", "list") == 0
    listed = capsys.readouterr().out
    assert all(name in listed for name in DATASETS)
    assert run("datasets", "list", "--json") == 0
    assert {row["name"] for row in json.loads(capsys.readouterr().out)["datasets"]} >= set(DATASETS)
    assert run("datasets", "how-to", "frames") == 0
    assert "labels.csv" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("how-to", "ImageNet"), "no data set 'ImageNet'"),
        (("generate", "{out}", "--domains", "Mars"), "no domain 'Mars'"),
        (("generate", "{out}", "--size", "big"), "--size big is no size"),
        (("generate", "{out}", "--size", "8"), "height is 8"),
        (("generate", "{out}", "--format", "gif"), "cannot be written as 'gif'"),
        (("generate", "{out}", "--kind", "video"), "no kind 'video'"),
        (("generate", "{out}", "--images", "0"), "--images must be at least 1"),
        (
            (
                "generate",
                "{out}/file/x",
            ),
            "cannot write",
        ),
    ],
)
def test_bad_input_is_one_clear_line(
    words: tuple[str, ...], message: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "file").write_text("")
    assert run("datasets", *(word.format(out=tmp_path) for word in words)) == 2
    error = capsys.readouterr().err
    assert message in error
    assert error.count("\n") == 1
