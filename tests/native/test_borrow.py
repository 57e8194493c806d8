"""Borrowing memory: protocols, layouts, lifetimes and every refusal."""

from __future__ import annotations

import array
import ctypes
import gc
import sys
import weakref
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

cpu = pytest.importorskip("perfmodel._cpu", reason="the native CPU module is not built")

DTYPES = [
    "bool",
    "int8",
    "int16",
    "int32",
    "int64",
    "uint8",
    "uint16",
    "uint32",
    "uint64",
    "float16",
    "float32",
    "float64",
]


class OnlyDlpack:
    """Lends a NumPy array by DLPack alone; counts what is asked of it."""

    def __init__(self, values: np.ndarray, *, versioned: bool = True, device: tuple[int, int] = (1, 0)) -> None:
        self.values = values
        self.versioned = versioned
        self.device = device
        self.asked = 0

    def __dlpack_device__(self) -> tuple[int, int]:
        return self.device

    def __dlpack__(self, **options: Any) -> Any:
        self.asked += 1
        if options and not self.versioned:
            raise TypeError("__dlpack__() got an unexpected keyword argument 'max_version'")
        return self.values.__dlpack__(**options)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("lend", [lambda a: a, OnlyDlpack], ids=["buffer", "dlpack"])
def test_types_and_layout(dtype: str, lend: Any) -> None:
    values = np.arange(24).reshape(2, 3, 4).astype(dtype)[:, ::2, 1:]
    lent = cpu.borrow(lend(values))
    assert (lent.dtype, lent.shape, lent.strides, lent.device) == (dtype, values.shape, values.strides, "cpu")
    assert lent.address == values.ctypes.data
    assert lent.nbytes == values.nbytes
    assert not lent.contiguous
    np.testing.assert_array_equal(np.asarray(lent), values)


@pytest.mark.parametrize("versioned", [True, False])
def test_both_dlpack_layouts_share_memory(versioned: bool) -> None:
    values = np.zeros(4, np.float32)
    lent = cpu.borrow(OnlyDlpack(values, versioned=versioned), writable=True)
    assert lent.protocol == "dlpack"
    np.asarray(lent)[1] = 5.0
    assert values[1] == 5.0


def test_zero_axes_and_empty() -> None:
    assert cpu.sum(np.float32(3.5).reshape(())) == 3.5
    assert cpu.borrow(np.zeros((3, 0, 2))).contiguous
    assert cpu.sum(np.zeros((3, 0, 2))) == 0.0


def test_plain_python_buffers() -> None:
    assert cpu.borrow(b"abc").readonly
    assert cpu.borrow(bytearray(3), writable=True).dtype == "uint8"
    assert cpu.sum(array.array("d", [1.0, 2.5])) == 3.5


def test_borrow_keeps_the_exporter_alive() -> None:
    owner = np.arange(1000.0)
    reference = weakref.ref(owner)
    lent = cpu.borrow(owner)
    view = np.asarray(lent)
    del owner, lent
    gc.collect()
    assert reference() is not None
    assert view[999] == 999.0
    del view
    gc.collect()
    assert reference() is None


@pytest.mark.parametrize("versioned", [True, False])
def test_dlpack_keeps_the_exporter_alive(versioned: bool) -> None:
    owner = np.arange(1000.0)
    reference = weakref.ref(owner)
    lent = cpu.borrow(OnlyDlpack(owner, versioned=versioned))
    del owner
    gc.collect()
    assert reference() is not None
    assert cpu.sum(lent) == 499500.0
    del lent
    gc.collect()
    assert reference() is None


def test_buffer_is_released() -> None:
    owner = bytearray(8)
    lent = cpu.borrow(owner)
    with pytest.raises(BufferError):
        owner.append(1)
    del lent
    gc.collect()
    owner.append(1)


def test_refusal_leaves_no_reference() -> None:
    owner = np.arange(8.0)
    before = sys.getrefcount(owner)
    for _ in range(5):
        with pytest.raises(BufferError):
            cpu.borrow(owner[::-1])
        with pytest.raises(BufferError):
            cpu.borrow(OnlyDlpack(owner[::-1]))
    gc.collect()
    assert sys.getrefcount(owner) == before


@pytest.mark.parametrize("lend", [lambda a: a, OnlyDlpack], ids=["buffer", "dlpack"])
def test_negative_strides(lend: Any) -> None:
    with pytest.raises(BufferError, match="negative stride"):
        cpu.borrow(lend(np.arange(4.0)[::-1]))


def test_byte_order() -> None:
    other = ">" if sys.byteorder == "little" else "<"
    with pytest.raises(BufferError, match="other byte order"):
        cpu.borrow(np.zeros(3, f"{other}f4"))
    assert cpu.borrow(np.zeros(3, f"{other}i1")).dtype == "int8"


