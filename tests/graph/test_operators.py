from __future__ import annotations

import numpy as np
import pytest

from perfmodel.graph.operators import KIND_CODE, KINDS, PASSES, PHASES, Operators, byte_operators, concatenate


def make(count: float, *, elements: object = 10.0, names: tuple[str, ...] = ("a", "b")) -> Operators:
    n = len(names)
    return byte_operators(
        names,
        "copy",
        "forward",
        count=np.full(n, count),
        elements=np.asarray(elements, float) + np.zeros(n),
        read=np.full(n, 8.0),
        write=np.full(n, 4.0),
    )


def test_vocabulary() -> None:
    assert KINDS[KIND_CODE["optimizer"]] == "optimizer"
    assert len(set(KINDS)) == len(KINDS) < 127
    assert PHASES == ("forward", "loss", "backward", "optimizer")
    assert PASSES == ("fwd", "dgrad", "wgrad")


def test_total_select_scaled() -> None:
    found = make(3.0)
    assert float(found.total("read")) == 48.0
    assert found.select(np.array([True, False])).name == ("a",)
    assert float(found.scaled(2.0).total("write")) == 48.0
    assert float(found.scaled(np.array([1.0, 0.0])).total("write")) == 12.0


def test_concatenate_broadcasts_points() -> None:
    points = make(1.0, elements=np.array([[1.0], [2.0], [3.0]]))
    joined = concatenate([points, make(2.0, names=("c",))])
    assert joined.name == ("a", "b", "c")
    assert joined.flops.shape == (3, 3)
    np.testing.assert_array_equal(joined.count, [[1, 1, 2]] * 3)
    np.testing.assert_array_equal(joined.total("flops"), [22, 24, 26])


def test_frozen() -> None:
    with pytest.raises(AttributeError):
        make(1.0).name = ()
