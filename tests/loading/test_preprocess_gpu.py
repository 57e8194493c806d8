"""What only a GPU shows of the preprocessing: streams, memory that is lent and used again, decoding, nvJPEG."""

from __future__ import annotations

import gc
import io
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

from perfmodel.errors import CudaUnavailableError
from perfmodel.loading import gpu

pytest.importorskip("PIL")

from .preprocess_cases import EXACT, Pixels, cpu, plan, scene

SIZE = (40, 44)


@pytest.fixture(scope="module")
def session() -> Iterator[Any]:
    try:
        found = gpu.open_preprocessor(threads=2, decoder="cpu")
    except CudaUnavailableError as error:
        pytest.skip(error.reason)
    yield found
    found.close()


def expected(images: list[Pixels], records: Any, **options: Any) -> Any:
    return np.from_dlpack(cpu.preprocess_on_host(images, records, SIZE, **options))


def encoded(image: Pixels, kind: str = "PNG", **options: Any) -> tuple[bytes, int, int]:
    from PIL import Image

    file = io.BytesIO()
    Image.fromarray(image).save(file, kind, **options)
    return file.getvalue(), 0, len(file.getvalue())


def test_where_nvjpeg_is_looked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(gpu.VARIABLE, "/somewhere/libnvjpeg.so")
    assert gpu.nvjpeg_libraries()[0] == "/somewhere/libnvjpeg.so"
    monkeypatch.delenv(gpu.VARIABLE)
    assert gpu.nvjpeg_libraries()[-2:] == ["libnvjpeg.so.13", "libnvjpeg.so.12"]


def test_without_a_gpu_opening_says_why() -> None:
    module = pytest.importorskip("perfmodel._cuda", reason="the native CUDA module is not built")
    try:
        module.device_count()
    except CudaUnavailableError:
        with pytest.raises(CudaUnavailableError, match="run this on a machine with an NVIDIA GPU"):
            gpu.open_preprocessor(threads=1)
    else:
        pytest.skip("this machine has an NVIDIA GPU")
    with pytest.raises(ValueError, match="decoder must be"):
        gpu.open_preprocessor(threads=1, decoder="other")


@pytest.mark.cuda
def test_torch_shares_the_memory_and_waits(session: Any) -> None:
    torch = pytest.importorskip("torch")
    images = [scene(i, 200, 300) for i in range(8)]
    records = plan(8, mode=EXACT, rh=50, rw=60, contrast=0.8)
    wanted = torch.from_numpy(expected(images, records).copy())
    for stream in (None, torch.cuda.Stream()):
        with torch.cuda.stream(stream):
            batch = session.run(images, records, SIZE)
            tensor = torch.from_dlpack(batch)
            assert tensor.is_cuda
            assert tensor.data_ptr() == torch.from_dlpack(batch).data_ptr()
            assert (tensor.cpu() == wanted).all()


@pytest.mark.cuda
def test_cuda_array_interface(session: Any) -> None:
    torch = pytest.importorskip("torch")
    images, records = [scene(1, 90, 99)], plan(mode=EXACT, rh=50, rw=60)
    batch = session.run(images, records, SIZE)
    interface = batch.__cuda_array_interface__
    assert interface["version"] == 3
    assert interface["stream"] == session.stream
    assert interface["shape"] == (1, 3, *SIZE)
    tensor = torch.as_tensor(batch, device="cuda")
    assert tensor.data_ptr() == interface["data"][0]
    assert (tensor.cpu().numpy() == expected(images, records)).all()
    with pytest.raises(AttributeError, match="bfloat16"):
        _ = session.run(images, records, SIZE, dtype="bfloat16").__cuda_array_interface__


@pytest.mark.cuda
def test_cupy_shares_the_memory(session: Any) -> None:
    cupy = pytest.importorskip("cupy")
    images, records = [scene(1, 90, 99)], plan(mode=EXACT, rh=50, rw=60)
    batch = session.run(images, records, SIZE)
    address = batch.__cuda_array_interface__["data"][0]
    for array in (cupy.from_dlpack(batch), cupy.asarray(batch)):
        assert array.data.ptr == address
        assert (cupy.asnumpy(array) == expected(images, records)).all()


@pytest.mark.cuda
def test_memory_is_used_again_only_after_its_readers(session: Any) -> None:
    torch = pytest.importorskip("torch")
    records = plan(mode=EXACT, rh=50, rw=60)
    for stream in (None, torch.cuda.Stream()):
        sums = []
        with torch.cuda.stream(stream):
            for i in range(50):
                tensor = torch.from_dlpack(session.run([scene(i % 5, 90, 99)], records, SIZE))
                torch.cuda._sleep(2_000_000)  # the reader comes late
                sums.append(tensor.double().sum())
                del tensor
        totals = [float(value) for value in sums]
        wanted = [float(expected([scene(i, 90, 99)], records).astype(np.float64).sum()) for i in range(5)]
        assert totals == pytest.approx(wanted * 10)