@pytest.mark.parametrize("dtype", ["complex64", "M8[s]", "U3", "i4,f4", "longdouble"])
def test_unsupported_elements(dtype: str) -> None:
    with pytest.raises((TypeError, BufferError)):
        cpu.borrow(np.zeros(2, dtype))


def test_unsupported_dlpack_elements() -> None:
    with pytest.raises(TypeError, match="type code 5, 64 bits"):
        cpu.borrow(OnlyDlpack(np.zeros(2, np.complex64)))


def test_readonly_where_writable_is_needed() -> None:
    values = np.zeros(3, np.float32)
    values.flags.writeable = False
    assert cpu.borrow(values).readonly
    with pytest.raises(BufferError, match="cannot be written to"):
        cpu.borrow(values, writable=True)
    with pytest.raises(BufferError, match="cannot be written to"):
        cpu.copy(values, np.ones(3, np.float32))


def test_readonly_dlpack() -> None:
    values = np.zeros(3, np.float32)
    values.flags.writeable = False
    capsule = values.__dlpack__(max_version=(1, 0))
    with pytest.raises(BufferError, match="read-only"):
        cpu.borrow(capsule, writable=True)
    assert cpu.borrow(capsule).readonly


def test_other_device_is_refused_before_exporting() -> None:
    lender = OnlyDlpack(np.zeros(3), device=(2, 1))
    with pytest.raises(BufferError, match="the memory is on cuda:1, not in host memory"):
        cpu.borrow(lender)
    assert lender.asked == 0


def test_consumed_capsule() -> None:
    for options in ({}, {"max_version": (1, 0)}):
        capsule = np.zeros(3).__dlpack__(**options)
        cpu.borrow(capsule)
        with pytest.raises(BufferError, match="consumed already"):
            cpu.borrow(capsule)


def test_foreign_capsules() -> None:
    new = ctypes.pythonapi.PyCapsule_New
    new.restype, new.argtypes = ctypes.py_object, [ctypes.c_void_p, ctypes.c_char_p, ctypes.c_void_p]
    with pytest.raises(BufferError, match="'other' is not a DLPack capsule"):
        cpu.borrow(new(1, b"other", None))
    with pytest.raises(BufferError, match="has no name"):
        cpu.borrow(new(1, None, None))


class _Managed(ctypes.Structure):
    """A hand-made DLPack tensor, to write what no library exports."""

    _fields_ = (
        ("data", ctypes.c_void_p),
        ("device_type", ctypes.c_int32),
        ("device_id", ctypes.c_int32),
        ("ndim", ctypes.c_int32),
        ("code", ctypes.c_uint8),
        ("bits", ctypes.c_uint8),
        ("lanes", ctypes.c_uint16),
        ("shape", ctypes.POINTER(ctypes.c_int64)),
        ("strides", ctypes.POINTER(ctypes.c_int64)),
        ("byte_offset", ctypes.c_uint64),
        ("context", ctypes.c_void_p),
        ("deleter", ctypes.c_void_p),
    )


def hand_made(**changes: Any) -> tuple[Any, list[Any]]:
    """A capsule over 6 floats in 2 x 3, with fields changed; keep the second value alive."""
    memory = (ctypes.c_float * 8)(*range(8))
    shape = (ctypes.c_int64 * 2)(*changes.pop("shape", (2, 3)))
    strides = changes.pop("strides", None)
    given = (ctypes.c_int64 * 2)(*strides) if strides else None
    fields = {
        "data": ctypes.addressof(memory),
        "device_type": 1,
        "ndim": 2,
        "code": 2,
        "bits": 32,
        "lanes": 1,
        **changes,
    }
    managed = _Managed(**fields)
    managed.shape = ctypes.cast(shape, ctypes.POINTER(ctypes.c_int64))
    if given is not None:
        managed.strides = ctypes.cast(given, ctypes.POINTER(ctypes.c_int64))
    new = ctypes.pythonapi.PyCapsule_New
    new.restype, new.argtypes = ctypes.py_object, [ctypes.c_void_p, ctypes.c_char_p, ctypes.c_void_p]
    return new(ctypes.addressof(managed), b"dltensor", None), [memory, shape, given, managed]


def test_null_strides_mean_c_order_and_offset_counts() -> None:
    capsule, keep = hand_made(byte_offset=8)
    lent = cpu.borrow(capsule)
    assert lent.strides == (12, 4)
    assert cpu.sum(lent) == sum(range(2, 8))
    del lent, keep


