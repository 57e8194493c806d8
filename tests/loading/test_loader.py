"""The loader: the same batches whatever the threads, prefetching or interruptions; clear ends and errors."""

from __future__ import annotations

import gc
import itertools
import pickle
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from perfmodel.errors import ImageError, InputError, PerfmodelError
from perfmodel.loading.loader import Loader
from perfmodel.loading.pools import chosen_backend
from perfmodel.loading.sources import ImageFolder, MultiFile, ZipSource
from perfmodel.loading.transforms import TRANSFORMS, Transform

Fill = Callable[..., list[Path]]
TINY = replace(TRANSFORMS["imagenet-train"], size=(24, 32))


@pytest.fixture(autouse=True)
def no_threads_are_left() -> Iterator[None]:
    before = set(threading.enumerate())
    yield
    gc.collect()
    left = {one for one in threading.enumerate() if one.is_alive()} - before
    deadline = time.monotonic() + 5
    while left and time.monotonic() < deadline:
        time.sleep(0.01)
        left = {one for one in left if one.is_alive()}
    assert not left


def batches(loader: Loader) -> list[dict[str, Any]]:
    """All batches of the next epoch, as copies."""
    return [{name: np.array(value) for name, value in batch.items()} for batch in loader]


def same(first: list[dict[str, Any]], second: list[dict[str, Any]]) -> bool:
    return len(first) == len(second) and all(
        a.keys() == b.keys() and all(np.array_equal(a[name], b[name]) for name in a)
        for a, b in zip(first, second, strict=True)
    )


def test_an_epoch(folder: Path) -> None:
    with Loader(folder, TINY, batch=4, shuffle=True, seed=1) as loader:
        assert len(loader) == 3
        first, second = batches(loader), batches(loader)
    assert [one["image"].shape for one in first] == [(4, 3, 24, 32), (4, 3, 24, 32), (2, 3, 24, 32)]
    assert first[0]["image"].dtype == np.float32
    for epoch in (first, second):
        assert sorted(np.concatenate([one["index"] for one in epoch])) == list(range(10))
    assert not same(first, second)


@pytest.mark.parametrize("options", [{"workers": 1}, {"workers": 5}, {"prefetch": 1}, {"prefetch": 7}, {"copy": True}])
def test_threads_and_prefetching_change_nothing(folder: Path, options: dict[str, int]) -> None:
    base = {"batch": 3, "shuffle": True, "seed": 4, "workers": 2}
    with Loader(folder, TINY, **base) as one, Loader(folder, TINY, **(base | options)) as other:
        assert same(batches(one), batches(other))
        assert same(batches(one), batches(other))


@pytest.mark.parametrize("pipeline", ["cyclegan", "imagenet-train", "imagenet-eval", "pilotnet", "depthmap"])
def test_both_backends_make_the_same_batches(folder: Path, pipeline: str) -> None:
    try:
        chosen_backend("native")
    except PerfmodelError as error:
        pytest.skip(str(error))
    place: Any = (folder, folder) if pipeline == "cyclegan" else folder
    options: dict[str, Any] = {"batch": 5, "shuffle": True, "seed": 3, "dtype": "uint8"}
    with Loader(place, pipeline, backend="pillow", **options) as one:
        wanted = batches(one)
    with Loader(place, pipeline, backend="native", **options) as other:
        found = batches(other)
    for a, b in zip(wanted, found, strict=True):
        assert np.array_equal(a["index"], b["index"])
        for role in one.source.roles:
            error = np.abs(a[role].astype(int) - b[role])
            assert error.mean() < (2.5 if pipeline == "depthmap" else 0.6), "hue is coarse in Pillow"


def test_a_sample_is_the_same_in_any_batch(folder: Path) -> None:
    images: list[dict[int, Any]] = []
    for size in (1, 4, 10):
        with Loader(folder, TINY, batch=size, shuffle=size > 1, seed=2) as loader:
            images.append({int(i): one for b in batches(loader) for i, one in zip(b["index"], b["image"], strict=True)})
    for index in range(10):
        assert np.array_equal(images[0][index], images[1][index])
        assert np.array_equal(images[0][index], images[2][index])


def test_cyclegan_in_one_line(tmp_path: Path, fill: Fill) -> None:
    fill(tmp_path / "trainA", 5)
    fill(tmp_path / "trainB", 3, seed=40)
    with Loader(tmp_path, pipeline="cyclegan") as loader:
        found = batches(loader)
    assert len(found) == 5
    assert found[0]["A"].shape == found[0]["B"].shape == (1, 3, 256, 256)
    assert -1 <= min(one["A"].min() for one in found) < -0.5 < 0.5 < max(one["B"].max() for one in found) <= 1