@pytest.mark.cuda
def test_a_batch_outlives_its_preprocessor(session: Any) -> None:
    assert session.device == 0
    other = gpu.open_preprocessor(threads=1, decoder="cpu")
    images, records = [scene(1, 90, 99)], plan(mode=EXACT, rh=50, rw=60)
    batch = other.run(images, records, SIZE)
    other.close()
    other.close()
    with pytest.raises(ValueError, match="closed"):
        other.run(images, records, SIZE)
    del other
    gc.collect()
    array = np.zeros(batch.shape, np.float32)
    batch.copy_to(array)
    assert (array == expected(images, records)).all()
    assert batch.ready


@pytest.mark.cuda
def test_pixels_on_the_device(session: Any) -> None:
    torch = pytest.importorskip("torch")
    images = [scene(i, 61 + i, 83, 3 if i % 2 else 1) for i in range(5)]
    records = plan(5, mode=EXACT, rh=50, rw=60, contrast=1.2)
    offsets = np.cumsum([3, *(image.size for image in images)])[:-1].tolist()
    pixels = torch.zeros(3 + sum(image.size for image in images), dtype=torch.uint8, device="cuda")
    for offset, image in zip(offsets, images, strict=True):
        pixels[offset : offset + image.size] = torch.from_numpy(image.reshape(-1)).cuda()
    shapes = [(*image.shape[:2], 3 if image.ndim == 3 else 1) for image in images]
    batch = session.run_packed(pixels, offsets, shapes, records, SIZE)
    assert (torch.from_dlpack(batch).cpu().numpy() == expected(images, records)).all()
    with pytest.raises(ValueError, match="outside of the buffer"):
        session.run_packed(pixels, [pixels.numel() - 5], shapes[:1], records[:1], SIZE)
    with pytest.raises(TypeError, match="uint8"):
        session.run_packed(pixels.float(), [0], shapes[:1], records[:1], SIZE)


@pytest.mark.cuda
def test_files_are_decoded(session: Any) -> None:
    if not cpu.image_formats()["png"]:
        pytest.skip("built without PNG")
    images = [scene(i, 93 + i, 131) for i in range(6)]
    records = plan(6, mode=EXACT, rh=50, rw=60)
    sources: list[Any] = [encoded(image) for image in images]
    sources[2] = (b"no image", 0, 8)
    sources[4] = (sources[4][0], 0, 300)
    batch, status, messages = session.load(sources, records, SIZE)
    array = np.ones(batch.shape, np.float32)
    batch.copy_to(array)
    assert status == [0, 0, 2, 0, 3, 0]
    assert len(messages) == 2
    assert not array[[2, 4]].any()
    good = [0, 1, 3, 5]
    assert (array[good] == expected([images[i] for i in good], records[good])).all()


@pytest.mark.cuda
@pytest.mark.parametrize("subsampling", [0, 1, 2])
def test_nvjpeg(subsampling: int) -> None:
    from PIL import Image

    try:
        other = gpu.open_preprocessor(threads=2, decoder="auto")
    except CudaUnavailableError as error:
        pytest.skip(error.reason)
    if other.decoder != "nvjpeg":
        pytest.skip(f"no nvJPEG: {other.why_not_nvjpeg}")
    sources = [encoded(scene(i, 93, 131), "JPEG", quality=90, subsampling=subsampling) for i in range(4)]
    decoded = [np.asarray(Image.open(io.BytesIO(source[0])).convert("RGB")) for source in sources]
    records = plan(4, mode=EXACT, rh=40, rw=44, filter=3)
    batch, status, messages = other.load(sources, records, SIZE, dtype="uint8", layout="nhwc")
    assert not any(status), messages
    array = np.zeros(batch.shape, np.uint8)
    batch.copy_to(array)
    error = np.abs(array.astype(int) - expected(decoded, records, dtype="uint8", layout="nhwc"))
    assert error.mean() <= 0.5
    assert np.quantile(error, 0.999) <= 2.5
    assert error.max() <= 24
    other.close()


@pytest.mark.cuda
def test_timing(session: Any) -> None:
    images, records = [scene(i, 200, 300) for i in range(4)], plan(4, mode=EXACT, rh=50, rw=60)
    read, written, seconds = session.time(images, records, SIZE, copies=3, repeats=5)
    assert 0 < read <= 4 * 200 * 300 * 3
    assert written == 4 * 3 * 40 * 44 * 4
    assert len(seconds) == 5
    assert min(seconds) > 0
    times = session.run(images, records, SIZE).times()
    assert times["kernel_s"] > 0
    assert (times["read_bytes"], times["write_bytes"]) == (read, written)