@pytest.mark.parametrize(
    ("changes", "error", "text"),
    [
        ({"device_type": 2, "device_id": 3}, BufferError, "cuda:3"),
        ({"device_type": 99}, BufferError, "DLPack device 99:0"),
        ({"lanes": 4}, TypeError, "4 lanes"),
        ({"bits": 8}, TypeError, "8 bits"),
        ({"code": 200}, TypeError, "type code 200"),
        ({"ndim": -1}, BufferError, "negative number of axes"),
        ({"shape": (-2, 3)}, BufferError, "negative extent"),
        ({"shape": (1 << 40, 1 << 40)}, BufferError, "overflows"),
        ({"strides": (1 << 62, 1)}, BufferError, "overflow"),
        ({"strides": (-3, 1)}, BufferError, "negative stride"),
        ({"data": None}, BufferError, "no address"),
    ],
)
def test_malformed_tensors(changes: dict[str, Any], error: type[Exception], text: str) -> None:
    capsule, keep = hand_made(**changes)
    with pytest.raises(error, match=text):
        cpu.borrow(capsule)
    del keep


def test_future_dlpack_version() -> None:
    managed = (ctypes.c_uint64 * 16)()
    managed[0] = 2  # version 2.0
    new = ctypes.pythonapi.PyCapsule_New
    new.restype, new.argtypes = ctypes.py_object, [ctypes.c_void_p, ctypes.c_char_p, ctypes.c_void_p]
    with pytest.raises(BufferError, match=r"DLPack version 2\.0, only version 1"):
        cpu.borrow(new(ctypes.addressof(managed), b"dltensor_versioned", None))


def test_objects_that_lend_nothing() -> None:
    with pytest.raises(TypeError, match="'list' lends no memory"):
        cpu.borrow([1, 2])
    with pytest.raises(TypeError, match="takes float32 or float64, not int64"):
        cpu.sum(np.arange(3, dtype=np.int64))


def test_errors_of_the_exporter_pass_through() -> None:
    class Broken:
        def __dlpack_device__(self) -> tuple[int, int]:
            return (1, 0)

        def __dlpack__(self, **_: Any) -> Any:
            raise RuntimeError("my own trouble")

    with pytest.raises(RuntimeError, match="my own trouble"):
        cpu.borrow(Broken())


def test_triad_checks_its_arguments() -> None:
    ones = np.ones(4, np.float32)
    with pytest.raises(ValueError, match=r"shapes differ: \(4,\) and \(3,\)"):
        cpu.triad(np.ones(4, np.float32), ones, ones[:3], 1.0)
    with pytest.raises(ValueError, match="types differ"):
        cpu.triad(np.ones(4, np.float32), ones, np.ones(4), 1.0)
    with pytest.raises(TypeError, match="triad takes float32"):
        cpu.triad(np.ones(4), np.ones(4), np.ones(4), 1.0)
    with pytest.raises(ValueError, match="contiguous"):
        cpu.triad(np.ones(8, np.float32)[::2], ones, ones, 1.0)
    with pytest.raises(ValueError, match="overlaps"):
        cpu.triad(ones, ones, ones, 1.0)


def test_torch_tensors() -> None:
    torch = pytest.importorskip("torch")
    values = torch.arange(12, dtype=torch.float32).reshape(3, 4).t()
    lent = cpu.borrow(values)
    assert (lent.shape, lent.strides, lent.protocol) == ((4, 3), (4, 16), "dlpack")
    assert cpu.sum(values) == 66.0
    assert cpu.borrow(values.bfloat16()).dtype == "bfloat16"
    with pytest.raises(ValueError, match="meta"):
        cpu.borrow(torch.empty(3, device="meta"))


@settings(max_examples=300, deadline=None)
@given(
    values=hnp.arrays(
        dtype=st.sampled_from([np.dtype(name) for name in DTYPES]),
        shape=hnp.array_shapes(min_dims=0, max_dims=4, min_side=0, max_side=5),
        elements={"allow_nan": False, "allow_infinity": False, "allow_subnormal": False},
    ),
    data=st.data(),
)
def test_any_view_is_borrowed_or_refused(values: np.ndarray, data: st.DataObject) -> None:
    view = values[data.draw(hnp.basic_indices(values.shape, allow_ellipsis=True))] if values.ndim else values
    if not isinstance(view, np.ndarray):
        return
    negative = any(step < 0 and extent > 1 for step, extent in zip(view.strides, view.shape, strict=True))
    for lender in (view, OnlyDlpack(view)):
        if negative and view.size:
            with pytest.raises(BufferError, match="negative stride"):
                cpu.borrow(lender)
            continue
        lent = cpu.borrow(lender)
        np.testing.assert_array_equal(np.asarray(lent), view)
        if view.dtype in (np.float32, np.float64):
            expected = float(view.astype(np.float64).sum())
            assert cpu.sum(lent) == pytest.approx(expected, rel=1e-12, abs=1e-6 * float(np.abs(view).max(initial=1.0)))
