"""Damaged files of any kind: never a crash, never a hang, always a status and a message."""

from __future__ import annotations

import io
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from perfmodel.errors import PerfmodelError
from perfmodel.loading.plan import PLAN_DTYPE, make_plan
from perfmodel.loading.pools import chosen_backend, make_pool, plan_dtype
from perfmodel.loading.transforms import TRANSFORMS


def encoded(scene: Any, kind: str, **options: Any) -> bytes:
    from PIL import Image

    out = io.BytesIO()
    Image.fromarray(scene(3, 40, 56)).save(out, kind, **options)
    return out.getvalue()


@pytest.fixture(scope="module", params=["pillow", "native"])
def backend(request: pytest.FixtureRequest) -> str:
    try:
        return chosen_backend(request.param)
    except PerfmodelError as error:
        pytest.skip(str(error))


@pytest.fixture(scope="module")
def seeds(scene: Any) -> list[bytes]:
    return [
        encoded(scene, "JPEG", quality=80),
        encoded(scene, "JPEG", quality=80, progressive=True),
        encoded(scene, "PNG"),
        b"",
    ]


@pytest.mark.filterwarnings("ignore::Warning:PIL")
@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_mutations(backend: str, seeds: list[bytes], data: st.DataObject) -> None:
    which = data.draw(st.integers(0, len(seeds) - 1))
    content = bytearray(seeds[which])
    for at, value in data.draw(st.lists(st.tuples(st.integers(0, 5000), st.integers(0, 255)), max_size=8)):
        if at < len(content):
            content[at] = value
    cut = data.draw(st.integers(0, len(content)) | st.just(len(content)))
    content = content[:cut] + data.draw(st.binary(max_size=40))
    pool = make_pool(backend, 1)
    try:
        item = (bytes(content), 0, len(content))
        transform = TRANSFORMS[data.draw(st.sampled_from(["cyclegan", "imagenet-train", "pilotnet"]))]
        sizes = pool.sizes([item])
        assert sizes.shape == (1, 3)
        assert (sizes >= 0).all()
        plan = make_plan(transform, np.arange(1), seed=1, epoch=0, sizes=sizes, dtype=plan_dtype(backend))
        out = np.full((1, 3, *transform.size), 7, dtype=np.float32)
        status, messages = pool.load([item], plan, out, max_pixels=10_000_000)
        assert 0 <= status[0] <= 6
        assert len(messages) == (status[0] > 0)
        assert not status[0] or not out.any()
        assert np.isfinite(out).all()
    finally:
        pool.close()


@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(raw=st.binary(min_size=PLAN_DTYPE.itemsize, max_size=PLAN_DTYPE.itemsize))
def test_plans_of_any_bits(backend: str, seeds: list[bytes], raw: bytes) -> None:
    """A plan comes from Python, but a wrong one must not read or write outside of the images."""
    plan = np.frombuffer(raw, dtype=PLAN_DTYPE).astype(plan_dtype(backend))
    plan["channels"] = 3
    plan["rh"] %= 300
    plan["rw"] %= 300
    pool = make_pool(backend, 1)
    try:
        out = np.zeros((1, 3, 16, 16), dtype=np.uint8)
        try:
            status, _ = pool.load([(seeds[0], 0, len(seeds[0]))], plan, out)
        except ValueError:
            return
        assert status.shape == (1,)
    finally:
        pool.close()
