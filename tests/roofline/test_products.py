"""Product times: one contract for the NumPy reference and the compiled code."""

from __future__ import annotations

import math
import os
import subprocess
import sys
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from perfmodel import native
from perfmodel.errors import InputError, NativeUnavailableError
from perfmodel.hardware.gpu import gpus
from perfmodel.roofline import backend
from perfmodel.roofline.coefficients import KernelCoefficients
from perfmodel.roofline.device import Device
from perfmodel.roofline.products import Products, product_time

C = KernelCoefficients()
#: Values of the coefficients that differ from each other and from the defaults, so that no two can be mistaken.
ODD = KernelCoefficients(**{name: value * (1.0 + 0.013 * at) for at, (name, value) in enumerate(C.to_dict().items())})


def built() -> bool:
    try:
        return hasattr(native.cpu(), "product_time")
    except NativeUnavailableError:
        return False


needs_native = pytest.mark.skipif(not built(), reason="the native CPU module is not built")


@pytest.fixture(params=["numpy", pytest.param("native", marks=needs_native)])
def chosen(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    name = str(request.param)
    monkeypatch.setenv("PERFMODEL_BACKEND", name)
    return name


def products(**changes: Any) -> Products:
    one: dict[str, Any] = dict.fromkeys(("m", "n", "k"), 4096.0)
    one |= {"b": 1.0, "itemsize": 4.0, "traffic": 2e8, "flops": 1e13, "least_rows": 0.0}
    one |= {"tensor": False, "plain": False}
    return Products(**{name: np.asarray(value) for name, value in (one | changes).items()})


def card(**changes: Any) -> dict[str, Any]:
    one = {"sm": 80.0, "bandwidth": 8e11, "l2_bytes": 6e6, "old": False}
    return {name: np.asarray(value) for name, value in (one | changes).items()}


def numbers(columns: dict[str, Any]) -> dict[str, float]:
    return {name: float(value) for name, value in columns.items()}


def reference(p: dict[str, float], d: dict[str, float], c: KernelCoefficients) -> float:
    """The formula once more, for one product, in plain Python."""
    best = math.inf
    aligned = p["k"] % 4 == 0 and p["n"] % 4 == 0
    unaligned_miss = (c.miss_unaligned_old if p["plain"] else 0.1) if d["old"] else c.miss
    operands = p["itemsize"] * (p["m"] * p["k"] + p["k"] * p["n"])
    miss = (c.miss_aligned if aligned else unaligned_miss) * operands / (operands + c.l2_reach * d["l2_bytes"])
    for rows, cols in [(256, 128), (128, 128), (128, 64), (64, 128), (128, 32), (32, 128), (64, 64), (32, 32)]:
        area = rows * cols
        if (area > 16384 and not p["tensor"]) or p["least_rows"] > rows:
            continue
        rate = 1.0 if area >= 16384 else c.tile_8192 if area >= 8192 else c.tile_4096 if area >= 4096 else c.tile_small
        held = min(32768 / area, 8)
        gm, gn = math.ceil(p["m"] / rows), math.ceil(p["n"] / cols)
        for split in (1, 4, 16, 64):
            tiles = p["b"] * gm * gn * split
            load = tiles / d["sm"]
            resident = min(held, max(math.ceil(load), 1)) * area / 16384
            occupancy = min(resident / (resident + c.occupancy_half) * (1 + c.occupancy_half / 2), 1)
            waves = load + (math.ceil(load) - load) * c.wave_fill
            steps = math.ceil(p["k"] / split / 8) * 8 + c.k_prologue
            compute = waves * 2 * area * steps * d["sm"] / (p["flops"] * rate * occupancy)
            compute *= c.unaligned_old if d["old"] and not aligned else 1.0
            elements = p["b"] * p["m"] * p["n"]
            dram = p["traffic"] + c.write_extra * p["itemsize"] * elements + (8 * split * elements if split > 1 else 0)
            dram += miss * tiles * (rows + cols) * p["k"] / split * p["itemsize"]
            if p["plain"]:
                wave = d["sm"] * held
                wide = min(max(gn, 1), wave)
                high = min(max(wave / max(gn, 1), 1), max(gm, 1))
                count = p["b"] * gm * gn / min(wide * high, max(gm * gn, 1))
                weight = (c.raster_old if d["old"] else c.raster) * wide * cols / 3000
                dram += weight * count * (high * rows + wide * cols) * p["k"] * p["itemsize"]
            best = min(best, (compute**4 + (dram / d["bandwidth"]) ** 4) ** 0.25)
    return best


@pytest.mark.parametrize("size", [0, 1, 3, 4, 31, 32, 33, 127, 129, 1023, 4096, 1e6, 1e9])
@pytest.mark.parametrize("axis", ["b", "m", "n", "k"])
def test_edge_sizes(chosen: str, axis: str, size: float) -> None:
    for old in (False, True):
        for kind in ({}, {"tensor": True}, {"plain": True}, {"least_rows": 128.0}):
            p, d = products(**{axis: float(size)}, **kind), card(old=old)
            found = product_time(p, **d, c=ODD)
            assert found.shape == ()
            expected = reference({name: float(getattr(p, name)) for name in vars(p)}, numbers(d), ODD)
            assert float(found) == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize("count", [0, 1, 15, 16, 17, 33, 20_000])
def test_any_number_of_products(chosen: str, count: int) -> None:
    sizes = np.arange(1.0, count + 1.0)
    found = product_time(products(m=sizes), **card(), c=C)
    assert found.shape == (count,)
    for at in {0, count // 2, count - 1} if count else ():
        assert found[at] == product_time(products(m=sizes[at]), **card(), c=C)


def test_broadcasts_cards_points_and_operators(chosen: str) -> None:
    device = Device.of(gpus())
    columns = {name: getattr(device, name)[:, :, None] for name in ("sm", "bandwidth", "l2_bytes", "old")}
    p = products(
        m=np.array([[64.0], [640.0], [6400.0]]),
        k=np.array([9.0, 576.0, 2304.0, 4096.0]),
        tensor=device.tensor[:, :, None],
        plain=np.array([True, False, False, True]),
    )
    found = product_time(p, **columns, c=ODD)
    assert found.shape == (len(gpus()), 3, 4)
    for at in ((0, 0, 0), (5, 1, 1), (40, 2, 2), (len(gpus()) - 1, 2, 3)):
        one = {name: float(np.broadcast_to(getattr(p, name), found.shape)[at]) for name in vars(p)}
        where = {name: float(np.broadcast_to(column, found.shape)[at]) for name, column in columns.items()}
        assert found[at] == pytest.approx(reference(one, where, ODD), rel=1e-12)


def test_reads_strided_and_integer_columns(chosen: str) -> None:
    wide = np.arange(1.0, 41.0).reshape(2, 20)
    strided = product_time(products(m=wide.T[::2]), **card(), c=C)
    assert np.array_equal(strided, product_time(products(m=wide.T[::2].copy()), **card(), c=C))
    whole = product_time(products(m=np.arange(1, 9)), **card(sm=80), c=C)
    assert np.array_equal(whole, product_time(products(m=np.arange(1.0, 9.0)), **card(), c=C))


def test_a_nan_stays_a_nan(chosen: str) -> None:
    found = product_time(products(traffic=np.array([1e6, np.nan, 1e6])), **card(), c=C)
    assert np.isnan(found).tolist() == [False, True, False]


def test_shapes_that_do_not_broadcast_are_refused(chosen: str) -> None:
    with pytest.raises(ValueError, match="broadcast"):
        product_time(products(m=np.ones(3), n=np.ones(4)), **card(), c=C)


def random_products(count: int) -> tuple[Products, dict[str, Any]]:
    rng = np.random.default_rng(7)

    def log(high: float) -> Any:
        return np.floor(np.exp(rng.uniform(0.0, np.log(high), size=count)))

    flag = rng.random((4, count)) < 0.4
    p = products(
        b=log(512), m=log(1e7), n=log(1e5), k=log(1e5), itemsize=np.where(flag[0], 2.0, 4.0), traffic=log(1e10),
        flops=log(1e15), tensor=flag[1], plain=flag[2], least_rows=np.where(flag[3], 128.0, 0.0),
    )  # fmt: skip
    return p, card(sm=log(140), bandwidth=log(1e12) + 1e9, l2_bytes=log(1e8), old=rng.random(count) < 0.5)


@needs_native
def test_backends_agree(monkeypatch: pytest.MonkeyPatch) -> None:
    p, d = random_products(50_000)
    found = {}
    for name in backend.BACKENDS:
        monkeypatch.setenv("PERFMODEL_BACKEND", name)
        found[name] = product_time(p, **d, c=ODD)
    np.testing.assert_allclose(found["native"], found["numpy"], rtol=1e-12, atol=0.0)


@needs_native
def test_threads_and_instruction_sets_agree_bit_by_bit() -> None:
    code = (
        "import hashlib, numpy as np, perfmodel._cpu as cpu\n"
        "from perfmodel.roofline.coefficients import KernelCoefficients\n"
        "rng = np.random.default_rng(3); n = 20_001\n"
        "cols = [np.floor(np.exp(rng.uniform(0, 12, n))) for _ in range(11)]\n"
        "cols += [rng.random(n) < 0.5 for _ in range(3)]\n"
        "cols[7] = np.where(cols[7] > 400, 128.0, 0.0)\n"
        "c = cpu.ProductCoefficients(KernelCoefficients().to_dict()); out = np.empty(n)\n"
        "for threads in (1, 3):\n"
        "    cpu.product_time(out, cols, c, threads)\n"
        "    print(cpu.isa(), hashlib.sha256(out.tobytes()).hexdigest(), np.isfinite(out).all())\n"
    )
    seen = set()
    for name, _, supported in native.cpu().isas():
        if supported:
            environment = dict(os.environ, PERFMODEL_ISA=name)
            command = [sys.executable, "-c", code]
            run = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
            for line in run.stdout.splitlines():
                isa, *rest = line.split()
                assert isa == name
                seen.add(tuple(rest))
    assert len(seen) == 1
    assert seen.pop()[1] == "True"


def test_backend_is_forced_by_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PERFMODEL_BACKEND", "numpy")
    assert backend.native_products() is None
    monkeypatch.setenv("PERFMODEL_BACKEND", "fortran")
    with pytest.raises(InputError, match="PERFMODEL_BACKEND"):
        backend.native_products()


def test_without_the_module_numpy_answers_and_native_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    def missing() -> None:
        raise NativeUnavailableError("perfmodel._cpu is not available", "build it")

    backend._chosen.cache_clear()
    monkeypatch.setattr(native, "cpu", missing)
    try:
        monkeypatch.delenv("PERFMODEL_BACKEND", raising=False)
        assert backend.native_products() is None
        monkeypatch.setenv("PERFMODEL_BACKEND", "native")
        with pytest.raises(NativeUnavailableError):
            backend.native_products()
    finally:
        backend._chosen.cache_clear()


Edit = Callable[[list[Any]], Any]


@needs_native
@pytest.mark.parametrize(
    ("edit", "error", "message"),
    [
        (lambda columns: columns.pop(), ValueError, "takes 14 columns, not 13"),
        (lambda columns: columns.__setitem__(1, np.ones(3, np.float32)), TypeError, "column 1 must be float64"),
        (lambda columns: columns.__setitem__(11, np.ones(3)), TypeError, "column 11 must be bool"),
        (lambda columns: columns.__setitem__(0, np.ones(4)), ValueError, "does not broadcast|has shape"),
        (lambda columns: columns.__setitem__(0, np.ones((2, 3))), ValueError, "the output has shape"),
        (lambda columns: columns.__setitem__(0, np.ones(3)[::-1]), BufferError, "stride"),
    ],
)
def test_the_binding_refuses_what_it_cannot_read(edit: Edit, error: type[Exception], message: str) -> None:
    columns: list[Any] = [np.ones(3) for _ in range(11)] + [np.ones(3, bool) for _ in range(3)]
    edit(columns)
    c = native.cpu().ProductCoefficients(C.to_dict())
    with pytest.raises(error, match=message):
        native.cpu().product_time(np.empty(3), columns, c)


@needs_native
def test_the_binding_refuses_outputs_and_coefficients_that_do_not_fit() -> None:
    columns = [np.ones(3) for _ in range(11)] + [np.ones(3, bool) for _ in range(3)]
    c = native.cpu().ProductCoefficients(C.to_dict())
    fixed = np.empty(3)
    fixed.flags.writeable = False
    with pytest.raises(BufferError, match="read-only"):
        native.cpu().product_time(fixed, columns, c)
    with pytest.raises(ValueError, match="contiguous"):
        native.cpu().product_time(np.empty(6)[::2], columns, c)
    with pytest.raises(TypeError, match="must be float64"):
        native.cpu().product_time(np.empty(3, np.float32), columns, c)
    with pytest.raises(ValueError, match="threads must be at least 1"):
        native.cpu().product_time(np.empty(3), columns, c, 0)
    with pytest.raises(KeyError, match="raster"):
        native.cpu().ProductCoefficients({k: v for k, v in C.to_dict().items() if k != "raster"})
