"""The loader in ordinary torch code."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from perfmodel.errors import CudaUnavailableError
from perfmodel.loading.loader import Loader
from perfmodel.loading.transforms import TRANSFORMS

torch = pytest.importorskip("torch")
pytestmark = pytest.mark.filterwarnings("ignore:.*multi-threaded.*fork:DeprecationWarning")

ROOT = Path(__file__).resolve().parents[2]
TINY = replace(TRANSFORMS["imagenet-train"], size=(24, 32))


@pytest.mark.parametrize("dtype", ["float32", "float16", "bfloat16", "uint8"])
def test_tensors_lie_on_the_batch_memory(folder: Path, dtype: str) -> None:
    with Loader(folder, TINY, batch=5, dtype=dtype, workers=1) as arrays:
        wanted = [batch["image"].copy() for batch in arrays]
    with Loader(folder, TINY, batch=5, dtype=dtype, tensors=True, workers=1) as loader:
        for batch, array in zip(loader, wanted, strict=True):
            image = batch["image"]
            assert image.dtype == getattr(torch, dtype)
            bits = image.view(torch.int16).numpy().view(np.uint16) if dtype == "bfloat16" else image.numpy()
            assert np.array_equal(bits, array)
            assert batch["index"].dtype == torch.int64


@pytest.mark.parametrize("workers", [0, 2])
@pytest.mark.parametrize("as_iterable", [True, False])
def test_in_a_torch_dataloader(folder: Path, workers: int, as_iterable: bool) -> None:
    from torch.utils.data import DataLoader

    with Loader(folder, TINY, batch=3, shuffle=True, seed=2, prefetch=1, workers=1) as loader:
        wanted = [batch["image"].copy() for batch in loader]
        loader.set_epoch(0)
        data: Any = loader if as_iterable else Batches(loader)
        assert isinstance(loader, torch.utils.data.IterableDataset)
        torch_loader = DataLoader(data, batch_size=None, num_workers=workers)
        found = [batch["image"].clone() for batch in torch_loader]
    assert len(found) == len(wanted)
    for one, other in zip(found, wanted, strict=True):
        assert np.array_equal(one.numpy(), other)


class Batches(torch.utils.data.Dataset):  # type: ignore[misc]
    """Batches by number, in the map style."""

    def __init__(self, loader: Loader) -> None:
        self.loader = loader

    def __len__(self) -> int:
        return len(self.loader)

    def __getitem__(self, number: int) -> Any:
        return self.loader[number]


class Images(torch.utils.data.Dataset):  # type: ignore[misc]
    """A data set of one's own that uses the loader as its transform."""

    def __init__(self, folder: Path, loader: Loader) -> None:
        self.paths, self.loader = sorted(folder.glob("*.jpg")), loader

    def __len__(self) -> int:
        return len(self.paths)

    def __getitem__(self, index: int) -> Any:
        return self.loader.transform(self.paths[index], index), index


@pytest.mark.parametrize("workers", [0, 2])
def test_as_the_transform_of_a_dataset(folder: Path, workers: int) -> None:
    from torch.utils.data import DataLoader

    with Loader(folder, TINY, batch=10, workers=1) as loader:
        wanted = next(iter(loader))["image"].copy()
        loader.set_epoch(0)
        images, index = next(iter(DataLoader(Images(folder, loader), batch_size=10, num_workers=workers)))
    assert images.shape == (10, 3, 24, 32)
    assert index.tolist() == list(range(10))
    assert np.array_equal(images.numpy(), wanted)


def test_a_device_that_is_none(folder: Path) -> None:
    with Loader(folder, TINY, batch=5, device="cpu") as loader:
        assert next(iter(loader))["image"].device.type == "cpu"
    if not torch.cuda.is_available():
        with Loader(folder, TINY, device="cuda") as loader, pytest.raises(CudaUnavailableError, match="no GPU"):
            iter(loader)


@pytest.mark.cuda
def test_on_a_gpu(folder: Path) -> None:
    if not torch.cuda.is_available():
        pytest.skip("torch sees no GPU")
    with Loader(folder, TINY, batch=2, shuffle=True) as loader:
        wanted = [batch["image"].copy() for batch in loader]
    for prefetch in (1, 2, 5):
        with Loader(folder, TINY, batch=2, shuffle=True, device="cuda", prefetch=prefetch) as loader:
            assert loader._pinned
            found = []
            for batch in loader:
                assert batch["image"].is_cuda
                busy = torch.ones(2000, 2000, device="cuda")
                for _ in range(20):
                    busy = busy @ busy / 2000
                found.append(batch["image"] + 0 * busy[0, 0])
        for one, other in zip(found, wanted, strict=True):
            assert np.array_equal(one.cpu().numpy(), other)


def test_torch_is_not_imported_for_arrays(folder: Path) -> None:
    code = (
        "import sys\nfrom perfmodel.loading.loader import Loader\n"
        "with Loader(sys.argv[1], 'imagenet-eval', batch=4, backend='pillow') as loader:\n"
        "    list(loader)\n"
        "print('torch' in sys.modules, 'nvtx' in sys.modules)\n"
    )
    result = subprocess.run(
        [sys.executable, "-c", code, str(folder)], capture_output=True, text=True, timeout=60, cwd=ROOT
    )
    assert result.stdout == "False False\n", result.stderr
