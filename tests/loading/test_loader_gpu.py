"""A loader whose images are transformed on a GPU makes the batches of the other backends.

Without a GPU, the kernel's twin on the host stands in for `perfmodel._cuda.ImagePreprocessor`; it makes the same bits.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("PIL")

from PIL import Image  # noqa: E402

from perfmodel.errors import CudaUnavailableError, ImageError, InputError  # noqa: E402
from perfmodel.loading import Loader, device_pool  # noqa: E402
from perfmodel.loading.gpu import open_preprocessor  # noqa: E402

from .preprocess_cases import cpu, scene  # noqa: E402

PIPELINES = ("cyclegan", "imagenet-train", "depthmap")


class HostTwin:
    """`perfmodel._cuda.ImagePreprocessor` without a GPU: decoded by Pillow, transformed by the kernel on the host."""

    def __init__(self) -> None:
        self.closed, self.slots = False, 0

    def opened(self, *, threads: int, slots: int) -> HostTwin:
        """Remember how many batches may be under way."""
        self.slots = slots
        return self

    def load(
        self, sources: Sequence[Any], plan: Any, size: tuple[int, int], *, max_pixels: int, **options: Any
    ) -> tuple[Any, list[int], list[str]]:
        """As the class that it stands for."""
        images, status, messages = [], [], []
        for source in sources:
            try:
                with Image.open(source) as image:
                    images.append(np.asarray(image.convert("RGB")))
                status.append(0)
            except OSError as error:
                images.append(np.zeros((1, 1, 3), np.uint8))
                status.append(1)
                messages.append(f"{source}: {error}")
        return cpu.preprocess_on_host(images, plan, size, **options), status, messages

    def close(self) -> None:
        """Remember it."""
        self.closed = True


@pytest.fixture
def twin(monkeypatch: pytest.MonkeyPatch) -> HostTwin:
    found = HostTwin()
    monkeypatch.setattr(device_pool, "open_preprocessor", lambda device, **options: found.opened(**options))
    monkeypatch.setattr(device_pool, "device_number", lambda device: 0)
    return found


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for number in range(11):
        Image.fromarray(scene(number, 300 + 7 * number, 330)).save(tmp_path / f"{number:02d}.png")
    return tmp_path


def epoch(folder: Path, pipeline: str, **options: Any) -> list[dict[str, Any]]:
    source: Any = (folder, folder) if pipeline == "cyclegan" else folder
    with Loader(source, pipeline, batch=4, shuffle=True, seed=3, workers=2, copy=True, tensors=True, **options) as it:
        return [{name: value.cpu() for name, value in batch.items()} for batch in it]


@pytest.mark.parametrize("dtype", ["float32", "bfloat16", "uint8"])
@pytest.mark.parametrize("pipeline", PIPELINES)
def test_batches_are_those_of_the_native_backend(twin: HostTwin, folder: Path, pipeline: str, dtype: str) -> None:
    ours = epoch(folder, pipeline, backend="cuda", device="cpu", dtype=dtype)
    native = epoch(folder, pipeline, backend="native", dtype=dtype)
    assert [list(batch) for batch in ours] == [list(batch) for batch in native]
    assert all(torch.equal(one[name], other[name]) for one, other in zip(ours, native, strict=True) for name in one)
    assert twin.closed


def test_bad_files_are_left_out_or_named(twin: HostTwin, folder: Path) -> None:
    (folder / "05.png").write_bytes(b"no image")
    how: dict[str, Any] = {"batch": 4, "backend": "cuda", "device": "cpu"}
    with Loader(folder, "imagenet-eval", on_error="skip", **how) as loader:
        batches = [(batch["index"].tolist(), batch["image"].clone()) for batch in loader]
        assert list(loader.skipped) == [str(folder / "05.png")]
    assert [index for index, _ in batches] == [[0, 1, 2, 3], [4, 6, 7], [8, 9, 10]]
    with Loader(folder, "imagenet-eval", batch=4, backend="native", on_error="skip", tensors=True) as loader:
        for (_, ours), theirs in zip(batches, loader, strict=True):
            assert torch.equal(ours, theirs["image"])
    with Loader(folder, "imagenet-eval", **how) as loader, pytest.raises(ImageError, match=r"05\.png: cannot identify"):
        list(loader)


def test_numbered_batches_and_single_images(twin: HostTwin, folder: Path) -> None:
    how: dict[str, Any] = {"batch": 4, "seed": 5}
    with (
        Loader(folder, "imagenet-train", backend="cuda", device="cpu", **how) as ours,
        Loader(folder, "imagenet-train", backend="native", tensors=True, **how) as native,
    ):
        assert torch.equal(ours[1]["image"], native[1]["image"])
        assert (ours.transform(folder / "03.png", 3) == native.transform(folder / "03.png", 3)).all()
        assert set(ours.stages()) == set(native.stages())
        assert set(ours[1]) == set(native[1])
        assert ours.model().cost_s < native.model().cost_s
        assert ours.model().out_bytes == pytest.approx(3 * 330 * np.mean([300 + 7 * n for n in range(11)]), rel=0.01)


def test_what_makes_no_sense_is_refused(twin: HostTwin, folder: Path) -> None:
    with pytest.raises(InputError, match="give device='cuda'"):
        Loader(folder, backend="cuda")
    loader = Loader(folder, "imagenet-eval", backend="cuda", device="cpu", batch=4)
    workers = torch.utils.data.DataLoader(loader, batch_size=None, num_workers=1)
    with pytest.raises(InputError, match="cannot run in workers of a DataLoader"):
        list(workers)
    loader.close()


def test_long_prefetching_needs_no_more_memory_on_the_way(twin: HostTwin, folder: Path) -> None:
    with Loader(folder, "imagenet-eval", backend="cuda", device="cpu", batch=2, prefetch=100) as loader:
        assert len(list(loader)) == 6
    assert twin.slots <= 4


def test_a_forked_process_is_refused(twin: HostTwin, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with Loader(folder, "imagenet-eval", backend="cuda", device="cpu", batch=2) as loader:
        monkeypatch.setattr(device_pool.os, "getpid", lambda: -1)
        with pytest.raises(InputError, match="cannot run in a forked process"):
            loader[0]
        monkeypatch.undo()


@pytest.mark.parametrize("device", ["cpu", "meta"])
def test_a_device_that_is_no_gpu_is_refused(folder: Path, device: str) -> None:
    with pytest.raises(InputError, match=f"cannot make tensors on '{device}'"):
        Loader(folder, backend="cuda", device=device)


def test_a_gpu_is_the_one_that_torch_names(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "current_device", lambda: 3)
    assert [device_pool.device_number(name) for name in ("cuda", "cuda:0", "cuda:1")] == [3, 0, 1]


def test_without_a_gpu_it_says_so(folder: Path) -> None:
    if torch.cuda.is_available():
        pytest.skip("this machine has an NVIDIA GPU")
    with pytest.raises(CudaUnavailableError):
        Loader(folder, backend="cuda", device="cuda")


@pytest.mark.cuda
@pytest.mark.parametrize("pipeline", PIPELINES)
def test_batches_of_a_gpu(folder: Path, pipeline: str) -> None:
    try:
        open_preprocessor(threads=1).close()
    except CudaUnavailableError as error:
        pytest.skip(error.reason)
    ours = epoch(folder, pipeline, backend="cuda", device="cuda")
    native = epoch(folder, pipeline, backend="native")
    assert all(torch.equal(one[name], other[name]) for one, other in zip(ours, native, strict=True) for name in one)