def test_cyclegan_against_pillow(tmp_path: Path, fill: Fill) -> None:
    from PIL import Image

    paths = fill(tmp_path / "a", 4)
    fill(tmp_path / "b", 4, seed=9)
    with Loader((tmp_path / "a", tmp_path / "b"), "cyclegan", batch=4, backend="pillow") as loader:
        batch = batches(loader)[0]
    for path, found in zip(paths, batch["A"], strict=True):
        with Image.open(path) as image:
            whole = np.asarray(image.resize((286, 286), Image.Resampling.BICUBIC))
        crops = (
            view[top : top + 256, left : left + 256]
            for view in (whole, whole[:, ::-1])
            for top, left in itertools.product(range(31), range(31))
        )
        wanted = (crop.transpose(2, 0, 1) / 255 * 2 - 1 for crop in crops)
        assert any(np.abs(found - one).max() < 1e-6 for one in wanted), "one of all crops, mirrored or not"


def test_files_of_a_sample_share_their_geometry(tmp_path: Path, fill: Fill) -> None:
    roles = ("background", "composite", "mask", "depth")
    for role in roles:
        fill(tmp_path / role, 6, suffix=".png")  # the same scene in all four
    source = MultiFile({role: tmp_path / role for role in roles})
    plain = replace(TRANSFORMS["depthmap"], brightness=None, contrast=None, saturation=None, hue=None, cutout=0.0)
    with Loader(source, plain, batch=6, dtype="uint8", layout="nhwc") as loader:
        batch = batches(loader)[0]
    assert np.array_equal(batch["background"], batch["composite"])
    assert batch["mask"].shape == (6, 192, 192, 1)
    grey = batch["background"] @ np.array([0.299, 0.587, 0.114])
    assert np.abs(grey - batch["depth"][..., 0]).mean() < 1.0
    assert np.abs(grey - batch["mask"][..., 0]).mean() < 25
    with Loader(source, "depthmap", batch=6, dtype="uint8", layout="nhwc") as loader:
        coloured = batches(loader)[0]
    assert np.array_equal(coloured["depth"], batch["depth"]), "colours of masks and depth stay"
    assert np.array_equal(coloured["background"], coloured["composite"]), "and those of images change alike"
    assert not np.array_equal(coloured["background"], batch["background"])


def test_unpaired_files_do_not(tmp_path: Path, fill: Fill) -> None:
    fill(tmp_path / "a", 8, suffix=".png")
    shape = Transform(size=(32, 32), crop="random", dtype="uint8")
    with Loader((tmp_path / "a", tmp_path / "a"), shape, batch=8) as loader:
        loader.source._serial = True  # type: ignore[attr-defined]
        batch = batches(loader)[0]
    assert not np.array_equal(batch["A"], batch["B"])


@pytest.mark.parametrize("batch", [1, 3, 4])
@pytest.mark.parametrize("prefetch", [1, 2, 3])
@pytest.mark.parametrize("workers", [1, 6])
def test_batches_stay_valid_as_long_as_promised(folder: Path, batch: int, prefetch: int, workers: int) -> None:
    with Loader(folder, TINY, batch=batch, prefetch=prefetch, workers=workers) as loader:
        wanted = batches(loader)
        loader.set_epoch(0)
        held: list[Any] = []
        for one in loader:
            held.append(one["image"])
            time.sleep(0.005)
            for age in range(min(prefetch, len(held))):
                assert np.array_equal(held[-1 - age], wanted[len(held) - 1 - age]["image"])


def test_memory_is_used_again_unless_copies_are_asked_for(folder: Path) -> None:
    with Loader(folder, TINY, batch=1, prefetch=1, workers=1) as loader:
        assert len({one["image"].__array_interface__["data"][0] for one in loader}) < 10
    with Loader(folder, TINY, batch=1, prefetch=1, workers=1, copy=True) as loader:
        kept = [one["image"] for one in loader]
        loader.set_epoch(0)
        assert all(np.array_equal(a, b["image"]) for a, b in zip(kept, loader, strict=True))


@pytest.mark.parametrize("taken", [0, 1, 3, 5])
def test_resuming_in_the_middle_of_an_epoch(folder: Path, taken: int) -> None:
    options: dict[str, Any] = {"batch": 2, "shuffle": True, "seed": 3}
    with Loader(folder, TINY, **options) as loader:
        batches(loader)
        whole = batches(loader)
        after = batches(loader)
        loader.set_epoch(1)
        iterator = iter(loader)
        for _ in range(taken):
            next(iterator)
        state = pickle.loads(pickle.dumps(loader.state_dict()))
        iterator.close()
    with Loader(folder, TINY, **options) as other:
        other.load_state_dict(state)
        assert same(batches(other), whole[taken:])
        assert same(batches(other), after), "the next epoch is whole"


