from __future__ import annotations

import pytest

from perfmodel.graph.records import Record, add_tensor, elements, split, storage_class

torch = pytest.importorskip("torch")


def test_split_tells_what_grows_with_the_batch() -> None:
    assert split(1009 * 64, 1009) == (0, 64)
    assert split(64, 1009) == (64, 0)
    assert split(1009 * 64, 0) == (1009 * 64, 0)
    assert split(0, 1009) == (0, 0)


def test_elements_counts_expanded_dimensions_once() -> None:
    plain = torch.empty(4, 5, device="meta")
    assert elements(plain) == 20
    assert elements(plain.t()) == 20
    assert elements(torch.empty(5, device="meta").expand(4, 5)) == 5
    assert elements(torch.empty((), device="meta").expand(4, 5)) == 1
    assert elements(torch.empty(0, 5, device="meta")) == 0


@pytest.mark.parametrize(
    ("dtype", "expected"),
    [("float16", "half"), ("bfloat16", "half"), ("float32", "single"), ("int64", "other"), ("bool", "other")],
)
def test_storage_class(dtype: str, expected: str) -> None:
    assert storage_class(torch.empty(1, dtype=getattr(torch, dtype))) == expected


def test_add_tensor_counts_elements_of_floats_and_bytes_of_the_rest() -> None:
    record = Record("op", "copy")
    add_tensor(record, "read", torch.empty(7, 3), 7)
    add_tensor(record, "read", torch.empty(7, 3, dtype=torch.int64), 7)
    add_tensor(record, "write", torch.empty(4), 7)
    assert record.linear == {"read_single": [0, 3], "read_other": [0, 24], "write_single": [4, 0]}


def test_product_counts_two_flops_a_multiply_add() -> None:
    record = Record("mm", "gemm")
    record.product(2, 3, 5, 7)
    assert record.flops == 2 * 2 * 3 * 5 * 7