def test_the_state_at_the_end_is_the_next_epoch(folder: Path) -> None:
    with Loader(folder, TINY, batch=4) as loader:
        assert loader.state_dict()["epoch"] == 0
        batches(loader)
        assert (loader.state_dict()["epoch"], loader.state_dict()["batch"]) == (1, 0)


def test_a_state_of_other_options_is_refused(folder: Path) -> None:
    with Loader(folder, TINY, batch=4) as one:
        state = one.state_dict()
    with Loader(folder, TINY, batch=5, seed=1) as other, pytest.raises(InputError, match="batch, seed differ"):
        other.load_state_dict(state)


def test_ranks_share_an_epoch(folder: Path) -> None:
    found = []
    for rank in range(3):
        with Loader(folder, TINY, batch=2, shuffle=True, seed=5, rank=rank, world_size=3) as loader:
            loader.set_epoch(7)
            found.append(np.concatenate([one["index"] for one in batches(loader)]))
    assert [len(one) for one in found] == [4, 4, 4]
    assert set(np.concatenate(found)) == set(range(10))


def test_labels_and_tuples(tmp_path: Path, fill: Fill) -> None:
    fill(tmp_path / "cat", 2)
    fill(tmp_path / "dog", 2)
    with Loader(tmp_path, TINY, batch=3, as_tuple=True) as loader:
        (images, labels), _ = ((image.copy(), label) for image, label in loader)
    assert images.shape == (3, 3, 24, 32)
    assert labels.tolist() == [0, 0, 1]


@pytest.mark.parametrize("on_error", ["raise", "skip"])
def test_bad_files(tmp_path: Path, fill: Fill, on_error: str) -> None:
    fill(tmp_path, 8)
    (tmp_path / "0003.jpg").write_bytes(b"no image")
    (tmp_path / "0006.jpg").write_bytes((tmp_path / "0006.jpg").read_bytes()[:300])
    with Loader(tmp_path, TINY, batch=2, on_error=on_error) as loader:
        iterator = iter(loader)
        assert next(iterator)["index"].tolist() == [0, 1]
        if on_error == "raise":
            with pytest.raises(ImageError, match=r"0003\.jpg: .*on_error='skip'") as caught:
                next(iterator)
            assert "\n" not in str(caught.value)
            with pytest.raises(StopIteration):
                next(iterator)
            return
        rest = [one["index"].tolist() for one in iterator]
        assert rest == [[2], [4, 5], [7]]
        assert sorted(loader.skipped) == [str(tmp_path / "0003.jpg"), str(tmp_path / "0006.jpg")]
        assert all(loader.skipped.values())


def test_skipping_keeps_images_and_indices_together(tmp_path: Path, fill: Fill) -> None:
    fill(tmp_path / "a", 6)
    fill(tmp_path / "b", 6, seed=30)
    with Loader((tmp_path / "a", tmp_path / "b"), TINY, batch=6) as loader:
        loader.source._serial = True  # type: ignore[attr-defined]
        whole = batches(loader)[0]
    (tmp_path / "a" / "0001.jpg").write_bytes(b"")
    (tmp_path / "b" / "0004.jpg").write_bytes(b"")
    with Loader((tmp_path / "a", tmp_path / "b"), TINY, batch=6, on_error="skip") as loader:
        loader.source._serial = True  # type: ignore[attr-defined]
        left = batches(loader)[0]
    assert left["index"].tolist() == [0, 2, 3, 5]
    for role in ("A", "B"):
        assert np.array_equal(left[role], whole[role][[0, 2, 3, 5]])


def test_batches_without_any_good_file_are_left_out(tmp_path: Path, fill: Fill) -> None:
    fill(tmp_path, 6)
    for number in (2, 3):
        (tmp_path / f"000{number}.jpg").write_bytes(b"")
    with Loader(tmp_path, TINY, batch=2, on_error="skip") as loader:
        assert [one["index"].tolist() for one in loader] == [[0, 1], [4, 5]]
        assert len(loader.skipped) == 2


def test_a_damaged_member_of_an_archive_is_one_bad_file(tmp_path: Path, fill: Fill) -> None:
    import zipfile

    paths = fill(tmp_path / "set", 3)
    with zipfile.ZipFile(tmp_path / "set.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        for path in paths:
            archive.write(path, path.name)
        start = archive.getinfo("0001.jpg").header_offset
    data = (tmp_path / "set.zip").read_bytes()
    (tmp_path / "set.zip").write_bytes(data[: start + 50] + bytes(200) + data[start + 250 :])
    with Loader(ZipSource(tmp_path / "set.zip"), TINY, batch=3, on_error="skip") as loader:
        assert [one["index"].tolist() for one in loader] == [[0, 2]]
        assert "damaged" in next(iter(loader.skipped.values()))


def test_leaving_early_and_closing_end_the_threads(folder: Path) -> None:
    loader = Loader(folder, TINY, batch=1)
    for _ in loader:
        break
    iterator = iter(loader)
    next(iterator)
    loader.close()
    loader.close()
    with pytest.raises(StopIteration):
        next(iterator)
    with pytest.raises(ValueError, match="closed"):
        iter(loader)
    with pytest.raises(ValueError, match="closed"):
        loader.transform("x.jpg", 0)


def test_a_loader_that_nobody_holds_lives_as_long_as_its_iterator(folder: Path) -> None:
    assert len([one["index"] for one in Loader(folder, TINY, batch=3)]) == 4


def test_two_iterations_at_once(folder: Path) -> None:
    with Loader(folder, TINY, batch=2, shuffle=True) as loader:
        first, second = batches(loader), batches(loader)
        loader.set_epoch(0)
        pairs = [(dict(a), dict(b)) for a, b in zip(_copied(loader), _copied(loader), strict=True)]
    assert same([a for a, _ in pairs], first)
    assert same([b for _, b in pairs], second)


def _copied(loader: Loader) -> Iterator[dict[str, Any]]:
    for batch in loader:
        yield {name: value.copy() for name, value in batch.items()}


def test_one_image_as_in_its_batch(folder: Path) -> None:
    with Loader(folder, TINY, batch=10, seed=8) as loader:
        alone = [loader.transform(folder / f"{n:04d}.jpg", n) for n in range(10)]
        data = (folder / "0004.jpg").read_bytes()
        assert np.array_equal(loader.transform(data, 4), alone[4])
        assert np.array_equal(loader[0]["image"], np.stack(alone))
        assert np.array_equal(next(iter(loader))["image"], np.stack(alone))
        with pytest.raises(ImageError, match=r"nosuch\.jpg: No such file"):
            loader.transform("nosuch.jpg", 0)
        with pytest.raises(ImageError, match=r"<buffer>: .*JPEG"):
            loader.transform(b"nothing", 0)


def test_batches_by_number(folder: Path) -> None:
    with Loader(folder, TINY, batch=4, shuffle=True) as loader:
        by_number = [loader[n] for n in range(len(loader))]
        assert same(by_number, batches(loader))
        for wrong in (-1, 3):
            with pytest.raises(IndexError):
                loader[wrong]


def test_counters(folder: Path) -> None:
    with Loader(folder, TINY, batch=4) as loader:
        batches(loader)
        stages = loader.stages()
    assert stages["images"] == 10
    assert stages["bytes"] == sum(path.stat().st_size for path in folder.iterdir())
    assert stages["decode"] > 0
    assert stages["queue_wait"] > 0
    assert 0 < sum(stages[name] for name in ("read", "decode", "resample", "colour", "write")) < 60


def test_pickling_keeps_options_and_position(folder: Path) -> None:
    with Loader(folder, TINY, batch=3, shuffle=True, seed=6, dtype="uint8", layout="nhwc") as loader:
        whole = batches(loader)
        loader.set_epoch(0)
        iterator = iter(loader)
        next(iterator)
        with pickle.loads(pickle.dumps(loader)) as other:
            assert same(batches(other), whole[1:])


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"workers": 0}, "workers must be"),
        ({"prefetch": 0}, "prefetch must be"),
        ({"on_error": "ignore"}, "on_error"),
        ({"batch": 0}, "batch must be"),
        ({"pipeline": "nosuch"}, "pipeline 'nosuch'"),
        ({"dtype": "float64"}, "dtype"),
        ({"backend": "opencv"}, "backend"),
        ({"rank": 1}, "rank 1 of 1"),
    ],
)
def test_nonsense_is_refused(folder: Path, options: dict[str, Any], says: str) -> None:
    with pytest.raises(InputError, match=says):
        Loader(folder, **options)


def test_the_time_model_of_ones_own_files(folder: Path) -> None:
    import perfmodel as pm

    with Loader(folder, "imagenet-train", batch=4, workers=3, backend="pillow", dtype="float16") as loader:
        model = loader.model()
        p = pm.predict("resnet50", gpu="h100", batch=64, precision="amp", loader=loader)
    pipeline, images, _ = model.spec
    assert (pipeline.key, images.kind, images.files) == ("pil", "jpeg", 1)
    assert (images.width, images.height, images.out_width) == (128, 96, 224)
    assert images.kb == pytest.approx(sum(one.stat().st_size for one in folder.iterdir()) / 1e4)
    assert model.out_bytes_per_value == 2
    assert p.request.workers == 3
    assert p.request.loader is not None
    assert p.request.loader.spec == model.spec
    assert p.phases["load"].total > 0


def test_a_source_that_is_made_already(folder: Path) -> None:
    with Loader(ImageFolder(folder, max_dataset_size=4), "imagenet-eval", batch=4) as loader:
        assert next(iter(loader))["image"].shape == (4, 3, 224, 224)
